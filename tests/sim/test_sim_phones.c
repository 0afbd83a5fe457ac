/*
 * The calling phones against each other, without a server: over a network that loses, doubles, reorders and is cut,
 * with phones that crash. Each is watched by the rules of sim_call_watch.h, which shows that phones and rules are right
 * before a server is held against them.
 */
#include "sim_call.h"
#include "sim_call_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define PHONES 5

static struct sim_call_phone *phones[PHONES];
static struct sim_call_watch *watches[PHONES];
static struct sim_event trouble_event, mend_event;
static char cut_host[32];

static struct shared {
	struct sim_call_stats did;
	struct sim_call_watch_stats saw;
	unsigned long crashes;
} * shared;

static void whom(unsigned n, char *uri, size_t uri_size, char *hop, size_t hop_size)
{
	unsigned other = (n + 1 + (unsigned)sim_rng_below(sim_test_rng(), PHONES - 1)) % PHONES;

	snprintf(uri, uri_size, "sip:u%u@10.0.1.%u:5060", other, other + 1);
	snprintf(hop, hop_size, "10.0.1.%u:5060", other + 1);
}

static const struct sim_call_plan plan = {
	.whom = whom, .phones = PHONES, .pause_us = 8 * SIM_SECOND, .length_us = 40 * SIM_SECOND};

static void mend(struct sim_event *e)
{
	(void)e;
	sim_net_cut(cut_host, NULL, false);
}

static void trouble(struct sim_event *e)
{
	struct sim_rng *rng = sim_test_rng();
	unsigned n = (unsigned)sim_rng_below(rng, PHONES);

	switch (sim_rng_below(rng, 3)) {
	case 0:
		if (mend_event.queued)
			break;
		snprintf(cut_host, sizeof(cut_host), "10.0.1.%u", n + 1);
		sim_net_cut(cut_host, NULL, true);
		sim_queue_add(&mend_event, sim_now() + sim_rng_range(rng, SIM_SECOND, 40 * SIM_SECOND), mend, NULL);
		break;
	case 1:
		sim_call_phone_crash(phones[n]);
		shared->crashes++;
		break;
	default:
		sim_call_phone_restart(phones[n]);
		break;
	}
	sim_queue_add(e, sim_now() + sim_rng_range(rng, 0, 20 * SIM_SECOND), trouble, NULL);
}

static void bad_network(void)
{
	struct sim_link *link = sim_net_link(NULL, NULL);
	struct sim_rng *rng = sim_test_rng();

	link->loss = (unsigned)sim_rng_below(rng, 150);
	link->duplicate = (unsigned)sim_rng_below(rng, 150);
	link->reorder = (unsigned)sim_rng_below(rng, 150);
	link->reorder_us = 2 * SIM_SECOND;
}

static bool all_idle(void *token)
{
	(void)token;
	for (unsigned i = 0; i < PHONES; i++) {
		if (!sim_call_phone_idle(phones[i]))
			return false;
	}
	return true;
}

static void note(void)
{
	const unsigned long *from = (const unsigned long *)&sim_call_stats;
	unsigned long *to = (unsigned long *)&shared->did;

	for (unsigned i = 0; i < sizeof(sim_call_stats) / sizeof(*from); i++)
		to[i] += from[i];
	from = (const unsigned long *)&sim_call_watch_stats;
	to = (unsigned long *)&shared->saw;
	for (unsigned i = 0; i < sizeof(sim_call_watch_stats) / sizeof(*from); i++)
		to[i] += from[i];
}

static void storm(uint64_t seed, void *arg)
{
	bool calm = *(const bool *)arg;
	char name[PHONES][16];

	sim_env_start(&(struct sim_config){.seed = seed});
	if (calm) /* nothing overtakes anything */
		sim_net_link(NULL, NULL)->delay_min = sim_net_link(NULL, NULL)->delay_max;
	else
		bad_network();
	for (unsigned i = 0; i < PHONES; i++) {
		snprintf(name[i], sizeof(name[i]), "u%u", i);
		watches[i] = sim_call_watch_new(name[i], &(struct sim_call_rules){0});
		phones[i] = sim_call_phone_new(i, &plan);
		sim_call_phone_watch(phones[i], watches[i]);
	}
	if (!calm)
		sim_queue_add(&trouble_event, sim_now() + 3 * SIM_SECOND, trouble, NULL);
	sim_run_for(sim_rng_range(sim_test_rng(), 20 * SIM_SECOND, 90 * SIM_SECOND));
	for (unsigned i = 0; i < PHONES; i++)
		sim_call_phone_calm(phones[i]);
	sim_queue_remove(&trouble_event);
	sim_check(sim_run_until(all_idle, NULL, 1200 * SIM_SECOND));
	for (unsigned i = 0; i < PHONES; i++)
		sim_call_watch_end(watches[i]);
	for (unsigned i = 0; i < PHONES; i++)
		sim_call_phone_free(phones[i]);
	note();
	sim_env_stop();
}

static void say(unsigned n)
{
	const struct sim_call_stats *d = &shared->did;
	const struct sim_call_watch_stats *s = &shared->saw;

	print_message("%u seeds, %lu crashes: called %lu, connected %lu, refused %lu, unanswered %lu, cancelled %lu, "
		      "2xx behind CANCEL %lu, forks %lu; answered %lu, no ACK %lu, reliable %lu; inside %lu, re-INVITE "
		      "%lu, UPDATE %lu, glares %lu; BYE %lu, expired %lu, lost %lu\n",
		      n, shared->crashes, d->called, d->connected, d->refused, d->unanswered, d->cancelled, d->late_2xx,
		      d->forks, d->answered, d->no_ack, d->reliable, d->inside, d->reinvites, d->updates, d->glares,
		      d->byes, d->expired, d->lost);
	print_message("watched: legs %lu, dialogs %lu, accepted %lu, ACKs %lu, PRACKs %lu, 2xx again %lu\n", s->legs,
		      s->dialogs, s->accepted, s->acks, s->pracks, s->repeated);
}

static void phones_keep_the_rules_whatever_happens(void **state)
{
	unsigned n = PHONE_SEEDS;
	uint64_t first = 1;
	bool calm = false;

	(void)state;
	assert_int_equal(sim_fork_seeds(first, n, storm, &calm), 0);
	sim_seeds(&first, &n);
	say(n);
	assert_true(n < 50 || (shared->did.connected > n && shared->did.late_2xx && shared->did.forks &&
			       shared->did.glares && shared->did.expired && shared->did.no_ack && shared->did.lost &&
			       shared->saw.repeated && shared->saw.pracks > n));
}

/* Where nothing goes wrong nothing is lost, and nobody waits in vain. */
static void on_a_good_network_every_call_ends_well(void **state)
{
	bool calm = true;

	(void)state;
	shared->did = (struct sim_call_stats){0};
	assert_int_equal(sim_fork_seeds(1, 5, storm, &calm), 0);
	assert_int_equal(shared->did.no_ack, 0);
	assert_int_equal(shared->did.lost, 0);
	assert_int_equal(shared->did.expired, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phones_keep_the_rules_whatever_happens),
		cmocka_unit_test(on_a_good_network_every_call_ends_well),
	};

	shared = sim_shared(sizeof(*shared));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
