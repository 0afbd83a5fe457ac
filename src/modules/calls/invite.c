/* Who calls whom: identity and diversion on the way from a caller's request to the INVITEs made of it. */
#include "calls.h"

#include <stdlib.h>

unsigned invite_init(struct invite *i, struct sip_rx_data *rx, struct ast_sip_endpoint *endpoint)
{
	const struct ast_sip_endpoint_settings *settings = ast_sip_endpoint_settings(endpoint);
	unsigned status = call_party_from_request(sip_rx_msg(rx), settings, &i->caller);

	if (status)
		return status;
	if (!invite_set_target(i, sip_rx_msg(rx)->uri_text, rx) &&
	    !call_diversion_from_request(sip_rx_msg(rx), settings, &i->diversion))
		return 0;
	invite_fini(i);
	return 500;
}

int invite_set_target(struct invite *i, struct rs_str uri, struct sip_rx_data *rx)
{
	char *copy = rs_str_dup(uri);

	if (!copy)
		return -1;
	free(i->target);
	i->target = copy;
	if (rx)
		sip_addr_text(sip_rx_local(rx), true, i->host);
	return 0;
}

void invite_fini(struct invite *i)
{
	call_party_fini(&i->caller);
	call_diversion_fini(&i->diversion);
	free(i->target);
	i->target = NULL;
}

static struct call_told told(const struct invite *i, struct dial *d, const struct ast_sip_endpoint_settings *settings)
{
	return (struct call_told){
		.endpoint = settings,
		.default_user = ast_sip_snapshot_global(d->snapshot)->default_from_user,
		.local_host = rs_str_c(i->host),
	};
}

struct rs_str invite_from(const struct invite *i, struct dial *d, struct ast_sip_endpoint *endpoint, char *buf,
			  size_t size)
{
	struct call_told to;
	int n;

	if (!endpoint)
		return RS_STR_NULL; /* the default outbound one: who it is the core knows */
	to = told(i, d, ast_sip_endpoint_settings(endpoint));
	n = call_party_print_from(&i->caller, &to, buf, size);
	return n > 0 ? rs_str_n(buf, (size_t)n) : RS_STR_NULL;
}

int invite_fill(struct invite *i, struct dial *d, const struct leg *branch, struct sip_tx_data *tx)
{
	struct call_told to = told(i, d, leg_settings(branch));

	if (call_party_add_headers(&i->caller, &to, CALL_SIDE_CALLING, tx))
		return -1;
	return call_diversion_add_headers(&i->diversion, to.endpoint, tx);
}

void invite_moved(struct invite *i, struct leg *branch, struct rs_str to, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct call_hop hop = {
		.from = rs_str_c(i->target),
		.to = to,
		.reason = call_divert_reason_of_response(msg, branch->rang),
		.status = msg->status,
	};

	call_diversion_add(&i->diversion, &hop);
	invite_set_target(i, to, NULL);
}

/* The number that was dialed; 0: none. */
static size_t dialed(const struct invite *i, char *buf, size_t size)
{
	struct sip_uri uri;
	int n = sip_uri_parse(rs_str_c(i->target), &uri) ? 0 : sip_unescape(uri.user, buf, size);

	return n > 0 ? (size_t)n : 0;
}

void invite_answer(const struct invite *i, struct leg *leg, struct leg *branch, struct sip_rx_data *rx,
		   struct sip_tx_data *tx)
{
	struct call_told to = {.endpoint = leg_settings(leg), .local_host = rs_str_c(i->host)};
	struct call_party callee;
	char number[CALLS_MAX_NUMBER + 1];

	if (!to.endpoint->send_pai && !to.endpoint->send_rpid)
		return;
	if (call_party_from_response(sip_rx_msg(rx), leg_settings(branch),
				     rs_str_n(number, dialed(i, number, sizeof(number))), &callee))
		return;
	call_party_add_headers(&callee, &to, CALL_SIDE_CALLED, tx);
	call_party_fini(&callee);
}

void invite_drop_supported(struct sip_tx_data *tx, struct rs_str token)
{
	char kept[512];
	struct sip_writer w;
	struct rs_str all;

	sip_writer_init(&w, kept, sizeof(kept));
	for (unsigned n = 0; (all = sip_tx_hdr_nth(tx, SIP_HDR_SUPPORTED, n)).p; n++) {
		while (all.len) {
			const char *comma = rs_str_chr(all, ',');
			size_t len = comma ? (size_t)(comma - all.p) : all.len;
			struct rs_str one = rs_str_trim(rs_str_n(all.p, len));

			if (one.len && !rs_str_ieq(one, token)) {
				sip_writez(&w, w.len ? ", " : "");
				sip_write(&w, one);
			}
			all = comma ? rs_str_n(comma + 1, all.len - len - 1) : RS_STR_NULL;
		}
	}
	if (sip_writer_ok(&w)) {
		sip_tx_remove_hdr(tx, SIP_HDR_SUPPORTED);
		if (w.len)
			sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, rs_str_n(w.buf, w.len));
	}
	sip_writer_fini(&w);
}
