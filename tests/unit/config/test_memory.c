/*
 * Loading with each allocation failing in turn: either everything is there or there is no snapshot and an error count,
 * never a crash or a leak. The linker sends allocations of the configuration through the wrappers below.
 */
#include "conf_dir.h"

#include <stdarg.h>

static unsigned long fail_at; /* 0: none fails */
static unsigned long calls;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
int __wrap_asprintf(char **out, const char *format, ...);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
	return ++calls == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails() ? NULL : __real_strndup(text, n);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list args;
	int n = -1;

	va_start(args, format);
	if (!fails())
		n = vasprintf(out, format, args);
	va_end(args);
	return n;
}

static const char TEXT[] =
	"[udp]\ntype=transport\nbind=127.0.0.1\nlocal_net=10.0.0.0/8\ncipher=x\n"
	"[t](!)\ntype=endpoint\nallow=ulaw\ndeny=0.0.0.0/0\npermit=10.0.0.0/8\nacl=office\n@x=y\n"
	"[e](t)\nauth=e\naors=e\ncallerid=a\ncallerid+=b\n#include more.conf\n"
	"[e]\ntype=auth\nusername=e\npassword=p\n[e](+type=auth)\nrealm=r\n"
	"[e]\ntype=aor\nmax_contacts=1\ncontact=sip:a@b\nmailboxes=1\n"
	"[i]\ntype=identify\nendpoint=e\nmatch=10.0.0.1\nmatch_header=A: /b/\nmatch_request_uri=/c/\n"
	"[g]\ntype=acl\ndeny=::/0\n[d]\ntype=domain_alias\ndomain=x\n[r]\ntype=registration\n"
	"[global]\nregcontext=x\n[system]\nfollow_early_media_fork=no\n";

static void each_failing_allocation_gives_an_error_or_a_whole_snapshot(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *first, *s;
	unsigned long good = 0, refused = 0;

	conf_write(d, "acl.conf", "[office]\ndeny=10.1.0.0/16\n");
	conf_write(d, "more.conf", "from_user=x\n");
	conf_write(d, "res_sip.conf", "[security]\ntrusted=::1\n[other]\nx=y\n");
	first = conf_good(d, TEXT);
	for (unsigned long i = 1; i < 100000; i++) {
		ast_sip_conf_errors_free(&d->errors);
		calls = 0;
		fail_at = i;
		s = ast_sip_snapshot_load(d->path, i % 2 ? first : NULL, &d->errors);
		fail_at = 0;
		if (calls < i) { /* every allocation of a load has failed once */
			assert_non_null(s);
			ast_sip_snapshot_unref(s);
			break;
		}
		if (s) {
			assert_int_equal(d->errors.n_fatal, 0);
			assert_int_equal(ast_sip_snapshot_endpoints(s).n, 1);
			assert_int_equal(ast_sip_snapshot_aors(s).n, 1);
			assert_int_equal(ast_sip_snapshot_auths(s).n, 1);
			assert_int_equal(ast_sip_snapshot_identifies(s).n, 1);
			assert_int_equal(ast_sip_endpoint_auths(ast_sip_snapshot_endpoints(s).v[0]).n, 1);
			assert_int_equal(ast_sip_own_list(s, "security", "trusted").n, 1);
			good++;
		} else {
			assert_true(d->errors.n_fatal > 0);
			refused++;
		}
		ast_sip_snapshot_unref(s);
	}
	assert_true(refused > 20);
	print_message("%lu refused, %lu loaded all the same\n", refused, good);
	ast_sip_snapshot_unref(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(each_failing_allocation_gives_an_error_or_a_whole_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
