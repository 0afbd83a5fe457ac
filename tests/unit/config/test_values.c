/* Values by kind: what is taken, what is refused, and how it is told. */
#include "conf_dir.h"

#include "core/config/value.h"

static void bool_is_yes_or_no_and_nothing_else(void **state)
{
	static const char *const yes[] = {"yes", "TRUE", "y", "T", "1", "On"};
	static const char *const no[] = {"no", "False", "N", "f", "0", "OFF"};
	static const char *const bad[] = {"", "ja", "2", "yes!", "oui", "enabled"};
	bool b;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(yes); i++) {
		assert_int_equal(conf_value_bool(rs_str_c(yes[i]), &b), 0);
		assert_true(b);
		assert_int_equal(conf_value_bool(rs_str_c(no[i]), &b), 0);
		assert_false(b);
		assert_int_equal(conf_value_bool(rs_str_c(bad[i]), &b), -1);
	}
}

static void uint_is_read_in_base_0_within_its_range(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", "1x", "4294967296", "0x", "1 2", "09"};
	uint32_t u = 7;

	(void)state;
	assert_int_equal(conf_value_uint(RS_STR("0x10"), 0, UINT32_MAX, &u), 0);
	assert_int_equal(u, 16);
	assert_int_equal(conf_value_uint(RS_STR("010"), 0, UINT32_MAX, &u), 0);
	assert_int_equal(u, 8);
	assert_int_equal(conf_value_uint(RS_STR("4294967295"), 0, UINT32_MAX, &u), 0);
	assert_int_equal(u, UINT32_MAX);
	assert_int_equal(conf_value_uint(RS_STR("5"), 5, 6, &u), 0);
	assert_int_equal(conf_value_uint(RS_STR("4"), 5, 6, &u), -1);
	assert_int_equal(conf_value_uint(RS_STR("7"), 5, 6, &u), -1);
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_int_equal(conf_value_uint(rs_str_c(bad[i]), 0, UINT32_MAX, &u), -1);
	assert_int_equal(u, 5);
}

static void seconds_have_a_fraction(void **state)
{
	static const char *const bad[] = {"", "-1", "nan", "inf", "3s", "1e9"};
	uint32_t ms;

	(void)state;
	assert_int_equal(conf_value_seconds(RS_STR("3.0"), &ms), 0);
	assert_int_equal(ms, 3000);
	assert_int_equal(conf_value_seconds(RS_STR("0.25"), &ms), 0);
	assert_int_equal(ms, 250);
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_int_equal(conf_value_seconds(rs_str_c(bad[i]), &ms), -1);
}

static void tos_is_a_number_or_a_dscp_name(void **state)
{
	static const struct {
		const char *text;
		uint8_t tos;
	} good[] = {{"ef", 0xb8},   {"EF", 0xb8}, {"cs3", 0x60}, {"af41", 0x88},
		    {"af11", 0x28}, {"0x60", 96}, {"cs0", 0},    {"184", 184}};
	static const char *const bad[] = {"", "cs8", "af51", "af14", "256", "expedited"};
	uint8_t tos;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(good); i++) {
		assert_int_equal(conf_value_tos(rs_str_c(good[i].text), &tos), 0);
		assert_int_equal(tos, good[i].tos);
	}
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_int_equal(conf_value_tos(rs_str_c(bad[i]), &tos), -1);
}

static void networks_are_masked_and_masks_have_no_holes(void **state)
{
	static const char *const bad[] = {"",          "10.0.0.0/33", "10.0.0.0/255.0.255.0", "example.com",
					  "10.0.0.0/", "::1/129",     "10.0.0.1:5060",        "10.0.0.0/::1",
					  "10.0.0"};
	struct sip_addr a;
	uint8_t bits;

	(void)state;
	assert_int_equal(conf_value_network(RS_STR("10.1.2.3/255.255.254.0"), &a, &bits), 0);
	assert_int_equal(bits, 23);
	assert_int_equal(a.ip[2], 2);
	assert_int_equal(a.ip[3], 0);
	assert_int_equal(conf_value_network(RS_STR("10.1.2.3"), &a, &bits), 0);
	assert_int_equal(bits, 32);
	assert_int_equal(conf_value_network(RS_STR("0.0.0.0/0"), &a, &bits), 0);
	assert_int_equal(bits, 0);
	assert_int_equal(conf_value_network(RS_STR("2001:db8::ffff/33"), &a, &bits), 0);
	assert_int_equal(bits, 33);
	assert_int_equal(a.ip[15], 0);
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_int_equal(conf_value_network(rs_str_c(bad[i]), &a, &bits), -1);
}

#define E "[e]\ntype=endpoint\n"
#define A "[e]\ntype=aor\n"
#define T "[e]\ntype=transport\nbind=127.0.0.1\n"
#define I "[e]\ntype=endpoint\n[i]\ntype=identify\nendpoint=e\n"
#define U "[e]\ntype=auth\nusername=u\npassword=p\n"

