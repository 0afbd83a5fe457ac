/* What a module's configuration file may say, and how it is refused. */
#include "routes.h"

#define E "[a]\ntype=endpoint\n[b]\ntype=endpoint\n"

static int setup(void **state)
{
	struct conf_dir *d;

	if (conf_dir_setup(state) != 0)
		return -1;
	d = *state;
	conf_write(d, "pjsip.conf", E);
	return files_add(d, ONE, ROUTES_FILES);
}

static int teardown(void **state)
{
	files_gone(ONE);
	files_gone(TWO);
	conf_dir_teardown(state);
	return atomic_load(&prepared_now);
}

static struct ast_sip_snapshot *routes_load(struct conf_dir *d, const char *text)
{
	conf_write(d, "routes.conf", text);
	return conf_load_again(d, NULL);
}

static struct ast_sip_snapshot *routes_good(struct conf_dir *d, const char *text)
{
	struct ast_sip_snapshot *s = routes_load(d, text);

	if (!s)
		conf_errors_dump(d);
	assert_non_null(s);
	return s;
}

static struct ast_sip_conf_object *route(struct ast_sip_snapshot *s, const char *id)
{
	return ast_sip_conf_object_find(s, "routes.conf", "route", rs_str_c(id));
}

static void expect_order(struct ast_sip_snapshot *s, const char *ids)
{
	struct ast_sip_conf_objects routes = ast_sip_conf_objects(s, "routes.conf", "route");
	char text[256] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < routes.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i ? " " : "",
				      RS_FMT(ast_sip_conf_object_id(routes.v[i])));
	assert_string_equal(text, ids);
}

/* ---- values ---- */

static void each_kind_of_option_is_read_and_typed(void **state)
{
	struct ast_sip_snapshot *s = routes_good(
		*state, "[x]\ntype=route\nPattern=_X.\nstrip=0x10\ntimeout=600\noffset=-5\nringing=Sequential\n"
			"go_on=busy, noanswer\nvia=<sip:p@h\\;lr>\nsecret=s\nnote=a b\nactive=off\nendpoint=a,b\n");
	struct ast_sip_conf_object *o = route(s, "x");

	assert_non_null(o);
	assert_string_equal(ast_sip_conf_str(o, PATTERN).p, "_X.");
	assert_int_equal(ast_sip_conf_uint(o, STRIP), 16);
	assert_int_equal(ast_sip_conf_uint(o, TIMEOUT), 600);
	assert_int_equal(ast_sip_conf_int(o, OFFSET), -5);
	assert_int_equal(ast_sip_conf_int(o, RINGING), 3);
	assert_int_equal(ast_sip_conf_int(o, GO_ON), 3);
	assert_string_equal(ast_sip_conf_str(o, VIA).p, "sip:p@h;lr");
	assert_string_equal(ast_sip_conf_str(o, SECRET).p, "s");
	assert_string_equal(ast_sip_conf_str(o, NOTE).p, "a b");
	assert_false(ast_sip_conf_bool(o, ACTIVE));
	assert_int_equal(ast_sip_conf_list(o, ENDPOINT).n, 2);
	assert_string_equal(ast_sip_conf_list(o, ENDPOINT).v[1].p, "b");
	assert_int_equal(ast_sip_conf_row(o, "TIMEOUT"), TIMEOUT);
	assert_int_equal(ast_sip_conf_row(o, "none"), -1);
	assert_null(route(s, "X"));
	ast_sip_snapshot_unref(s);
}

static void what_is_not_set_has_its_default(void **state)
{
	struct ast_sip_snapshot *s = routes_good(*state, "[x]\ntype=route\npattern=_1\n");
	struct ast_sip_conf_object *o = route(s, "x");

	assert_int_equal(ast_sip_conf_uint(o, STRIP), 0);
	assert_int_equal(ast_sip_conf_uint(o, TIMEOUT), 30);
	assert_int_equal(ast_sip_conf_int(o, OFFSET), -1);
	assert_int_equal(ast_sip_conf_int(o, RINGING), 7);
	assert_int_equal(ast_sip_conf_int(o, GO_ON), 4);
	assert_int_equal(ast_sip_conf_str(o, VIA).len, 0);
	assert_string_equal(ast_sip_conf_str(o, NOTE).p, "none");
	assert_true(ast_sip_conf_bool(o, ACTIVE));
	assert_int_equal(ast_sip_conf_list(o, ENDPOINT).n, 0);
	assert_true(ast_sip_conf_is_set(o, PATTERN));
	assert_false(ast_sip_conf_is_set(o, TIMEOUT));
	ast_sip_snapshot_unref(s);
}

