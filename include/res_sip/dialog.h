/*
 * Dialogs on behalf of endpoints, and requests whose whole way can be followed: what sip/dialog.h offers, with the
 * endpoint's options (from_user, from_domain, contact_user, outbound_proxy, transport, outbound_auth) applied.
 */
#ifndef RES_SIP_DIALOG_H
#define RES_SIP_DIALOG_H

#include "res_sip/location.h"
#include "res_sip/res_sip.h"
#include "sip/dialog.h"

#define sip_dialog_add_usage(dlg, usage, token) sip_dialog_add_usage_for(AST_SIP_SELF, (dlg), (usage), (token))

/*
 * A UAS dialog for endpoint from a request outside of any dialog (design: grew out of it). On the request's serializer.
 * *status (may be NULL): the answer that fits when it gives NULL (400, 503). Requests that arrive in it later belong to
 * endpoint without being identified anew; they are authenticated like any other unless they come from where the
 * dialog's peer was authenticated before (option authenticate_in_dialog of [session] in res_sip.conf: always,
 * moved (default), never). Referenced.
 */
RS_API struct sip_dialog *ast_sip_create_dialog_uas(struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx,
						    unsigned *status);

struct ast_sip_dialog_uac_params {
	uint32_t size;
	struct rs_str uri;                     /* Request-URI; empty: the first contact of the endpoint's AORs */
	const struct ast_sip_contact *contact; /* a binding to go to: its URI, flow, Path; may be NULL */
	struct rs_str request_user;            /* replaces the user of uri; may be empty */
	struct rs_str from;                    /* name-addr [by section 19 of the reference] */
	struct rs_str to;                      /* name-addr [the URI] */
	struct rs_serializer *serializer;      /* NULL: the current one, or one of its own */
};
/* A UAC dialog for endpoint (NULL: the default outbound endpoint). Referenced. NULL with errno: EINVAL, ENOENT (no
 * contact), ENOMEM, EAGAIN. Any thread. */
RS_API struct sip_dialog *ast_sip_create_dialog_uac(struct ast_sip_endpoint *endpoint,
						    const struct ast_sip_dialog_uac_params *p);
/* The endpoint that a dialog belongs to; not referenced. */
RS_API struct ast_sip_endpoint *ast_sip_dialog_get_endpoint(const struct sip_dialog *dlg);

/* ---- a request whose whole way is followed ---- */

struct ast_sip_request;

/* All on the request's serializer (its dialog's; else the caller's). Each may be NULL. */
struct ast_sip_request_ops {
	uint32_t size;
	const char *name;
	/* 1xx other than 100. */
	void (*on_provisional)(struct ast_sip_request *req, struct sip_rx_data *rx, void *token);
	/* The outcome, once: rx is the final response (NULL unless why is RESPONSE). With a dialog: after
	 * sip_dialog_received and the effects of RFC 5057. */
	void (*on_final)(struct ast_sip_request *req, enum ast_sip_request_end why, struct sip_rx_data *rx,
			 void *token);
	/* INVITE, after a 2xx: one more of them (the same To tag: its ACK is asked for again; another: a fork). */
	void (*on_more)(struct ast_sip_request *req, struct sip_rx_data *rx, void *token);
	/* The last callback, once: token's reference may go. */
	void (*on_gone)(struct ast_sip_request *req, void *token);
};
/*
 * As ast_sip_send_request_cb (targets one after another, challenges answered with the dialog's next CSeq), with every
 * step told. In a dialog the requests leave in the order of these calls. *out (may be NULL) is referenced for the
 * caller. Takes tx over in every case. 0 or -1 (EINVAL, ENOMEM, ENOTCONN: the dialog is TERMINATED); with -1 nothing
 * will be called. Any thread; never calls back before it returned.
 */
RS_API int ast_sip_send_request_ops_for(struct ast_sip_module *owner, struct sip_tx_data *tx, struct sip_dialog *dlg,
					struct ast_sip_endpoint *endpoint, int timeout_ms,
					const struct ast_sip_request_ops *ops, void *token,
					struct ast_sip_request **out);
#define ast_sip_send_request_ops(tx, dlg, endpoint, timeout_ms, ops, token, out)                                       \
	ast_sip_send_request_ops_for(AST_SIP_SELF, (tx), (dlg), (endpoint), (timeout_ms), (ops), (token), (out))
RS_API struct ast_sip_request *ast_sip_request_ref(struct ast_sip_request *req);
RS_API void ast_sip_request_unref(struct ast_sip_request *req); /* NULL is allowed */
/*
 * Gives an INVITE up: CANCEL as RFC 3261 section 9.1 wants it (once a provisional response came; no further target is
 * tried, no challenge answered). The outcome still comes by on_final: 487, a 2xx that crossed, or why TIMEOUT. reason:
 * value of a Reason header; may be empty. Serializer. 0, or -1: EALREADY.
 */
RS_API int ast_sip_request_cancel(struct ast_sip_request *req, struct rs_str reason);
/*
 * Sends the ACK that sip_dialog_ack made, behind what was sent in the dialog before; nothing comes back. Takes tx over.
 * 0 or -1 (EINVAL, ENOMEM). For a 2xx that is repeated: sip_stack_send of another reference of the same tx, which has
 * its target by then. Any thread.
 */
RS_API int ast_sip_send_ack(struct sip_tx_data *tx, struct sip_dialog *dlg);
/* The request as it was last sent (credentials, CSeq): for its ACK. Not referenced; serializer. */
RS_API struct sip_tx_data *ast_sip_request_tx(struct ast_sip_request *req);

#endif