static void each_kind_of_bad_value_is_an_error_at_its_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} bad[] = {
		{E "force_rport=maybe\n", 3, "endpoint 'e': force_rport: 'maybe' is neither yes nor no"},
		{E "direct_media=maybe\n", 3, "neither yes nor no"},
		{E "rtp_timeout=soon\n", 3, "is no number from 0 to 4294967295"},
		{E "timers_min_se=89\n", 3, "is no number from 90"},
		{E "100rel=ye\n", 3, "is none of no, yes, peer_supported, required (did you mean 'yes'?)"},
		{E "identify_by=username,usrname\n", 3, "did you mean 'username'?"},
		{E "dtmf_mode=rfc2833\n", 3, "is none of rfc4733"},
		{E "t38_udptl_ec=FEC\n", 3, "is none of none, fec, redundancy"},
		{E "outbound_proxy=proxy\n", 3, "is no sip or sips URI"},
		{E "outbound_proxy=tel:1\n", 3, "is no sip or sips URI"},
		{E "from_user=a b\n", 3, "may not stand in a user part"},
		{E "callerid_privacy=prohibit\n", 3, "did you mean 'prohib'?"},
		{E "follow_redirect_methods=invite\n", 3, "message is the only method"},
		{E "set_var=x\n", 3, "has no '='"},
		{E "media_address=1.2.3\n", 3, "is no host name"},
		{E "tos_audio=high\n", 3, "is no TOS value"},
		{E "deny=10.0.0.0/8,x\n", 3, "deny: 'x' is no address"},
		{E "permit=\n", 3, "has no address"},
		{E "acl=none\n", 3, "'none' is no section of acl.conf"},
		{E "timers_min_se=100\ntimers_sess_expires=99\n", 4, "is below timers_min_se"},
		{A "max_contacts=-1\n", 3, "is no number"},
		{A "qualify_frequency=86401\n", 3, "from 0 to 86400"},
		{A "qualify_timeout=-1\n", 3, "is no number of seconds"},
		{A "contact=tel:100\n", 3, "is no sip or sips URI"},
		{A "contact=sip:a@b,c\n", 3, "'c' is no sip"},
		{A "minimum_expiration=100\nmaximum_expiration=99\n", 3, "is above maximum_expiration"},
		{T "protocol=sctp\n", 4, "is none of udp, tcp"},
		{T "cos=8\n", 4, "from 0 to 7"},
		{T "tos=x\n", 4, "is no TOS value"},
		{T "external_signaling_port=65536\n", 4, "from 0 to 65535"},
		{T "external_signaling_address=1.2.3.4\nexternal_signaling_hostname=x\n", 5, "exclude each other"},
		{T "local_net=10.0.0.0/99\n", 4, "is no address"},
		{T "websocket_write_timeout=0\n", 4, "from 1 to"},
		{T "method=tlsv1_4\n", 4, "did you mean 'tlsv1"},
		{"[t]\ntype=transport\nbind=localhost\n", 3, "is no numeric address"},
		{"[t]\ntype=transport\nprotocol=tcp\n", 1, "bind is required"},
		{I "match=10.0.0.0/8,bad host\n", 6, "'bad host' is no address and no host name"},
		{I "match=!name.example\n", 6, "is no address"},
		{I "match=1.2.3.4:0x\n", 6, "is no address"},
		{I "match_header=X-Trunk\n", 6, "is no 'Name: value'"},
		{I "match_header=X: /(/\n", 6, "bad expression"},
		{I "match_request_uri=/[/\n", 6, "bad expression"},
		{I, 3, "one of match, match_header, match_request_uri"},
		{"[i]\ntype=identify\nmatch=1.2.3.4\n", 1, "endpoint is required"},
		{U "password_digest=MD5:abc\n", 5, "32 hexadecimal digits, not 3"},
		{U "password_digest=0123456789abcdef0123456789abcdef\n", 5, "no 'algorithm:'"},
		{U "password_digest=SHA-1:00\n", 5, "is none of MD5"},
		{U "md5_cred=0123456789abcdef0123456789abcdeg\n", 5, "no hexadecimal digit"},
		{U "supported_algorithms_uas=SHA256\n", 5, "did you mean 'SHA-256'?"},
		{"[a]\ntype=auth\npassword=x\n", 1, "username is required"},
		{"[a]\ntype=auth\nusername=x\n", 1, "no password and no password_digest for MD5"},
		{"[a]\ntype=auth\nauth_type=google_oauth\nusername=x\n", 3, "google_oauth needs"},
		{"[d]\ntype=domain_alias\n", 1, "domain is required"},
		{"[global]\ndebug=\n", 2, "debug may not be empty"},
		{"[global]\ndefault_from_user=\n", 2, "default_from_user may not be empty"},
		{"[global]\ndefault_auth_algorithms_uas=MD5,SHA-1\n", 2, "'SHA-1' is none of"},
		{"[global]\ndefault_auth_algorithms_uac=\n", 2, "may not be empty"},
		{"[global]\nmwi_tps_queue_low=x\n", 2, "is no number"},
		{"[system]\ntimer_t1=fast\n", 2, "is no number"},
		{"[system]\ntaskpool_max_size=3\n", 2, "is below taskpool_minimum_size"},
	};

	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		conf_bad(*state, bad[i].text, bad[i].line, bad[i].what);
}

