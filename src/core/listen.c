/*
 * The listeners that are open, by the values that they were opened with: what a transport section says may have
 * changed since without coming into force.
 */
#include "core/listen.h"

#include "base/log.h"
#include "core/config/error.h"
#include "core/core.h"
#include "sip/stack.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

struct listener {
	char *id;
	enum sip_transport_type type;
	struct sip_sock_opts sock;
};

struct table {
	struct listener *v;
	size_t n, cap;
};

static struct table opened;

/* ---- the table ---- */

static struct listener *find(const struct table *t, struct rs_str id)
{
	for (size_t i = 0; i < t->n; i++) {
		if (rs_str_eqz(id, t->v[i].id))
			return &t->v[i];
	}
	return NULL;
}

static int add(struct table *t, const struct listener *l)
{
	struct listener *v;
	char *id = strdup(l->id);

	if (t->n == t->cap) {
		v = realloc(t->v, (t->cap * 2 + 8) * sizeof(*v));
		if (!v) {
			free(id);
			return ENOMEM;
		}
		t->v = v;
		t->cap = t->cap * 2 + 8;
	}
	if (!id)
		return ENOMEM;
	t->v[t->n] = *l;
	t->v[t->n++].id = id;
	return 0;
}

static void drop(struct table *t, struct listener *l)
{
	free(l->id);
	*l = t->v[--t->n];
}

static void clear(struct table *t)
{
	while (t->n)
		drop(t, &t->v[t->n - 1]);
	free(t->v);
	*t = (struct table){0};
}

static int copy_table(const struct table *from, struct table *to)
{
	for (size_t i = 0; i < from->n; i++) {
		if (add(to, &from->v[i])) {
			clear(to);
			return -1;
		}
	}
	return 0;
}

/* ---- opening and closing ---- */

static bool available(const struct ast_sip_transport *t)
{
	return !t->flow && (t->protocol == SIP_TRANSPORT_UDP || t->protocol == SIP_TRANSPORT_TCP);
}

/* The id is lent by the section. */
static struct listener wanted(const struct ast_sip_transport *t)
{
	return (struct listener){
		.id = (char *)(uintptr_t)t->id.p,
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
}

static bool same(const struct listener *a, const struct listener *b)
{
	const struct sip_sock_opts *x = &a->sock, *y = &b->sock;

	return a->type == b->type && sip_addr_eq(&x->bind, &y->bind) && x->bind.scope_id == y->bind.scope_id &&
	       x->tos == y->tos && x->cos == y->cos && x->keepalive == y->keepalive &&
	       x->keepalive_idle == y->keepalive_idle && x->keepalive_interval == y->keepalive_interval &&
	       x->keepalive_count == y->keepalive_count;
}

static void passed(void *token)
{
	sem_post(token);
}

/*
 * A socket that was closed is given up by the poller at a quiet point, and closed by a task after it: two of them, and
 * its address is free.
 */
static void wait_for_closed_sockets(void)
{
	sem_t sem;

	if (ast_sip_core_options()->deterministic)
		return;
	sem_init(&sem, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		if (rs_quiet(passed, &sem) == 0)
			sem_wait(&sem);
	}
	sem_destroy(&sem);
}

static int open_one(const struct listener *l)
{
	struct sip_listener_config c = {.name = rs_str_c(l->id), .type = l->type, .sock = l->sock};
	int error = sip_listener_open(&c, NULL);

	if (!error && add(&opened, l)) {
		sip_listener_close(c.name, false);
		error = ENOMEM;
		rs_event(RS_LOG_ERROR, "listener.open_failed", RS_FZ("transport", l->id),
			 RS_FZ("error", strerror(error)));
	}
	return error;
}

static void close_one(struct listener *l)
{
	sip_listener_close(rs_str_c(l->id), false);
	drop(&opened, l);
}

int ast_sip_listeners_open(struct ast_sip_snapshot *s)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(s);
	int rc = 0;

	for (uint32_t i = 0; i < all.n; i++) {
		struct listener l = wanted(all.v[i]);

		if (all.v[i]->flow)
			continue;
		if (!available(all.v[i]))
			rs_event(RS_LOG_WARNING, "listener.protocol_not_available", RS_FZ("transport", l.id),
				 RS_FZ("protocol", sip_transport_name(l.type)));
		else if (open_one(&l))
			rc = -1; /* the transport layer has logged why */
	}
	return rc;
}

void ast_sip_listeners_close(void)
{
	while (opened.n)
		close_one(&opened.v[opened.n - 1]);
	clear(&opened);
}

/* ---- reload ---- */

static const struct ast_sip_transport *section(struct ast_sip_snapshot *s, const char *id)
{
	const struct ast_sip_transport *t = ast_sip_transport_find(s, rs_str_c(id));

	return t && available(t) ? t : NULL;
}

/* Closes what is gone or shall be opened anew; the number of those closed. */
static unsigned close_changed(struct ast_sip_snapshot *s, struct ast_sip_conf_errors *errors)
{
	unsigned closed = 0;

	for (size_t i = opened.n; i-- > 0;) {
		struct listener *is = &opened.v[i], next;
		const struct ast_sip_transport *t = section(s, is->id);

		if (t) {
			next = wanted(t);
			if (same(is, &next))
				continue;
			if (!t->allow_reload) {
				conf_error_add(
					errors, true, "pjsip.conf", 0,
					"transport '%s' has changed, but without allow_reload=yes only a restart "
					"opens it anew",
					is->id);
				continue;
			}
		}
		close_one(is);
		closed++;
	}
	return closed;
}

/* Opens what is not open; 0, or -1 with an error. */
static int open_missing(struct ast_sip_snapshot *s, struct ast_sip_conf_errors *errors)
{
	struct ast_sip_transports all = ast_sip_snapshot_transports(s);
	char addr[SIP_ADDR_TEXT];

	for (uint32_t i = 0; i < all.n; i++) {
		struct listener l = wanted(all.v[i]);
		int error;

		if (!available(all.v[i]) || find(&opened, all.v[i]->id))
			continue;
		error = open_one(&l);
		if (!error)
			continue;
		conf_error_add(errors, false, "pjsip.conf", 0, "transport '%s' cannot be opened on %s %s: %s", l.id,
			       sip_transport_name(l.type), sip_addr_text(&l.sock.bind, true, addr), strerror(error));
		return -1;
	}
	return 0;
}

/* Half of a change must not stay. */
static void put_back(const struct table *before)
{
	for (size_t i = opened.n; i-- > 0;) {
		const struct listener *was = find(before, rs_str_c(opened.v[i].id));

		if (!was || !same(was, &opened.v[i]))
			close_one(&opened.v[i]);
	}
	wait_for_closed_sockets();
	for (size_t i = 0; i < before->n; i++) {
		if (!find(&opened, rs_str_c(before->v[i].id)) && open_one(&before->v[i]))
			rs_event(RS_LOG_ERROR, "listener.lost", RS_FZ("transport", before->v[i].id));
	}
}

int ast_sip_listeners_change(struct ast_sip_snapshot *s, struct ast_sip_conf_errors *errors)
{
	struct table before = {0};
	int rc = 0;

	if (copy_table(&opened, &before)) {
		conf_error_add(errors, false, "pjsip.conf", 0, "no memory");
		return -1;
	}
	if (close_changed(s, errors))
		wait_for_closed_sockets();
	if (open_missing(s, errors)) {
		put_back(&before);
		rc = -1;
	}
	clear(&before);
	return rc;
}
