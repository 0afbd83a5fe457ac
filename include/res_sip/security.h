/*
 * The security stream (section 6 of the architecture, section 17 of the reference): one line an event, in the format
 * that fail2ban's stock `asterisk` filter matches. Fields are escaped here; nobody can forge one. Any thread.
 */
#ifndef RES_SIP_SECURITY_H
#define RES_SIP_SECURITY_H

#include "sip/rx_data.h"

enum ast_sip_security_event {
	AST_SIP_SEC_INVALID_ACCOUNT_ID,
	AST_SIP_SEC_FAILED_ACL,
	AST_SIP_SEC_CHALLENGE_SENT,
	AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED,
	AST_SIP_SEC_SUCCESSFUL_AUTH,
	AST_SIP_SEC_REQUEST_NOT_SUPPORTED,
};
/* account empty: the From user (InvalidAccountID) or "<unknown>". extra: ACLName or RequestType or the nonce, by event;
 * may be empty. */
RS_API void ast_sip_security_event(enum ast_sip_security_event event, struct sip_rx_data *rx, struct rs_str account,
				   struct rs_str extra);
/* The NOTICE `Request '<METHOD>' from '<From>' failed for '<ip>:<port>' (callid: <id>) - <reason>`. */
RS_API void ast_sip_request_failed_notice(struct sip_rx_data *rx, const char *reason);

#endif
