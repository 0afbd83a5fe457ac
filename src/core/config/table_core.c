/* type=global, system, transport: sections 4.1 to 4.3 of the reference. */
#include "core/config/rows.h"

#define FIELD(f) ((uint32_t)offsetof(struct ast_sip_global, f))

static const struct conf_name OVERLOAD[] = {{"global", 0}, {"pjsip_only", 1}, {"none", 2}, {NULL, 0}};

static const struct conf_option GLOBAL[] = {
	RANGE("max_forwards", S, 0, "70", max_forwards, 1, 255),
	UINT("keep_alive_interval", S, 0, "90", keep_alive_interval),
	UINT("contact_expiration_check_interval", S, 0, "30", contact_expiration_check_interval),
	BOOL("disable_multi_domain", S, 0, "no", disable_multi_domain),
	UINT("max_initial_qualify_time", S, NA, "0", max_initial_qualify_time),
	UINT("unidentified_request_period", S, 0, "5", unidentified_request_period),
	UINT("unidentified_request_count", S, 0, "5", unidentified_request_count),
	UINT("unidentified_request_prune_interval", S, 0, "30", unidentified_request_prune_interval),
	STR("user_agent", S, 0, "res_sip " RES_SIP_VERSION, user_agent),
	STR("default_outbound_endpoint", S, 0, "default_outbound_endpoint", default_outbound_endpoint),
	STR_BY("debug", S, 0, "no", debug, conf_set_not_empty),
	LIST("endpoint_identifier_order", S, 0, "ip,username,anonymous", endpoint_identifier_order),
	STR_BY("default_from_user", S, 0, "asterisk", default_from_user, conf_set_not_empty),
	STR_BY("default_realm", S, 0, "asterisk", default_realm, conf_set_not_empty),
	BOOL("ignore_uri_user_options", S, 0, "no", ignore_uri_user_options),
	ENUM("taskprocessor_overload_trigger", S, 0, "global", overload_trigger, OVERLOAD),
	BOOL("norefersub", S, 0, "yes", norefersub),
	ALGS("default_auth_algorithms_uas", S, 0, "MD5", default_auth_algorithms_uas),
	ALGS("default_auth_algorithms_uac", S, 0, "MD5", default_auth_algorithms_uac),
	X_STR("regcontext", P, NULL),
	X_STR("default_voicemail_extension", P, NULL),
	X_UINT("mwi_tps_queue_high", P, "500"),
	X_INT("mwi_tps_queue_low", P, "-1"),
	X_BOOL("mwi_disable_initial_unsolicited", P, "no"),
	X_BOOL("use_callerid_contact", P, "no"),
	X_BOOL("send_contact_status_on_update_registration", P, "no"),
	X_BOOL("allow_sending_180_after_183", P, "no"),
	X_BOOL("all_codecs_on_empty_reinvite", M, "no"),
};

const struct conf_type conf_type_global = TYPE("global", GLOBAL, struct ast_sip_global, sizeof(struct ast_sip_global));

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct ast_sip_system, f))

static const struct conf_option SYSTEM[] = {
	UINT("timer_t1", S, 0, "500", timer_t1_ms),
	UINT("timer_b", S, 0, "32000", timer_b_ms),
	BOOL("compact_headers", S, 0, "no", compact_headers),
	BOOL("disable_tcp_switch", S, 0, "yes", disable_tcp_switch),
	BOOL("disable_rport", S, 0, "no", disable_rport),
	X_BOOL("follow_early_media_fork", M, "yes"),
	X_BOOL("accept_multiple_sdp_answers", M, "no"),
	UINT("taskpool_minimum_size", X, 0, "4", taskpool_minimum_size),
	UINT("taskpool_initial_size", X, 0, "4", taskpool_initial_size),
	UINT("taskpool_auto_increment", X, 0, "1", taskpool_auto_increment),
	UINT("taskpool_idle_timeout", X, 0, "60", taskpool_idle_timeout),
	UINT("taskpool_max_size", X, 0, "50", taskpool_max_size),
	/* the old names of the same things */
	UINT("threadpool_initial_size", X, 0, "4", taskpool_initial_size),
	UINT("threadpool_auto_increment", X, 0, "1", taskpool_auto_increment),
	UINT("threadpool_idle_timeout", X, 0, "60", taskpool_idle_timeout),
	UINT("threadpool_max_size", X, 0, "50", taskpool_max_size),
};

