/* res_sip.conf and modules.conf. */
#include "conf_dir.h"

static struct ast_sip_snapshot *own_load(struct conf_dir *d, const char *text)
{
	conf_write(d, "pjsip.conf", "");
	conf_write(d, "res_sip.conf", text);
	return conf_load_again(d, NULL);
}

static void own_options_have_defaults_without_a_file(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "");

	assert_true(ast_sip_own_bool(s, "registrar", "durable", false));
	assert_false(ast_sip_own_bool(s, "identify", "allow_without_authenticator", true));
	assert_int_equal(ast_sip_own_uint(s, "messaging", "timeout_ms", 1), 20000);
	assert_int_equal(ast_sip_own_uint(s, "limits", "message_size", 1), 65535);
	assert_string_equal(ast_sip_own_str(s, "log", "level").p, "info");
	assert_int_equal(ast_sip_own_list(s, "security", "trusted").n, 0);
	assert_false(ast_sip_snapshot_informational(s));
	ast_sip_snapshot_unref(s);
}

static void own_options_are_read_from_the_file(void **state)
{
	struct ast_sip_snapshot *s =
		own_load(*state, "[registrar]\nDurable = no\n[t](!)\nqueue_wait_ms=700\n[limits](t)\n"
				 "message_size=2000\n[security]\ntrusted=10.0.0.0/8, ::1\n"
				 "trusted=192.0.2.1\n[limits]\nuri=300\n");

	assert_non_null(s);
	assert_false(ast_sip_own_bool(s, "registrar", "durable", true));
	assert_int_equal(ast_sip_own_uint(s, "limits", "message_size", 0), 2000);
	assert_int_equal(ast_sip_own_uint(s, "limits", "queue_wait_ms", 0), 700);
	assert_int_equal(ast_sip_own_uint(s, "limits", "uri", 0), 300);
	assert_int_equal(ast_sip_own_list(s, "security", "trusted").n, 3);
	assert_string_equal(ast_sip_own_list(s, "security", "trusted").v[2].p, "192.0.2.1");
	assert_false(ast_sip_snapshot_informational(s));
	ast_sip_snapshot_unref(s);
	s = own_load(*state, "[security]\nInformational = yes\n");
	assert_non_null(s);
	assert_true(ast_sip_snapshot_informational(s));
	ast_sip_snapshot_unref(s);
}

static void bad_own_options_are_errors_at_their_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} bad[] = {
		{"[limits]\nmesage_size=2000\n", 2, "unknown option 'mesage_size' (did you mean 'message_size'?)"},
		{"[limits]\nmessage_size=1023\n", 2, "is no number from 1024 to 65535"},
		{"[limits]\nmessage_size=big\n", 2, "is no number"},
		{"[registrar]\ndurable=perhaps\n", 2, "neither yes nor no"},
		{"[log]\nlevel=loud\n", 2, "is none of error"},
		{"[session]\nauthenticate_in_dialog=sometimes\n", 2, "is none of always, moved, never"},
		{"[limits]\ndialogs=1\n", 2, "is no number from 2"},
		{"[security]\ntrusted=10.0.0.0/8,office\n", 2, "is no list of address"},
		{"[limit]\nmessage_size=2000\n", 1, "unknown section [limit] (did you mean 'limits'?)"},
	};
	struct conf_dir *d = *state;

	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		assert_null(own_load(d, bad[i].text));
		if (!conf_said(d, false, "res_sip.conf", bad[i].line, bad[i].what)) {
			conf_errors_dump(d);
			fail_msg("not said: %s", bad[i].what);
		}
	}
}

static void a_section_that_nobody_knows_is_kept_for_a_module(void **state)
{
	struct ast_sip_snapshot *s = own_load(*state, "[weather]\nstation = north\nevery_s=5\nwind=yes\n");

	assert_non_null(s);
	assert_true(conf_said(*state, true, "res_sip.conf", 1, "kept for a module"));
	assert_string_equal(ast_sip_own_str(s, "weather", "station").p, "north");
	assert_int_equal(ast_sip_own_uint(s, "weather", "every_s", 1), 5);
	assert_true(ast_sip_own_bool(s, "weather", "wind", false));
	assert_int_equal(ast_sip_own_uint(s, "weather", "none", 42), 42);
	ast_sip_snapshot_unref(s);
}

static const struct ast_sip_own_option WEATHER[] = {
	{"weather", "every_s", AST_SIP_OWN_UINT, "60", 10, 100, "how often it looks"},
	{"weather", "stations", AST_SIP_OWN_LIST, "north,south", 0, 0, "where"},
};

