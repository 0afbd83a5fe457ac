/* From what a REGISTER asks for and the bindings there are to the changes: CSeq order and the limits of the AOR. */
#include "registrar.h"

#include "base/clock.h"

#include <stdlib.h>

/* What this request does to a binding that there is. */
enum fate { LEFT_ALONE, UPDATED, DELETED };

#define NODE_NAME "res_sip" /* the only node so far */

static int refuse(struct registration *r, unsigned status, const char *reason)
{
	r->status = status;
	r->reason = reason;
	return -1;
}

static struct ast_sip_contact_change *next_change(struct registration *r)
{
	return &r->changes[r->n_changes++];
}

static void add_remove(struct registration *r, const struct ast_sip_contact *c, enum ast_sip_contact_event event)
{
	struct ast_sip_contact_change *change = next_change(r);

	*change = (struct ast_sip_contact_change){.remove = true, .event = event};
	change->text[AST_SIP_CONTACT_URI] = ast_sip_contact_text(c, AST_SIP_CONTACT_URI);
}

/* RFC 3261 section 10.3 step 7: a request of the same Call-ID must have a higher CSeq than the binding's. */
static bool out_of_order(const struct registration *r, const struct ast_sip_contact *c)
{
	const struct sip_msg *msg = sip_rx_msg(r->rx);

	return c && !c->data.permanent && rs_str_eq(ast_sip_contact_text(c, AST_SIP_CONTACT_CALL_ID), msg->call_id) &&
	       msg->cseq <= c->data.cseq;
}

/* Whether requests to the contact may go over the flow that it was registered by: its address is the sender's. */
static bool flow_leads_there(const struct registration *r, const struct registrar_contact *c)
{
	enum sip_transport_type type = sip_rx_transport(r->rx);
	struct sip_addr host;

	if (c->rewritten || type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS || (c->reg_id && c->instance.len))
		return true;
	if (sip_addr_parse(c->parsed->host, &host) || !sip_addr_same_ip(&host, sip_rx_source(r->rx)))
		return false;
	if (sip_transport_is_reliable(type))
		return sip_uri_transport(c->parsed, NULL) == type;
	return (c->parsed->port ? c->parsed->port : 5060) == sip_rx_source(r->rx)->port;
}

static struct rs_str cut(struct rs_str s, size_t max)
{
	return rs_str_n(s.p, s.len < max ? s.len : max);
}

static void add_texts(const struct registration *r, struct ast_sip_contact_change *change,
		      const struct ast_sip_contact *old)
{
	struct sip_msg *msg = sip_rx_msg(r->rx);
	const struct sip_hdr *agent = sip_msg_hdr(msg, SIP_HDR_USER_AGENT, 0);

	change->text[AST_SIP_CONTACT_PATH] =
		r->path.len || !old ? r->path : ast_sip_contact_text(old, AST_SIP_CONTACT_PATH);
	change->text[AST_SIP_CONTACT_CALL_ID] = msg->call_id;
	if (agent)
		change->text[AST_SIP_CONTACT_USER_AGENT] =
			cut(sip_msg_unfold(msg, agent->value), REGISTRAR_MAX_USER_AGENT);
	change->text[AST_SIP_CONTACT_LISTENER] = sip_rx_listener(r->rx);
	change->text[AST_SIP_CONTACT_NODE] = RS_STR(NODE_NAME);
}

/* Who registered it, and from behind which proxy: that of the first registration (section 4.8 of the reference). */
static void add_origin(const struct registration *r, struct ast_sip_contact_change *change,
		       const struct ast_sip_contact *old)
{
	const struct sip_hdr_values *vias = sip_msg_values(sip_rx_msg(r->rx), SIP_HDR_VIA, NULL);
	const struct sip_via *via = vias && vias->n ? &vias->v.via[vias->n - 1] : NULL;

	if (old) {
		change->text[AST_SIP_CONTACT_ENDPOINT] = ast_sip_contact_text(old, AST_SIP_CONTACT_ENDPOINT);
		change->text[AST_SIP_CONTACT_VIA_HOST] = ast_sip_contact_text(old, AST_SIP_CONTACT_VIA_HOST);
		change->data.via_port = old->data.via_port;
		return;
	}
	change->text[AST_SIP_CONTACT_ENDPOINT] = ast_sip_endpoint_id(ast_sip_rx_endpoint(r->rx));
	if (via && via->host.len <= REGISTRAR_MAX_HOST) {
		change->text[AST_SIP_CONTACT_VIA_HOST] = via->host;
		change->data.via_port = via->port;
	}
}