const struct conf_type conf_type_system = TYPE("system", SYSTEM, struct ast_sip_system, sizeof(struct ast_sip_system));

#undef FIELD
#define FIELD(f) ((uint32_t)offsetof(struct conf_transport_draft, f))

/* The values are those of sip_transport_type; flow binds nothing. */
static const struct conf_name PROTOCOL[] = {
	{"udp", SIP_TRANSPORT_UDP},
	{"tcp", SIP_TRANSPORT_TCP},
	{"tls", SIP_TRANSPORT_TLS},
	{"ws", SIP_TRANSPORT_WS},
	{"wss", SIP_TRANSPORT_WSS},
	{"flow", SIP_TRANSPORT_NONE},
	{NULL, 0},
};

static const struct conf_option TRANSPORT[] = {
	ENUM("protocol", S, 0, "udp", protocol, PROTOCOL),
	{ROW("bind", ADDR, S, 0, NULL, FIELD(t.bind))},
	STR("domain", S, 0, NULL, t.domain),
	HOST("external_signaling_address", S, 0, NULL, t.external_signaling_address),
	STR("external_signaling_hostname", S, 0, NULL, external_signaling_hostname),
	{ROW("external_signaling_port", PORT, S, 0, "0", FIELD(t.external_signaling_port))},
	ACL_RULE("local_net", S, local_net, CONF_ACL_DENY),
	BOOL("symmetric_transport", S, 0, "no", t.symmetric_transport),
	{ROW("tos", TOS, S, 0, "0", FIELD(t.tos)), .set = conf_set_tos},
	{ROW("cos", BYTE, S, 0, "0", FIELD(t.cos)), .max = 7},
	BOOL("allow_reload", S, 0, "no", t.allow_reload),
	BOOL("tcp_keepalive_enable", S, 0, "no", t.tcp_keepalive_enable),
	INT("tcp_keepalive_idle_time", S, 0, "30", t.tcp_keepalive_idle_time),
	INT("tcp_keepalive_interval_time", S, 0, "1", t.tcp_keepalive_interval_time),
	INT("tcp_keepalive_probe_count", S, 0, "5", t.tcp_keepalive_probe_count),
	{ROW("websocket_write_timeout", UINT, S, NA, "100", CONF_NO_FIELD), .min = 1, .max = INT32_MAX},
	X_STR("cert_file", S, NULL),
	X_STR("priv_key_file", S, NULL),
	X_SECRET("password", S),
	X_STR("ca_list_file", S, NULL),
	X_STR("ca_list_path", S, NULL),
	X_LIST_ADD("cipher", S, NULL),
	X_ENUM("method", S, NULL,
	       WORDS(W(""), W("default"), W("unspecified"), W("tlsv1"), W("tlsv1_1"), W("tlsv1_2"), W("tlsv1_3"),
		     W("sslv2"), W("sslv3"), W("sslv23"))),
	X_BOOL("verify_server", S, "no"),
	X_BOOL("verify_client", S, "no"),
	X_BOOL("require_client_cert", S, "no"),
	X_BOOL("allow_wildcard_certs", S, "no"),
	X_HOST("external_media_address", M, NULL),
	X_UINT("async_operations", X, "1"),
};

const struct conf_type conf_type_transport =
	TYPE("transport", TRANSPORT, struct conf_transport_draft, sizeof(struct ast_sip_transport));
