/* Sections to objects: types, references, defaults, the checks of section 4.18 of the reference. */
#include "conf_dir.h"

#define E "[e]\ntype=endpoint\n"

static void dangling_references_are_errors_at_their_line(void **state)
{
	conf_bad(*state, E "auth=x\n", 3, "auth: there is no auth 'x'");
	conf_bad(*state, E "aors = x\n", 3, "aors: there is no aor 'x'");
	conf_bad(*state, E "outbound_auth=x\n", 3, "outbound_auth: there is no auth 'x'");
	conf_bad(*state, E "transport=x\n", 3, "transport: there is no transport 'x'");
	conf_bad(*state, "[i]\ntype=identify\nmatch=1.2.3.4\nendpoint=x\n", 4, "endpoint: there is no endpoint 'x'");
	conf_bad(*state, "[global]\ndefault_outbound_endpoint=x\n", 2, "there is no endpoint 'x'");
	conf_bad(*state, E "aors=a,b\n[a]\ntype=aor\n", 3, "there is no aor 'b'");
	conf_bad(*state, E "auth=alise\n[alice]\ntype=auth\nusername=a\npassword=b\n", 3, "did you mean 'alice'?");
	/* ids have case */
	conf_bad(*state, E "aors=A\n[a]\ntype=aor\n", 3, "there is no aor 'A'");
}

static void a_reference_that_is_overridden_does_not_count(void **state)
{
	ast_sip_snapshot_unref(conf_good(*state, "[t](!)\ntype=endpoint\nauth=x\n[e](t)\nauth=\n"));
}

static void a_reference_to_a_broken_object_is_not_told_twice(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf", E "aors=a\n[a]\ntype=aor\nmax_contacts=x\n");
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n, 1);
}

static void the_default_outbound_endpoint_need_not_exist(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, E);

	assert_string_equal(ast_sip_snapshot_global(s)->default_outbound_endpoint.p, "default_outbound_endpoint");
	ast_sip_snapshot_unref(s);
}

static void an_id_may_stand_once_for_each_type(void **state)
{
	conf_bad(*state, E "[e]\ntype=aor\n[e]\ntype=endpoint\n", 5, "endpoint 'e' stands here and at pjsip.conf:1");
	conf_bad(*state, "[global]\n[g]\ntype=global\n", 2,
		 "second section of type global; the first is at pjsip.conf:1");
	conf_bad(*state, "[system]\n[system]\n", 2, "second section of type system");
	ast_sip_snapshot_unref(conf_good(*state, E "[E]\ntype=endpoint\n"));
}

static void the_first_type_holds_and_another_one_is_an_error(void **state)
{
	conf_bad(*state, "[t](!)\ntype=endpoint\n[e](t)\ntype=aor\n", 4, "type 'aor' stands behind type 'endpoint'");
	ast_sip_snapshot_unref(conf_good(*state, "[t](!)\ntype=endpoint\n[e](t)\ntype=endpoint\n"));
}

static void unknown_and_missing_types_are_warnings(void **state)
{
	conf_warns(*state, "[e]\ntype=endpont\n", 2, "did you mean 'endpoint'?");
	conf_warns(*state, "[e]\ntype=Endpoint\n", 2, "did you mean 'endpoint'?");
	conf_warns(*state, "[general]\nx=y\n", 1, "has no type");
}

static void types_that_are_not_built_yet_are_reported_once(void **state)
{
	struct ast_sip_snapshot *s =
		conf_good(*state, "[r]\ntype=registration\nserver_uri=sip:x\n[q]\ntype=registration\n"
				  "[p]\ntype=phoneprov\n");
	struct ast_sip_strings na = ast_sip_snapshot_not_applicable(s);
	struct conf_dir *d = *state;

	assert_int_equal(d->errors.n, 0);
	assert_int_equal(na.n, 2);
	assert_string_equal(na.v[0].p, "registration");
	assert_string_equal(na.v[1].p, "phoneprov");
	ast_sip_snapshot_unref(s);
}

