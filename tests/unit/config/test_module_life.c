/*
 * Modules' configuration files come and go beside the snapshots that have them. Run under a thread sanitizer this shows
 * the absence of races.
 */
#include "routes.h"

#include <pthread.h>

#define E "[a]\ntype=endpoint\n[b]\ntype=endpoint\n"

static int teardown(void **state)
{
	files_gone(ONE);
	files_gone(TWO);
	conf_dir_teardown(state);
	atomic_store(&unmapped, false);
	return atomic_load(&prepared_now);
}

/* pjsip.conf in force, and routes.conf as it is given, which nobody asks for yet. */
static void in_force(struct conf_dir *d, const char *routes)
{
	conf_write(d, "routes.conf", routes);
	ast_sip_snapshot_install(conf_good(d, E));
}

static struct ast_sip_conf_object *route(struct ast_sip_snapshot *s, const char *id)
{
	return ast_sip_conf_object_find(s, "routes.conf", "route", rs_str_c(id));
}

#define ROUTE_X "[x]\ntype=route\npattern=_1\nendpoint=a\n"

static void a_file_is_read_when_its_module_comes(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *before, *s;

	in_force(d, ROUTE_X);
	before = ast_sip_snapshot_get();
	assert_null(route(before, "x"));
	/* pjsip.conf is not read again */
	conf_write(d, "pjsip.conf", "broken");
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	s = ast_sip_snapshot_get();
	assert_ptr_not_equal(s, before);
	assert_string_equal(ast_sip_conf_prepared(route(s, "x")), ">_1");
	assert_null(route(before, "x"));
	assert_ptr_equal(ast_sip_snapshot_endpoint(s, RS_STR("a")), ast_sip_snapshot_endpoint(before, RS_STR("a")));
	ast_sip_snapshot_unref(before);
	assert_non_null(ast_sip_snapshot_endpoint(s, RS_STR("b")));
	ast_sip_snapshot_unref(s);
}

static void a_bad_file_leaves_the_snapshot_in_force(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *before, *s;

	in_force(d, "[y]\ntype=route\npattern=_2\n" ROUTE_X "timeout=0\nnote=needs b\n");
	before = ast_sip_snapshot_get();
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), -1);
	assert_true(conf_said(d, false, "routes.conf", 8, "timeout: '0' is no number from 1 to 600"));
	assert_int_equal(atomic_load(&prepared_now), 0);
	s = ast_sip_snapshot_get();
	assert_ptr_equal(s, before);
	ast_sip_snapshot_unref(s);
	/* nor does the next load know it */
	s = conf_load_again(d, before);
	assert_non_null(s);
	assert_int_equal(ast_sip_conf_objects(s, "routes.conf", "route").n, 0);
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_unref(before);
	/* mended, it comes */
	conf_write(d, "routes.conf", ROUTE_X);
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
}

static void a_module_with_two_files_brings_both_or_none(void **state)
{
	static const struct ast_sip_conf_file *const both[] = {&OTHER, &ROUTES, NULL};
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;

	in_force(d, "[x]\ntype=route\npattern=_1\nendpoint=c\n");
	assert_int_equal(files_add(d, ONE, both), -1);
	assert_true(conf_said(d, false, "routes.conf", 4, "there is no endpoint 'c'"));
	s = ast_sip_snapshot_get();
	assert_null(ast_sip_conf_single(s, "other.conf", "general"));
	ast_sip_snapshot_unref(s);
	conf_write(d, "routes.conf", ROUTE_X);
	assert_int_equal(files_add(d, ONE, both), 0);
	s = ast_sip_snapshot_get();
	assert_non_null(ast_sip_conf_single(s, "other.conf", "general"));
	assert_non_null(route(s, "x"));
	ast_sip_snapshot_unref(s);
}

static void a_module_that_goes_takes_its_own_objects_only(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *before, *s;

	in_force(d, ROUTE_X);
	conf_write(d, "other.conf", "[general]\nmax_calls=7\n");
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	assert_int_equal(files_add(d, TWO, OTHER_FILES), 0);
	before = ast_sip_snapshot_get();
	files_gone(ONE);
	s = ast_sip_snapshot_get();
	assert_int_equal(ast_sip_conf_objects(s, "routes.conf", "route").n, 0);
	assert_null(ast_sip_conf_single(s, "routes.conf", "general"));
	assert_int_equal(ast_sip_conf_uint(ast_sip_conf_single(s, "other.conf", "general"), MAX_CALLS), 7);
	assert_ptr_equal(ast_sip_conf_single(s, "other.conf", "general"),
			 ast_sip_conf_single(before, "other.conf", "general"));
	/* who has the snapshot of before may read on, but for what the module made */
	assert_int_equal(ast_sip_conf_uint(route(before, "x"), TIMEOUT), 30);
	assert_null(ast_sip_conf_prepared(route(before, "x")));
	ast_sip_snapshot_unref(before);
	ast_sip_snapshot_unref(s);
}

