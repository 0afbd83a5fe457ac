/*
 * The messages of RFC 4475, over UDP, with the modules that ship: each gets the reaction that its index prefers, and
 * the server answers OPTIONS after it. The messages lie beside the tree; without them there is nothing to test.
 */
#include "core_test.h"

#include "core/loader/loader.h"

#include <unistd.h>

#define MAX_FILE 70000

static char folder[1024];

struct row {
	char name[64], reactions[64];
};

static bool read_file(const char *name, char *buf, size_t size, size_t *len)
{
	char path[1200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f)
		return false;
	*len = fread(buf, 1, size - 1, f);
	buf[*len] = '\0';
	fclose(f);
	return true;
}

static bool is_final_ok(int status)
{
	return status >= 100 && status != 400 && status != 500 && status != 505;
}

/* Whether what came is the reaction that token names. */
static bool matches(const char *token, const char *answer)
{
	int status = ct_status(answer);

	if (strcmp(token, "ok") == 0)
		return is_final_ok(status);
	if (strcmp(token, "drop") == 0)
		return !answer;
	if (strcmp(token, "420+Unsupported") == 0)
		return status == 420 && ct_header(answer, "Unsupported", 0);
	return status == atoi(token);
}

static void is_alive(unsigned n)
{
	struct ct_phone *p = ct_phone("10.0.0.9:5060");
	char word[32];

	snprintf(word, sizeof(word), "alive%u", n);
	ct_request(p, "OPTIONS", "sip:10.0.0.1", word, "");
	assert_int_equal(ct_status(ct_receive(p)), 200);
	ct_phone_close(p);
}

static void is_sound(const char *name, const char *answer, const char *request)
{
	static const char *const echoed[] = {"Call-ID", "CSeq"};
	const char *to = ct_header(answer, "To", 0);

	if (to && !strstr(to, "tag") && ct_status(answer) > 100)
		fail_msg("%s: no To tag in %s", name, answer);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(echoed); i++) {
		const char *was = ct_header(request, echoed[i], 0);
		char copy[2048];

		if (!was || !answer)
			continue;
		snprintf(copy, sizeof(copy), "%s", was);
		if (!ct_header(answer, echoed[i], 0))
			fail_msg("%s: %s is missing in %s", name, echoed[i], answer);
	}
}

/* The messages' Vias name these ports, and without rport that is where answers go. */
static const char *const addresses[] = {"10.0.0.2:5060", "10.0.0.2:5050", "10.0.0.2:5070"};

static const char *answer_to(struct rs_str message, struct ct_phone **phones)
{
	const char *answer = NULL;

	for (unsigned i = 0; i < RS_ARRAY_SIZE(addresses); i++)
		phones[i] = ct_phone(addresses[i]);
	ct_send_bytes(phones[0], message);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(addresses) && !answer; i++)
		answer = ct_receive(phones[i]);
	return answer;
}

static bool try_one(const struct row *row, unsigned n)
{
	static char message[MAX_FILE];
	struct ct_phone *phones[RS_ARRAY_SIZE(addresses)];
	char file[80], preferred[32];
	const char *answer;
	bool right;
	size_t len;

	snprintf(file, sizeof(file), "%s.dat", row->name);
	assert_true(read_file(file, message, sizeof(message), &len));
	answer = answer_to(rs_str_n(message, len), phones);
	snprintf(preferred, sizeof(preferred), "%.*s", (int)strcspn(row->reactions, "|"), row->reactions);
	right = matches(preferred, answer);
	if (!right)
		print_error("%s: %s wanted, %d came\n", row->name, preferred, ct_status(answer));
	is_sound(row->name, answer, message);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(addresses); i++)
		ct_phone_close(phones[i]);
	is_alive(n);
	/* Some share their branch: what is remembered of one must be forgotten before the next. */
	sim_run_for(40 * SIM_SECOND);
	return right;
}

static void each_gets_the_preferred_reaction(void **state)
{
	static char index[MAX_FILE];
	unsigned n = 0, wrong = 0;
	char *rest = NULL;
	size_t len;

	(void)state;
	assert_true(read_file("expect.tsv", index, sizeof(index), &len));
	for (char *line = strtok_r(index, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct row row;

		if (line[0] == '#' || sscanf(line, "%63[^\t]\t%*[^\t]\t%63[^\t]", row.name, row.reactions) != 2)
			continue;
		wrong += !try_one(&row, n++);
	}
	assert_true(n > 40);
	assert_int_equal(wrong, 0);
}

static int setup(void **state)
{
	const char *modules = getenv("MODULE_DIR");
	struct ast_sip_modules_conf conf = {.autoload = true};

	(void)state;
	ct_start("[anonymous]\ntype=endpoint\naors=watson,user,j.user\n[watson]\ntype=aor\nmax_contacts=4\n"
		 "[user]\ntype=aor\nmax_contacts=4\n[j.user]\ntype=aor\nmax_contacts=4\n",
		 NULL);
	assert_int_equal(ast_sip_loader_start(modules, &conf), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ct_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_gets_the_preferred_reaction, setup, teardown),
	};

	snprintf(folder, sizeof(folder), "%s/../shared/torture/rfc4475",
		 getenv("SOURCE_ROOT") ? getenv("SOURCE_ROOT") : ".");
	if (access(folder, R_OK))
		return 77; /* skipped */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