static void an_unknown_option_is_an_error_of_every_type(void **state)
{
	conf_bad(*state, E "rewrit_contact=yes\n", 3,
		 "unknown option 'rewrit_contact' (did you mean 'rewrite_contact'?)");
	conf_bad(*state, A "max_contact=1\n", 3, "did you mean 'max_contacts'?");
	conf_bad(*state, T "bnd=1\n", 4, "did you mean 'bind'?");
	conf_bad(*state, U "pasword=1\n", 5, "did you mean 'password'?");
	conf_bad(*state, I "mtach=1\n", 6, "did you mean 'match'?");
	conf_bad(*state, "[a]\ntype=acl\npermitt=1\n", 3, "did you mean 'permit'?");
	conf_bad(*state, "[d]\ntype=domain_alias\ndoman=x\n", 3, "did you mean 'domain'?");
	conf_bad(*state, "[global]\nuseragent=x\n", 2, "did you mean 'user_agent'?");
	conf_bad(*state, "[system]\ntimer_t=500\n", 2, "did you mean 'timer_t1'?");
	conf_bad(*state, E "qwertyuiop=1\n", 3, "unknown option 'qwertyuiop'");
}

static void a_secret_is_never_told(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf", U "password_digest=SHA-256:hunter2\nmd5_cred=hunter2\n");
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n, 2);
	for (size_t i = 0; i < d->errors.n; i++)
		assert_null(strstr(d->errors.v[i].text, "hunter2"));
}

static void a_mistake_of_a_template_is_told_once(void **state)
{
	struct conf_dir *d = *state;

	conf_write(d, "pjsip.conf", "[t](!)\ntype=endpoint\nforce_rport=si\n[a](t)\n[b](t)\n[c](t)\n");
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n, 1);
	conf_assert_said(d, false, 3, "force_rport");
}

static void extension_options_are_taken(void **state)
{
	ast_sip_snapshot_unref(conf_good(*state, E "@anything=goes\n"));
}

static void tos_bits_that_are_no_dscp_are_dropped_with_a_warning(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, T "tos=0x63\n");

	conf_assert_said(*state, true, 4, "low two bits");
	assert_int_equal(ast_sip_snapshot_transports(s).v[0]->tos, 0x60);
	ast_sip_snapshot_unref(s);
}

static void timers_are_raised_to_their_least_values(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[system]\ntimer_t1=50\ntimer_b=1000\n");

	conf_assert_said(*state, true, 2, "raised");
	conf_assert_said(*state, true, 3, "raised");
	assert_int_equal(ast_sip_snapshot_system(s)->timer_t1_ms, 100);
	assert_int_equal(ast_sip_snapshot_system(s)->timer_b_ms, 6400);
	ast_sip_snapshot_unref(s);
}

static void old_and_new_names_of_the_pool_share_their_value(void **state)
{
	struct ast_sip_snapshot *s = conf_good(*state, "[system]\ntaskpool_max_size=7\nthreadpool_max_size=9\n"
						       "threadpool_initial_size=5\ntaskpool_initial_size=6\n");

	assert_int_equal(ast_sip_snapshot_system(s)->taskpool_max_size, 9);
	assert_int_equal(ast_sip_snapshot_system(s)->taskpool_initial_size, 6);
	ast_sip_snapshot_unref(s);
}

static void list_items_are_trimmed(void **state)
{
	struct ast_sip_snapshot *s =
		conf_good(*state, "[global]\nendpoint_identifier_order = ip , username,, anonymous\n"
				  "default_auth_algorithms_uas = sha-256 , MD5\n" E
				  "deny = 0.0.0.0/0 , ::/0\nidentify_by = ip , username\n");
	const struct ast_sip_global *g = ast_sip_snapshot_global(s);

	assert_int_equal(g->endpoint_identifier_order.n, 3);
	assert_string_equal(g->endpoint_identifier_order.v[1].p, "username");
	assert_true(g->endpoint_identifier_order_set);
	assert_int_equal(g->default_auth_algorithms_uas.v[0], AST_SIP_SHA_256);
	assert_int_equal(g->default_auth_algorithms_uas.n, 2);
	ast_sip_snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bool_is_yes_or_no_and_nothing_else),
		cmocka_unit_test(uint_is_read_in_base_0_within_its_range),
		cmocka_unit_test(seconds_have_a_fraction),
		cmocka_unit_test(tos_is_a_number_or_a_dscp_name),
		cmocka_unit_test(networks_are_masked_and_masks_have_no_holes),
		conf_test(each_kind_of_bad_value_is_an_error_at_its_line),
		conf_test(an_unknown_option_is_an_error_of_every_type),
		conf_test(a_secret_is_never_told),
		conf_test(a_mistake_of_a_template_is_told_once),
		conf_test(extension_options_are_taken),
		conf_test(tos_bits_that_are_no_dscp_are_dropped_with_a_warning),
		conf_test(timers_are_raised_to_their_least_values),
		conf_test(old_and_new_names_of_the_pool_share_their_value),
		conf_test(list_items_are_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
