/* The tables of options: nothing is missing, everything can be shown, the sample configuration loads. */
#include "conf_dir.h"

#include "core/config/option.h"
#include "core/config/own_options.h"

/* Sections 4.1 to 4.12 of the reference, by type. */
static const char *const GLOBAL[] = {
	"max_forwards",
	"keep_alive_interval",
	"contact_expiration_check_interval",
	"disable_multi_domain",
	"max_initial_qualify_time",
	"unidentified_request_period",
	"unidentified_request_count",
	"unidentified_request_prune_interval",
	"user_agent",
	"default_outbound_endpoint",
	"debug",
	"endpoint_identifier_order",
	"default_from_user",
	"default_realm",
	"ignore_uri_user_options",
	"taskprocessor_overload_trigger",
	"norefersub",
	"default_auth_algorithms_uas",
	"default_auth_algorithms_uac",
	"regcontext",
	"default_voicemail_extension",
	"mwi_tps_queue_high",
	"mwi_tps_queue_low",
	"mwi_disable_initial_unsolicited",
	"use_callerid_contact",
	"send_contact_status_on_update_registration",
	"allow_sending_180_after_183",
	"all_codecs_on_empty_reinvite",
};
static const char *const SYSTEM[] = {
	"timer_t1",
	"timer_b",
	"compact_headers",
	"disable_tcp_switch",
	"disable_rport",
	"follow_early_media_fork",
	"accept_multiple_sdp_answers",
	"taskpool_minimum_size",
	"taskpool_initial_size",
	"taskpool_auto_increment",
	"taskpool_idle_timeout",
	"taskpool_max_size",
	"threadpool_initial_size",
	"threadpool_auto_increment",
	"threadpool_idle_timeout",
	"threadpool_max_size",
};
static const char *const TRANSPORT[] = {
	"protocol",
	"bind",
	"domain",
	"external_signaling_address",
	"external_signaling_hostname",
	"external_signaling_port",
	"local_net",
	"symmetric_transport",
	"tos",
	"cos",
	"allow_reload",
	"tcp_keepalive_enable",
	"tcp_keepalive_idle_time",
	"tcp_keepalive_interval_time",
	"tcp_keepalive_probe_count",
	"websocket_write_timeout",
	"cert_file",
	"priv_key_file",
	"password",
	"ca_list_file",
	"ca_list_path",
	"cipher",
	"method",
	"verify_server",
	"verify_client",
	"require_client_cert",
	"allow_wildcard_certs",
	"external_media_address",
	"async_operations",
};
static const char *const ENDPOINT[] = {
	"aors",
	"auth",
	"outbound_auth",
	"transport",
	"outbound_proxy",
	"identify_by",
	"from_user",
	"from_domain",
	"contact_user",
	"force_rport",
	"rewrite_contact",
	"allow_unauthenticated_options",
	"deny",
	"permit",
	"acl",
	"contact_deny",
	"contact_permit",
	"contact_acl",
	"100rel",
	"timers",
	"timers_min_se",
	"timers_sess_expires",
	"allow_subscribe",
	"sub_min_expiry",
	"allow_transfer",
	"redirect_method",
	"follow_redirect_methods",
	"user_eq_phone",
	"callerid",
	"callerid_privacy",
	"trust_id_inbound",
	"trust_id_outbound",
	"send_pai",
	"send_rpid",
	"send_diversion",
	"send_history_info",
	"security_negotiation",
	"security_mechanisms",
	"stir_shaken_profile",
	"stir_shaken",
	"context",
	"message_context",
	"subscribe_context",
	"overlap_context",
	"allow_overlap",
	"accountcode",
	"callerid_tag",
	"tenantid",
	"set_var",
	"language",
	"tone_zone",
	"moh_suggest",
	"moh_passthrough",
	"suppress_moh_on_sendonly",
	"call_group",
	"pickup_group",
	"named_call_group",
	"named_pickup_group",
	"device_state_busy_at",
	"inband_progress",
	"ignore_183_without_sdp",
	"rpid_immediate",
	"trust_connected_line",
	"send_connected_line",
	"connected_line_method",
	"refer_blind_progress",
	"notify_early_inuse_ringing",
	"suppress_q850_reason_headers",
	"send_aoc",
	"geoloc_incoming_call_profile",
	"geoloc_outgoing_call_profile",
	"one_touch_recording",
	"record_on_feature",
	"record_off_feature",
	"mailboxes",
	"aggregate_mwi",
	"mwi_subscribe_replaces_unsolicited",
	"mwi_from_user",
	"voicemail_extension",
	"incoming_mwi_mailbox",
	"allow",
	"disallow",
	"preferred_codec_only",
	"incoming_call_offer_pref",
	"outgoing_call_offer_pref",
	"codec_prefs_incoming_offer",
	"codec_prefs_outgoing_offer",
	"codec_prefs_incoming_answer",
	"codec_prefs_outgoing_answer",
	"asymmetric_rtp_codec",
	"g726_non_standard",
	"use_ptime",
	"dtmf_mode",
	"media_address",
	"bind_rtp_to_media_address",
	"direct_media",
	"direct_media_method",
	"direct_media_glare_mitigation",
	"disable_direct_media_on_nat",
	"rtp_engine",
	"rtp_ipv6",
	"rtp_symmetric",
	"rtp_keepalive",
	"rtp_timeout",
	"rtp_timeout_hold",
	"rtp_port_start",
	"rtp_port_end",
	"rtcp_mux",
	"bundle",
	"webrtc",
	"ice_support",
	"use_avpf",
	"force_avp",
	"media_use_received_transport",
	"media_encryption",
	"media_encryption_optimistic",
	"srtp_tag_32",
	"dtls_verify",
	"dtls_rekey",
	"dtls_auto_generate_cert",
	"dtls_cert_file",
	"dtls_private_key",
	"dtls_cipher",
	"dtls_ca_file",
	"dtls_ca_path",
	"dtls_setup",
	"dtls_fingerprint",
	"max_audio_streams",
	"max_video_streams",
	"follow_early_media_fork",
	"accept_multiple_sdp_answers",
	"sdp_owner",
	"sdp_session",
	"tos_audio",
	"tos_video",
	"cos_audio",
	"cos_video",
	"t38_udptl",
	"t38_udptl_ec",
	"t38_udptl_maxdatagram",
	"t38_udptl_nat",
	"t38_udptl_ipv6",
	"t38_bind_udptl_to_media_address",
	"fax_detect",
	"fax_detect_timeout",
};
static const char *const AOR[] = {
	"contact",
	"max_contacts",
	"remove_existing",
	"remove_unavailable",
	"minimum_expiration",
	"maximum_expiration",
	"default_expiration",
	"qualify_frequency",
	"qualify_timeout",
	"qualify_2xx_only",
	"outbound_proxy",
	"support_path",
	"authenticate_qualify",
	"mailboxes",
	"voicemail_extension",
};
static const char *const AUTH[] = {
	"auth_type",
	"username",
	"password",
	"password_digest",
	"md5_cred",
	"realm",
	"nonce_lifetime",
	"supported_algorithms_uas",
	"supported_algorithms_uac",
	"refresh_token",
	"oauth_clientid",
	"oauth_secret",
};
static const char *const IDENTIFY[] = {"endpoint", "match", "match_header", "match_request_uri", "srv_lookups"};
static const char *const ACL[] = {"permit", "deny", "acl", "contact_permit", "contact_deny", "contact_acl"};
static const char *const DOMAIN_ALIAS[] = {"domain"};

