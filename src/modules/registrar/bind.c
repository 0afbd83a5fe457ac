/* From what a REGISTER asks for and the bindings there are to the changes: CSeq order and the limits of the AOR. */
#include "registrar.h"

#include "base/clock.h"

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

static void add_remove(struct registration *r, const struct ast_sip_contact *c)
{
	struct ast_sip_contact_change *change = next_change(r);

	*change = (struct ast_sip_contact_change){.remove = true};
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
	struct sip_uri uri;
	struct sip_addr host;

	if (c->rewritten || type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS || (c->reg_id && c->instance.len))
		return true;
	if (sip_uri_parse(c->uri, &uri) || sip_addr_parse(uri.host, &host) ||
	    !sip_addr_same_ip(&host, sip_rx_source(r->rx)))
		return false;
	if (sip_transport_is_reliable(type))
		return sip_uri_transport(&uri, NULL) == type;
	return (uri.port ? uri.port : 5060) == sip_rx_source(r->rx)->port;
}

/* old: the binding that it refreshes; a Path that is not sent again stays. */
static void add_binding(struct registration *r, const struct registrar_contact *c, const struct ast_sip_contact *old)
{
	struct ast_sip_contact_change *change = next_change(r);
	struct sip_msg *msg = sip_rx_msg(r->rx);
	enum sip_transport_type type = sip_rx_transport(r->rx);
	const struct sip_hdr *agent = sip_msg_hdr(msg, SIP_HDR_USER_AGENT, 0);
	const struct sip_hdr_values *vias = sip_msg_values(msg, SIP_HDR_VIA, NULL);
	bool websocket = type == SIP_TRANSPORT_WS || type == SIP_TRANSPORT_WSS;

	*change = (struct ast_sip_contact_change){.remove = false};
	change->data = (struct ast_sip_contact_data){
		.bound_to_flow = websocket || (c->rewritten && sip_transport_is_reliable(type)),
		.q_thousandths = c->q,
		.transport = (uint8_t)type,
		.reg_id = c->reg_id,
		.cseq = msg->cseq,
		.expires_us = rs_wall_us() + (int64_t)c->expires * 1000000,
		.flow = flow_leads_there(r, c) ? sip_rx_flow(r->rx) : 0,
		.received = *sip_rx_source(r->rx),
	};
	change->text[AST_SIP_CONTACT_URI] = c->uri;
	change->text[AST_SIP_CONTACT_PATH] =
		r->path.len || !old ? r->path : ast_sip_contact_text(old, AST_SIP_CONTACT_PATH);
	change->text[AST_SIP_CONTACT_INSTANCE] = c->instance;
	change->text[AST_SIP_CONTACT_CALL_ID] = msg->call_id;
	change->text[AST_SIP_CONTACT_USER_AGENT] = agent ? sip_msg_unfold(msg, agent->value) : RS_STR_NULL;
	change->text[AST_SIP_CONTACT_ENDPOINT] = ast_sip_endpoint_id(ast_sip_rx_endpoint(r->rx));
	change->text[AST_SIP_CONTACT_LISTENER] = sip_rx_listener(r->rx);
	change->text[AST_SIP_CONTACT_NODE] = RS_STR(NODE_NAME);
	change->text[AST_SIP_CONTACT_PARAMS] = c->params;
	if (vias && vias->n) {
		change->text[AST_SIP_CONTACT_VIA_HOST] = vias->v.via[vias->n - 1].host;
		change->data.via_port = vias->v.via[vias->n - 1].port;
	}
}

/* Whether this request touches the binding. */
static bool mentioned(const struct registration *r, const struct ast_sip_contacts *now, const struct ast_sip_contact *c)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct registrar_contact *rc = &r->contacts[i];
		if (ast_sip_contacts_find(now, rc->uri, rc->instance, rc->reg_id) == c)
			return true;
	}
	return false;
}

/* The one among those that the request leaves alone to give way next: the earliest expiry, unreachable ones first if
 * asked. */
static struct ast_sip_contact *next_victim(const struct registration *r, const struct ast_sip_contacts *now,
					   const bool *gone, bool unreachable_first, bool unreachable_only)
{
	struct ast_sip_contact *best = NULL;
	bool best_unreachable = false;

	for (uint32_t i = 0; now && i < now->n; i++) {
		struct ast_sip_contact *c = now->v[i];
		bool unreachable = atomic_load(&c->status) == AST_SIP_CONTACT_UNREACHABLE;

		if (gone[i] || c->data.permanent || (unreachable_only && !unreachable) || mentioned(r, now, c))
			continue;
		if (!best || (unreachable_first && unreachable && !best_unreachable) ||
		    ((!unreachable_first || unreachable == best_unreachable) &&
		     c->data.expires_us < best->data.expires_us)) {
			best = c;
			best_unreachable = unreachable;
		}
	}
	return best;
}

