/* The file syntax of section 1 of the reference. */
#include "conf_dir.h"

static const struct ast_sip_endpoint_settings *settings_of(struct ast_sip_snapshot *s, const char *id)
{
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, rs_str_c(id));
	const struct ast_sip_endpoint_settings *out;

	assert_non_null(e);
	out = ast_sip_endpoint_settings(e);
	ast_sip_endpoint_unref(e); /* the snapshot keeps it */
	return out;
}

/* The callerid of endpoint e after loading text: an option that takes any text. */
static void callerid_is(struct conf_dir *d, const char *text, const char *expected)
{
	struct ast_sip_snapshot *s = conf_good(d, text);

	assert_string_equal(settings_of(s, "e")->callerid.p, expected);
	ast_sip_snapshot_unref(s);
}

#define E "[e]\ntype=endpoint\n"

static void both_assignment_signs_mean_the_same(void **state)
{
	callerid_is(*state, E "callerid => a b \n", "a b");
	callerid_is(*state, E "\t callerid\t=\ta=b=>c\r\n", "a=b=>c");
	callerid_is(*state, E "CallerID = x", "x");
}

static void quotes_are_part_of_the_value(void **state)
{
	callerid_is(*state, E "callerid = \"A B\" <1>\n", "\"A B\" <1>");
}

static void the_last_of_a_single_valued_option_wins(void **state)
{
	callerid_is(*state, E "callerid=a\ncallerid=b\n", "b");
}

static void comments_end_lines_and_escaped_semicolons_do_not(void **state)
{
	callerid_is(*state, E "callerid = a ; b\n", "a");
	callerid_is(*state, E "callerid = a\\;lr;b\n", "a;lr");
	callerid_is(*state, E "callerid = a\\;b\\;c\n;callerid=z\n", "a;b;c");
	callerid_is(*state, E "callerid = a ;--- b --; c\n", "a");
}

static void block_comments_nest_and_span_lines(void **state)
{
	callerid_is(*state, E "callerid = a;-- b --;c\n", "ac");
	callerid_is(*state, E "callerid = a\n;-- one\n;-- two --;\ncallerid=b\n--;\n", "a");
	callerid_is(*state, E "callerid = a\n;--\ncallerid=b\n--;callerid=c\n", "c");
	callerid_is(*state, E ";-- \\;-- x --;callerid=d\n", "d");
}

static void a_block_comment_without_end_is_an_error_where_it_begins(void **state)
{
	conf_bad(*state, E "callerid=a\n ;-- b\n[f]\n", 4, "no end");
}

static void block_comments_nested_too_deep_are_an_error(void **state)
{
	char text[1024] = E;

	for (int i = 0; i < 129; i++)
		strcat(text, ";-- ");
	conf_bad(*state, text, 3, "deeper than 128");
}

static void append_adds_to_the_last_variable_as_written(void **state)
{
	callerid_is(*state, E "callerid=a\ncallerid += b\n", "a b");
	callerid_is(*state, E "callerid=a\ncallerid+=b\ncallerid +=c\n", "abc");
	callerid_is(*state, E "callerid += a\n", "a");
	/* another case is another variable for the append, and the same option after it */
	callerid_is(*state, E "callerid=a\nCallerid += b\n", "b");
}

static void append_reaches_inherited_variables_and_leaves_the_base_alone(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[t](!)\ntype=endpoint\ncallerid=a\n"
						       "[e](t)\ncallerid+=b\n[f](t)\n");

	assert_string_equal(settings_of(s, "e")->callerid.p, "ab");
	assert_string_equal(settings_of(s, "f")->callerid.p, "a");
	ast_sip_snapshot_unref(s);
}

