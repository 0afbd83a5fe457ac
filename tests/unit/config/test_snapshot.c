/* The way from files to a snapshot in force. */
#include "conf_dir.h"

#define PHONES                                                                                                         \
	"[udp]\ntype=transport\nbind=127.0.0.1\n"                                                                      \
	"[phone](!)\ntype=endpoint\nrewrite_contact=yes\n"                                                             \
	"[alice](phone)\nauth=alice\naors=alice\n"                                                                     \
	"[alice]\ntype=auth\nusername=alice\npassword=secret\n"                                                        \
	"[alice]\ntype=aor\nmax_contacts=5\n"                                                                          \
	"[bob](phone)\nauth=bob\naors=bob\n"                                                                           \
	"[bob]\ntype=auth\nusername=bob\npassword=secret\n"                                                            \
	"[bob]\ntype=aor\nmax_contacts=5\n"

static void endpoint_aor_and_auth_of_one_name_are_found(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES);
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, RS_STR("alice"));
	struct ast_sip_aor *a = ast_sip_aor_find(s, RS_STR("alice"));
	struct ast_sip_auth *u = ast_sip_auth_find(s, RS_STR("alice"));

	assert_non_null(e);
	assert_true(ast_sip_endpoint_settings(e)->rewrite_contact);
	assert_true(ast_sip_endpoint_settings(e)->force_rport);
	assert_int_equal(ast_sip_endpoint_settings(e)->identify_by, AST_SIP_BY_USERNAME | AST_SIP_BY_IP);
	assert_int_equal(ast_sip_endpoint_aors(e).n, 1);
	assert_string_equal(ast_sip_endpoint_aors(e).v[0].p, "alice");
	assert_string_equal(ast_sip_endpoint_auths(e).v[0].p, "alice");
	assert_int_equal(ast_sip_aor_settings(a)->max_contacts, 5);
	assert_int_equal(ast_sip_aor_settings(a)->default_expiration, 3600);
	assert_int_equal(ast_sip_aor_settings(a)->qualify_timeout_ms, 3000);
	assert_string_equal(ast_sip_auth_password(u).p, "secret");
	assert_int_equal(ast_sip_auth_nonce_lifetime(u), 32);
	assert_int_equal(ast_sip_auth_algorithms_uas(u).n, 1);
	assert_int_equal(ast_sip_auth_algorithms_uas(u).v[0], AST_SIP_MD5);
	assert_null(ast_sip_endpoint_find(s, RS_STR("Alice")));
	ast_sip_endpoint_unref(e);
	ast_sip_aor_unref(a);
	ast_sip_auth_unref(u);
	ast_sip_snapshot_unref(s);
}

static void objects_stand_in_byte_order_of_their_ids(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[b]\ntype=endpoint\n[B]\ntype=endpoint\n[a]\ntype=endpoint\n"
						       "[ab]\ntype=endpoint\n");
	struct ast_sip_endpoints e = ast_sip_snapshot_endpoints(s);
	static const char *const order[] = {"B", "a", "ab", "b"};

	assert_int_equal(e.n, 4);
	for (uint32_t i = 0; i < e.n; i++)
		assert_string_equal(ast_sip_endpoint_id(e.v[i]).p, order[i]);
	ast_sip_snapshot_unref(s);
}

static void endpoints_with_the_same_options_share_their_settings(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES "[carol](phone)\nforce_rport=no\n");
	struct ast_sip_endpoints e = ast_sip_snapshot_endpoints(s);

	assert_ptr_equal(ast_sip_endpoint_settings(e.v[0]), ast_sip_endpoint_settings(e.v[1]));
	assert_ptr_not_equal(ast_sip_endpoint_settings(e.v[0]), ast_sip_endpoint_settings(e.v[2]));
	ast_sip_snapshot_unref(s);
}

static void before_the_first_load_there_is_nothing(void **state)
{
	(void)state;
	assert_null(ast_sip_snapshot_get());
	assert_null(ast_sip_endpoint_get(RS_STR("alice")));
	assert_null(ast_sip_artificial_endpoint());
}