/* Lets up to n bindings give way. */
static void evict(struct registration *r, const struct ast_sip_contacts *now, uint32_t n, bool unreachable_first,
		  bool unreachable_only)
{
	bool *gone = now ? rs_arena_zalloc(sip_rx_msg(r->rx)->arena, now->n * sizeof(*gone)) : NULL;
	uint32_t done = 0;

	while (gone && done < n) {
		struct ast_sip_contact *c = next_victim(r, now, gone, unreachable_first, unreachable_only);
		if (!c)
			break;
		for (uint32_t i = 0; i < now->n; i++)
			gone[i] = gone[i] || now->v[i] == c;
		add_remove(r, c);
		done++;
	}
}

static uint32_t count_unreachable(const struct registration *r, const struct ast_sip_contacts *now)
{
	uint32_t n = 0;

	for (uint32_t i = 0; now && i < now->n; i++)
		n += !now->v[i]->data.permanent && atomic_load(&now->v[i]->status) == AST_SIP_CONTACT_UNREACHABLE &&
		     !mentioned(r, now, now->v[i]);
	return n;
}

/* The table of section 7 of the reference. dynamic: bindings now; added, updated, deleted: by this request. */
static int check_limit(struct registration *r, const struct ast_sip_contacts *now, uint32_t dynamic, uint32_t added,
		       uint32_t updated, uint32_t deleted)
{
	const struct ast_sip_aor_settings *s = ast_sip_aor_settings(r->aor);
	uint32_t after = dynamic + added - deleted;
	uint32_t over = after > s->max_contacts ? after - s->max_contacts : 0;

	if (!over)
		return 0;
	if (s->remove_unavailable && count_unreachable(r, now) >= over) {
		evict(r, now, over, true, true);
		return 0;
	}
	if (!s->remove_existing || (added + updated > deleted && added + updated - deleted > s->max_contacts))
		return refuse(r, 403, "registrar_attempt_exceeds_maximum_configured_contacts");
	evict(r, now, over, s->remove_unavailable, false);
	return 0;
}

static int remove_all(struct registration *r, const struct ast_sip_contacts *now)
{
	for (uint32_t i = 0; now && i < now->n; i++) {
		if (out_of_order(r, now->v[i]))
			return refuse(r, 500, NULL);
	}
	for (uint32_t i = 0; now && i < now->n; i++) {
		if (!now->v[i]->data.permanent)
			add_remove(r, now->v[i]);
	}
	return 0;
}

static bool same_binding(const struct registrar_contact *a, const struct registrar_contact *b)
{
	struct sip_uri ua, ub;

	if (a->reg_id && a->reg_id == b->reg_id && a->instance.len && rs_str_eq(a->instance, b->instance))
		return true;
	return !sip_uri_parse(a->uri, &ua) && !sip_uri_parse(b->uri, &ub) && sip_uri_equal(&ua, &ub);
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

int registrar_begin(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		    size_t *n)
{
	struct registration *r = token;
	uint32_t dynamic = 0, added = 0, updated = 0, deleted = 0;
	size_t room = r->n + (now ? now->n : 0) + 1;

	for (uint32_t i = 0; now && i < now->n; i++)
		dynamic += !now->v[i]->data.permanent;
	r->changes = rs_arena_alloc(sip_rx_msg(r->rx)->arena, room * sizeof(*r->changes));
	if (!r->changes)
		return refuse(r, 500, NULL);
	if (r->star && remove_all(r, now))
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		const struct registrar_contact *c = &r->contacts[i];
		struct ast_sip_contact *old = ast_sip_contacts_find(now, c->uri, c->instance, c->reg_id);

		if (out_of_order(r, old))
			return refuse(r, 500, NULL);
		if (repeated_later(r, i))
			continue;
		if (c->expires) {
			add_binding(r, c, old);
			if (!old)
				added++;
			else
				updated += !old->data.permanent;
		} else if (old && !old->data.permanent) {
			add_remove(r, old);
			deleted++;
		}
	}
	if (r->n && check_limit(r, now, dynamic, added, updated, deleted))
		return -1;
	*changes = r->changes;
	*n = r->n_changes;
	return 0;
}