static void objects_keep_the_order_of_the_file_and_its_includes(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;

	conf_write(d, "more.conf", "[m](t)\n[b](t)\n");
	s = routes_good(d, "[t](!)\ntype=route\npattern=_9\n[z](t)\n#include more.conf\n[a](t)\n");
	expect_order(s, "z m b a");
	ast_sip_snapshot_unref(s);
}

static void templates_give_and_lists_gather(void **state)
{
	struct ast_sip_snapshot *s = routes_good(
		*state, "[t](!)\ntype=route\npattern=_9\ntimeout=5\nendpoint=a\n[x](t)\ntimeout=6\nendpoint=b\n"
			"[y](t)\n[y](+)\nnote=added\n");

	assert_int_equal(ast_sip_conf_uint(route(s, "x"), TIMEOUT), 6);
	assert_int_equal(ast_sip_conf_list(route(s, "x"), ENDPOINT).n, 2);
	assert_int_equal(ast_sip_conf_uint(route(s, "y"), TIMEOUT), 5);
	assert_true(ast_sip_conf_is_set(route(s, "y"), TIMEOUT));
	assert_int_equal(ast_sip_conf_list(route(s, "y"), ENDPOINT).n, 1);
	assert_string_equal(ast_sip_conf_str(route(s, "y"), NOTE).p, "added");
	ast_sip_snapshot_unref(s);
}

static uint32_t max_calls(struct ast_sip_snapshot *s)
{
	return ast_sip_conf_uint(ast_sip_conf_single(s, "routes.conf", "general"), MAX_CALLS);
}

static void a_single_section_needs_no_type_and_is_there_without_the_file(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s = conf_good(d, E);

	assert_int_equal(max_calls(s), 1000);
	assert_int_equal(ast_sip_conf_objects(s, "routes.conf", "route").n, 0);
	ast_sip_snapshot_unref(s);
	s = routes_good(d, "[General]\nmax_calls=5\n");
	assert_int_equal(max_calls(s), 5);
	ast_sip_snapshot_unref(s);
	s = routes_good(d, "[limits]\ntype=general\nmax_calls=6\n");
	assert_int_equal(max_calls(s), 6);
	assert_null(ast_sip_conf_single(s, "routes.conf", "none"));
	assert_null(ast_sip_conf_single(s, "none.conf", "general"));
	assert_int_equal(ast_sip_conf_objects(s, "none.conf", "route").n, 0);
	ast_sip_snapshot_unref(s);
}

struct printed {
	char text[512];
	size_t n;
};

static void print_option(void *token, struct rs_str name, struct rs_str value)
{
	struct printed *p = token;

	p->n += (size_t)snprintf(p->text + p->n, sizeof(p->text) - p->n, "%.*s=%.*s ", RS_FMT(name), RS_FMT(value));
}

static void every_option_is_shown_but_secrets(void **state)
{
	struct ast_sip_snapshot *s = routes_good(*state, "[x]\ntype=route\npattern=_1\nsecret=s\nendpoint=b,a\n@x=y\n");
	struct printed p = {.n = 0};

	ast_sip_conf_object_options(route(s, "x"), print_option, &p);
	assert_string_equal(p.text, "active=true endpoint=b,a go_on=unreachable note=none offset=-1 pattern=_1 "
				    "ringing=parallel secret=******** strip=0 timeout=30 via= ");
	ast_sip_snapshot_unref(s);
}

/* ---- errors ---- */

static void expect_said(const struct conf_dir *d, const char *file, unsigned line, const char *what)
{
	if (conf_said(d, false, file, line, what))
		return;
	conf_errors_dump(d);
	fail_msg("%s:%u does not say: %s", file, line, what);
}

