/*
 * Sessions (see res_sip/session.h): the module itself. Its library is linked by the modules that use it, so there is
 * one of it in the process, whichever of them was loaded first.
 */
#include "session_private.h"

#define T2_US 4000000 /* RFC 3261 section 17.1.2.2 */

static _Atomic int64_t t1_us = 500000;

int64_t session_t1_us(void)
{
	return atomic_load_explicit(&t1_us, memory_order_relaxed);
}

int64_t session_t2_us(void)
{
	return T2_US;
}

/* ---- services ---- */

/* What makes sense inside a dialog only, and has none: said before anybody is asked who it is. */
static bool lone_request(struct sip_rx_data *rx)
{
	enum sip_method m = sip_rx_msg(rx)->method;

	if (sip_rx_dialog(rx) || (m != SIP_METHOD_BYE && m != SIP_METHOD_PRACK && m != SIP_METHOD_UPDATE))
		return false;
	ast_sip_respond_stateless(rx, 481, RS_STR_NULL);
	return true;
}

static bool on_rx_request(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	if (msg->method == SIP_METHOD_INFO) {
		/* With a transaction: its retransmission would be a nonce count that was used. */
		ast_sip_respond(rx, 481, RS_STR_NULL);
		return true;
	}
	/* With a To tag it is for a dialog that is no more. */
	return msg->method == SIP_METHOD_INVITE && !msg->to_tag.len && session_on_invite(rx);
}

static struct sip_module lone_service = {
	.size = sizeof(struct sip_module),
	.name = "session_lone",
	.priority = SIP_PRIORITY_FILTER + 1,
	.on_rx_request = lone_request,
};

/* Behind other applications, which may take an INFO of their own. */
static struct sip_module service = {
	.size = sizeof(struct sip_module),
	.name = "session",
	.priority = SIP_PRIORITY_APPLICATION + 1,
	.on_rx_request = on_rx_request,
	.methods = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO",
	.supported = "100rel, timer",
};

/* ---- the module ---- */

static int configure(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();

	if (!s)
		return -1;
	atomic_store(&t1_us, (int64_t)ast_sip_snapshot_system(s)->timer_t1_ms * 1000);
	ast_sip_snapshot_unref(s);
	return 0;
}

static int load(void)
{
	if (configure() || ast_sip_register_service(&lone_service))
		return AST_SIP_MODULE_DECLINE;
	if (ast_sip_register_service(&service) == 0)
		return AST_SIP_MODULE_OK;
	ast_sip_unregister_service(&lone_service);
	return AST_SIP_MODULE_DECLINE;
}

static int end_session(void *data)
{
	struct ast_sip_session *s = data;

	session_give_up(s, AST_SIP_SESSION_END_SHUTDOWN, NULL, 503);
	ast_sip_session_unref(s);
	return 0;
}

static void end_each(struct ast_sip_session *s)
{
	if (s->work && ast_sip_push_task(s->work, end_session, ast_sip_session_ref(s)))
		ast_sip_session_unref(s);
}

static void unload(void)
{
	ast_sip_unregister_service(&service);
	ast_sip_unregister_service(&lone_service);
	session_each(end_each);
}

AST_SIP_MODULE(.name = "res_sip_session", .description = "Sessions: INVITE usages of dialogs", .load = load,
	       .unload = unload, .reload = configure);