static void an_installed_snapshot_is_the_one_that_get_gives(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES), *got;
	struct ast_sip_endpoint *e;

	ast_sip_snapshot_install(s);
	got = ast_sip_snapshot_get();
	assert_ptr_equal(got, s);
	ast_sip_snapshot_unref(got);
	e = ast_sip_endpoint_get(RS_STR("bob"));
	assert_string_equal(ast_sip_endpoint_id(e).p, "bob");
	ast_sip_endpoint_unref(e);
}

static void a_pinned_snapshot_outlives_the_next_install(void **state)
{
	struct ast_sip_snapshot *pinned, *next;
	struct ast_sip_endpoint *e;

	ast_sip_snapshot_install(conf_good(*state, PHONES));
	pinned = ast_sip_snapshot_get();
	next = conf_good(*state, "[carol]\ntype=endpoint\n");
	ast_sip_snapshot_install(next);
	e = ast_sip_endpoint_find(pinned, RS_STR("alice"));
	assert_non_null(e);
	assert_null(ast_sip_endpoint_get(RS_STR("alice")));
	ast_sip_snapshot_unref(pinned);
	/* an object may be kept after its snapshot went */
	assert_string_equal(ast_sip_endpoint_id(e).p, "alice");
	assert_true(ast_sip_endpoint_settings(e)->rewrite_contact);
	ast_sip_endpoint_unref(e);
}

static void the_artificial_endpoint_is_known_as_such(void **state)
{
	struct ast_sip_endpoint *e, *alice;

	ast_sip_snapshot_install(conf_good(*state, PHONES));
	e = ast_sip_artificial_endpoint();
	alice = ast_sip_endpoint_get(RS_STR("alice"));
	assert_true(ast_sip_endpoint_is_artificial(e));
	assert_false(ast_sip_endpoint_is_artificial(alice));
	ast_sip_endpoint_unref(alice);
	ast_sip_endpoint_unref(e);
}

static void unchanged_objects_are_shared_after_a_reload(void **state)
{
	struct ast_sip_snapshot *a = conf_good(*state, PHONES "[n]\ntype=identify\nendpoint=bob\nmatch=10.0.0.0/8\n"
							      "[g]\ntype=acl\ndeny=0.0.0.0/0\n"),
				*b;

	conf_write(*state, "pjsip.conf",
		   PHONES "[n]\ntype=identify\nendpoint=bob\nmatch=10.0.0.0/8\n"
			  "[g]\ntype=acl\ndeny=0.0.0.0/0\n[alice](+)\ncallerid=Alice <1>\n");
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_ptr_not_equal(ast_sip_snapshot_endpoints(a).v[0], ast_sip_snapshot_endpoints(b).v[0]);
	assert_ptr_equal(ast_sip_snapshot_endpoints(a).v[1], ast_sip_snapshot_endpoints(b).v[1]);
	for (unsigned i = 0; i < 2; i++) {
		assert_ptr_equal(ast_sip_snapshot_aors(a).v[i], ast_sip_snapshot_aors(b).v[i]);
		assert_ptr_equal(ast_sip_snapshot_auths(a).v[i], ast_sip_snapshot_auths(b).v[i]);
	}
	assert_ptr_equal(ast_sip_snapshot_identifies(a).v[0], ast_sip_snapshot_identifies(b).v[0]);
	assert_ptr_equal(ast_sip_snapshot_acls(a).v[0], ast_sip_snapshot_acls(b).v[0]);
	ast_sip_snapshot_unref(a);
	assert_string_equal(ast_sip_endpoint_id(ast_sip_snapshot_endpoints(b).v[1]).p, "bob");
	ast_sip_snapshot_unref(b);
}

