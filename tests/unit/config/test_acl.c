/* Section 12 of the reference, and what is stricter here. */
#include "conf_dir.h"

static bool allows(const struct ast_sip_acl *acl, const char *addr, const char **name)
{
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(rs_str_c(addr), &a), 0);
	return ast_sip_acl_allows(acl, &a, name);
}

/* The acl of the one endpoint of text. */
static struct ast_sip_snapshot *load(void **state, const char *text, const struct ast_sip_acl **acl)
{
	struct ast_sip_snapshot *s = conf_good(*state, text);

	*acl = ast_sip_endpoint_settings(ast_sip_snapshot_endpoints(s).v[0])->acl;
	return s;
}

#define E "[e]\ntype=endpoint\n"

static void without_rules_there_is_no_acl_and_everybody_passes(void **state)
{
	const struct ast_sip_acl *acl;
	struct ast_sip_snapshot *s = load(state, E, &acl);

	assert_null(acl);
	assert_true(allows(acl, "1.2.3.4", NULL));
	assert_false(ast_sip_acl_has_contact_rules(acl));
	ast_sip_snapshot_unref(s);
}

static void the_last_rule_that_matches_decides(void **state)
{
	const struct ast_sip_acl *acl;
	const char *name = NULL;
	struct ast_sip_snapshot *s = load(state, E "deny=0.0.0.0/0\npermit=10.0.0.0/8\ndeny=10.1.0.0/16\n", &acl);

	assert_true(allows(acl, "10.2.3.4", &name));
	assert_null(name);
	assert_false(allows(acl, "10.1.3.4", &name));
	assert_string_equal(name, "(BASELINE)");
	assert_false(allows(acl, "11.0.0.1", NULL));
	/* rules of one family say nothing about the other */
	assert_true(allows(acl, "::1", NULL));
	/* an IPv4-mapped address is an IPv4 address */
	assert_false(allows(acl, "::ffff:11.0.0.1", NULL));
	assert_true(allows(acl, "::ffff:10.2.0.1", NULL));
	ast_sip_snapshot_unref(s);
}

static void the_order_of_permit_and_deny_is_that_of_the_file(void **state)
{
	const struct ast_sip_acl *acl;
	struct ast_sip_snapshot *s = load(state, E "permit=10.0.0.0/8\ndeny=0.0.0.0/0\n", &acl);

	assert_false(allows(acl, "10.2.3.4", NULL));
	ast_sip_snapshot_unref(s);
}

static void an_exclamation_mark_inverts_one_item(void **state)
{
	const struct ast_sip_acl *acl;
	struct ast_sip_snapshot *s = load(state, E "deny=0.0.0.0/0, !10.0.0.1 ,::/0,! 2001:db8::/33\n", &acl);

	assert_true(allows(acl, "10.0.0.1", NULL));
	assert_false(allows(acl, "10.0.0.2", NULL));
	assert_true(allows(acl, "2001:db8:7fff::1", NULL));
	assert_false(allows(acl, "2001:db8:8000::1", NULL));
	ast_sip_snapshot_unref(s);
}

static void permits_alone_restrict_nothing_and_warn(void **state)
{
	const struct ast_sip_acl *acl;
	struct ast_sip_snapshot *s = load(state, E "permit=10.0.0.0/8\n", &acl);

	assert_true(allows(acl, "11.0.0.1", NULL));
	conf_assert_said(*state, true, 3, "restricts nothing");
	ast_sip_snapshot_unref(s);
}

static void every_list_must_allow_and_the_one_that_refuses_is_named(void **state)
{
	const struct ast_sip_acl *acl;
	const char *name = NULL;
	struct ast_sip_snapshot *s;

	conf_write(*state, "acl.conf",
		   "[base](!)\ndeny=0.0.0.0/0\n[office](base)\npermit=10.0.0.0/8\n[quiet]\ndeny=10.9.0.0/16\n");
	s = load(state, E "acl = office , quiet\ndeny=10.8.0.0/16\n", &acl);
	assert_true(allows(acl, "10.1.1.1", &name));
	assert_false(allows(acl, "11.1.1.1", &name));
	assert_string_equal(name, "office");
	assert_false(allows(acl, "10.9.1.1", &name));
	assert_string_equal(name, "quiet");
	assert_false(allows(acl, "10.8.1.1", &name));
	assert_string_equal(name, "(BASELINE)");
	ast_sip_snapshot_unref(s);
}