/*
 * old: the binding whose place it takes; same: the one that has this URI, which may be another. A Path that is not sent
 * again stays.
 */
static void add_binding(struct registration *r, const struct registrar_contact *c, const struct ast_sip_contact *old,
			const struct ast_sip_contact *same)
{
	struct ast_sip_contact_change *change = next_change(r);
	enum sip_transport_type type = sip_rx_transport(r->rx);
	bool websocket = type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS;

	*change = (struct ast_sip_contact_change){.remove = false};
	change->data = (struct ast_sip_contact_data){
		.bound_to_flow = websocket || (c->rewritten && sip_transport_is_reliable(type)),
		.q_thousandths = c->q,
		.transport = (uint8_t)type,
		.reg_id = c->reg_id,
		.cseq = sip_rx_msg(r->rx)->cseq,
		.expires_us = ast_sip_location_now_us() + (int64_t)c->expires * 1000000,
		.flow = flow_leads_there(r, c) ? sip_rx_flow(r->rx) : 0,
		.received = *sip_rx_source(r->rx),
	};
	change->text[AST_SIP_CONTACT_URI] = c->uri;
	change->text[AST_SIP_CONTACT_INSTANCE] = c->instance;
	change->text[AST_SIP_CONTACT_PARAMS] = c->params;
	add_texts(r, change, old);
	add_origin(r, change, old && old == same ? old : NULL);
}

/* ---- the limit ---- */

static bool is_unreachable(const struct ast_sip_contact *c)
{
	return atomic_load_explicit(&c->status, memory_order_relaxed) == AST_SIP_CONTACT_UNREACHABLE;
}

/* The next one to give way, among those that the request leaves alone: the earliest expiry, unreachable ones first if
 * asked. Its place, or -1. */
static int64_t next_victim(const struct registration *r, const struct ast_sip_contacts *now, bool unreachable_first,
			   bool unreachable_only)
{
	int64_t best = -1;

	for (uint32_t i = 0; now && i < now->n; i++) {
		const struct ast_sip_contact *c = now->v[i], *b = best < 0 ? NULL : now->v[best];
		bool gone = unreachable_first && is_unreachable(c),
		     best_gone = b && unreachable_first && is_unreachable(b);

		if (r->fates[i] != LEFT_ALONE || c->data.permanent || (unreachable_only && !gone))
			continue;
		if (!b || (gone && !best_gone) || (gone == best_gone && c->data.expires_us < b->data.expires_us))
			best = i;
	}
	return best;
}

/* Lets n bindings give way; false when there are not that many. */
static bool evict(struct registration *r, const struct ast_sip_contacts *now, uint32_t n, bool unreachable_first,
		  bool unreachable_only)
{
	while (n--) {
		int64_t i = next_victim(r, now, unreachable_first, unreachable_only);

		if (i < 0)
			return false;
		r->fates[i] = DELETED;
		add_remove(r, now->v[i],
			   unreachable_first && is_unreachable(now->v[i]) ? AST_SIP_CONTACT_UNAVAILABLE
									  : AST_SIP_CONTACT_GAVE_WAY);
	}
	return true;
}

static uint32_t count_unreachable(const struct registration *r, const struct ast_sip_contacts *now)
{
	uint32_t n = 0;

	for (uint32_t i = 0; now && i < now->n; i++)
		n += !now->v[i]->data.permanent && r->fates[i] == LEFT_ALONE && is_unreachable(now->v[i]);
	return n;
}