static void a_changed_password_makes_a_new_auth_only(void **state)
{
	struct ast_sip_snapshot *a = conf_good(*state, PHONES), *b;

	conf_write(*state, "pjsip.conf", PHONES "[bob](+username=bob)\npassword=other\n");
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_ptr_equal(ast_sip_snapshot_auths(a).v[0], ast_sip_snapshot_auths(b).v[0]);
	assert_ptr_not_equal(ast_sip_snapshot_auths(a).v[1], ast_sip_snapshot_auths(b).v[1]);
	assert_string_equal(ast_sip_auth_password(ast_sip_snapshot_auths(b).v[1]).p, "other");
	/* Who is asked for it is renewed with it. */
	assert_ptr_equal(ast_sip_snapshot_endpoints(a).v[0], ast_sip_snapshot_endpoints(b).v[0]);
	assert_ptr_not_equal(ast_sip_snapshot_endpoints(a).v[1], ast_sip_snapshot_endpoints(b).v[1]);
	assert_ptr_equal(ast_sip_endpoint_auth(ast_sip_snapshot_endpoints(a).v[1], 0), ast_sip_snapshot_auths(a).v[1]);
	assert_ptr_equal(ast_sip_endpoint_auth(ast_sip_snapshot_endpoints(b).v[1], 0), ast_sip_snapshot_auths(b).v[1]);
	ast_sip_snapshot_unref(a);
	ast_sip_snapshot_unref(b);
}

static void a_changed_global_default_renews_the_auths_that_follow_it(void **state)
{
	struct ast_sip_snapshot *a = conf_good(*state, PHONES), *b;

	conf_write(*state, "pjsip.conf", PHONES "[global]\ndefault_auth_algorithms_uas=SHA-256,MD5\n");
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_int_equal(ast_sip_auth_algorithms_uas(ast_sip_snapshot_auths(b).v[0]).n, 2);
	assert_int_equal(ast_sip_auth_algorithms_uas(ast_sip_snapshot_auths(b).v[0]).v[0], AST_SIP_SHA_256);
	assert_ptr_not_equal(ast_sip_snapshot_auths(a).v[0], ast_sip_snapshot_auths(b).v[0]);
	ast_sip_snapshot_unref(a);
	ast_sip_snapshot_unref(b);
}

static void a_lent_object_is_the_one_that_is_found(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES);
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, RS_STR("bob"));
	struct ast_sip_aor *a = ast_sip_aor_find(s, RS_STR("bob"));
	struct ast_sip_auth *u = ast_sip_auth_find(s, RS_STR("bob"));

	assert_ptr_equal(ast_sip_snapshot_endpoint(s, RS_STR("bob")), e);
	assert_ptr_equal(ast_sip_snapshot_aor(s, RS_STR("bob")), a);
	assert_ptr_equal(ast_sip_snapshot_auth(s, RS_STR("bob")), u);
	assert_null(ast_sip_snapshot_endpoint(s, RS_STR("bo")));
	assert_null(ast_sip_snapshot_aor(s, RS_STR("bobb")));
	assert_null(ast_sip_snapshot_auth(s, RS_STR("")));
	/* Lending took none: these references are the last when the snapshot goes. */
	ast_sip_snapshot_unref(s);
	assert_string_equal(ast_sip_endpoint_id(e).p, "bob");
	assert_string_equal(ast_sip_aor_id(a).p, "bob");
	assert_string_equal(ast_sip_auth_id(u).p, "bob");
	ast_sip_endpoint_unref(e);
	ast_sip_aor_unref(a);
	ast_sip_auth_unref(u);
}

static void an_endpoint_leads_to_its_auths_and_aors(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES "[e]\ntype=endpoint\nauth=bob,alice\naors=alice,bob\n");
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, RS_STR("e"));

	assert_ptr_equal(ast_sip_endpoint_auth(e, 0), ast_sip_snapshot_auth(s, RS_STR("bob")));
	assert_ptr_equal(ast_sip_endpoint_auth(e, 1), ast_sip_snapshot_auth(s, RS_STR("alice")));
	assert_null(ast_sip_endpoint_auth(e, 2));
	assert_ptr_equal(ast_sip_endpoint_aor(e, 0), ast_sip_snapshot_aor(s, RS_STR("alice")));
	assert_ptr_equal(ast_sip_endpoint_aor(e, 1), ast_sip_snapshot_aor(s, RS_STR("bob")));
	assert_null(ast_sip_endpoint_aor(e, 2));
	/* It keeps them when the snapshot goes. */
	ast_sip_snapshot_unref(s);
	assert_string_equal(ast_sip_auth_id(ast_sip_endpoint_auth(e, 1)).p, "alice");
	assert_string_equal(ast_sip_aor_id(ast_sip_endpoint_aor(e, 1)).p, "bob");
	ast_sip_endpoint_unref(e);
}

