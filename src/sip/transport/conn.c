/* The life of a stream connection: accepted or dialled, its deadlines, its one close. */
#include "sip/transport/conn.h"

#include "base/log.h"
#include "sip/transport/tp.h"

#include <errno.h>
#include <stdlib.h>

#define CONN_MAGIC 0x434f4e4eu
/* Bytes that wait to be written, past which nothing is read: questions alone cannot fill the queue. */
#define READ_PAUSE 65536

struct sip_conn *sip_conn_ref(struct sip_conn *c)
{
	if (c->magic != CONN_MAGIC)
		abort();
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void conn_release(struct rs_serializer *s)
{
	struct sip_conn *c = rs_container_of(s, struct sip_conn, serializer);

	c->magic = 0;
	free(c->buf);
	pthread_mutex_destroy(&c->lock);
	free(c);
	sip_tp_alive(-1);
}

void sip_conn_unref(struct sip_conn *c)
{
	if (c->magic != CONN_MAGIC)
		abort();
	if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		rs_serializer_unref(&c->serializer);
}

static void conn_closed(struct sip_sock *s, void *token)
{
	struct sip_conn *c = token;

	(void)s;
	if (c->ops->filter_close)
		c->ops->filter_close(c);
	sip_conn_unref(c);
}

void sip_conn_sock_close(struct sip_conn *c)
{
	if (c->sock)
		sip_tp.net->close(c->sock);
	else
		sip_conn_unref(c); /* what the socket would have held */
}

static void timer_hold(struct rs_timer *t, bool on)
{
	struct sip_conn *c = rs_container_of(t, struct sip_conn, timer);

	if (on)
		sip_conn_ref(c);
	else
		sip_conn_unref(c);
}

/* ---- deadlines ---- */

static int64_t load(_Atomic int64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void store(_Atomic int64_t *v, int64_t value)
{
	atomic_store_explicit(v, value, memory_order_relaxed);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* RFC 5626 section 3.5.1, from our side. */
static int64_t keep_alive(struct sip_conn *c, int64_t now)
{
	int64_t every = sip_tp.limits.keep_alive_us;

	if (!every)
		return INT64_MAX;
	if (now >= load(&c->keep_alive_us) + every) {
		store(&c->keep_alive_us, now);
		atomic_store_explicit(&c->pong_due, true, memory_order_relaxed);
		sip_conn_send(c, RS_STR("\r\n\r\n"), NULL);
	}
	return load(&c->keep_alive_us) + every;
}

/* When to look again, or -1: it was closed. */
static int64_t open_deadlines(struct sip_conn *c, int64_t now)
{
	const struct sip_tp_limits *lim = &sip_tp.limits;
	int64_t half = load(&c->half_us), stalled = load(&c->stalled_us), idle = load(&c->active_us) + lim->idle_us;
	int64_t next;

	if (half && now >= half + lim->half_open_us) {
		sip_conn_close(c, ETIMEDOUT, "half open");
		return -1;
	}
	if (stalled && now >= stalled + lim->send_us) {
		sip_conn_close(c, ETIMEDOUT, "the peer takes nothing");
		return -1;
	}
	if (now >= idle) {
		sip_conn_close(c, ETIMEDOUT, "idle");
		return -1;
	}
	/* Half a message that begins later than now is due later than that: nobody needs to move the timer for it. Nor
	 * for what waits to be written from now on. */
	next = earlier(idle, (half ? half : now) + lim->half_open_us);
	next = earlier(next, (stalled ? stalled : now) + lim->send_us);
	return earlier(next, keep_alive(c, now));
}

static void timer_fire(struct rs_timer *t)
{
	struct sip_conn *c = rs_container_of(t, struct sip_conn, timer);
	int64_t now = rs_now_us(), next;
	enum sip_conn_state state;

	pthread_mutex_lock(&c->lock);
	state = c->state;
	pthread_mutex_unlock(&c->lock);
	switch (state) {
	case SIP_CONN_CONNECTING:
		next = load(&c->active_us) + sip_tp.limits.connect_us;
		if (now >= next) {
			sip_conn_close(c, ETIMEDOUT, "connect");
			return;
		}
		break;
	case SIP_CONN_OPEN:
		next = open_deadlines(c, now);
		if (next < 0)
			return;
		break;
	case SIP_CONN_LINGER:
		sip_conn_close(c, ECONNABORTED, "lingered");
		return;
	default:
		return;
	}
	rs_timer_start(t, next - now);
}

/* ---- made ---- */

static struct sip_conn *conn_new(struct sip_listener *l, const struct sip_addr *remote, bool inbound)
{
	struct sip_conn *c = calloc(1, sizeof(*c));
	int64_t now = rs_now_us();

	if (!c)
		return NULL;
	c->magic = CONN_MAGIC;
	atomic_init(&c->refs, 1); /* the socket's */
	c->ops = l->ops;
	c->listener = l;
	c->remote = *remote;
	c->inbound = inbound;
	c->state = inbound ? SIP_CONN_OPEN : SIP_CONN_CONNECTING;
	c->tail = &c->head;
	pthread_mutex_init(&c->lock, NULL);
	atomic_init(&c->active_us, now);
	atomic_init(&c->half_us, inbound ? now : 0);
	atomic_init(&c->keep_alive_us, now);
	rs_serializer_init(&c->serializer, "connection", conn_release);
	rs_timer_init(&c->timer, "connection deadline", &c->serializer, timer_fire, timer_hold, NULL);
	sip_tp_alive(1);
	return c;
}

static void conn_attach(struct sip_conn *c, struct sip_sock *sock)
{
	sock->token = c;
	sock->ready = sip_conn_ready;
	sock->closed = conn_closed;
	c->sock = sock;
}

static void log_conn(enum rs_log_level level, const char *event, const struct sip_conn *c, const char *why)
{
	char remote[SIP_ADDR_TEXT];

	rs_event(level, event, RS_FZ("protocol", sip_transport_name(c->ops->type)),
		 RS_FZ("remote", sip_addr_text(&c->remote, true, remote)), RS_FS("transport", c->listener->name),
		 RS_FZ("direction", c->inbound ? "in" : "out"), RS_FZ("reason", why));
}

static int64_t first_deadline(const struct sip_conn *c)
{
	const struct sip_tp_limits *lim = &sip_tp.limits;
	int64_t first = earlier(earlier(lim->half_open_us, lim->idle_us), c->inbound ? INT64_MAX : lim->connect_us);

	first = earlier(first, lim->send_us);

	return lim->keep_alive_us ? earlier(first, lim->keep_alive_us) : first;
}

/* Before the tables have it. */
static void conn_begin(struct sip_conn *c)
{
	atomic_fetch_add_explicit(&c->listener->connections, 1, memory_order_relaxed);
	log_conn(RS_LOG_DEBUG, "connection.open", c, c->inbound ? "accepted" : "dialled");
}

/* The lock is held, and given back. A socket that cannot be watched would only sit there until its deadline. */
static void arm_unlock(struct sip_conn *c)
{
	int error = sip_conn_arm_locked(c);

	pthread_mutex_unlock(&c->lock);
	if (error)
		sip_conn_close(c, error, "cannot be watched");
}

static void refused_closed(struct sip_sock *s, void *token)
{
	(void)s;
	(void)token;
	sip_tp_alive(-1);
}

static void refuse(struct sip_sock *sock)
{
	sock->token = NULL;
	sock->closed = refused_closed;
	sip_tp_alive(1);
	sip_tp.net->close(sock);
}

/* A flood of connections must not become a flood of log lines: one a second, with how many it stands for. */
static void log_refused(const struct sip_listener *l, const struct sip_addr *remote, const char *why)
{
	static _Atomic int64_t second;
	static _Atomic uint32_t since;
	int64_t now = rs_now_us() / 1000000, at = atomic_load_explicit(&second, memory_order_relaxed);
	char text[SIP_ADDR_TEXT];
	uint32_t n = atomic_fetch_add_explicit(&since, 1, memory_order_relaxed) + 1;

	if (at == now || !atomic_compare_exchange_strong(&second, &at, now))
		return;
	atomic_store_explicit(&since, 0, memory_order_relaxed);
	rs_event(RS_LOG_WARNING, "connection.refused", RS_FZ("remote", sip_addr_text(remote, true, text)),
		 RS_FS("transport", l->name), RS_FZ("reason", why), RS_FI("count", n));
}

void sip_conn_accepted(struct sip_listener *l, struct sip_sock *sock, const struct sip_addr *remote)
{
	bool (*trusted)(const struct sip_addr *) = sip_stack_config()->peer_trusted;
	bool exempt = trusted && trusted(remote);
	enum sip_conn_admit admit = sip_conn_count_add(remote, !exempt);
	struct sip_conn *c;

	if (admit != SIP_CONN_OK) {
		atomic_fetch_add_explicit(&sip_listener_stat(l)->refused, 1, memory_order_relaxed);
		log_refused(l, remote, admit == SIP_CONN_TOO_MANY ? "max_connections" : "max_connections_per_peer");
		refuse(sock);
		return;
	}
	c = conn_new(l, remote, true);
	if (!c) {
		sip_conn_count_remove(remote);
		refuse(sock);
		return;
	}
	conn_attach(c, sock);
	if (sip_tp.net->local(sock, &c->local))
		c->local = l->bound;
	c->local.port = l->bound.port;
	sip_conn_ref(c); /* once it is in the table, others may close it */
	rs_timer_start(&c->timer, first_deadline(c));
	conn_begin(c);
	if (sip_conn_table_add(c, NULL)) {
		sip_conn_close(c, ENOMEM, "no memory");
	} else {
		pthread_mutex_lock(&c->lock);
		arm_unlock(c);
	}
	/* The listener may have been closed, connections included, since it was accepted. */
	if (!atomic_load_explicit(&sip_tp.running, memory_order_acquire))
		sip_conn_close(c, ESHUTDOWN, "stop");
	sip_conn_unref(c);
}

/* The timer is the serializer's as soon as others know the connection. */
static void start_timer(struct sip_conn *c, enum sip_conn_state not_in, int64_t delay)
{
	bool start;

	pthread_mutex_lock(&c->lock);
	start = c->state != SIP_CONN_CLOSED && c->state != not_in;
	pthread_mutex_unlock(&c->lock);
	if (start)
		rs_timer_start(&c->timer, delay);
	sip_conn_unref(c);
}

static void run_begin(struct rs_task *t)
{
	struct sip_conn *c = rs_container_of(t, struct sip_conn, begin_task);

	start_timer(c, SIP_CONN_LINGER, first_deadline(c));
}

/* Opens the socket of a connection that others may have queued messages on already. */
static int dial_socket(struct sip_conn *c)
{
	struct sip_sock_opts opts = c->listener->opts;
	struct sip_conn_out *queue = NULL;
	struct sip_sock *sock = NULL;
	bool closed;
	int error;

	opts.bind = c->listener->bound;
	opts.bind.port = 0;
	if (c->listener->wildcard)
		opts.bind.family = 0;
	error = sip_tp.net->tcp_connect(sip_tp.net_token, &opts, &c->remote, &sock);
	pthread_mutex_lock(&c->lock);
	if (!error)
		conn_attach(c, sock);
	c->writing = false;
	closed = c->state == SIP_CONN_CLOSED;
	if (closed) {
		queue = c->head;
		c->head = NULL;
		error = c->error;
	} else if (!error) {
		error = sip_conn_arm_locked(c);
	}
	pthread_mutex_unlock(&c->lock);
	if (closed) {
		sip_conn_fail_queue(queue, error);
		sip_conn_sock_close(c);
	} else if (error) {
		sip_conn_close(c, error, "connect failed");
	}
	return error;
}

int sip_conn_dial(struct sip_listener *l, const struct sip_addr *remote, struct sip_conn **out)
{
	struct sip_conn *c;
	int error;

	*out = NULL;
	if (!atomic_load_explicit(&sip_tp.running, memory_order_acquire))
		return ESHUTDOWN;
	if (sip_conn_count_add(remote, false) != SIP_CONN_OK)
		return EMFILE;
	c = conn_new(l, remote, false);
	if (!c) {
		sip_conn_count_remove(remote);
		return ENOMEM;
	}
	c->local = l->bound;
	if (l->wildcard)
		(void)sip_source_for(remote, &c->local);
	c->local.port = l->bound.port;
	/* In the table before the socket is opened: who else wants to go there waits for this one. As long as it has
	 * none, this thread counts as its writer. */
	c->writing = true;
	sip_conn_ref(c); /* the caller's */
	conn_begin(c);
	error = sip_conn_table_add(c, out);
	if (error) {
		atomic_fetch_sub_explicit(&l->connections, 1, memory_order_relaxed);
		sip_conn_count_remove(remote);
		sip_conn_unref(c);
		sip_conn_unref(c);
		return *out ? 0 : error;
	}
	sip_conn_ref(c);
	c->begin_task.run = run_begin;
	c->begin_task.name = "connection begin";
	rs_push(&c->serializer, &c->begin_task);
	error = dial_socket(c);
	if (error)
		sip_conn_unref(c);
	else
		*out = c;
	return error;
}

void sip_conn_info(const struct sip_conn *c, struct sip_flow_info *out)
{
	*out = (struct sip_flow_info){.type = c->ops->type,
				      .local = c->local,
				      .remote = c->remote,
				      .listener = c->listener->name,
				      .inbound = c->inbound};
}

/* ---- closed ---- */

static void run_close(struct rs_task *t)
{
	struct sip_conn *c = rs_container_of(t, struct sip_conn, close_task);

	rs_timer_stop(&c->timer);
	sip_conn_unref(c);
}

void sip_conn_close(struct sip_conn *c, int error, const char *why)
{
	struct sip_flow_watch *watches;
	struct sip_conn_out *queue = NULL;
	bool close_now;

	pthread_mutex_lock(&c->lock);
	if (c->state == SIP_CONN_CLOSED) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	c->state = SIP_CONN_CLOSED;
	c->error = error ? error : ECONNRESET;
	watches = c->watches;
	c->watches = NULL;
	/* A writer at work has the queue and the socket: it finishes this when it comes back. */
	close_now = !c->writing;
	if (close_now) {
		queue = c->head;
		c->head = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	sip_conn_ref(c); /* the task's */
	sip_conn_table_remove(c);
	sip_conn_count_remove(&c->remote);
	atomic_fetch_sub_explicit(&c->listener->connections, 1, memory_order_relaxed);
	log_conn(RS_LOG_DEBUG, "connection.closed", c, why);
	c->close_task.run = run_close;
	c->close_task.name = "connection close";
	rs_push(&c->serializer, &c->close_task);
	sip_conn_fail_queue(queue, c->error);
	sip_watches_fire(watches);
	if (close_now)
		sip_conn_sock_close(c);
}

static void run_linger(struct rs_task *t)
{
	struct sip_conn *c = rs_container_of(t, struct sip_conn, linger_task);

	start_timer(c, SIP_CONN_OPEN, sip_tp.limits.linger_us);
}

void sip_conn_linger(struct sip_conn *c)
{
	bool was_open;

	pthread_mutex_lock(&c->lock);
	was_open = c->state == SIP_CONN_OPEN;
	if (was_open)
		c->state = SIP_CONN_LINGER;
	pthread_mutex_unlock(&c->lock);
	if (!was_open)
		return;
	sip_conn_table_hide(c);
	sip_conn_ref(c);
	c->linger_task.run = run_linger;
	c->linger_task.name = "connection linger";
	rs_push(&c->serializer, &c->linger_task);
}

void sip_conns_close(struct sip_listener *l)
{
	uint32_t at = 0;
	struct sip_conn *c;

	while ((c = sip_conn_table_next(&at))) {
		if (!l || c->listener == l)
			sip_conn_close(c, ESHUTDOWN, "listener closed");
		sip_conn_unref(c);
	}
}

/* ---- readiness ---- */

int sip_conn_arm_locked(struct sip_conn *c)
{
	unsigned events = 0;

	if (c->state == SIP_CONN_CLOSED)
		return 0;
	/* Who does not take his answers asks no more questions. */
	c->read_paused = c->queued >= READ_PAUSE;
	if (c->state != SIP_CONN_CONNECTING && !c->reading && !c->read_paused)
		events |= SIP_SOCK_READ;
	if (c->state == SIP_CONN_CONNECTING || c->want_write)
		events |= SIP_SOCK_WRITE;
	return events ? sip_tp.net->arm(c->sock, events) : 0;
}

/* The lock is held, and given back. */
static void connected_unlock(struct sip_conn *c)
{
	int error = sip_tp.net->connect_result(c->sock);

	if (error) {
		pthread_mutex_unlock(&c->lock);
		sip_conn_close(c, error, "connect failed");
		return;
	}
	c->state = SIP_CONN_OPEN;
	store(&c->active_us, rs_now_us());
	c->writing = true;
	sip_conn_write_unlock(c);
	pthread_mutex_lock(&c->lock);
	arm_unlock(c);
}

void sip_conn_ready(struct sip_sock *s, unsigned events)
{
	struct sip_conn *c = s->token;
	bool read;

	pthread_mutex_lock(&c->lock);
	if (c->state == SIP_CONN_CLOSED) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	if (c->state == SIP_CONN_CONNECTING) {
		connected_unlock(c);
		return;
	}
	read = (events & SIP_SOCK_READ) && !c->reading;
	if (read)
		c->reading = true;
	if (events & SIP_SOCK_WRITE)
		c->want_write = false;
	if (c->head && !c->writing && !c->want_write) {
		c->writing = true;
		sip_conn_write_unlock(c);
	} else {
		pthread_mutex_unlock(&c->lock);
	}
	if (read)
		sip_conn_read(c);
	/* Everything that was read is pushed: others may read on while this thread works. */
	pthread_mutex_lock(&c->lock);
	if (read)
		c->reading = false;
	arm_unlock(c);
	rs_push_flush();
}
