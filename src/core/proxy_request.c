/* The request as a proxy sends it on (RFC 3261 section 16.6), and how it knows it again (RFC 5393). */
#include "core/proxy_private.h"
#include "base/hash.h"
#include "base/print.h"
#include "sip/writer.h"

#include <stdio.h>

/* Credentials looked at in one request. */
#define MAX_AUTHS 8
/* Bytes of a realm with escapes: the authenticator takes no longer ones. */
#define MAX_REALM 256
#define MAX_EDITS (MAX_AUTHS + 16)

/* ---- loops ---- */

static uint64_t mix_headers(uint64_t h, struct sip_msg *msg, enum sip_hdr_id id)
{
	const struct sip_hdr *line;

	for (unsigned n = 0; (line = sip_msg_hdr(msg, id, n)); n++)
		h = rs_hash_mix(h, rs_hash(line->value));
	return h;
}

uint64_t proxy_loop_hash(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	uint64_t h = rs_hash(msg->uri_text);

	h = rs_hash_mix(h, rs_hash(msg->call_id));
	h = rs_hash_mix(h, rs_hash(msg->from_tag));
	h = rs_hash_mix(h, rs_hash(msg->to_tag));
	h = rs_hash_mix(h, msg->cseq);
	h = mix_headers(h, msg, SIP_HDR_ROUTE);
	h = mix_headers(h, msg, SIP_HDR_PROXY_REQUIRE);
	return mix_headers(h, msg, SIP_HDR_PROXY_AUTHORIZATION);
}

#define SUFFIX 17 /* '.' and the hash */

static struct rs_str print_suffix(char buf[SUFFIX], uint64_t hash)
{
	buf[0] = '.';
	rs_print_hex(buf + 1, hash, 16);
	return rs_str_n(buf, SUFFIX);
}

/* The hash is keyed: nobody but this process can have made it. */
bool proxy_has_looped(struct sip_rx_data *rx, uint64_t hash)
{
	const struct sip_hdr_values *vias = sip_msg_values(sip_rx_msg(rx), SIP_HDR_VIA, NULL);
	char suffix[SUFFIX];

	print_suffix(suffix, hash);
	for (uint32_t i = 0; vias && i < vias->n; i++) {
		struct rs_str branch = vias->v.via[i].branch;

		if (branch.len > SUFFIX && memcmp(branch.p + branch.len - SUFFIX, suffix, SUFFIX) == 0)
			return true;
	}
	return false;
}

unsigned proxy_routes_ours(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *routes =
		sip_msg_hdr(msg, SIP_HDR_ROUTE, 0) ? sip_msg_values(msg, SIP_HDR_ROUTE, NULL) : NULL;
	unsigned n = 0;

	while (routes && n < routes->n) {
		const struct sip_uri *uri = &routes->v.name_addr[n].uri;
		uint16_t port = uri->port ? uri->port : 5060;

		/* The same host on another port is another server. */
		if (!ast_sip_host_is_ours(rx, uri) || port != sip_rx_local(rx)->port)
			break;
		n++;
	}
	return n;
}

/* ---- the edits ---- */

struct edits {
	struct sip_edit v[MAX_EDITS];
	size_t n;
	char hops[RS_DECIMAL], breadth[RS_DECIMAL], record_route[128];
};

static void add(struct edits *e, struct sip_edit edit)
{
	if (e->n < MAX_EDITS)
		e->v[e->n++] = edit;
}

static struct rs_str number(char buf[RS_DECIMAL], uint32_t v)
{
	return rs_str_n(buf, rs_print_decimal(buf, v));
}

/* Whether a realm, as it stands between quotes, is one that this server challenges the endpoint with. */
static bool is_our_realm(const struct proxy *p, struct rs_str quoted)
{
	char buf[MAX_REALM];
	int len = rs_str_chr(quoted, '\\') ? sip_unquote(quoted, buf, sizeof(buf)) : -1;
	struct rs_str realm = len >= 0 ? rs_str_n(buf, (size_t)len) : quoted;
	struct ast_sip_snapshot *s = ast_sip_rx_snapshot(p->rx);
	struct ast_sip_strings auths = ast_sip_endpoint_auths(p->endpoint);
	bool ours = false;

	for (uint32_t i = 0; i < auths.n && !ours; i++) {
		struct ast_sip_auth *a = ast_sip_auth_find(s, auths.v[i]);
		struct rs_str own = a ? ast_sip_auth_realm(a) : RS_STR_NULL;

		if (!own.len)
			own = ast_sip_snapshot_global(s)->default_realm;
		ours = a && rs_str_eq(own, realm);
		ast_sip_auth_unref(a);
	}
	return ours;
}