static void contact_rules_stand_apart_from_source_rules(void **state)
{
	const struct ast_sip_acl *acl;
	const char *name = NULL;
	struct ast_sip_snapshot *s;
	struct sip_addr a;

	conf_write(*state, "acl.conf", "[c]\ndeny=10.9.0.0/16\n");
	s = load(state, E "contact_deny=0.0.0.0/0\ncontact_permit=10.0.0.0/8\ncontact_acl=c\n", &acl);
	assert_true(ast_sip_acl_has_contact_rules(acl));
	assert_true(allows(acl, "11.1.1.1", NULL));
	sip_addr_parse(RS_STR("11.1.1.1"), &a);
	assert_false(ast_sip_acl_allows_contact(acl, &a, NULL));
	sip_addr_parse(RS_STR("10.1.1.1"), &a);
	assert_true(ast_sip_acl_allows_contact(acl, &a, NULL));
	sip_addr_parse(RS_STR("10.9.1.1"), &a);
	assert_false(ast_sip_acl_allows_contact(acl, &a, &name));
	assert_string_equal(name, "c");
	ast_sip_snapshot_unref(s);
}

static void acl_sections_are_listed_with_their_ids(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[g]\ntype=acl\ndeny=10.0.0.0/8\n[empty]\ntype=acl\n");
	struct ast_sip_acls a = ast_sip_snapshot_acls(s);

	assert_int_equal(a.n, 2);
	assert_string_equal(ast_sip_acl_id(a.v[0]).p, "empty");
	assert_true(allows(a.v[0], "10.0.0.1", NULL));
	assert_string_equal(ast_sip_acl_id(a.v[1]).p, "g");
	assert_false(allows(a.v[1], "10.0.0.1", NULL));
	ast_sip_snapshot_unref(s);
}

static void unknown_and_repeated_names_are_errors(void **state)
{
	conf_write(*state, "acl.conf", "[office]\ndeny=10.0.0.0/8\n");
	conf_bad(*state, E "acl=ofice\n", 3, "is no section of acl.conf");
	conf_bad(*state, E "acl=office\nacl=office\n", 4, "is named twice");
	conf_bad(*state, "[g]\ntype=acl\nacl=x\n", 3, "is no section of acl.conf");
}

static void acl_conf_is_checked_like_pjsip_conf(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf", E);
	conf_write(d, "acl.conf", "[a]\ndeny=10.0.0.0/40\n[b]\npermitt=10.0.0.0/8\n[b]\n");
	assert_null(conf_load_again(d, NULL));
	assert_true(conf_said(d, false, "acl.conf", 2, "is no address"));
	assert_true(conf_said(d, false, "acl.conf", 4, "did you mean 'permit'?"));
	assert_true(conf_said(d, false, "acl.conf", 5, "stands here and at acl.conf:3"));
}

static void a_change_of_a_named_acl_changes_who_uses_it(void **state)
{
	struct ast_sip_snapshot *a, *b;

	conf_write(*state, "acl.conf", "[office]\ndeny=10.0.0.0/8\n");
	a = conf_good(*state, E "acl=office\n[f]\ntype=endpoint\n");
	conf_write(*state, "acl.conf", "[office]\ndeny=11.0.0.0/8\n");
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_ptr_not_equal(ast_sip_snapshot_endpoints(a).v[0], ast_sip_snapshot_endpoints(b).v[0]);
	assert_ptr_equal(ast_sip_snapshot_endpoints(a).v[1], ast_sip_snapshot_endpoints(b).v[1]);
	assert_true(allows(ast_sip_endpoint_settings(ast_sip_snapshot_endpoints(b).v[0])->acl, "10.0.0.1", NULL));
	ast_sip_snapshot_unref(a);
	ast_sip_snapshot_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(without_rules_there_is_no_acl_and_everybody_passes),
		conf_test(the_last_rule_that_matches_decides),
		conf_test(the_order_of_permit_and_deny_is_that_of_the_file),
		conf_test(an_exclamation_mark_inverts_one_item),
		conf_test(permits_alone_restrict_nothing_and_warn),
		conf_test(every_list_must_allow_and_the_one_that_refuses_is_named),
		conf_test(contact_rules_stand_apart_from_source_rules),
		conf_test(acl_sections_are_listed_with_their_ids),
		conf_test(unknown_and_repeated_names_are_errors),
		conf_test(acl_conf_is_checked_like_pjsip_conf),
		conf_test(a_change_of_a_named_acl_changes_who_uses_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