static void templates_are_invisible_and_inherited_in_order(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[a](!)\ntype=endpoint\ncallerid=a\nfrom_user=a\n"
						       "[b](!)\ncallerid=b\n"
						       "[e](a,b)\n[f](b, a)\n[g](a)\ncallerid=g\n[h](g)\n");

	assert_int_equal(ast_sip_snapshot_endpoints(s).n, 4);
	assert_string_equal(settings_of(s, "e")->callerid.p, "b");
	assert_string_equal(settings_of(s, "f")->callerid.p, "a");
	assert_string_equal(settings_of(s, "g")->callerid.p, "g");
	/* an ordinary section is a base too */
	assert_string_equal(settings_of(s, "h")->callerid.p, "g");
	assert_string_equal(settings_of(s, "h")->from_user.p, "a");
	ast_sip_snapshot_unref(s);
}

static void a_template_may_build_on_a_template_and_bases_ignore_case(void **state)
{
	callerid_is(*state, "[Base](!)\ntype=endpoint\ncallerid=a\n[mid](!,base)\nfrom_user=x\n[e](MID)\n", "a");
}

static void the_first_section_of_a_name_is_the_base(void **state)
{
	callerid_is(*state, "[t](!)\ntype=endpoint\ncallerid=first\n[t](!)\ntype=aor\n[e](t)\n", "first");
}

static void later_changes_of_a_base_are_not_seen(void **state)
{
	struct ast_sip_snapshot *s =
		conf_good(*state, "[t](!)\ntype=endpoint\ncallerid=a\n[e](t)\n"
				  "[t](+TEMPLATES=restrict)\nfrom_user=later\ncallerid+=x\n[f](t)\n");

	assert_int_equal(settings_of(s, "e")->from_user.len, 0);
	assert_string_equal(settings_of(s, "e")->callerid.p, "a");
	assert_string_equal(settings_of(s, "f")->from_user.p, "later");
	assert_string_equal(settings_of(s, "f")->callerid.p, "ax");
	ast_sip_snapshot_unref(s);
}

static void plus_appends_to_the_first_section_of_that_name(void **state)
{
	callerid_is(*state, E "callerid=a\n[x]\ntype=aor\n[E](+)\ncallerid=b\n", "b");
	callerid_is(*state, "[e]\ntype=aor\n[e]\ntype=endpoint\n[e](+type=^endp)\ncallerid=c\n", "c");
	callerid_is(*state,
		    "[e]\ntype=aor\n[e]\ntype=endpoint\nfrom_user=q\n"
		    "[e](+type=endpoint&from_.*=q)\ncallerid=d\n",
		    "d");
	callerid_is(*state, "[e](!)\ntype=aor\n" E "[e](+)\ncallerid=f\n", "f");
	callerid_is(*state, "[t](!)\ncallerid=t\n" E "callerid=a\n[e](+,t)\n", "t");
}

static void plus_without_a_match_is_an_error(void **state)
{
	conf_bad(*state, E "[f](+)\ncallerid=b\n", 3, "no earlier section");
	conf_bad(*state, E "[e](+type=aor)\ncallerid=b\n", 3, "no earlier section");
	conf_bad(*state, "[e](!)\ntype=endpoint\n[e](+)\ncallerid=b\n", 3, "no earlier section");
	conf_bad(*state, E "[e](+type=()\ncallerid=b\n", 3, "bad expression");
	conf_bad(*state, E "[e](+type)\ncallerid=b\n", 3, "no name=value");
}

static void an_unknown_base_is_an_error_with_the_nearest_name(void **state)
{
	conf_bad(*state, "[phone](!)\ntype=endpoint\n[e](phnoe)\n", 3, "did you mean 'phone'?");
	conf_bad(*state, "[e](phone)\n[phone](!)\ntype=endpoint\n", 1, "no earlier section 'phone'");
}

static void a_section_header_must_be_whole(void **state)
{
	conf_bad(*state, "[e\ntype=endpoint\n", 1, "']' is missing");
	conf_bad(*state, "[e](!\ntype=endpoint\n", 1, "')' is missing");
	conf_bad(*state, "[e] (!)\ntype=endpoint\n", 1, "must touch");
	conf_bad(*state, "[e] x\ntype=endpoint\n", 1, "text behind");
	conf_bad(*state, "[]\ntype=endpoint\n", 1, "1 to 79 bytes");
}

