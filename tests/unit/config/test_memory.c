/*
 * Loading with each allocation failing in turn: either everything is there or there is no snapshot and an error count,
 * never a crash or a leak. The linker sends allocations of the configuration through the wrappers below.
 */
#include "routes.h"

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

static const char ROUTES_TEXT[] = "[t](!)\ntype=route\npattern=_1\n[x](t)\nendpoint=e\nendpoint=e\nnote=a\nnote+=b\n"
				  "[y](t)\n[general]\nmax_calls=3\n";

static void expect_routes(struct ast_sip_snapshot *s)
{
	struct ast_sip_conf_objects routes = ast_sip_conf_objects(s, "routes.conf", "route");

	assert_int_equal(routes.n, 2);
	assert_int_equal(ast_sip_conf_list(routes.v[0], ENDPOINT).n, 2);
	assert_string_equal(ast_sip_conf_prepared(routes.v[1]), ">_1");
	assert_int_equal(ast_sip_conf_uint(ast_sip_conf_single(s, "routes.conf", "general"), MAX_CALLS), 3);
}

/* The same with a module's file in each load. */
static void a_load_with_a_modules_file_fails_as_a_whole(void **state)
{
	struct conf_dir *d = *state;
	unsigned long refused = 0;

	conf_write(d, "pjsip.conf", "[e]\ntype=endpoint\n");
	conf_write(d, "routes.conf", ROUTES_TEXT);
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	for (unsigned long i = 1, made = i; made >= i; i++) {
		struct ast_sip_snapshot *s;

		ast_sip_conf_errors_free(&d->errors);
		calls = 0;
		fail_at = i;
		s = ast_sip_snapshot_load(d->path, NULL, &d->errors);
		fail_at = 0;
		made = calls + 1;
		if (s)
			expect_routes(s);
		else
			assert_true(d->errors.n_fatal > 0);
		refused += !s;
		ast_sip_snapshot_unref(s);
		assert_int_equal(atomic_load(&prepared_now), 0);
	}
	assert_true(refused > 20);
	files_gone(ONE);
}

static void a_module_comes_with_its_file_or_not_at_all(void **state)
{
	struct conf_dir *d = *state;
	unsigned long refused = 0;
	int rc = -1;

	conf_write(d, "routes.conf", ROUTES_TEXT);
	ast_sip_snapshot_install(conf_good(d, "[e]\ntype=endpoint\n"));
	for (unsigned long i = 1, made = i; made >= i; i++) {
		struct ast_sip_snapshot *s;

		ast_sip_conf_errors_free(&d->errors);
		calls = 0;
		fail_at = i;
		rc = ast_sip_conf_files_add(ONE, ROUTES_FILES, &d->errors);
		fail_at = 0;
		made = calls + 1;
		s = ast_sip_snapshot_get();
		if (rc == 0) {
			expect_routes(s);
		} else {
			assert_true(d->errors.n_fatal > 0);
			assert_null(ast_sip_conf_single(s, "routes.conf", "general"));
			refused++;
		}
		ast_sip_snapshot_unref(s);
		files_gone(ONE);
		assert_int_equal(atomic_load(&prepared_now), 0);
	}
	assert_int_equal(rc, 0);
	assert_true(refused > 20);
}

static void a_module_goes_without_memory_too(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;

	conf_write(d, "routes.conf", ROUTES_TEXT);
	ast_sip_snapshot_install(conf_good(d, "[e]\ntype=endpoint\n"));
	for (unsigned long i = 1; i <= 3; i++) {
		assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
		calls = 0;
		fail_at = i;
		ast_sip_conf_files_remove(ONE);
		fail_at = 0;
		assert_true(calls >= i);
		s = ast_sip_snapshot_get();
		assert_int_equal(ast_sip_conf_objects(s, "routes.conf", "route").n, 2);
		ast_sip_conf_files_sever(ONE);
		assert_int_equal(atomic_load(&prepared_now), 0);
		assert_null(ast_sip_conf_prepared(ast_sip_conf_objects(s, "routes.conf", "route").v[0]));
		ast_sip_snapshot_unref(s);
		/* when it comes again, what was left gives way to what is read then */
		assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
		s = ast_sip_snapshot_get();
		expect_routes(s);
		ast_sip_snapshot_unref(s);
		files_gone(ONE);
	}
	assert_ptr_not_equal(ONE, TWO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(each_failing_allocation_gives_an_error_or_a_whole_snapshot),
		conf_test(a_load_with_a_modules_file_fails_as_a_whole),
		conf_test(a_module_comes_with_its_file_or_not_at_all),
		conf_test(a_module_goes_without_memory_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
