#include "core/listen.h"

#include "base/log.h"
#include "core/config/error.h"
#include "sip/stack.h"

#include <errno.h>
#include <string.h>

static bool available(const struct ast_sip_transport *t)
{
	return !t->flow && (t->protocol == SIP_TRANSPORT_UDP || t->protocol == SIP_TRANSPORT_TCP);
}

static int open_one(const struct ast_sip_transport *t)
{
	struct sip_listener_config c = {
		.name = t->id,
		.type = t->protocol,
		.sock =
			{
				.bind = t->bind,
				.tos = t->tos,
				.cos = t->cos,
				.keepalive = t->tcp_keepalive_enable,
				.keepalive_idle = t->tcp_keepalive_idle_time,
				.keepalive_interval = t->tcp_keepalive_interval_time,
				.keepalive_count = t->tcp_keepalive_probe_count,
			},
	};

	return sip_listener_open(&c, NULL);
}

int ast_sip_listeners_open(struct ast_sip_snapshot *s)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(s);
	int rc = 0;

	for (uint32_t i = 0; i < all.n; i++) {
		const struct ast_sip_transport *t = all.v[i];

		if (t->flow)
			continue;
		if (!available(t)) {
			rs_event(RS_LOG_WARNING, "listener.protocol_not_available", RS_FS("transport", t->id),
				 RS_FZ("protocol", sip_transport_name(t->protocol)));
			continue;
		}
		if (open_one(t))
			rc = -1; /* the transport layer has logged why */
	}
	return rc;
}

void ast_sip_listeners_close(struct ast_sip_snapshot *s)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(s);

	for (uint32_t i = 0; i < all.n; i++) {
		if (available(all.v[i]))
			sip_listener_close(all.v[i]->id, false);
	}
}

/* ---- reload ---- */

static bool same(const struct ast_sip_transport *a, const struct ast_sip_transport *b)
{
	return a->protocol == b->protocol && a->flow == b->flow && sip_addr_eq(&a->bind, &b->bind) &&
	       a->bind.scope_id == b->bind.scope_id && a->tos == b->tos && a->cos == b->cos &&
	       a->tcp_keepalive_enable == b->tcp_keepalive_enable &&
	       a->tcp_keepalive_idle_time == b->tcp_keepalive_idle_time &&
	       a->tcp_keepalive_interval_time == b->tcp_keepalive_interval_time &&
	       a->tcp_keepalive_probe_count == b->tcp_keepalive_probe_count;
}

/* What must be open under the new snapshot in t's name, or NULL. */
static const struct ast_sip_transport *wanted(struct ast_sip_snapshot *s, struct rs_str id)
{
	const struct ast_sip_transport *t = ast_sip_transport_find(s, id);

	return t && available(t) ? t : NULL;
}

static int fail(const struct ast_sip_transport *t, int error, struct ast_sip_conf_errors *errors)
{
	char addr[SIP_ADDR_TEXT];

	conf_error_add(errors, false, "pjsip.conf", 0, "transport '%.*s' cannot be opened on %s %s: %s", RS_FMT(t->id),
		       sip_transport_name(t->protocol), sip_addr_text(&t->bind, true, addr), strerror(error));
	return -1;
}

/* Closes what goes and reopens what changed. */
static int change_old(struct ast_sip_snapshot *from, struct ast_sip_snapshot *to, struct ast_sip_conf_errors *errors)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(from);

	for (uint32_t i = 0; i < all.n; i++) {
		const struct ast_sip_transport *is = all.v[i], *next = wanted(to, is->id);
		int error;

		if (!available(is) || (next && same(is, next)))
			continue;
		sip_listener_close(is->id, false);
		if (!next)
			continue;
		error = open_one(next);
		if (error)
			return fail(next, error, errors);
	}
	return 0;
}

static int open_new(struct ast_sip_snapshot *from, struct ast_sip_snapshot *to, struct ast_sip_conf_errors *errors)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(to);

	for (uint32_t i = 0; i < all.n; i++) {
		int error;

		if (!available(all.v[i]) || wanted(from, all.v[i]->id))
			continue;
		error = open_one(all.v[i]);
		if (error)
			return fail(all.v[i], error, errors);
	}
	return 0;
}

struct open_listener {
	struct rs_str name;
	enum sip_transport_type type;
	bool open;
};

static void look(void *token, const struct sip_listener_stats *stats)
{
	struct open_listener *l = token;

	if (rs_str_eq(stats->name, l->name) && stats->type == l->type)
		l->open = true;
}

/* Back to what from lists: half of a change must not stay. */
static void put_back(struct ast_sip_snapshot *from, struct ast_sip_snapshot *to)
{
	struct ast_sip_transports old = ast_sip_snapshot_transports(from), new = ast_sip_snapshot_transports(to);

	for (uint32_t i = 0; i < new.n; i++) {
		const struct ast_sip_transport *was = wanted(from, new.v[i]->id);

		if (available(new.v[i]) && (!was || !same(was, new.v[i])))
			sip_listener_close(new.v[i]->id, false);
	}
	for (uint32_t i = 0; i < old.n; i++) {
		struct open_listener l = {.name = old.v[i]->id, .type = old.v[i]->protocol};

		if (!available(old.v[i]))
			continue;
		sip_transport_each(look, &l);
		if (!l.open && open_one(old.v[i]))
			rs_event(RS_LOG_ERROR, "listener.lost", RS_FS("transport", old.v[i]->id));
	}
}

int ast_sip_listeners_change(struct ast_sip_snapshot *from, struct ast_sip_snapshot *to,
			     struct ast_sip_conf_errors *errors)
{
	if (change_old(from, to, errors) == 0 && open_new(from, to, errors) == 0)
		return 0;
	put_back(from, to);
	return -1;
}