/* Credentials that were for this server are nobody else's business (section 22.3). */
static void remove_consumed(struct edits *e, const struct proxy *p)
{
	struct sip_msg *msg = sip_rx_msg(p->rx);
	const struct sip_auth *a;

	if (!p->endpoint || !sip_msg_hdr(msg, SIP_HDR_AUTHORIZATION, 0))
		return;
	for (unsigned n = 0; n < MAX_AUTHS && (a = sip_msg_auth(msg, SIP_HDR_AUTHORIZATION, n)); n++) {
		const struct sip_param *realm = sip_auth_get(a, RS_STR("realm"));

		if (realm && is_our_realm(p, realm->value))
			add(e, (struct sip_edit){.op = SIP_EDIT_REMOVE_NTH, .id = SIP_HDR_AUTHORIZATION, .n = n});
	}
}

/* Who may not assert an identity does not: what he says of himself stands in From (RFC 3325 section 5). */
static void remove_asserted(struct edits *e, const struct proxy *p)
{
	static const enum sip_hdr_id claims[] = {SIP_HDR_P_ASSERTED_IDENTITY, SIP_HDR_P_PREFERRED_IDENTITY,
						 SIP_HDR_REMOTE_PARTY_ID};
	struct ast_sip_endpoint *sender = ast_sip_rx_endpoint(p->rx);

	if (sender && ast_sip_endpoint_settings(sender)->trust_id_inbound)
		return;
	for (size_t i = 0; i < RS_ARRAY_SIZE(claims); i++) {
		if (sip_msg_hdr(sip_rx_msg(p->rx), claims[i], 0))
			add(e, (struct sip_edit){.op = SIP_EDIT_REMOVE, .id = claims[i]});
	}
}

static void add_record_route(struct edits *e, const struct proxy *p)
{
	static const char *const params[SIP_TRANSPORT_N] = {
		[SIP_TRANSPORT_TCP] = ";transport=tcp",
		[SIP_TRANSPORT_TLS] = ";transport=tls",
		[SIP_TRANSPORT_WS] = ";transport=ws",
		[SIP_TRANSPORT_WSS] = ";transport=ws",
	};
	const char *param = params[sip_rx_transport(p->rx)];
	char host[SIP_ADDR_TEXT];

	snprintf(e->record_route, sizeof(e->record_route), "<sip:%s%s;lr>",
		 sip_addr_text(sip_rx_local(p->rx), true, host), param ? param : "");
	add(e, (struct sip_edit){
		       .op = SIP_EDIT_ADD_FIRST, .id = SIP_HDR_RECORD_ROUTE, .value = rs_str_c(e->record_route)});
}

/* The Via of who sent it says where from, as in an answer (RFC 3261 section 18.2.1, RFC 3581 section 4). */
static void complete_via(struct edits *e, const struct proxy *p, struct sip_writer *w)
{
	if (sip_write_via_completed(w, sip_rx_msg(p->rx), sip_rx_source(p->rx), sip_rx_force_rport(p->rx)) &&
	    sip_writer_ok(w))
		add(e, (struct sip_edit){.op = SIP_EDIT_REPLACE, .id = SIP_HDR_VIA, .value = rs_str_n(w->buf, w->len)});
}

struct sip_tx_data *proxy_request(struct proxy *p, const struct proxy_branch *b)
{
	struct edits e = {.n = 0};
	struct sip_tx_data *tx;
	struct sip_writer via;
	char suffix[SUFFIX], via_room[256];

	add(&e, (struct sip_edit){.op = SIP_EDIT_URI, .value = b->uri});
	add(&e, (struct sip_edit){
			.op = SIP_EDIT_REPLACE, .id = SIP_HDR_MAX_FORWARDS, .value = number(e.hops, p->max_forwards)});
	add(&e, (struct sip_edit){
			.op = SIP_EDIT_REPLACE, .id = SIP_HDR_MAX_BREADTH, .value = number(e.breadth, b->breadth)});
	for (unsigned i = 0; i < p->n_routes_ours && i < 4; i++)
		add(&e, (struct sip_edit){.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_ROUTE});
	if (b->route.len)
		add(&e, (struct sip_edit){.op = SIP_EDIT_ADD_FIRST, .id = SIP_HDR_ROUTE, .value = b->route});
	if (p->record_route)
		add_record_route(&e, p);
	sip_writer_init(&via, via_room, sizeof(via_room));
	complete_via(&e, p, &via);
	remove_asserted(&e, p);
	remove_consumed(&e, p);
	tx = sip_tx_forward(p->rx, e.v, e.n);
	sip_writer_fini(&via);
	if (!tx)
		return NULL;
	if (sip_tx_set_branch_suffix(tx, print_suffix(suffix, p->loop_hash))) {
		sip_tx_unref(tx);
		return NULL;
	}
	return tx;
}