static const struct {
	const struct conf_type *type;
	const char *const *names;
	size_t n;
} LISTS[] = {
#define L(t, v)                                                                                                        \
	{                                                                                                              \
		&conf_type_##t, v, RS_ARRAY_SIZE(v)                                                                    \
	}
	L(global, GLOBAL),     L(system, SYSTEM), L(transport, TRANSPORT),
	L(endpoint, ENDPOINT), L(aor, AOR),       L(auth, AUTH),
	L(identify, IDENTIFY), L(acl, ACL),       L(domain_alias, DOMAIN_ALIAS),
#undef L
};

static void every_option_of_every_type_is_in_its_table(void **state)
{
	(void)state;
	for (size_t t = 0; t < RS_ARRAY_SIZE(LISTS); t++) {
		struct conf_type_index *x = calloc(1, sizeof(*x));

		conf_type_index_make(x, LISTS[t].type);
		assert_int_equal(LISTS[t].type->n, LISTS[t].n);
		for (size_t i = 0; i < LISTS[t].n; i++)
			if (conf_type_index_find(x, rs_str_c(LISTS[t].names[i])) < 0)
				fail_msg("%s lacks %s", LISTS[t].type->name, LISTS[t].names[i]);
		free(x);
	}
}

static void rows_have_a_class_of_the_reference_and_media_does_not_apply(void **state)
{
	(void)state;
	for (size_t t = 0; t < RS_ARRAY_SIZE(LISTS); t++)
		for (uint16_t i = 0; i < LISTS[t].type->n; i++) {
			const struct conf_option *o = &LISTS[t].type->options[i];

			assert_non_null(strchr("SMPX", o->class_));
			assert_true(o->class_ != 'M' || o->flags & CONF_F_NA);
			/* what has no place to live can only be kept for show */
			assert_true(o->offset != CONF_NO_FIELD || o->flags & CONF_F_NA);
		}
}