static void a_reload_makes_objects_anew_and_frees_the_old(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *old, *s;

	in_force(d, ROUTE_X);
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	assert_int_equal(atomic_load(&prepared_now), 1);
	old = ast_sip_snapshot_get();
	conf_write(d, "routes.conf", "[x]\ntype=route\npattern=_2\n[y]\ntype=route\npattern=_3\n");
	s = conf_load_again(d, old);
	assert_non_null(s);
	ast_sip_snapshot_install(s);
	assert_int_equal(atomic_load(&prepared_now), 3);
	s = ast_sip_snapshot_get();
	assert_string_equal(ast_sip_conf_prepared(route(old, "x")), ">_1");
	assert_string_equal(ast_sip_conf_prepared(route(s, "x")), ">_2");
	/* endpoints that did not change are shared */
	assert_ptr_equal(ast_sip_snapshot_endpoint(s, RS_STR("a")), ast_sip_snapshot_endpoint(old, RS_STR("a")));
	ast_sip_snapshot_unref(old);
	assert_int_equal(atomic_load(&prepared_now), 2);
	/* a refused one leaves nothing behind */
	conf_write(d, "routes.conf", "[x]\ntype=route\npattern=_4\n[y]\ntype=route\npattern=5\n");
	assert_null(conf_load_again(d, s));
	assert_int_equal(atomic_load(&prepared_now), 2);
	ast_sip_snapshot_unref(s);
}

static void an_object_that_is_kept_outlives_its_snapshot_and_its_module(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;
	struct ast_sip_conf_object *x;

	in_force(d, ROUTE_X);
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	s = ast_sip_snapshot_get();
	x = ast_sip_conf_object_ref(route(s, "x"));
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_install(conf_load_again(d, NULL));
	assert_int_equal(atomic_load(&prepared_now), 2);
	assert_string_equal(ast_sip_conf_prepared(x), ">_1");
	files_gone(ONE);
	atomic_store(&unmapped, true);
	assert_int_equal(atomic_load(&prepared_now), 0);
	assert_null(ast_sip_conf_prepared(x));
	assert_string_equal(ast_sip_conf_object_id(x).p, "x");
	assert_string_equal(ast_sip_conf_str(x, PATTERN).p, "_1");
	assert_string_equal(ast_sip_conf_list(x, ENDPOINT).v[0].p, "a");
	ast_sip_conf_object_unref(x);
	ast_sip_conf_object_unref(NULL);
	assert_null(ast_sip_conf_object_ref(NULL));
}

/* ---- threads ---- */

static void *load_alone(void *dir)
{
	struct ast_sip_conf_errors errors = {0};

	ast_sip_snapshot_unref(ast_sip_snapshot_load(dir, NULL, &errors));
	ast_sip_conf_errors_free(&errors);
	return NULL;
}

static void a_module_that_goes_waits_for_its_check(void **state)
{
	struct conf_dir *d = *state;
	pthread_t t;

	in_force(d, ROUTE_X);
	assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
	atomic_store(&slow, true);
	assert_int_equal(pthread_create(&t, NULL, load_alone, d->path), 0);
	while (!atomic_load(&inside))
		sched_yield();
	ast_sip_conf_files_remove(ONE);
	assert_false(atomic_load(&inside));
	ast_sip_conf_files_sever(ONE);
	atomic_store(&unmapped, true);
	pthread_join(t, NULL);
	atomic_store(&slow, false);
	assert_int_equal(atomic_load(&prepared_now), 0);
}

static _Atomic bool added;

static void *add_routes(void *unused)
{
	struct ast_sip_conf_errors errors = {0};

	(void)unused;
	if (ast_sip_conf_files_add(ONE, ROUTES_FILES, &errors) != 0)
		abort();
	atomic_store(&added, true);
	ast_sip_conf_errors_free(&errors);
	return NULL;
}

static void a_file_that_comes_during_a_reload_is_not_lost(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;
	pthread_t t;

	in_force(d, ROUTE_X);
	ast_sip_conf_change_begin();
	s = conf_load_again(d, NULL);
	assert_non_null(s);
	assert_int_equal(pthread_create(&t, NULL, add_routes, NULL), 0);
	for (unsigned i = 0; i < 20000 && !atomic_load(&added); i++)
		sched_yield();
	ast_sip_snapshot_install(s);
	ast_sip_conf_change_end();
	pthread_join(t, NULL);
	s = ast_sip_snapshot_get();
	assert_non_null(route(s, "x"));
	ast_sip_snapshot_unref(s);
}

#define READERS 3
#define ROUNDS  25

