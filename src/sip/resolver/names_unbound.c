/*
 * Names through libunbound: its own thread asks the servers, its pipe wakes a pool thread, which takes the answers out.
 * Nothing here waits for the network.
 */
#include "names_unbound.h"

#include "base/log.h"
#include "sip/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unbound.h>

#define TYPE_A         1
#define TYPE_AAAA      28
#define CLASS_IN       1
#define RCODE_NXDOMAIN 3

/*
 * Names under way at libunbound, which has no limit of its own for them: each costs memory here and there until its
 * servers are given up, and who sends requests may choose names of servers that never answer. Past it a query fails.
 */
#define QUERIES_MAX 1000
/* Addresses taken of an answer: a name may have hundreds, nobody tries them all. */
#define ADDRS_MAX 32

struct query {
	struct query *next, **prev; /* of the list of those under way; by the lock */
	void (*done)(void *token, int error, const struct sip_addr *addrs, unsigned n);
	void *token;
	unsigned open; /* answers that are still to come; by the lock */
	int error;
	unsigned n;
	struct sip_addr addrs[ADDRS_MAX];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t removed;
	struct ub_ctx *ctx; /* NULL: stopped */
	struct query *queries;
	unsigned n;
	struct rs_poll poll;
	bool poll_removed;
} ub = {.lock = PTHREAD_MUTEX_INITIALIZER, .removed = PTHREAD_COND_INITIALIZER};

static void link_query(struct query *q)
{
	q->next = ub.queries;
	if (q->next)
		q->next->prev = &q->next;
	q->prev = &ub.queries;
	ub.queries = q;
	ub.n++;
}

static void unlink_query(struct query *q)
{
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	ub.n--;
}

static void finish(struct query *q)
{
	int error = q->n ? 0 : q->error ? q->error : ENOENT;

	q->done(q->token, error, q->addrs, q->n);
	free(q);
}

static void take_addresses(struct query *q, const struct ub_result *result)
{
	uint8_t family = result->qtype == TYPE_AAAA ? 6 : 4;
	int size = family == 6 ? 16 : 4;

	for (int i = 0; result->data[i] && q->n < ADDRS_MAX; i++) {
		struct sip_addr *a = &q->addrs[q->n];

		if (result->len[i] != size)
			continue;
		*a = (struct sip_addr){.family = family};
		memcpy(a->ip, result->data[i], (size_t)size);
		q->n++;
	}
}

/* Within ub_process: one thread at a time, our lock is not held. */
static void on_answer(void *token, int error, struct ub_result *result)
{
	struct query *q = token;
	bool last;

	if (error || !result) {
		q->error = EIO;
	} else {
		if (result->havedata)
			take_addresses(q, result);
		else if (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN)
			q->error = EIO;
	}
	if (result)
		ub_resolve_free(result);
	pthread_mutex_lock(&ub.lock);
	last = --q->open == 0;
	if (last)
		unlink_query(q);
	pthread_mutex_unlock(&ub.lock);
	if (last)
		finish(q);
}

static void ready(struct rs_poll *p, uint32_t events)
{
	(void)events;
	/* The context stays until the poll is removed, and that waits for this to return. */
	ub_process(ub.ctx);
	rs_poll_arm(p, EPOLLIN);
}

/* A missing file is no reason not to start: what it would say is not known, that is all. */
static void read_files(struct ub_ctx *ctx, const struct sip_names_unbound_config *config)
{
	const char *resolv_conf = config && config->resolv_conf ? config->resolv_conf : "/etc/resolv.conf";
	const char *hosts = config && config->hosts ? config->hosts : "/etc/hosts";
	int error;

	if (config && config->forward)
		error = ub_ctx_set_fwd(ctx, config->forward);
	else
		error = ub_ctx_resolvconf(ctx, resolv_conf);
	if (error)
		rs_event(RS_LOG_WARNING, "resolver.config", RS_FZ("file", resolv_conf),
			 RS_FZ("error", ub_strerror(error)));
	error = ub_ctx_hosts(ctx, hosts);
	if (error)
		rs_event(RS_LOG_WARNING, "resolver.config", RS_FZ("file", hosts), RS_FZ("error", ub_strerror(error)));
}

static struct ub_ctx *make_context(const struct sip_names_unbound_config *config)
{
	struct ub_ctx *ctx = ub_ctx_create();

	if (!ctx)
		return NULL;
	/* A caching resolver on this host is the usual case. Answers are used as its server gives them: no validation.
	 */
	ub_ctx_set_option(ctx, "do-not-query-localhost:", "no");
	ub_ctx_set_option(ctx, "module-config:", "iterator");
	read_files(ctx, config);
	if (ub_ctx_async(ctx, 1) != 0) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	return ctx;
}

static int unbound_start(void *token)
{
	struct ub_ctx *ctx = make_context(token);
	int error;

	if (!ctx)
		return ENOMEM;
	pthread_mutex_lock(&ub.lock);
	ub.ctx = ctx;
	ub.poll_removed = false;
	error = rs_poll_add(&ub.poll, ub_fd(ctx), ready, EPOLLIN);
	if (error)
		ub.ctx = NULL;
	pthread_mutex_unlock(&ub.lock);
	if (error)
		ub_ctx_delete(ctx);
	return error;
}

static void poll_removed(struct rs_poll *p)
{
	(void)p;
	pthread_mutex_lock(&ub.lock);
	ub.poll_removed = true;
	pthread_cond_signal(&ub.removed);
	pthread_mutex_unlock(&ub.lock);
}

static void unbound_stop(void *token)
{
	struct ub_ctx *ctx = ub.ctx;
	struct query *left;

	(void)token;
	if (!ctx)
		return;
	rs_poll_remove(&ub.poll, poll_removed);
	pthread_mutex_lock(&ub.lock);
	while (!ub.poll_removed)
		pthread_cond_wait(&ub.removed, &ub.lock);
	ub.ctx = NULL;
	pthread_mutex_unlock(&ub.lock);
	ub_ctx_delete(ctx);
	/* Nobody answers these any more, and none can be added. */
	left = ub.queries;
	ub.queries = NULL;
	ub.n = 0;
	while (left) {
		struct query *q = left;

		left = q->next;
		q->n = 0;
		q->error = EIO;
		finish(q);
	}
}

/* The lock is held. The write into libunbound's pipe waits at most for the scheduler: its thread never stops reading.
 */
static void ask(struct query *q, const char *host, int type)
{
	if (ub_resolve_async(ub.ctx, host, type, CLASS_IN, q, on_answer, NULL) == 0)
		q->open++;
	else
		q->error = EIO;
}

static void unbound_query(void *token, const char *host, bool want4, bool want6,
			  void (*done)(void *query_token, int error, const struct sip_addr *addrs, unsigned n),
			  void *query_token)
{
	struct query *q = calloc(1, sizeof(*q));
	bool open;

	(void)token;
	if (!q) {
		done(query_token, EIO, NULL, 0);
		return;
	}
	q->done = done;
	q->token = query_token;
	pthread_mutex_lock(&ub.lock);
	if (ub.ctx && ub.n < QUERIES_MAX) {
		if (want6)
			ask(q, host, TYPE_AAAA);
		if (want4)
			ask(q, host, TYPE_A);
	} else {
		q->error = EIO;
	}
	open = q->open > 0;
	if (open)
		link_query(q);
	pthread_mutex_unlock(&ub.lock);
	if (!open)
		finish(q);
}

const struct sip_names_ops sip_names_unbound = {
	.start = unbound_start,
	.stop = unbound_stop,
	.query = unbound_query,
};