/* ---- showing ---- */

struct shown {
	char text[32768];
	char last[64];
	unsigned n;
};

static void show(void *token, struct rs_str name, struct rs_str value)
{
	struct shown *s = token;
	size_t at = strlen(s->text);

	snprintf(s->text + at, sizeof(s->text) - at, "\n%.*s=%.*s;", RS_FMT(name), RS_FMT(value));
	if (name.p[0] != '@') {
		char now[64];

		snprintf(now, sizeof(now), "%.*s", RS_FMT(name));
		assert_true(strcmp(s->last, now) < 0);
		strcpy(s->last, now);
	}
	s->n++;
}

static void shows(const void *object, const char *type, const char *const *lines, size_t n, unsigned count)
{
	struct shown *s = calloc(1, sizeof(*s));

	ast_sip_object_options(object, type, show, s);
	for (size_t i = 0; i < n; i++) {
		char line[256];

		snprintf(line, sizeof(line), "\n%s;", lines[i]);
		if (!strstr(s->text, line))
			fail_msg("%s does not show %s: %s", type, lines[i], s->text);
	}
	assert_int_equal(s->n, count);
	free(s);
}
#define SHOWS(object, type, count, ...)                                                                                \
	do {                                                                                                           \
		static const char *const lines[] = {__VA_ARGS__};                                                      \
		shows(object, type, lines, RS_ARRAY_SIZE(lines), (unsigned)(count));                                   \
	} while (0)

static void every_option_is_shown_with_its_effective_value(void **state)
{
	struct ast_sip_snapshot *s;

	conf_write(*state, "acl.conf", "[office]\ndeny=10.0.0.0/8\n");
	s = conf_good(
		*state,
		"[udp]\ntype=transport\nbind=127.0.0.1\nlocal_net=10.0.0.0/8\ntos=ef\ncipher=A\ncipher=B\n"
		"external_signaling_hostname=h\npassword=hunter2\n"
		"[e]\ntype=endpoint\naors=a,b\nauth=a\nidentify_by=ip,header\ndeny=0.0.0.0/0\npermit=10.1.2.3\n"
		"acl=office\nallow=ulaw\nallow=alaw\nset_var=a=1\nset_var=b=2\ndirect_media=off\n100rel=required\n"
		"callerid=A <1>\n@note=first\n@note=second\n"
		"[a]\ntype=auth\nusername=u\npassword=hunter2\nrealm=r\nsupported_algorithms_uas=SHA-256,MD5\n"
		"[a]\ntype=aor\nmax_contacts=3\nqualify_timeout=2.5\ncontact=sip:a@h\nmailboxes=1@x\n"
		"[b]\ntype=aor\n"
		"[i]\ntype=identify\nendpoint=e\nmatch=10.0.0.0/8,!10.1.1.1\nmatch_header=X: /y/\n"
		"[g]\ntype=acl\ncontact_deny=::/0\nacl=office\n"
		"[global]\nendpoint_identifier_order=ip,anonymous\nregcontext=r\n[system]\ntimer_t1=600\n");
	SHOWS(ast_sip_snapshot_endpoints(s).v[0], "endpoint", RS_ARRAY_SIZE(ENDPOINT) + 1, "aors=a,b", "auth=a",
	      "identify_by=ip,header", "deny=0.0.0.0/0", "permit=10.1.2.3/32", "acl=office", "allow=ulaw,alaw",
	      "set_var=a=1,b=2", "direct_media=false", "direct_media_method=invite", "100rel=required", "timers=yes",
	      "force_rport=true", "rtp_timeout=0", "callerid=A <1>", "@note=second", "context=default",
	      "callerid_privacy=allowed_not_screened", "dtmf_mode=rfc4733", "outbound_auth=");
	SHOWS(ast_sip_snapshot_auths(s).v[0], "auth", RS_ARRAY_SIZE(AUTH), "auth_type=userpass", "username=u",
	      "password=********", "realm=r", "supported_algorithms_uas=SHA-256,MD5",
	      "supported_algorithms_uac=", "password_digest=", "nonce_lifetime=32");
	SHOWS(ast_sip_snapshot_aors(s).v[0], "aor", RS_ARRAY_SIZE(AOR), "max_contacts=3", "qualify_timeout=2.500",
	      "contact=sip:a@h", "mailboxes=1@x", "remove_existing=false");
	SHOWS(ast_sip_snapshot_identifies(s).v[0], "identify", RS_ARRAY_SIZE(IDENTIFY), "endpoint=e",
	      "match=10.0.0.0/8,!10.1.1.1", "match_header=X: /y/", "srv_lookups=true");
	SHOWS(ast_sip_snapshot_acls(s).v[0], "acl", RS_ARRAY_SIZE(ACL), "contact_deny=::/0", "acl=office", "permit=");
	SHOWS(ast_sip_snapshot_transports(s).v[0], "transport", RS_ARRAY_SIZE(TRANSPORT), "protocol=udp",
	      "bind=127.0.0.1:5060", "local_net=10.0.0.0/8", "tos=184", "cipher=A,B", "external_signaling_hostname=h",
	      "external_signaling_address=", "password=********", "async_operations=1");
	SHOWS(ast_sip_snapshot_global(s), "global", RS_ARRAY_SIZE(GLOBAL), "endpoint_identifier_order=ip,anonymous",
	      "regcontext=r", "default_realm=asterisk", "taskprocessor_overload_trigger=global");
	SHOWS(ast_sip_snapshot_system(s), "system", RS_ARRAY_SIZE(SYSTEM), "timer_t1=600", "timer_b=38400",
	      "threadpool_max_size=50");
	ast_sip_snapshot_unref(s);
}