static void options_that_a_module_registered_are_checked(void **state)
{
	struct ast_sip_snapshot *s;

	assert_int_equal(ast_sip_own_register(WEATHER, RS_ARRAY_SIZE(WEATHER)), 0);
	s = own_load(*state, "");
	assert_non_null(s);
	assert_int_equal(ast_sip_own_uint(s, "weather", "every_s", 1), 60);
	assert_int_equal(ast_sip_own_list(s, "weather", "stations").n, 2);
	ast_sip_snapshot_unref(s);
	assert_null(own_load(*state, "[weather]\nevery_s=5\n"));
	assert_true(conf_said(*state, false, "res_sip.conf", 2, "from 10 to 100"));
	s = own_load(*state, "[weather]\nstations=west\n");
	assert_int_equal(ast_sip_own_list(s, "weather", "stations").n, 1);
	ast_sip_snapshot_unref(s);
	ast_sip_own_unregister(WEATHER);
	s = own_load(*state, "[weather]\nevery_s=5\n");
	assert_non_null(s);
	ast_sip_snapshot_unref(s);
}

/* ---- modules.conf ---- */

static int modules_load(struct conf_dir *d, const char *text, struct ast_sip_modules_conf *out)
{
	ast_sip_conf_errors_free(&d->errors);
	conf_write(d, "modules.conf", text);
	return ast_sip_modules_conf_load(d->path, out, &d->errors);
}

static void without_modules_conf_everything_is_loaded(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_modules_conf c;

	assert_int_equal(ast_sip_modules_conf_load(d->path, &c, &d->errors), 0);
	assert_false(c.present);
	assert_true(c.autoload);
	assert_int_equal(c.n, 0);
	ast_sip_modules_conf_free(&c);
}

static void module_lines_are_read_in_order(void **state)
{
	struct ast_sip_modules_conf c;

	assert_int_equal(
		modules_load(*state,
			     "[other]\nx=y\n[modules]\nautoload=yes\nload = res_pjsip_NAT.so\n"
			     "require => res_sip_registrar\npreload=a.so\npreload-require=b\nnoload=c.so ; why\n"
			     "[modules]\nnonsense=1\n",
			     &c),
		0);
	assert_true(c.present);
	assert_true(c.autoload);
	assert_int_equal(c.n, 5);
	assert_int_equal(c.v[0].what, AST_SIP_MODULE_LOAD);
	assert_string_equal(c.v[0].name, "res_pjsip_nat");
	assert_int_equal(c.v[0].line, 5);
	assert_string_equal(c.v[0].file, "modules.conf");
	assert_int_equal(c.v[1].what, AST_SIP_MODULE_REQUIRE);
	assert_string_equal(c.v[1].name, "res_sip_registrar");
	assert_int_equal(c.v[2].what, AST_SIP_MODULE_PRELOAD);
	assert_int_equal(c.v[3].what, AST_SIP_MODULE_PRELOAD_REQUIRE);
	assert_int_equal(c.v[4].what, AST_SIP_MODULE_NOLOAD);
	assert_string_equal(c.v[4].name, "c");
	ast_sip_modules_conf_free(&c);
}

static void autoload_is_off_when_the_file_does_not_say(void **state)
{
	struct ast_sip_modules_conf c;

	assert_int_equal(modules_load(*state, "[modules]\nload=a\n", &c), 0);
	assert_false(c.autoload);
	ast_sip_modules_conf_free(&c);
}

static void bad_lines_of_modules_conf_are_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} bad[] = {
		{"[modules]\nlaod=a.so\n", 2, "unknown key 'laod' in [modules] (did you mean 'load'?)"},
		{"[modules]\nautoload=always\n", 2, "neither yes nor no"},
		{"[modules]\nload=\n", 2, "no module name"},
		{"[modules]\nload=../a.so\n", 2, "no module name"},
		{"[modules]\nrequire=a\nnoload=A.so\n", 3, "noload of 'a', which modules.conf:2 requires"},
		{"load=a\n[modules]\n", 1, "before any [section]"},
	};
	struct ast_sip_modules_conf c;
	struct conf_dir *d = *state;

	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		assert_int_equal(modules_load(d, bad[i].text, &c), -1);
		ast_sip_modules_conf_free(&c);
		assert_true(conf_said(d, false, "modules.conf", bad[i].line, bad[i].what));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(own_options_have_defaults_without_a_file),
		conf_test(own_options_are_read_from_the_file),
		conf_test(bad_own_options_are_errors_at_their_line),
		conf_test(a_section_that_nobody_knows_is_kept_for_a_module),
		conf_test(options_that_a_module_registered_are_checked),
		conf_test(without_modules_conf_everything_is_loaded),
		conf_test(module_lines_are_read_in_order),
		conf_test(autoload_is_off_when_the_file_does_not_say),
		conf_test(bad_lines_of_modules_conf_are_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
