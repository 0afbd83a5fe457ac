/* What a dialog learns from the peer: route set, remote target (RFC 3261 sections 12.1 and 12.2), where it was heard.
 */
#include "sip/dialog/dialog.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

bool dialog_refreshes(enum sip_method m)
{
	return m == SIP_METHOD_INVITE || m == SIP_METHOD_UPDATE || m == SIP_METHOD_SUBSCRIBE || m == SIP_METHOD_NOTIFY;
}

bool dialog_creates(enum sip_method m)
{
	return m == SIP_METHOD_INVITE || m == SIP_METHOD_SUBSCRIBE || m == SIP_METHOD_REFER;
}

/* ---- the record ---- */

static bool inside(struct rs_str part, struct rs_str whole)
{
	return part.p >= whole.p && part.p + part.len <= whole.p + whole.len;
}

/* Finds the first hop in the copied route. 0, or EINVAL: it is no list of routes. */
static int read_route(struct dialog_peer *peer)
{
	max_align_t room[128];
	struct sip_hdr_values values;
	struct rs_arena arena;
	int error = EINVAL;

	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (sip_hdr_parse(SIP_HDR_ROUTE, peer->route, &arena, &values) == 0 && values.n &&
	    sip_uri_is_sip(&values.v.name_addr[0].uri) && inside(values.v.name_addr[0].uri.text, peer->route)) {
		const struct sip_name_addr *v = values.v.name_addr;

		peer->hop = v[0].uri.text;
		peer->strict = !sip_uri_has_lr(&v[0].uri);
		if (values.n > 1)
			peer->rest = rs_str_n(v[1].text.p, (size_t)(peer->route.p + peer->route.len - v[1].text.p));
		error = values.n == 1 || inside(peer->rest, peer->route) ? 0 : EINVAL;
	}
	rs_arena_reset(&arena);
	return error;
}

int dialog_peer_set(struct sip_dialog *d, struct rs_str target, struct rs_str route, bool rewritten)
{
	struct dialog_peer *peer = d->peer;
	int error;

	/* A 2xx mostly says what the 18x before it said. */
	if (peer && peer->rewritten == rewritten && rs_str_eq(peer->target, target) && rs_str_eq(peer->route, route))
		return 0;
	peer = malloc(sizeof(*peer) + target.len + route.len);
	if (!peer)
		return ENOMEM;
	memset(peer, 0, sizeof(*peer));
	peer->rewritten = rewritten;
	memcpy(peer->text, target.p, target.len);
	peer->target = rs_str_n(peer->text, target.len);
	peer->route = rs_str_n(peer->text + target.len, route.len);
	if (route.len) {
		memcpy(peer->text + target.len, route.p, route.len);
		error = read_route(peer);
		if (error) {
			free(peer);
			return error;
		}
	}
	free(d->peer);
	d->peer = peer;
	return 0;
}

/* ---- from a message ---- */

/* A service put another host there than the peer wrote: the one that it was heard from. */
static bool moved(struct sip_rx_data *rx, enum sip_hdr_id id, unsigned n)
{
	const struct sip_name_addr *now = sip_rx_name_addr(rx, id, n), *was = sip_msg_name_addr(sip_rx_msg(rx), id, n);

	return now && was && now != was &&
	       (now->uri.port != was->uri.port || !rs_str_ieq(now->uri.host, was->uri.host));
}

/* The route set: as it stands in a request, the other way round in a response. The number of values, -1: bad. */
static int write_route(struct sip_writer *w, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *values;

	if (!sip_msg_first(msg, SIP_HDR_RECORD_ROUTE))
		return 0;
	values = sip_msg_values(msg, SIP_HDR_RECORD_ROUTE, NULL);
	if (!values)
		return -1;
	for (uint32_t i = 0; i < values->n; i++) {
		uint32_t n = msg->is_request ? i : values->n - 1 - i;
		const struct sip_name_addr *na = sip_rx_name_addr(rx, SIP_HDR_RECORD_ROUTE, n);

		if (i)
			sip_writez(w, ",");
		if (na)
			sip_write(w, na->text);
	}
	return (int)values->n;
}

/* The Contact as a Request-URI, into buf; without a Contact that can be one the target stays. */
static struct rs_str new_target(const struct sip_dialog *d, const struct sip_name_addr *c, char *buf, size_t size)
{
	int n = c && !c->star && sip_uri_is_sip(&c->uri) ? sip_uri_print_filtered(&c->uri, NULL, false, buf, size) : -1;

	if (n >= 0)
		return rs_str_n(buf, (size_t)n);
	return d->peer ? d->peer->target : RS_STR_NULL;
}

static int learn(struct sip_dialog *d, struct sip_rx_data *rx, struct sip_writer *route, int n)
{
	const struct sip_name_addr *c = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	bool request = sip_rx_msg(rx)->is_request, rewritten;
	char buf[SIP_MAX_URI + 1];
	struct rs_str target = new_target(d, c, buf, sizeof(buf));

	if (!sip_writer_ok(route) || !target.len)
		return ENOMEM;
	if (n > 0)
		rewritten = moved(rx, SIP_HDR_RECORD_ROUTE, request ? 0 : (unsigned)n - 1);
	else
		rewritten = c ? moved(rx, SIP_HDR_CONTACT, 0) : d->peer && d->peer->rewritten;
	return dialog_peer_set(d, target, rs_str_n(route->buf, route->len), rewritten);
}

/* The target alone: the first hop stays what it is, unless it is the target itself. */
static int learn_target(struct sip_dialog *d, struct sip_rx_data *rx)
{
	const struct sip_name_addr *c = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	const struct dialog_peer *old = d->peer;
	char buf[SIP_MAX_URI + 1];
	struct rs_str target = new_target(d, c, buf, sizeof(buf));
	bool rewritten = old->route.len || !c ? old->rewritten : moved(rx, SIP_HDR_CONTACT, 0);

	/* Most refreshes change nothing. */
	if (rs_str_eq(target, old->target) && rewritten == old->rewritten)
		return 0;
	return dialog_peer_set(d, target, old->route, rewritten);
}

int dialog_learn(struct sip_dialog *d, struct sip_rx_data *rx, bool with_route)
{
	struct sip_writer route;
	char first[1024];
	int n, error;

	if (!with_route)
		return learn_target(d, rx);
	sip_writer_init(&route, first, sizeof(first));
	n = write_route(&route, rx);
	if (n < 0 && sip_rx_msg(rx)->is_request) {
		sip_writer_fini(&route);
		return EINVAL;
	}
	if (n < 0) {
		rs_event(RS_LOG_NOTICE, "dialog.bad_record_route", RS_FS("call_id", d->call_id));
		route.len = 0;
	}
	error = learn(d, rx, &route, n);
	sip_writer_fini(&route);
	return error;
}

void dialog_heard(struct sip_dialog *d, const struct sip_rx_data *rx)
{
	d->heard = (struct sip_target){
		.type = sip_rx_transport(rx),
		.addr = *sip_rx_source(rx),
		.flow = sip_rx_flow(rx),
		.listener = sip_rx_listener(rx),
	};
}