static _Atomic bool stop, at_home; /* at_home: the module's code runs, so that what it prepared may be read */
static pthread_rwlock_t home = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* Any thread's part: values of whatever snapshot it has. */
static void read_values(struct ast_sip_snapshot *s)
{
	struct ast_sip_conf_objects routes = ast_sip_conf_objects(s, "routes.conf", "route");

	for (uint32_t i = 0; i < routes.n; i++)
		if (ast_sip_conf_str(routes.v[i], PATTERN).p[0] != '_' ||
		    !ast_sip_conf_object_find(s, "routes.conf", "route", ast_sip_conf_object_id(routes.v[i])))
			abort();
}

/* The module's part: what it prepared, of the snapshot in force, which has its file as long as the module is there. */
static void read_prepared(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	struct ast_sip_conf_objects routes = ast_sip_conf_objects(s, "routes.conf", "route");

	if (routes.n != 2)
		abort();
	for (uint32_t i = 0; i < routes.n; i++) {
		const char *prepared = ast_sip_conf_prepared(routes.v[i]);

		if (!prepared || strcmp(prepared + 1, ast_sip_conf_str(routes.v[i], PATTERN).p) != 0)
			abort();
	}
	ast_sip_snapshot_unref(s);
}

static void *reader(void *unused)
{
	struct ast_sip_snapshot *kept = NULL;

	(void)unused;
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct ast_sip_snapshot *s = ast_sip_snapshot_get();

		read_values(s);
		if (kept)
			read_values(kept);
		ast_sip_snapshot_unref(kept);
		kept = s;
		pthread_rwlock_rdlock(&home);
		if (atomic_load(&at_home))
			read_prepared();
		pthread_rwlock_unlock(&home);
		if (i % 8 == 0)
			ast_sip_snapshot_thread_release();
	}
	ast_sip_snapshot_unref(kept);
	return NULL;
}

/* Loads beside modules that come and go, as a reload does. */
static void *reloader(void *dir)
{
	while (!atomic_load(&stop)) {
		struct ast_sip_conf_errors errors = {0};
		struct ast_sip_snapshot *old, *s;

		ast_sip_conf_change_begin();
		old = ast_sip_snapshot_get();
		s = ast_sip_snapshot_load(dir, old, &errors);
		if (!s)
			abort();
		ast_sip_snapshot_install(s);
		ast_sip_conf_change_end();
		ast_sip_snapshot_unref(old);
		ast_sip_conf_errors_free(&errors);
		sched_yield();
	}
	return NULL;
}

/* Loads that nobody puts in force, as a check makes them. */
static void *checker(void *dir)
{
	while (!atomic_load(&stop)) {
		struct ast_sip_conf_errors errors = {0};
		struct ast_sip_snapshot *s = ast_sip_snapshot_load(dir, NULL, &errors);

		if (!s)
			abort();
		read_values(s);
		ast_sip_snapshot_unref(s);
		ast_sip_conf_errors_free(&errors);
		sched_yield();
	}
	return NULL;
}

static void let_others_run(unsigned turns)
{
	while (turns-- > 0)
		sched_yield();
}

static void set_at_home(bool yes)
{
	pthread_rwlock_wrlock(&home);
	atomic_store(&at_home, yes);
	pthread_rwlock_unlock(&home);
}

static void nothing_of_a_module_runs_after_it_was_severed_whatever_others_hold(void **state)
{
	struct conf_dir *d = *state;
	pthread_t threads[READERS + 2];

	in_force(d, ROUTE_X "[y]\ntype=route\npattern=_22\n");
	atomic_store(&stop, false);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
	assert_int_equal(pthread_create(&threads[READERS], NULL, reloader, d->path), 0);
	assert_int_equal(pthread_create(&threads[READERS + 1], NULL, checker, d->path), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		atomic_store(&unmapped, false);
		assert_int_equal(files_add(d, ONE, ROUTES_FILES), 0);
		set_at_home(true);
		let_others_run(i % 10);
		set_at_home(false);
		ast_sip_conf_files_remove(ONE);
		ast_sip_conf_files_sever(ONE);
		atomic_store(&unmapped, true); /* check and release abort from here on */
		assert_int_equal(atomic_load(&prepared_now), 0);
		let_others_run(i % 10);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < READERS + 2; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&unmapped, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, conf_dir_setup, teardown)
		T(a_file_is_read_when_its_module_comes),
		T(a_bad_file_leaves_the_snapshot_in_force),
		T(a_module_with_two_files_brings_both_or_none),
		T(a_module_that_goes_takes_its_own_objects_only),
		T(a_reload_makes_objects_anew_and_frees_the_old),
		T(an_object_that_is_kept_outlives_its_snapshot_and_its_module),
		T(a_module_that_goes_waits_for_its_check),
		T(a_file_that_comes_during_a_reload_is_not_lost),
		T(nothing_of_a_module_runs_after_it_was_severed_whatever_others_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