static void ids_of_any_length_are_found(void **state)
{
	char text[8192] = "", id[64];
	struct ast_sip_snapshot *s;

	for (unsigned n = 1; n < 40; n++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[%.*s]\ntype=aor\n", (int)n,
			 "abcdefghijklmnopqrstuvwxyz0123456789-_+=");
	s = conf_good(*state, text);
	for (unsigned n = 1; n < 40; n++) {
		snprintf(id, sizeof(id), "%.*s", (int)n, "abcdefghijklmnopqrstuvwxyz0123456789-_+=");
		assert_string_equal(ast_sip_aor_id(ast_sip_snapshot_aor(s, rs_str_c(id))).p, id);
	}
	assert_null(ast_sip_snapshot_aor(s, RS_STR("abcdefghijklmnopqrstuvwxyz0123456789-_+=")));
	ast_sip_snapshot_unref(s);
}

static void it_is_known_whether_any_endpoint_stands_for_a_domain(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES);

	assert_false(ast_sip_snapshot_has_at_endpoints(s));
	ast_sip_snapshot_unref(s);
	s = conf_good(*state, PHONES "[alice@example.org]\ntype=endpoint\n");
	assert_true(ast_sip_snapshot_has_at_endpoints(s));
	ast_sip_snapshot_unref(s);
}

/* ---- HA1 that is kept ---- */

static unsigned computed;

static int compute(enum ast_sip_algorithm algorithm, struct rs_str username, struct rs_str realm,
		   struct rs_str password, uint8_t *out)
{
	memset(out, 0, algorithm == AST_SIP_MD5 ? 16 : 32);
	out[0] = (uint8_t)username.p[0];
	out[1] = (uint8_t)realm.p[0];
	out[2] = (uint8_t)password.p[0];
	out[3] = (uint8_t)algorithm;
	computed++;
	return 0;
}

static int refuse_to_compute(enum ast_sip_algorithm algorithm, struct rs_str username, struct rs_str realm,
			     struct rs_str password, uint8_t *out)
{
	(void)algorithm;
	(void)username;
	(void)realm;
	(void)password;
	(void)out;
	return -1;
}

#define LOGINS                                                                                                         \
	"[a]\ntype=auth\nusername=a\npassword=secret\n[b]\ntype=auth\nusername=b\npassword=secret\nrealm=own\n"        \
	"[c]\ntype=auth\nusername=c\npassword_digest=MD5:00000000000000000000000000000000\n"

static void assert_kept(struct ast_sip_snapshot *s, const char *id, enum ast_sip_algorithm algorithm, const char *kept)
{
	const uint8_t *ha1 = ast_sip_auth_kept_ha1(ast_sip_snapshot_auth(s, rs_str_c(id)), algorithm);

	if (!kept) {
		assert_null(ha1);
		return;
	}
	assert_non_null(ha1);
	assert_memory_equal(ha1, kept, 3);
	assert_int_equal(ha1[3], algorithm);
}

static void ha1_is_kept_until_what_it_is_made_of_changes(void **state)
{
	struct ast_sip_snapshot *a, *b;

	computed = 0;
	ast_sip_conf_ha1 = compute;
	a = conf_good(*state, "[global]\ndefault_realm=first\n" LOGINS);
	assert_int_equal(computed, 2);
	assert_kept(a, "a", AST_SIP_MD5, "afs");
	assert_kept(a, "a", AST_SIP_SHA_256, NULL);
	assert_kept(a, "b", AST_SIP_MD5, "bos");
	assert_kept(a, "c", AST_SIP_MD5, NULL);
	/* Nothing changed. */
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_int_equal(computed, 2);
	assert_ptr_equal(ast_sip_snapshot_auths(a).v[0], ast_sip_snapshot_auths(b).v[0]);
	ast_sip_snapshot_unref(b);
	/* Another realm for who has none of his own. */
	conf_write(*state, "pjsip.conf", "[global]\ndefault_realm=second\n" LOGINS);
	b = conf_load_again(*state, a);
	assert_non_null(b);
	assert_int_equal(computed, 3);
	assert_kept(b, "a", AST_SIP_MD5, "ass");
	assert_kept(a, "a", AST_SIP_MD5, "afs");
	assert_ptr_equal(ast_sip_snapshot_auths(a).v[1], ast_sip_snapshot_auths(b).v[1]);
	assert_ptr_equal(ast_sip_snapshot_auths(a).v[2], ast_sip_snapshot_auths(b).v[2]);
	ast_sip_snapshot_unref(a);
	/* Another password. */
	conf_write(*state, "pjsip.conf", "[global]\ndefault_realm=second\n" LOGINS "[b](+)\npassword=other\n");
	a = conf_load_again(*state, b);
	assert_non_null(a);
	assert_int_equal(computed, 4);
	assert_kept(a, "b", AST_SIP_MD5, "boo");
	assert_kept(b, "b", AST_SIP_MD5, "bos");
	ast_sip_snapshot_unref(a);
	ast_sip_snapshot_unref(b);
	ast_sip_conf_ha1 = NULL;
}

