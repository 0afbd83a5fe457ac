/* Names of the simulation, see sim_names.h. */
#include "sim_names.h"
#include "sim_clock.h"
#include "sim_flow.h"
#include "sim_queue.h"

#include <errno.h>
#include <stdlib.h>

#define ADDRS_MAX 16

struct name {
	struct name *next;
	char *host;
	int error;
	bool mute;
	unsigned n;
	struct sip_addr addrs[ADDRS_MAX];
};

struct query {
	struct sim_event event;
	struct query *next, **prev; /* of all that are not answered */
	char *host;
	bool want4, want6;
	void (*done)(void *token, int error, const struct sip_addr *addrs, unsigned n);
	void *token;
};

static struct {
	struct sim_rng rng;
	struct name *names;
	struct query *open;
	int64_t delay_min, delay_max;
	unsigned asked;
} sim;

static void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

static struct name *find(const char *host, bool make)
{
	struct name *n;

	for (n = sim.names; n; n = n->next) {
		if (strcasecmp(n->host, host) == 0)
			return n;
	}
	if (!make)
		return NULL;
	n = checked(calloc(1, sizeof(*n)));
	n->host = checked(strdup(host));
	n->next = sim.names;
	sim.names = n;
	return n;
}

void sim_names_start(uint64_t seed)
{
	memset(&sim, 0, sizeof(sim));
	sim_rng_init(&sim.rng, seed, SIM_STREAM_NAMES);
	sim_names_delay(1000, 50000);
}

static void free_name(struct name *n)
{
	free(n->host);
	free(n);
}

static void free_query(struct query *q)
{
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	sim_queue_remove(&q->event);
	free(q->host);
	free(q);
}

void sim_names_stop(void)
{
	while (sim.names) {
		struct name *n = sim.names;

		sim.names = n->next;
		free_name(n);
	}
	while (sim.open)
		free_query(sim.open);
}

void sim_names_add(const char *host, const char *ip)
{
	struct name *n = find(host, true);

	if (n->n == ADDRS_MAX || sip_addr_parse(rs_str_c(ip), &n->addrs[n->n]) != 0)
		abort();
	n->n++;
}

void sim_names_remove(const char *host)
{
	for (struct name **at = &sim.names; *at; at = &(*at)->next) {
		if (strcasecmp((*at)->host, host) == 0) {
			struct name *n = *at;

			*at = n->next;
			free_name(n);
			return;
		}
	}
}

void sim_names_fail(const char *host, int error)
{
	find(host, true)->error = error;
}

void sim_names_mute(const char *host, bool mute)
{
	find(host, true)->mute = mute;
}

void sim_names_delay(int64_t min_us, int64_t max_us)
{
	sim.delay_min = min_us;
	sim.delay_max = max_us;
}

unsigned sim_names_asked(void)
{
	return sim.asked;
}

static void answer(struct query *q)
{
	const struct name *n = find(q->host, false);
	int error = n ? n->error : ENOENT;
	struct sip_addr addrs[ADDRS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; n && !error && i < n->n; i++) {
		if (n->addrs[i].family == 6 ? q->want6 : q->want4)
			addrs[count++] = n->addrs[i];
	}
	if (count == 0 && !error)
		error = ENOENT;
	sim_flow_note("name %s: %u addresses, error %d", q->host, count, error);
	q->done(q->token, error, addrs, count);
	free_query(q);
}

static void run(struct sim_event *e)
{
	answer(rs_container_of(e, struct query, event));
}

static int names_start(void *token)
{
	(void)token;
	return 0;
}

/* What is still asked is answered with a failure. */
static void names_stop(void *token)
{
	(void)token;
	while (sim.open) {
		sim.open->done(sim.open->token, EIO, NULL, 0);
		free_query(sim.open);
	}
}

static void names_query(void *token, const char *host, bool want4, bool want6,
			void (*done)(void *token, int error, const struct sip_addr *addrs, unsigned n),
			void *query_token)
{
	struct query *q = checked(calloc(1, sizeof(*q)));
	const struct name *n = find(host, false);
	int64_t delay = sim_rng_range(&sim.rng, sim.delay_min, sim.delay_max);

	(void)token;
	*q = (struct query){.want4 = want4, .want6 = want6, .done = done, .token = query_token};
	q->host = checked(strdup(host));
	sim.asked++;
	q->next = sim.open;
	if (q->next)
		q->next->prev = &q->next;
	q->prev = &sim.open;
	sim.open = q;
	if (n && n->mute)
		return;
	if (sim.delay_max == 0) {
		answer(q);
	} else {
		sim_queue_add(&q->event, sim_now() + delay, run, NULL);
	}
}

const struct sip_names_ops sim_names_ops = {.start = names_start, .stop = names_stop, .query = names_query};