/* ---- the sample configuration ---- */

static void the_sample_configuration_loads_without_a_word(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *s = ast_sip_snapshot_load(SAMPLE_DIR, NULL, &d->errors);
	struct ast_sip_modules_conf modules;

	conf_errors_dump(d);
	assert_non_null(s);
	assert_int_equal(d->errors.n, 0);
	assert_int_equal(ast_sip_snapshot_endpoints(s).n, 2);
	assert_int_equal(ast_sip_snapshot_transports(s).n, 2);
	assert_int_equal(ast_sip_aor_settings(ast_sip_snapshot_aors(s).v[0])->max_contacts, 5);
	ast_sip_snapshot_unref(s);
	assert_int_equal(ast_sip_modules_conf_load(SAMPLE_DIR, &modules, &d->errors), 0);
	assert_true(modules.autoload);
	ast_sip_modules_conf_free(&modules);
}

/* res_sip.conf of the sample shows every own option with its default, commented out: uncommented it changes nothing. */
static void the_sample_shows_the_defaults_of_our_own_options(void **state)
{
	struct conf_dir *d = *state;
	struct ast_sip_snapshot *plain, *s;
	char *text = calloc(1, 65536);
	FILE *f = fopen(SAMPLE_DIR "/res_sip.conf", "r");
	size_t n = 0;

	assert_non_null(f);
	for (int c, at_start = 1; (c = fgetc(f)) != EOF && n < 65535; at_start = c == '\n') {
		int next = 0;

		if (at_start && c == ';') {
			next = fgetc(f);
			ungetc(next, f);
			if (next != ' ' && next != '\n')
				continue;
		}
		text[n++] = (char)c;
	}
	fclose(f);
	assert_non_null(strstr(text, "\ndurable = yes"));
	plain = conf_good(d, "");
	conf_write(d, "res_sip.conf", text);
	s = conf_load_again(d, NULL);
	conf_errors_dump(d);
	assert_non_null(s);
	assert_int_equal(d->errors.n, 0);
#define X(section, option, kind, def, min, max, help)                                                                  \
	assert_true(rs_str_eq(ast_sip_own_str(s, section, option), ast_sip_own_str(plain, section, option)));          \
	if (!strstr(text, "\n" option " ="))                                                                           \
		fail_msg("the sample lacks %s", option);
	CONF_OWN_OPTIONS(X)
#undef X
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_unref(plain);
	free(text);
}

/* docs/configuration.md has a line for each. */
static void the_documentation_names_every_own_option(void **state)
{
	char *text = calloc(1, 262144);
	FILE *f = fopen(DOCS_DIR "/configuration.md", "r");

	(void)state;
	assert_non_null(f);
	assert_true(fread(text, 1, 262143, f) > 0);
	fclose(f);
#define X(section, option, kind, def, min, max, help)                                                                  \
	if (!strstr(text, "| " option " |"))                                                                           \
		fail_msg("configuration.md lacks %s", option);                                                         \
	if (!strstr(text, "[" section "]"))                                                                            \
		fail_msg("configuration.md lacks %s", section);
	CONF_OWN_OPTIONS(X)
#undef X
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_of_every_type_is_in_its_table),
		cmocka_unit_test(rows_have_a_class_of_the_reference_and_media_does_not_apply),
		conf_test(every_option_is_shown_with_its_effective_value),
		conf_test(the_sample_configuration_loads_without_a_word),
		conf_test(the_sample_shows_the_defaults_of_our_own_options),
		cmocka_unit_test(the_documentation_names_every_own_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