static void ha1_is_kept_for_each_algorithm_that_is_asked_for(void **state)
{
	struct ast_sip_snapshot *s;

	computed = 0;
	ast_sip_conf_ha1 = compute;
	s = conf_good(*state, "[global]\ndefault_realm=realm\n[a]\ntype=auth\nusername=a\npassword=secret\n"
			      "supported_algorithms_uas=SHA-512-256,MD5,SHA-256\n");
	assert_int_equal(computed, 3);
	for (unsigned i = 0; i < AST_SIP_ALGORITHMS; i++)
		assert_kept(s, "a", (enum ast_sip_algorithm)i, "ars");
	ast_sip_snapshot_unref(s);
	ast_sip_conf_ha1 = refuse_to_compute;
	assert_null(conf_load_again(*state, NULL));
	ast_sip_conf_ha1 = NULL;
}

static void a_bad_file_gives_no_snapshot_and_every_error_in_order(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf",
		   "[b]\ntype=endpoint\nforce_rport=perhaps\nrewrit_contact=yes\n"
		   "[a]\ntype=aor\nmax_contacts=-1\n");
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n, 3);
	assert_int_equal(d->errors.n_fatal, 3);
	assert_int_equal(d->errors.v[0].line, 3);
	assert_int_equal(d->errors.v[1].line, 4);
	assert_int_equal(d->errors.v[2].line, 7);
	assert_string_equal(d->errors.v[1].text,
			    "endpoint 'b': unknown option 'rewrit_contact' (did you mean 'rewrite_contact'?)");
}

static void a_missing_pjsip_conf_is_an_error(void **state)
{
	assert_null(conf_load_again(*state, NULL));
	conf_assert_said(*state, false, 0, "no such file");
}

static void reclaim_later(void (*run)(void *), void *arg)
{
	(void)run;
	function_called();
	run(arg);
}

static void the_last_reference_hands_the_snapshot_to_the_reclaimer(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, PHONES);

	ast_sip_snapshot_set_reclaim(reclaim_later);
	expect_function_calls(reclaim_later, 1);
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_set_reclaim(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(before_the_first_load_there_is_nothing),
		conf_test(endpoint_aor_and_auth_of_one_name_are_found),
		conf_test(objects_stand_in_byte_order_of_their_ids),
		conf_test(endpoints_with_the_same_options_share_their_settings),
		conf_test(an_installed_snapshot_is_the_one_that_get_gives),
		conf_test(a_pinned_snapshot_outlives_the_next_install),
		conf_test(the_artificial_endpoint_is_known_as_such),
		conf_test(unchanged_objects_are_shared_after_a_reload),
		conf_test(a_changed_password_makes_a_new_auth_only),
		conf_test(a_changed_global_default_renews_the_auths_that_follow_it),
		conf_test(a_lent_object_is_the_one_that_is_found),
		conf_test(an_endpoint_leads_to_its_auths_and_aors),
		conf_test(ids_of_any_length_are_found),
		conf_test(it_is_known_whether_any_endpoint_stands_for_a_domain),
		conf_test(ha1_is_kept_until_what_it_is_made_of_changes),
		conf_test(ha1_is_kept_for_each_algorithm_that_is_asked_for),
		conf_test(a_bad_file_gives_no_snapshot_and_every_error_in_order),
		conf_test(a_missing_pjsip_conf_is_an_error),
		conf_test(the_last_reference_hands_the_snapshot_to_the_reclaimer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
