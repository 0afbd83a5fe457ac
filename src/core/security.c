/*
 * The lines that intrusion detection reads (section 17 of the reference). Every field from the network is escaped and
 * cut, so that nobody can forge a field, close a quote or push the address out of the line.
 */
#include "res_sip/security.h"
#include "core/core.h"
#include "core/pipeline.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

/* Bytes of a field after escaping. A line is cut at 2047 bytes, and the address must stand before that. */
#define FIELD       320
#define ACCOUNT_MAX 36 /* bytes of a From user before escaping */

#define NOTICE_FILE   "res_pjsip/pjsip_distributor.c"
#define SECURITY_FILE "res_security_log.c"

static const struct {
	const char *name, *severity;
} events[] = {
	[AST_SIP_SEC_INVALID_ACCOUNT_ID] = {"InvalidAccountID", "Error"},
	[AST_SIP_SEC_FAILED_ACL] = {"FailedACL", "Error"},
	[AST_SIP_SEC_CHALLENGE_SENT] = {"ChallengeSent", "Informational"},
	[AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED] = {"ChallengeResponseFailed", "Error"},
	[AST_SIP_SEC_SUCCESSFUL_AUTH] = {"SuccessfulAuth", "Informational"},
	[AST_SIP_SEC_REQUEST_NOT_SUPPORTED] = {"RequestNotSupported", "Error"},
};

static const char *address_field(const struct sip_addr *a, enum sip_transport_type type, char *buf, size_t size)
{
	char text[SIP_ADDR_TEXT];
	struct sip_addr ip = *a;

	sip_addr_unmap(&ip);
	ip.scope_id = 0;
	snprintf(buf, size, "IPV%u/%s/%s/%u", ip.family == 6 ? 6u : 4u, sip_transport_name(type),
		 sip_addr_text(&ip, false, text), ip.port);
	return buf;
}

/* ISO 8601 with milliseconds and the offset. */
static const char *time_field(char *buf, size_t size)
{
	int64_t us = rs_wall_us();
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	char date[32], zone[8];

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(buf, size, "%s.%03d%s", date, (int)(us % 1000000 / 1000), zone);
	return buf;
}

static struct rs_str from_user(struct sip_rx_data *rx)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);
	struct rs_str user = from ? from->uri.user : RS_STR_NULL;

	if (user.len > ACCOUNT_MAX)
		user.len = ACCOUNT_MAX;
	return user;
}

static void extras(enum ast_sip_security_event event, struct rs_str extra, char *buf, size_t size)
{
	char value[FIELD];

	rs_log_escape(value, sizeof(value), extra);
	buf[0] = '\0';
	switch (event) {
	case AST_SIP_SEC_FAILED_ACL:
		snprintf(buf, size, ",ACLName=\"%s\"", value);
		break;
	case AST_SIP_SEC_CHALLENGE_SENT:
		snprintf(buf, size, ",Challenge=\"\"");
		break;
	case AST_SIP_SEC_CHALLENGE_RESPONSE_FAILED:
		snprintf(buf, size, ",Challenge=\"%s\",Response=\"\",ExpectedResponse=\"\"", value);
		break;
	case AST_SIP_SEC_SUCCESSFUL_AUTH:
		snprintf(buf, size, ",UsingPassword=\"1\"");
		break;
	case AST_SIP_SEC_REQUEST_NOT_SUPPORTED:
		snprintf(buf, size, ",RequestType=\"%s\"", value);
		break;
	case AST_SIP_SEC_INVALID_ACCOUNT_ID:
		break;
	}
}

/* What only tells that all is well is off by default: it is most of the traffic. */
static bool wanted(enum ast_sip_security_event event, struct sip_rx_data *rx)
{
	if (!rs_log_enabled(RS_LOG_SECURITY))
		return false;
	return (event != AST_SIP_SEC_SUCCESSFUL_AUTH && event != AST_SIP_SEC_CHALLENGE_SENT) ||
	       ast_sip_snapshot_informational(ast_sip_rx_snapshot(rx));
}

void ast_sip_security_event(enum ast_sip_security_event event, struct sip_rx_data *rx, struct rs_str account,
			    struct rs_str extra)
{
	char id[FIELD], session[FIELD], more[FIELD + 64], when[64], local[128], remote[128];
	enum sip_transport_type type;

	if (!wanted(event, rx))
		return;
	type = sip_rx_transport(rx);
	if (!account.len)
		account = event == AST_SIP_SEC_INVALID_ACCOUNT_ID ? from_user(rx) : RS_STR("<unknown>");
	rs_log_escape(id, sizeof(id), account);
	rs_log_escape(session, sizeof(session), sip_rx_msg(rx)->call_id);
	extras(event, extra, more, sizeof(more));
	rs_log_line(RS_LOG_SECURITY, SECURITY_FILE,
		    "SecurityEvent=\"%s\",EventTV=\"%s\",Severity=\"%s\",Service=\"PJSIP\",EventVersion=\"1\","
		    "AccountID=\"%s\",SessionID=\"%s\",LocalAddress=\"%s\",RemoteAddress=\"%s\"%s",
		    events[event].name, time_field(when, sizeof(when)), events[event].severity, id, session,
		    address_field(sip_rx_local(rx), type, local, sizeof(local)),
		    address_field(sip_rx_source(rx), type, remote, sizeof(remote)), more);
}

/* As it stands in a header, with the quotes of the display name ours. */
static void from_field(struct sip_rx_data *rx, char *buf, size_t size)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_FROM, 0);
	char display[FIELD], uri[FIELD];

	rs_log_escape(display, sizeof(display), from ? from->display : RS_STR_NULL);
	rs_log_escape(uri, sizeof(uri), from ? from->uri.text : RS_STR_NULL);
	if (display[0])
		snprintf(buf, size, "\"%s\" <%s>", display, uri);
	else
		snprintf(buf, size, "<%s>", uri);
}

/* The filter takes a Call-ID to end at the first ')'. */
static void call_id_field(struct sip_rx_data *rx, char *buf, size_t size)
{
	char id[FIELD];
	size_t len = 0;

	rs_log_escape(id, sizeof(id), sip_rx_msg(rx)->call_id);
	for (const char *p = id; *p && len + 5 < size; p++) {
		if (*p == ')') {
			memcpy(buf + len, "\\x29", 4);
			len += 4;
		} else {
			buf[len++] = *p;
		}
	}
	buf[len] = '\0';
}

void ast_sip_request_failed_notice_more(struct sip_rx_data *rx, const char *reason, const char *more)
{
	char method[64], from[2 * FIELD + 8], call_id[2 * FIELD], addr[SIP_ADDR_TEXT];
	struct sip_addr source = *sip_rx_source(rx);

	if (!rs_log_enabled(RS_LOG_NOTICE))
		return;
	sip_addr_unmap(&source);
	source.scope_id = 0;
	rs_log_escape(method, sizeof(method), sip_rx_msg(rx)->method_text);
	from_field(rx, from, sizeof(from));
	call_id_field(rx, call_id, sizeof(call_id));
	rs_log_line(RS_LOG_NOTICE, NOTICE_FILE, "Request '%s' from '%s' failed for '%s' (callid: %s) - %s%s", method,
		    from, sip_addr_text(&source, true, addr), call_id, reason, more);
}

void ast_sip_request_failed_notice(struct sip_rx_data *rx, const char *reason)
{
	ast_sip_request_failed_notice_more(rx, reason, "");
}