static void options_that_do_not_apply_are_reported_once_each(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, E "allow=ulaw\ncontext=x\nforce_rport=no\n[f]\ntype=endpoint\n"
							 "allow=alaw\n[a]\ntype=aor\nmailboxes=1@x\n");
	struct ast_sip_strings na = ast_sip_snapshot_not_applicable(s);

	assert_int_equal(na.n, 3);
	assert_string_equal(na.v[0].p, "aor.mailboxes");
	assert_string_equal(na.v[1].p, "endpoint.context");
	assert_string_equal(na.v[2].p, "endpoint.allow");
	ast_sip_snapshot_unref(s);
}

static void what_calls_follow_applies(void **state)
{
	struct ast_sip_snapshot *s = conf_good(
		*state,
		E "100rel=no\ntimers=no\ntimers_min_se=100\ntimers_sess_expires=100\nallow_transfer=no\n"
		  "redirect_method=uri_pjsip\nfollow_redirect_methods=message\nuser_eq_phone=yes\n"
		  "callerid=A <1>\ncallerid_privacy=prohib\ntrust_id_outbound=yes\nsend_pai=yes\nsend_rpid=yes\n"
		  "send_diversion=no\nsend_history_info=yes\ndevice_state_busy_at=2\nrefer_blind_progress=no\n"
		  "ignore_183_without_sdp=yes\ninband_progress=no\n[global]\nnorefersub=no\n");
	struct ast_sip_strings na = ast_sip_snapshot_not_applicable(s);
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, RS_STR("e"));

	assert_int_equal(na.n, 2);
	assert_string_equal(na.v[0].p, "endpoint.follow_redirect_methods");
	assert_string_equal(na.v[1].p, "endpoint.inband_progress");
	assert_true(ast_sip_endpoint_settings(e)->ignore_183_without_sdp);
	assert_int_equal(ast_sip_endpoint_settings(e)->device_state_busy_at, 2);
	assert_false(ast_sip_snapshot_global(s)->norefersub);
	ast_sip_endpoint_unref(e);
	ast_sip_snapshot_unref(s);
}

static void global_and_system_need_no_type(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[global]\nuser_agent=\nmax_forwards=20\n[tuning]\ntype=system\n"
						       "compact_headers=yes\n");

	assert_int_equal(ast_sip_snapshot_global(s)->user_agent.len, 0);
	assert_int_equal(ast_sip_snapshot_global(s)->max_forwards, 20);
	assert_true(ast_sip_snapshot_system(s)->compact_headers);
	ast_sip_snapshot_unref(s);
}

static void global_and_system_have_the_defaults_of_the_reference(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "");
	const struct ast_sip_global *g = ast_sip_snapshot_global(s);
	const struct ast_sip_system *y = ast_sip_snapshot_system(s);

	assert_int_equal(g->max_forwards, 70);
	assert_int_equal(g->keep_alive_interval, 90);
	assert_int_equal(g->contact_expiration_check_interval, 30);
	assert_int_equal(g->unidentified_request_period, 5);
	assert_int_equal(g->unidentified_request_count, 5);
	assert_int_equal(g->unidentified_request_prune_interval, 30);
	assert_string_equal(g->default_realm.p, "asterisk");
	assert_string_equal(g->default_from_user.p, "asterisk");
	assert_string_equal(g->debug.p, "no");
	assert_true(rs_str_starts(g->user_agent, RS_STR("res_sip ")));
	assert_int_equal(g->endpoint_identifier_order.n, 3);
	assert_false(g->endpoint_identifier_order_set);
	assert_true(g->norefersub);
	assert_int_equal(g->default_auth_algorithms_uas.n, 1);
	assert_int_equal(y->timer_t1_ms, 500);
	assert_int_equal(y->timer_b_ms, 32000);
	assert_true(y->disable_tcp_switch);
	assert_false(y->disable_rport);
	assert_int_equal(y->taskpool_minimum_size, 4);
	assert_int_equal(y->taskpool_max_size, 50);
	ast_sip_snapshot_unref(s);
}