/* The table of section 7 of the reference. added: by this request. */
static int check_limit(struct registration *r, const struct ast_sip_contacts *now, uint32_t added)
{
	const struct ast_sip_aor_settings *s = ast_sip_aor_settings(r->aor);
	uint32_t dynamic = 0, updated = 0, deleted = 0, after, over, own;

	for (uint32_t i = 0; now && i < now->n; i++) {
		dynamic += !now->v[i]->data.permanent;
		updated += r->fates[i] == UPDATED;
		deleted += r->fates[i] == DELETED;
	}
	after = dynamic + added - deleted;
	own = added + updated > deleted ? added + updated - deleted : 0;
	over = after > s->max_contacts ? after - s->max_contacts : 0;
	if (!over)
		return 0;
	if (s->remove_unavailable && count_unreachable(r, now) >= over) {
		evict(r, now, over, true, true);
		return 0;
	}
	/* The limit holds even where the request's own load would pass, but leaves nobody to give way. */
	if (!s->remove_existing || own > s->max_contacts || !evict(r, now, over, s->remove_unavailable, false))
		return refuse(r, 403, "registrar_attempt_exceeds_maximum_configured_contacts");
	return 0;
}

/* ---- the request ---- */

static int remove_all(struct registration *r, const struct ast_sip_contacts *now)
{
	for (uint32_t i = 0; now && i < now->n; i++) {
		if (out_of_order(r, now->v[i]))
			return refuse(r, 500, NULL);
	}
	for (uint32_t i = 0; now && i < now->n; i++) {
		if (!now->v[i]->data.permanent)
			add_remove(r, now->v[i], AST_SIP_CONTACT_REMOVED);
	}
	return 0;
}

static bool same_binding(const struct registrar_contact *a, const struct registrar_contact *b)
{
	if (a->reg_id && a->reg_id == b->reg_id && a->instance.len && rs_str_eq(a->instance, b->instance))
		return true;
	return sip_uri_equal(a->parsed, b->parsed);
}

/* A later Contact of the same request that means the same binding takes its place. */
static bool repeated_later(const struct registration *r, size_t i)
{
	for (size_t k = i + 1; k < r->n; k++) {
		if (same_binding(&r->contacts[i], &r->contacts[k]))
			return true;
	}
	return false;
}

static void set_fate(struct registration *r, const struct ast_sip_contacts *now, const struct ast_sip_contact *c,
		     enum fate fate)
{
	for (uint32_t i = 0; now && i < now->n; i++) {
		if (now->v[i] == c)
			r->fates[i] = (uint8_t)fate;
	}
}

/* 0, or -1: refused. */
static int apply(struct registration *r, const struct ast_sip_contacts *now, size_t i, uint32_t *added)
{
	const struct registrar_contact *c = &r->contacts[i];
	const struct ast_sip_contact *old = ast_sip_contacts_find(now, c->uri, c->instance, c->reg_id);
	const struct ast_sip_contact *same =
		c->instance.len && c->reg_id ? ast_sip_contacts_find(now, c->uri, RS_STR_NULL, 0) : old;

	if (out_of_order(r, old) || out_of_order(r, same))
		return refuse(r, 500, NULL);
	if (repeated_later(r, i) || (old && old->data.permanent) || (c->expires && same && same->data.permanent))
		return 0; /* permanent ones stay as they are */
	if (c->expires) {
		add_binding(r, c, old, same);
		*added += !old;
		set_fate(r, now, same, DELETED); /* an instance that moved takes this URI from who had it */
		set_fate(r, now, old, UPDATED);
	} else if (old) {
		add_remove(r, old, AST_SIP_CONTACT_REMOVED);
		set_fate(r, now, old, DELETED);
	}
	return 0;
}

int registrar_begin(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		    size_t *n)
{
	struct registration *r = token;
	uint32_t added = 0, there = now ? now->n : 0;
	size_t room = (r->n + there + 1) * sizeof(*r->changes);

	r->changes = malloc(room + there);
	if (!r->changes)
		return refuse(r, 500, NULL);
	r->fates = (uint8_t *)r->changes + room;
	memset(r->fates, LEFT_ALONE, there);
	if (r->star && remove_all(r, now))
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		if (apply(r, now, i, &added))
			return -1;
	}
	if (r->n && check_limit(r, now, added))
		return -1;
	*changes = r->changes;
	*n = r->n_changes;
	return 0;
}
