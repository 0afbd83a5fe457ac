#include "support.h"
#include "res_sip/res_sip.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static int setup(void **state)
{
	struct ast_sip_modules_conf c =
		CONF(false, {AST_SIP_MODULE_LOAD, "test_needs_plain"}, {AST_SIP_MODULE_LOAD, "test_worker"});

	(void)state;
	test_forget_work = false;
	assert_int_equal(ast_sip_loader_start(module_folder(), &c), 0);
	conf_done(&c);
	notes_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_forget_work = false;
	ast_sip_loader_stop(1000);
	return 0;
}

struct search {
	const char *name;
	bool found;
};

static void search_each(void *token, const struct sip_module *service)
{
	struct search *s = token;

	s->found = s->found || strcmp(service->name, s->name) == 0;
}

static bool service_there(const char *name)
{
	struct search s = {.name = name};

	ast_sip_services_each(search_each, &s);
	return s.found;
}

static void expect_refused(const char *name, const char *reason)
{
	char *why = NULL;

	assert_int_equal(ast_sip_loader_unload(name, &why), -1);
	assert_string_equal(why, reason);
	free(why);
}

static void an_idle_module_is_unloaded_and_its_service_gone(void **state)
{
	(void)state;
	assert_true(service_there("test_worker"));
	assert_int_equal(ast_sip_loader_unload("test_worker", NULL), 0);
	assert_string_equal(notes(), "unload test_worker");
	assert_false(service_there("test_worker"));
	assert_false(ast_sip_module_loaded("test_worker"));
	assert_int_equal(ast_sip_loader_load("test_worker", NULL), 0);
	assert_true(service_there("test_worker"));
}

static void what_another_module_needs_stays(void **state)
{
	(void)state;
	expect_refused("test_plain", "test_plain is needed by test_needs_plain");
	assert_int_equal(ast_sip_loader_unload("test_needs_plain", NULL), 0);
	assert_int_equal(ast_sip_loader_unload("test_plain", NULL), 0);
}

/* The symbols of the one are found by the other alone, whichever was opened first. */
static void a_module_links_with_the_one_it_needs(void **state)
{
	(void)state;
	test_linked_calls = 0;
	assert_int_equal(ast_sip_loader_load("test_on_base", NULL), 0);
	assert_string_equal(notes(), "load test_base, load test_on_base");
	assert_int_equal(test_linked_calls, 1);
	assert_null(dlsym(RTLD_DEFAULT, "test_base_calls"));
	expect_refused("test_base", "test_base is needed by test_on_base");
	assert_int_equal(ast_sip_loader_unload("test_on_base", NULL), 0);
	assert_int_equal(test_linked_calls, 2); /* one copy, with one state */
	assert_int_equal(ast_sip_loader_unload("test_base", NULL), 0);
	/* Each time anew. */
	assert_int_equal(ast_sip_loader_load("test_base", NULL), 0);
	assert_int_equal(ast_sip_loader_load("test_on_base", NULL), 0);
	assert_int_equal(test_linked_calls, 1);
}

/* It declined, but something of it still runs: its code may be in that of the other. */
static void what_a_mapped_module_needs_stays(void **state)
{
	char *why = NULL;

	(void)state;
	test_declines_on_base = true;
	assert_int_equal(ast_sip_loader_load("test_on_base", &why), -1);
	free(why);
	expect_refused("test_base", "test_base is needed by test_on_base");
	ast_sip_module_hold_for(loader_find("test_on_base"), -1, "thread");
	test_declines_on_base = false;
	assert_int_equal(ast_sip_loader_load("test_on_base", NULL), 0);
	assert_int_equal(ast_sip_loader_unload("test_on_base", NULL), 0);
	assert_int_equal(ast_sip_loader_unload("test_base", NULL), 0);
}

static void a_module_with_tasks_is_put_back_untouched(void **state)
{
	struct ast_sip_module *m = loader_find("test_worker");

	(void)state;
	ast_sip_module_hold_for(m, 1, "task");
	ast_sip_module_hold_for(m, 1, "task");
	/* The module's work is listed as well: nothing of it was given back. */
	expect_refused("test_worker", "test_worker is in use: 1 work, 2 tasks");
	assert_string_equal(notes(), "");
	assert_true(service_there("test_worker"));
	ast_sip_module_hold_for(m, -1, "task");
	ast_sip_module_hold_for(m, -1, "task");
	assert_int_equal(ast_sip_loader_unload("test_worker", NULL), 0);
}

static void a_module_that_keeps_something_is_brought_back(void **state)
{
	(void)state;
	test_forget_work = true;
	expect_refused("test_worker", "test_worker is in use: 1 work");
	assert_string_equal(notes(), "unload test_worker, load test_worker");
	assert_true(service_there("test_worker"));
	assert_true(ast_sip_module_loaded("test_worker"));
	ast_sip_destroy_work(test_left);
	test_forget_work = false;
}

static int wait_for_release(void *data)
{
	pthread_mutex_lock(data);
	pthread_mutex_unlock(data);
	return 0;
}

static void a_running_task_is_waited_for(void **state)
{
	static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct ast_sip_module *m = loader_find("test_worker");
	struct ast_sip_work *work = ast_sip_create_work_for(m, "gate");

	(void)state;
	pthread_mutex_lock(&gate);
	assert_int_equal(ast_sip_push_task_for(m, "gate", work, wait_for_release, &gate), 0);
	expect_refused("test_worker", "test_worker is in use: 2 works, 1 task");
	pthread_mutex_unlock(&gate);
	ast_sip_destroy_work(work);
	assert_int_equal(ast_sip_loader_unload("test_worker", NULL), 0);
}

static void nothing_that_is_not_loaded_is_unloaded(void **state)
{
	(void)state;
	expect_refused("test_early", "test_early is not loaded");
	expect_refused("res_pjsip", "res_pjsip is part of the server");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_idle_module_is_unloaded_and_its_service_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(what_another_module_needs_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_links_with_the_one_it_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_mapped_module_needs_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_with_tasks_is_put_back_untouched, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_that_keeps_something_is_brought_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_running_task_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_that_is_not_loaded_is_unloaded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, core_up, core_down);
}