static void a_transport_has_its_default_port_and_networks(void **state)
{
	struct ast_sip_snapshot *s = conf_good(
		*state,
		"[a]\ntype=transport\nbind=[::1]\nlocal_net=10.0.0.0/8,!10.1.0.0/16\nlocal_net=fd00::/8\n"
		"[b]\ntype=transport\nprotocol=TCP\nbind=127.0.0.1:5070\nexternal_signaling_hostname=sip.example.com\n"
		"[c]\ntype=transport\nprotocol=flow\n");
	const struct ast_sip_transport *a = ast_sip_transport_find(s, RS_STR("a")),
				       *b = ast_sip_transport_find(s, RS_STR("b")),
				       *c = ast_sip_transport_find(s, RS_STR("c"));
	struct sip_addr in, out, six;

	assert_int_equal(a->protocol, SIP_TRANSPORT_UDP);
	assert_int_equal(a->bind.port, 5060);
	assert_int_equal(a->bind.family, 6);
	sip_addr_parse(RS_STR("10.2.3.4"), &in);
	sip_addr_parse(RS_STR("10.1.3.4"), &out);
	sip_addr_parse(RS_STR("fd12::1"), &six);
	assert_true(ast_sip_local_net_contains(a->local_net, &in));
	assert_false(ast_sip_local_net_contains(a->local_net, &out));
	assert_true(ast_sip_local_net_contains(a->local_net, &six));
	assert_null(b->local_net);
	assert_false(ast_sip_local_net_contains(b->local_net, &in));
	assert_int_equal(b->protocol, SIP_TRANSPORT_TCP);
	assert_int_equal(b->bind.port, 5070);
	assert_string_equal(b->external_signaling_address.p, "sip.example.com");
	assert_true(c->flow);
	assert_int_equal(ast_sip_snapshot_transports(s).n, 3);
	ast_sip_snapshot_unref(s);
}

static void transports_compare_by_what_they_say(void **state)
{
	static const char text[] = "[a]\ntype=transport\nbind=127.0.0.1\nlocal_net=10.0.0.0/8\ntos=ef\n";
	static const char *const more[] = {"tos=cs3\n", "bind=127.0.0.2\n", "protocol=tcp\n", "local_net=::1\n",
					   "domain=x\n"};
	struct ast_sip_snapshot *a = conf_good(*state, text), *b = conf_good(*state, text);
	char changed[256];

	assert_true(ast_sip_transport_same(ast_sip_snapshot_transports(a).v[0], ast_sip_snapshot_transports(b).v[0]));
	ast_sip_snapshot_unref(b);
	for (size_t i = 0; i < RS_ARRAY_SIZE(more); i++) {
		snprintf(changed, sizeof(changed), "%s%s", text, more[i]);
		b = conf_good(*state, changed);
		assert_false(ast_sip_transport_same(ast_sip_snapshot_transports(a).v[0],
						    ast_sip_snapshot_transports(b).v[0]));
		ast_sip_snapshot_unref(b);
	}
	ast_sip_snapshot_unref(a);
}

static void transports_that_do_not_exist_yet_warn(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[t]\ntype=transport\nprotocol=tls\nbind=0.0.0.0\n");

	conf_assert_said(*state, true, 3, "not available yet");
	assert_int_equal(ast_sip_transport_find(s, RS_STR("t"))->bind.port, 5061);
	ast_sip_snapshot_unref(s);
}

static void two_transports_on_one_address_are_an_error(void **state)
{
	conf_bad(*state, "[a]\ntype=transport\nbind=127.0.0.1\n[b]\ntype=transport\nbind=127.0.0.1:5060\n", 6,
		 "transport 'a' has the same");
	ast_sip_snapshot_unref(conf_good(*state, "[a]\ntype=transport\nbind=127.0.0.1\n"
						 "[b]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1\n"));
}

