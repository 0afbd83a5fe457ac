/* The limits of MESSAGE: how many contacts, how many at once, how long; and which AOR a Request-URI means. */
#include "core_test.h"

extern const struct ast_sip_module_info ast_sip_module_info;

#define MAX_BRANCHES 32

static struct ct_phone *sender, *receiver;

/* AOR "many" with n contacts, all of them one phone's. */
static void start(unsigned n, const char *own)
{
	char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text),
				      "%s[alias.example]\ntype=domain_alias\ndomain=real.example\n"
				      "[bob@10.0.0.1]\ntype=aor\ncontact=sip:1@10.0.0.2\n"
				      "[bob@real.example]\ntype=aor\ncontact=sip:2@10.0.0.2\n"
				      "[bob]\ntype=aor\ncontact=sip:3@10.0.0.2\n[many]\ntype=aor\n",
				      CT_ANONYMOUS);

	for (unsigned i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "contact=sip:%u@10.0.0.2\n", i);
	ct_start(text, own);
	ct_let_all_in();
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	sender = ct_phone("10.0.0.9:5060");
	receiver = ct_phone("10.0.0.2:5060");
}

static void send_message(const char *uri, const char *more)
{
	static unsigned n;
	char word[16];

	snprintf(word, sizeof(word), "m%u", ++n);
	ct_request(sender, "MESSAGE", uri, word, more);
}

/* How many the receiver gets, all answered. */
static unsigned delivered(void)
{
	unsigned n = 0;
	const char *m;

	while ((m = ct_receive_within(receiver, SIM_SECOND / 10))) {
		n += strncmp(m, "MESSAGE ", 8) == 0;
		ct_answer(receiver, m, 200, "");
	}
	return n;
}

static void so_many_contacts_get_a_message(void **state)
{
	(void)state;
	for (unsigned n = MAX_BRANCHES; n <= MAX_BRANCHES + 1; n++) {
		start(n, NULL);
		send_message("sip:many@10.0.0.1", "");
		assert_int_equal(delivered(), MAX_BRANCHES);
		assert_int_equal(ct_status(ct_receive(sender)), 200);
		ct_stop();
	}
}

static void so_many_are_asked_at_once(void **state)
{
	(void)state;
	for (unsigned n = 3; n <= 4; n++) {
		start(n, "[messaging]\nmax_breadth=3\n");
		send_message("sip:many@10.0.0.1", "");
		assert_int_equal(delivered(), n == 3 ? 3 : 0);
		assert_int_equal(ct_status(ct_receive(sender)), n == 3 ? 200 : 440);
		/* What the request allows counts when it is less. */
		send_message("sip:many@10.0.0.1", "Max-Breadth: 2\n");
		assert_int_equal(ct_status(ct_receive(sender)), 440);
		ct_stop();
	}
}

static void an_answer_is_waited_for_so_long(void **state)
{
	(void)state;
	start(0, "[messaging]\ntimeout_ms=2000\n");
	send_message("sip:bob@10.0.0.1", "");
	assert_non_null(ct_receive(receiver));
	assert_null(ct_receive_within(sender, 1900 * SIM_MS));
	assert_int_equal(ct_status(ct_receive_within(sender, 300 * SIM_MS)), 480);
	/* An answer just in time. */
	send_message("sip:bob@10.0.0.1", "");
	sim_run_for(1800 * SIM_MS);
	(void)delivered();
	assert_int_equal(ct_status(ct_receive(sender)), 200);
}

static void assert_goes_to(const char *uri, const char *contact)
{
	const char *m;

	send_message(uri, "");
	m = ct_receive(receiver);
	if (!contact) {
		assert_null(m);
		assert_int_equal(ct_status(ct_receive(sender)), 404);
		return;
	}
	assert_non_null(m);
	assert_memory_equal(m + 8, contact, strlen(contact));
	ct_answer(receiver, m, 200, "");
	assert_int_equal(ct_status(ct_receive(sender)), 200);
}

static void the_request_uri_names_an_aor(void **state)
{
	(void)state;
	start(0, NULL);
	assert_goes_to("sip:bob@10.0.0.1", "sip:1@10.0.0.2 ");
	assert_goes_to("sip:%62ob@10.0.0.1", "sip:1@10.0.0.2 ");
	assert_goes_to("sip:bob@alias.example", "sip:2@10.0.0.2 ");
	assert_goes_to("sip:bob@real.example", "sip:2@10.0.0.2 ");
	assert_goes_to("sip:bob@elsewhere.example", "sip:3@10.0.0.2 ");
	assert_goes_to("sip:bob@10.0.0.1:9;x=y", "sip:1@10.0.0.2 ");
	assert_goes_to("sip:Bob@10.0.0.1", NULL);
	assert_goes_to("sip:bo@10.0.0.1", NULL);
	assert_goes_to("sip:bob%00@10.0.0.1", NULL);
	assert_goes_to("sip:10.0.0.1", NULL);
	assert_goes_to("tel:+1", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_teardown(f, ct_teardown)
		T(so_many_contacts_get_a_message),
		T(so_many_are_asked_at_once),
		T(an_answer_is_waited_for_so_long),
		T(the_request_uri_names_an_aor),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
