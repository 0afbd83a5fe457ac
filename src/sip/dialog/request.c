/* Requests of ours inside a dialog (RFC 3261 section 12.2.1.1), and the ACK of a 2xx (13.2.2.4). */
#include "sip/dialog/dialog.h"

#include "sip/tx_private.h"

#include <errno.h>

/* Table 2 of RFC 3261, and the RFCs of the other methods. */
static bool has_contact(enum sip_method m)
{
	return dialog_refreshes(m) || m == SIP_METHOD_REFER || m == SIP_METHOD_OPTIONS;
}

static void write_to(const struct sip_dialog *d, struct sip_writer *w)
{
	struct rs_str tag = sip_dialog_remote_tag(d);

	sip_write(w, d->remote);
	if (!tag.len)
		return;
	sip_writez(w, ";tag=");
	sip_write(w, tag);
}

/* A strict router stands in the Request-URI, and the target behind the others (section 12.2.1.1). */
static void write_route(const struct dialog_peer *peer, struct sip_writer *w)
{
	if (!peer->strict) {
		sip_write(w, peer->route);
		return;
	}
	sip_write(w, peer->rest);
	sip_writez(w, peer->rest.len ? ",<" : "<");
	sip_write(w, peer->target);
	sip_writez(w, ">");
}

/* As a Request-URI: without headers and what else has no place there. */
static struct rs_str strict_uri(const struct dialog_peer *peer, char *buf, size_t size)
{
	struct sip_uri u;
	int n = sip_uri_parse(peer->hop, &u) == 0 ? sip_uri_print_filtered(&u, NULL, false, buf, size) : -1;

	return n < 0 ? peer->hop : rs_str_n(buf, (size_t)n);
}

static int add_route(const struct sip_dialog *d, struct sip_tx_data *tx)
{
	struct sip_writer w;
	char first[1024];
	int rc;

	if (!d->peer->route.len)
		return 0;
	sip_writer_init(&w, first, sizeof(first));
	write_route(d->peer, &w);
	rc = sip_writer_ok(&w) ? sip_tx_add_hdr(tx, SIP_HDR_ROUTE, rs_str_n(w.buf, w.len)) : -1;
	sip_writer_fini(&w);
	return rc;
}

static struct sip_tx_data *finish(const struct sip_dialog *d, struct sip_tx_data *tx)
{
	struct sip_target target;

	if (!tx)
		return NULL;
	if (add_route(d, tx)) {
		sip_tx_unref(tx);
		errno = ENOMEM;
		return NULL;
	}
	if (d->peer->strict)
		sip_tx_set_uri_is_hop(tx);
	dialog_way(d, &target);
	sip_tx_set_target(tx, &target);
	return tx;
}

static struct sip_tx_data *build(const struct sip_dialog *d, struct rs_str method, uint32_t cseq)
{
	struct sip_tx_data *tx = NULL;
	char uri[SIP_MAX_URI + 1], first[512];
	struct sip_writer to;

	sip_writer_init(&to, first, sizeof(first));
	write_to(d, &to);
	if (sip_writer_ok(&to)) {
		struct sip_tx_request_params params = {
			.method = method,
			.uri = d->peer->strict ? strict_uri(d->peer, uri, sizeof(uri)) : d->peer->target,
			.from = d->local,
			.from_tag = d->local_tag,
			.to = rs_str_n(to.buf, to.len),
			.call_id = d->call_id,
			.cseq = cseq,
			.contact = has_contact(sip_method_from_name(method)) ? d->contact : RS_STR_NULL,
			.max_forwards = d->max_forwards ? d->max_forwards : -1,
		};

		tx = finish(d, sip_tx_request(&params));
	} else {
		errno = ENOMEM;
	}
	sip_writer_fini(&to);
	return tx;
}

struct sip_tx_data *sip_dialog_request(struct sip_dialog *d, struct rs_str method)
{
	enum sip_method m = sip_method_from_name(method);
	uint32_t cseq = m == SIP_METHOD_ACK ? d->invite_cseq : d->local_cseq + 1;
	struct sip_tx_data *tx;

	if (m == SIP_METHOD_CANCEL || (m == SIP_METHOD_ACK && !cseq)) {
		errno = EINVAL;
		return NULL;
	}
	if (sip_dialog_state(d) == SIP_DIALOG_TERMINATED) {
		errno = ENOTCONN;
		return NULL;
	}
	tx = build(d, method, cseq);
	if (!tx || m == SIP_METHOD_ACK)
		return tx;
	d->local_cseq = cseq;
	if (m == SIP_METHOD_INVITE)
		d->invite_cseq = cseq;
	return tx;
}

uint32_t sip_dialog_next_cseq(struct sip_dialog *d)
{
	return ++d->local_cseq;
}

static int copy_credentials(struct sip_tx_data *tx, struct sip_tx_data *invite, enum sip_hdr_id id)
{
	struct rs_str value;

	for (unsigned n = 0; (value = sip_tx_hdr_nth(invite, id, n)).len; n++) {
		if (sip_tx_add_hdr(tx, id, value))
			return -1;
	}
	return 0;
}

struct sip_tx_data *sip_dialog_ack(struct sip_dialog *d, struct sip_tx_data *invite)
{
	struct sip_tx_data *tx = build(d, RS_STR("ACK"), sip_tx_cseq(invite));

	if (!tx)
		return NULL;
	if (!copy_credentials(tx, invite, SIP_HDR_AUTHORIZATION) &&
	    !copy_credentials(tx, invite, SIP_HDR_PROXY_AUTHORIZATION))
		return tx;
	sip_tx_unref(tx);
	errno = ENOMEM;
	return NULL;
}