#define MD5HEX "0123456789ABCDEF0123456789abcdef"
#define SHAHEX MD5HEX MD5HEX

static void digests_of_every_algorithm_are_read(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[a]\ntype=auth\nusername=u\nrealm=r\nmd5_cred=" MD5HEX "\n"
						       "password_digest=SHA-256:" SHAHEX ", sha-512-256:" SHAHEX "\n"
						       "supported_algorithms_uas=SHA-256\n"
						       "supported_algorithms_uas=MD5,SHA-256\nnonce_lifetime=60\n");
	struct ast_sip_auth *a = ast_sip_auth_find(s, RS_STR("a"));

	assert_string_equal(ast_sip_auth_digest(a, AST_SIP_MD5).p, "0123456789abcdef0123456789abcdef");
	assert_int_equal(ast_sip_auth_digest(a, AST_SIP_SHA_256).len, 64);
	assert_int_equal(ast_sip_auth_digest(a, AST_SIP_SHA_512_256).len, 64);
	assert_int_equal(ast_sip_auth_password(a).len, 0);
	assert_string_equal(ast_sip_auth_realm(a).p, "r");
	assert_int_equal(ast_sip_auth_nonce_lifetime(a), 60);
	assert_int_equal(ast_sip_auth_algorithms_uas(a).n, 2);
	assert_int_equal(ast_sip_auth_algorithms_uas(a).v[0], AST_SIP_SHA_256);
	assert_int_equal(ast_sip_auth_algorithms_uac(a).n, 1);
	ast_sip_auth_unref(a);
	ast_sip_snapshot_unref(s);
}

static void an_auth_needs_a_credential_for_each_algorithm_it_may_use(void **state)
{
	static const char one[] = "[a]\ntype=auth\nusername=u\npassword_digest=SHA-256:" SHAHEX "\n";
	char text[512];

	conf_bad(*state, one, 1, "no password and no password_digest for MD5, which default_auth_algorithms_uas lists");
	snprintf(text, sizeof(text), "%ssupported_algorithms_uas=SHA-256\n", one);
	conf_bad(*state, text, 1, "which default_auth_algorithms_uac lists");
	snprintf(text, sizeof(text), "%ssupported_algorithms_uas=SHA-256,MD5\nsupported_algorithms_uac=SHA-256\n", one);
	conf_bad(*state, text, 5, "for MD5, which supported_algorithms_uas lists");
	snprintf(text, sizeof(text), "%ssupported_algorithms_uas=SHA-256\nsupported_algorithms_uac=SHA-256\n", one);
	ast_sip_snapshot_unref(conf_good(*state, text));
	snprintf(text, sizeof(text),
		 "[global]\ndefault_auth_algorithms_uas=SHA-256\ndefault_auth_algorithms_uac=SHA-256\n%s", one);
	ast_sip_snapshot_unref(conf_good(*state, text));
	snprintf(text, sizeof(text), "%spassword=x\n", one);
	ast_sip_snapshot_unref(conf_good(*state, text));
}

static int resolve_two(const char *host, struct sip_addr *out, size_t max)
{
	if (strcmp(host, "trunk.example") != 0 || max < 2)
		return -1;
	sip_addr_parse(RS_STR("192.0.2.1"), &out[0]);
	sip_addr_parse(RS_STR("2001:db8::1"), &out[1]);
	return 2;
}