static void section_names_have_at_most_79_bytes(void **state)
{
	char text[256], name[81];

	memset(name, 'n', 80);
	name[80] = '\0';
	snprintf(text, sizeof(text), "[%s]\ntype=endpoint\n", name + 1);
	ast_sip_snapshot_unref(conf_good(*state, text));
	snprintf(text, sizeof(text), "[%s]\ntype=endpoint\n", name);
	conf_bad(*state, text, 1, "1 to 79 bytes");
}

static void lines_that_are_no_assignment_are_errors(void **state)
{
	conf_bad(*state, "callerid=a\n" E, 1, "before any [section]");
	conf_bad(*state, E "callerid a\n", 3, "no '='");
	conf_bad(*state, E " = a\n", 3, "no option name");
}

static void lines_have_at_most_8191_bytes(void **state)
{
	static char text[9000];
	int n = snprintf(text, sizeof(text), "%scallerid=%0*d\n", E, 8191 - 9, 0);

	ast_sip_snapshot_unref(conf_good(*state, text));
	strcpy(text + n - 1, "x\n");
	conf_bad(*state, text, 3, "more than 8191 bytes");
}

static void a_byte_order_mark_is_skipped(void **state)
{
	callerid_is(*state, "\xef\xbb\xbf" E "callerid=\xc3\xa9\n", "\xc3\xa9");
}

static void a_nul_byte_is_an_error(void **state)
{
	static const char text[] = E "callerid=a\0b\n";
	struct conf_dir *d = *state;

	conf_write_n(d, "pjsip.conf", text, sizeof(text) - 1);
	assert_null(conf_load_again(d, NULL));
	conf_assert_said(d, false, 3, "NUL");
}

static void a_leading_backslash_makes_the_next_character_part_of_the_key(void **state)
{
	conf_bad(*state, E "\\[x=1\n", 3, "unknown option '[x'");
	conf_bad(*state, E "\\#include=1\n", 3, "unknown option '#include'");
	conf_bad(*state, E "\\ x=1\n", 3, "backslash");
	conf_bad(*state, E "\\\n", 3, "backslash");
}

static void includes_continue_the_section_and_give_it_back(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s;

	mkdir(strcat(strcpy((char[128]){0}, d->path), "/more"), 0700);
	conf_write(d, "more/a.conf", "callerid=from a\n[other]\ntype=endpoint\ncallerid=o\n");
	s = conf_good(d, E "#include more/a.conf ; comment\nfrom_user=own\n");
	assert_string_equal(settings_of(s, "e")->callerid.p, "from a");
	assert_string_equal(settings_of(s, "e")->from_user.p, "own");
	assert_string_equal(settings_of(s, "other")->callerid.p, "o");
	ast_sip_snapshot_unref(s);
}

static void include_names_may_be_quoted_and_globs(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "x1.conf", "callerid=1\n");
	conf_write(d, "x2.conf", "callerid=2\n");
	callerid_is(d, E "#include \"x1.conf\"\n", "1");
	callerid_is(d, E "#include <x1.conf>\n", "1");
	callerid_is(d, E "#tryinclude x1.conf\n", "1");
	callerid_is(d, E "#include x?.conf\n", "2");
}

static void included_files_name_themselves_in_errors(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "x1.conf", "\ncalerid=1\n");
	conf_write(d, "pjsip.conf", E "#include x*.conf\nfrom_usr=1\n");
	assert_null(conf_load_again(d, NULL));
	assert_true(conf_said(d, false, "x1.conf", 2, "did you mean 'callerid'?"));
	assert_true(conf_said(d, false, "pjsip.conf", 4, "did you mean 'from_user'?"));
}

static void a_missing_include_is_an_error_and_a_missing_tryinclude_is_not(void **state)
{
	conf_bad(*state, E "#include none.conf\n", 3, "no file 'none.conf'");
	conf_bad(*state, E "#include none*.conf\n", 3, "no file 'none*.conf'");
	callerid_is(*state, E "#tryinclude none.conf\n#tryinclude none*.conf\ncallerid=a\n", "a");
}

