/*
 * The call service: a back-to-back user agent. A call that comes in is put through to whom its Request-URI names, leg
 * by leg: what one phone says the other hears, and neither sees the other's signaling. docs/calls.md says what it does.
 */
#include "calls.h"

static _Atomic bool is_stopping;

static bool on_invite(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	if (!atomic_load_explicit(&is_stopping, memory_order_relaxed))
		return caller_invite(s, rx);
	ast_sip_session_hangup(s, 503, RS_STR_NULL);
	return true;
}

static struct ast_sip_session_handler handler = {
	.size = sizeof(struct ast_sip_session_handler),
	.name = "res_sip_calls",
	.priority = 64,
	.on_invite = on_invite,
};

/* What makes sense inside a call only: a transfer of nobody, news that nobody has asked for. */
static bool on_rx_request(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	if (msg->method != SIP_METHOD_REFER && (msg->method != SIP_METHOD_NOTIFY || !msg->to_tag.len))
		return false;
	ast_sip_respond(rx, msg->to_tag.len ? 481 : 603, RS_STR_NULL);
	return true;
}

/* Behind other applications, which may take a REFER or NOTIFY of their own. */
static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_calls",
	.priority = SIP_PRIORITY_APPLICATION + 2,
	.on_rx_request = on_rx_request,
	.methods = "REFER, NOTIFY",
	.supported = "replaces, histinfo",
};

/* Option norefersub of global: whether a referrer may do without notifications is said or not. */
static struct sip_module norefersub = {
	.size = sizeof(struct sip_module),
	.name = "res_sip_calls norefersub",
	.priority = SIP_PRIORITY_APPLICATION + 2,
	.supported = "norefersub",
};
static bool says_norefersub;

static void say_norefersub(bool on)
{
	if (on == says_norefersub)
		return;
	if (!on)
		ast_sip_unregister_service(&norefersub);
	else if (ast_sip_register_service(&norefersub))
		return;
	says_norefersub = on;
}

static int configure(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();

	record_configure(s);
	say_norefersub(ast_sip_snapshot_global(s)->norefersub);
	ast_sip_snapshot_unref(s);
	return 0;
}

static int register_all(void)
{
	if (calls_cli_register())
		return -1;
	if (ast_sip_register_service(&service) == 0) {
		if (ast_sip_session_register_handler(&handler) == 0)
			return 0;
		ast_sip_unregister_service(&service);
	}
	calls_cli_unregister();
	return -1;
}

static int load(void)
{
	if (record_start())
		return AST_SIP_MODULE_DECLINE;
	if (register_all()) {
		record_stop();
		return AST_SIP_MODULE_DECLINE;
	}
	atomic_store(&is_stopping, false);
	configure();
	return AST_SIP_MODULE_OK;
}

static void end_calls(void)
{
	call_hangup_all(RS_STR("SIP;cause=503;text=\"Server stops\""), "shutdown");
}

static bool stopping(void)
{
	if (!atomic_exchange(&is_stopping, true))
		end_calls();
	return !call_count();
}

/* Calls that are up end with it: nobody would be there for what their phones say. */
static void unload(void)
{
	ast_sip_session_unregister_handler(&handler);
	say_norefersub(false);
	ast_sip_unregister_service(&service);
	calls_cli_unregister();
	record_stop();
	end_calls();
}

static const char *const depends[] = {"res_sip_session", NULL};

AST_SIP_MODULE(.name = "res_sip_calls", .description = "Calls between phones", .depends = depends, .load = load,
	       .unload = unload, .reload = configure, .stopping = stopping, .rotate = record_reopen,
	       .conf_files = calls_conf_files);