static void mistakes_are_told_with_their_place_and_the_nearest_name(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} bad[] = {
		{"[x]\ntype=route\npattern=_1\nstrp=1\n", 4,
		 "route 'x': unknown option 'strp' (did you mean 'strip'?)"},
		{"[x]\ntype=route\npattern=_1\nstrip=21\n", 4, "route 'x': strip: '21' is no number from 0 to 20"},
		{"[x]\ntype=route\npattern=_1\ntimeout=0\n", 4, "is no number from 1 to 600"},
		{"[x]\ntype=route\npattern=_1\noffset=1x\n", 4, "offset: '1x' is no number"},
		{"[x]\ntype=route\npattern=_1\nactive=perhaps\n", 4, "is neither yes nor no"},
		{"[x]\ntype=route\npattern=_1\nvia=tel:1\n", 4, "is no sip or sips URI"},
		{"[x]\ntype=route\npattern=_1\nringing=parallell\n", 4,
		 "is none of parallel, sequential (did you mean 'parallel'?)"},
		{"[x]\ntype=route\npattern=_1\ngo_on=busy,noanwser\n", 4, "(did you mean 'noanswer'?)"},
		{"[x]\ntype=route\npattern=_1\nendpoint=a,bb\n", 4,
		 "endpoint: there is no endpoint 'bb' (did you mean 'b'?)"},
		{"[x]\ntype=route\n", 1, "route 'x': pattern is required"},
		{"[x]\ntype=route\npattern=\n", 3, "route 'x': pattern is required"},
		{"[x]\ntype=rout\npattern=_1\n", 2, "section 'x': unknown type 'rout' (did you mean 'route'?)"},
		{"[genral]\nmax_calls=1\n", 1, "section 'genral' has no type (did you mean 'general'?)"},
		{"[route]\npattern=_1\n", 1, "section 'route' has no type"},
		{"[general]\nmax_calls=1\n[g]\ntype=general\n", 3,
		 "a second section of type general ('g'); the first is at routes.conf:1"},
		{"[x]\ntype=route\npattern=_1\n[x]\ntype=route\npattern=_2\n", 4,
		 "route 'x' stands here and at routes.conf:1"},
		{"[t](!)\ntype=general\n[x](t)\ntype=route\n", 4, "type 'route' stands behind type 'general'"},
		{"pattern=_1\n", 1, "a line before any [section]"},
		{"[x](none)\ntype=route\npattern=_1\n", 1, "no earlier section 'none' to inherit from"},
		{"[x]\ntype=route\npattern=1\n", 3, "route 'x': pattern: '1' does not begin with _"},
		{"[x]\ntype=route\npattern=_1\nnote=needs c\n", 1, "the endpoint that it needs is not there"},
		{"[x]\ntype=route\npattern=_1\nnote=no reason\n", 1, "route 'x': its module refuses it"},
	};
	struct conf_dir *d = *state;

	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		assert_null(routes_load(d, bad[i].text));
		expect_said(d, "routes.conf", bad[i].line, bad[i].what);
		assert_int_equal(d->errors.n_fatal, 1);
		assert_int_equal(atomic_load(&prepared_now), 0);
	}
}

static void a_doubt_of_the_check_is_a_warning(void **state)
{
	struct ast_sip_snapshot *s = routes_good(*state, "[x]\ntype=route\npattern=_1\nnote=doubtful\n");

	assert_true(conf_said(*state, true, "routes.conf", 4, "route 'x': note: 'doubtful' is doubtful"));
	ast_sip_snapshot_unref(s);
}

static void a_mistake_in_either_file_leaves_both_as_they_were(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s = routes_good(d, "[x]\ntype=route\npattern=_1\n");

	/* the modules' file is bad */
	conf_write(d, "pjsip.conf", E "[c]\ntype=endpoint\n");
	conf_write(d, "routes.conf", "[x]\ntype=route\npattern=_2\ntimeout=no\n");
	assert_null(conf_load_again(d, s));
	expect_said(d, "routes.conf", 4, "is no number");
	/* pjsip.conf is, too; what it may lack therefore is no error of the other */
	conf_write(d, "pjsip.conf", "[c]\ntype=endpoint\nforce_rport=perhaps\n");
	conf_write(d, "routes.conf", "[x]\ntype=route\npattern=_2\nendpoint=d\nnote=needs d\n[y]\ntype=rote\n");
	assert_null(conf_load_again(d, s));
	expect_said(d, "pjsip.conf", 3, "neither yes nor no");
	expect_said(d, "routes.conf", 7, "did you mean 'route'?");
	assert_int_equal(d->errors.n_fatal, 2);
	/* pjsip.conf loses what the other refers to */
	conf_write(d, "pjsip.conf", "[a]\ntype=endpoint\n");
	conf_write(d, "routes.conf", "[x]\ntype=route\npattern=_2\nendpoint=b\n");
	assert_null(conf_load_again(d, s));
	expect_said(d, "routes.conf", 4, "there is no endpoint 'b'");
	assert_string_equal(ast_sip_conf_prepared(route(s, "x")), ">_1");
	assert_int_equal(ast_sip_snapshot_endpoints(s).n, 2);
	ast_sip_snapshot_unref(s);
}

static void a_required_file_must_exist(void **state)
{
	static const struct ast_sip_conf_file required = {
		.size = sizeof(required), .name = "must.conf", .required = true, .types = TYPES, .n_types = 1};
	static const struct ast_sip_conf_file *const files[] = {&required, NULL};
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;

	assert_int_equal(files_add(d, TWO, files), 0);
	assert_null(conf_load_again(d, NULL));
	expect_said(d, "must.conf", 0, "no such file in");
	conf_write(d, "must.conf", "");
	s = conf_load_again(d, NULL);
	assert_non_null(s);
	assert_non_null(ast_sip_conf_single(s, "must.conf", "general"));
	ast_sip_snapshot_unref(s);
}