static void includes_nest_ten_deep_and_no_deeper(void **state)
{
	struct conf_dir *d = *state;
	char name[16], text[32];

	for (int i = 1; i <= 10; i++) {
		snprintf(name, sizeof(name), "%d.conf", i);
		snprintf(text, sizeof(text), "#include %d.conf\n", i + 1);
		conf_write(d, name, i < 10 ? text : "callerid=deep\n");
	}
	callerid_is(d, E "#include 1.conf\n", "deep");
	conf_write(d, "10.conf", "#include 11.conf\n");
	conf_write(d, "11.conf", "callerid=deeper\n");
	conf_write(d, "pjsip.conf", E "#include 1.conf\n");
	assert_null(conf_load_again(d, NULL));
	assert_true(conf_said(d, false, "10.conf", 1, "deeper than 10"));
}

static void a_file_that_includes_itself_is_an_error(void **state)
{
	conf_bad(*state, E "#include pjsip.conf\n", 3, "cannot read 'pjsip.conf': it includes itself");
	conf_bad(*state, E "#include *.conf\n", 3, "it includes itself");
}

static void exec_is_refused_with_a_warning(void **state)
{
	struct conf_dir *d = *state;
	char path[128], text[256];

	snprintf(path, sizeof(path), "%s/made", d->path);
	snprintf(text, sizeof(text), E "#exec touch %s\n", path);
	conf_warns(d, text, 3, "refused");
	assert_int_not_equal(access(path, F_OK), 0);
}

static void other_directives_warn_unless_they_look_like_one_of_ours(void **state)
{
	conf_warns(*state, E "# a note\n", 3, "unknown directive");
	conf_bad(*state, E "#inclued x.conf\n", 3, "did you mean 'include'?");
	conf_bad(*state, E "#include\n", 3, "without a file name");
}

static void what_lacks_in_a_broken_file_is_no_dangling_reference(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf", E "auth=a\n#include auths.conf\n");
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(both_assignment_signs_mean_the_same),
		conf_test(quotes_are_part_of_the_value),
		conf_test(the_last_of_a_single_valued_option_wins),
		conf_test(comments_end_lines_and_escaped_semicolons_do_not),
		conf_test(block_comments_nest_and_span_lines),
		conf_test(a_block_comment_without_end_is_an_error_where_it_begins),
		conf_test(block_comments_nested_too_deep_are_an_error),
		conf_test(append_adds_to_the_last_variable_as_written),
		conf_test(append_reaches_inherited_variables_and_leaves_the_base_alone),
		conf_test(templates_are_invisible_and_inherited_in_order),
		conf_test(a_template_may_build_on_a_template_and_bases_ignore_case),
		conf_test(the_first_section_of_a_name_is_the_base),
		conf_test(later_changes_of_a_base_are_not_seen),
		conf_test(plus_appends_to_the_first_section_of_that_name),
		conf_test(plus_without_a_match_is_an_error),
		conf_test(an_unknown_base_is_an_error_with_the_nearest_name),
		conf_test(a_section_header_must_be_whole),
		conf_test(section_names_have_at_most_79_bytes),
		conf_test(lines_that_are_no_assignment_are_errors),
		conf_test(lines_have_at_most_8191_bytes),
		conf_test(a_byte_order_mark_is_skipped),
		conf_test(a_nul_byte_is_an_error),
		conf_test(a_leading_backslash_makes_the_next_character_part_of_the_key),
		conf_test(includes_continue_the_section_and_give_it_back),
		conf_test(include_names_may_be_quoted_and_globs),
		conf_test(included_files_name_themselves_in_errors),
		conf_test(a_missing_include_is_an_error_and_a_missing_tryinclude_is_not),
		conf_test(includes_nest_ten_deep_and_no_deeper),
		conf_test(a_file_that_includes_itself_is_an_error),
		conf_test(exec_is_refused_with_a_warning),
		conf_test(other_directives_warn_unless_they_look_like_one_of_ours),
		conf_test(what_lacks_in_a_broken_file_is_no_dangling_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