static void identify_reads_addresses_ports_masks_and_names(void **state)
{
	int (*before)(const char *, struct sip_addr *, size_t) = ast_sip_conf_resolve;
	const struct ast_sip_identify_settings *i;
	struct ast_sip_snapshot *s;

	ast_sip_conf_resolve = resolve_two;
	s = conf_good(*state,
		      E "[i]\ntype=identify\nendpoint=e\nmatch = 10.0.0.0/8 , !10.1.2.3\n"
			"match=1.2.3.4:5080/255.255.0.0,[2001:db8::]:5060/32\nmatch=trunk.example:5090,gone.example\n"
			"match_header=X-Trunk : one\nmatch_request_uri=/^sip:9/\n");
	ast_sip_conf_resolve = before;
	i = ast_sip_identify_settings(ast_sip_snapshot_identifies(s).v[0]);
	assert_string_equal(i->endpoint.p, "e");
	assert_int_equal(i->n_match, 6);
	assert_int_equal(i->match[0].bits, 8);
	assert_int_equal(i->match[0].addr.port, 0);
	assert_true(i->match[1].negate);
	assert_int_equal(i->match[1].bits, 32);
	assert_int_equal(i->match[2].addr.port, 5080);
	assert_int_equal(i->match[2].bits, 16);
	assert_int_equal(i->match[3].addr.family, 6);
	assert_int_equal(i->match[3].bits, 32);
	assert_int_equal(i->match[4].addr.port, 5090);
	assert_int_equal(i->match[4].bits, 32);
	assert_int_equal(i->match[5].bits, 128);
	assert_int_equal(i->hosts.n, 2);
	assert_string_equal(i->hosts.v[1].p, "gone.example");
	conf_assert_said(*state, true, 3, "'gone.example' does not resolve");
	assert_string_equal(i->header_name.p, "X-Trunk");
	assert_string_equal(i->header_value.p, "one");
	assert_null(i->header_regex);
	assert_string_equal(i->request_uri.p, "^sip:9");
	assert_non_null(i->request_uri_regex);
	assert_true(i->srv_lookups);
	ast_sip_snapshot_unref(s);
}

static void permanent_contacts_accumulate(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[a]\ntype=aor\ncontact=sip:a@1.2.3.4 , sips:b@x.example\n"
						       "contact=sip:c@[::1]:5070\\;transport=tcp\n");
	const struct ast_sip_aor_settings *a = ast_sip_aor_settings(ast_sip_snapshot_aors(s).v[0]);

	assert_int_equal(a->contact.n, 3);
	assert_string_equal(a->contact.v[1].p, "sips:b@x.example");
	assert_string_equal(a->contact.v[2].p, "sip:c@[::1]:5070;transport=tcp");
	ast_sip_snapshot_unref(s);
}

static void a_domain_alias_stands_for_its_domain(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[alias.example]\ntype=domain_alias\ndomain=real.example\n");

	assert_string_equal(ast_sip_domain_alias_find(s, RS_STR("alias.example")).p, "real.example");
	assert_int_equal(ast_sip_domain_alias_find(s, RS_STR("other.example")).len, 0);
	ast_sip_snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(dangling_references_are_errors_at_their_line),
		conf_test(a_reference_that_is_overridden_does_not_count),
		conf_test(a_reference_to_a_broken_object_is_not_told_twice),
		conf_test(the_default_outbound_endpoint_need_not_exist),
		conf_test(an_id_may_stand_once_for_each_type),
		conf_test(the_first_type_holds_and_another_one_is_an_error),
		conf_test(unknown_and_missing_types_are_warnings),
		conf_test(types_that_are_not_built_yet_are_reported_once),
		conf_test(options_that_do_not_apply_are_reported_once_each),
		conf_test(what_calls_follow_applies),
		conf_test(global_and_system_need_no_type),
		conf_test(global_and_system_have_the_defaults_of_the_reference),
		conf_test(a_transport_has_its_default_port_and_networks),
		conf_test(transports_compare_by_what_they_say),
		conf_test(transports_that_do_not_exist_yet_warn),
		conf_test(two_transports_on_one_address_are_an_error),
		conf_test(digests_of_every_algorithm_are_read),
		conf_test(an_auth_needs_a_credential_for_each_algorithm_it_may_use),
		conf_test(identify_reads_addresses_ports_masks_and_names),
		conf_test(permanent_contacts_accumulate),
		conf_test(a_domain_alias_stands_for_its_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