/* ---- tables that a module got wrong ---- */

static const struct ast_sip_conf_option NO_WORDS[] = {{.name = "x", .kind = AST_SIP_CONF_ENUM}};
static const struct ast_sip_conf_option BAD_DEFAULT[] = {
	{.name = "x", .kind = AST_SIP_CONF_UINT, .def = "0", .min = 1, .max = 2}};
static const struct ast_sip_conf_option TWICE[] = {{.name = "x", .kind = AST_SIP_CONF_STR},
						   {.name = "X", .kind = AST_SIP_CONF_STR}};
static const struct ast_sip_conf_option NAMED_TYPE[] = {{.name = "Type", .kind = AST_SIP_CONF_STR}};
static const struct ast_sip_conf_option GATHERING_DEFAULT[] = {
	{.name = "x", .kind = AST_SIP_CONF_LIST, .flags = AST_SIP_CONF_ACCUMULATE, .def = "a"}};
static const struct ast_sip_conf_option REQUIRED_BOOL[] = {
	{.name = "x", .kind = AST_SIP_CONF_BOOL, .flags = AST_SIP_CONF_REQUIRED}};
static const struct ast_sip_conf_option REFERS_NOWHERE[] = {
	{.name = "x", .kind = AST_SIP_CONF_STR, .refers = "identify"}};
static const struct ast_sip_conf_option UNKNOWN_KIND[] = {{.name = "x", .kind = (enum ast_sip_conf_kind)99}};

static void a_mistake_in_a_modules_tables_is_refused(void **state)
{
	static const struct {
		const struct ast_sip_conf_option *options;
		size_t n;
		const char *what;
	} bad[] = {
		{NO_WORDS, 1, "option 'x': words belong"},
		{BAD_DEFAULT, 1, "x: '0' is no number from 1 to 2"},
		{TWICE, 2, "option 'X': it stands there twice"},
		{NAMED_TYPE, 1, "no name of an option"},
		{GATHERING_DEFAULT, 1, "only a list without a default gathers"},
		{REQUIRED_BOOL, 1, "only a text or a list is required"},
		{REFERS_NOWHERE, 1, "names endpoint, aor, auth or transport"},
		{UNKNOWN_KIND, 1, "a kind that this server does not know"},
		{GENERAL, 1000, "more options than a type may have"},
	};
	struct conf_dir *d = *state;

	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		struct ast_sip_conf_type type = {.name = "t", .options = bad[i].options, .n = bad[i].n};
		struct ast_sip_conf_file file = {
			.size = sizeof(file), .name = "two.conf", .types = &type, .n_types = 1};
		const struct ast_sip_conf_file *const files[] = {&file, NULL};

		assert_int_equal(files_add(d, TWO, files), -1);
		expect_said(d, "two.conf", 0, bad[i].what);
	}
}

static void a_file_that_cannot_be_a_modules_is_refused(void **state)
{
	static const char *const names[] = {"", ".hidden", "../x.conf", "pjsip.conf", "Modules.conf", "routes.conf"};
	struct conf_dir *d = *state;

	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++) {
		struct ast_sip_conf_file file = OTHER;
		const struct ast_sip_conf_file *const files[] = {&file, NULL};

		file.name = names[i];
		assert_int_equal(files_add(d, TWO, files), -1);
		assert_int_equal(d->errors.n_fatal, 1);
	}
	{
		struct ast_sip_conf_file file = OTHER;
		const struct ast_sip_conf_file *const files[] = {&file, NULL};
		const struct ast_sip_conf_file *const twice[] = {&OTHER, &OTHER, NULL};

		file.size++;
		assert_int_equal(files_add(d, TWO, files), -1);
		assert_int_equal(files_add(d, TWO, twice), -1);
	}
	/* none of it has stayed */
	assert_int_equal(files_add(d, TWO, OTHER_FILES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(each_kind_of_option_is_read_and_typed),
		T(what_is_not_set_has_its_default),
		T(objects_keep_the_order_of_the_file_and_its_includes),
		T(templates_give_and_lists_gather),
		T(a_single_section_needs_no_type_and_is_there_without_the_file),
		T(every_option_is_shown_but_secrets),
		T(mistakes_are_told_with_their_place_and_the_nearest_name),
		T(a_doubt_of_the_check_is_a_warning),
		T(a_mistake_in_either_file_leaves_both_as_they_were),
		T(a_required_file_must_exist),
		T(a_mistake_in_a_modules_tables_is_refused),
		T(a_file_that_cannot_be_a_modules_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
