/*
 * A power cut in a storm of registrations, over a network that loses, doubles and reorders, on a disk that fails now
 * and then: after the restart every change that was answered 200 is there, and nothing that no request asked for.
 */
#include "sim_phone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define AORS     4
#define PHONES   7 /* the first AORs have two */
#define CONTACTS 4 /* that one phone plays with */
#define ROUNDS   3 /* of storm and crash, then a check and a clean end */
#define EXPIRES  7200

static struct sim_disk *disk;

/* Bindings of one phone: the q of each contact in thousandths, which tells one refresh from another; 0: none. */
struct bindings {
	unsigned q[CONTACTS];
};

/* What the children know, in memory that outlives them. */
struct model {
	struct bindings known, asked; /* answered 200, and what the request on its way would make of it */
	bool has_asked;
	unsigned cseq, n_200, n_500;
};

static struct shared {
	struct model phones[PHONES];
	int64_t wall_us; /* that have gone by in earlier rounds */
	unsigned round;
} * shared;

static struct sim_phone phones[PHONES];
static struct sim_event pauses[PHONES];
static char users[PHONES][8];

static struct model *model_of(const struct sim_phone *p)
{
	return &shared->phones[p - phones];
}

static void contact_uri(unsigned phone, unsigned contact, char *buf, size_t size)
{
	snprintf(buf, size, "sip:p%u-%u@192.0.2.1:5060", phone, contact);
}

/* ---- what a phone asks for ---- */

static void change_one(struct bindings *b, unsigned phone, unsigned i, char *lines, size_t size)
{
	struct sim_rng *rng = sim_test_rng();
	size_t len = strlen(lines);
	char uri[64];

	contact_uri(phone, i, uri, sizeof(uri));
	if (b->q[i] && sim_rng_below(rng, 5) < 2) {
		b->q[i] = 0;
		snprintf(lines + len, size - len, "Contact: <%s>;expires=0\r\n", uri);
		return;
	}
	b->q[i] = 1 + (unsigned)sim_rng_below(rng, 999);
	snprintf(lines + len, size - len, "Contact: <%s>;q=0.%03u;expires=%d\r\n", uri, b->q[i], EXPIRES);
}

static void ask(struct sim_phone *p)
{
	unsigned phone = (unsigned)(p - phones), first = (unsigned)sim_rng_below(sim_test_rng(), CONTACTS);
	unsigned n = 1 + (unsigned)sim_rng_below(sim_test_rng(), 3);
	bool alone = phone >= PHONES - AORS && phone % AORS >= PHONES - AORS;
	struct model *m = model_of(p);
	char lines[1024] = "";

	m->asked = m->known;
	if (alone && sim_rng_below(sim_test_rng(), 10) == 0) {
		memset(&m->asked, 0, sizeof(m->asked));
		snprintf(lines, sizeof(lines), "Contact: *\r\nExpires: 0\r\n");
	} else {
		for (unsigned i = 0; i < n; i++)
			change_one(&m->asked, phone, (first + i) % CONTACTS, lines, sizeof(lines));
	}
	m->has_asked = true;
	sim_phone_register(p, lines);
	m->cseq = p->cseq;
}

static void pause_over(struct sim_event *e)
{
	ask(&phones[e - pauses]);
}

/* ---- what the answers say ---- */

static struct bindings listed(const struct sim_phone *p, unsigned phone)
{
	struct bindings found = {{0}};
	char line[512], uri[64];

	for (unsigned n = 0; sim_phone_contact(p, n, line, sizeof(line)); n++) {
		for (unsigned i = 0; i < CONTACTS; i++) {
			const char *q = strstr(line, ";q=0.");

			contact_uri(phone, i, uri, sizeof(uri));
			if (strncmp(line + 1, uri, strlen(uri)) != 0)
				continue;
			sim_check(!found.q[i] && q); /* once, with its q */
			found.q[i] = (unsigned)atoi(q + 5);
		}
	}
	return found;
}

static bool same(const struct bindings *a, const struct bindings *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void answered(struct sim_phone *p, int status)
{
	unsigned phone = (unsigned)(p - phones);
	struct model *m = model_of(p);
	struct bindings there;

	if (status == 0)
		return; /* it may have happened or not: this phone is done */
	sim_check(status == 200 || status == 500);
	m->has_asked = false;
	if (status == 200) {
		m->known = m->asked;
		m->n_200++;
		there = listed(p, phone);
		sim_check(same(&there, &m->known));
	} else {
		m->n_500++;
		if (sim_rng_below(sim_test_rng(), 3) == 0)
			sim_crash(); /* before any other commit is written over the one that failed */
	}
	sim_queue_add(&pauses[phone], sim_now() + sim_rng_range(sim_test_rng(), 0, 300 * SIM_MS), pause_over, NULL);
}

/* ---- a round ---- */

static void bad_network(void)
{
	struct sim_link *link = sim_net_link(NULL, NULL);

	link->loss = (unsigned)sim_rng_below(sim_test_rng(), 150);
	link->duplicate = (unsigned)sim_rng_below(sim_test_rng(), 200);
	link->reorder = (unsigned)sim_rng_below(sim_test_rng(), 200);
	link->reorder_us = 2 * SIM_SECOND;
	link->segment = 1 + (unsigned)sim_rng_below(sim_test_rng(), 1400);
}

static void open_phones(void (*done)(struct sim_phone *p, int status))
{
	memset(phones, 0, sizeof(phones));
	memset(pauses, 0, sizeof(pauses));
	for (unsigned i = 0; i < PHONES; i++) {
		char address[32];

		snprintf(users[i], sizeof(users[i]), "u%u", i % AORS);
		snprintf(address, sizeof(address), "10.0.1.%u:%u", i + 1, 5060 + shared->round);
		phones[i].user = users[i];
		phones[i].tcp = done && i % 3 == 2;
		phones[i].done = done;
		phones[i].cseq = shared->phones[i].cseq;
		snprintf(phones[i].call_id, sizeof(phones[i].call_id), "call-%u", i);
		sim_phone_open(&phones[i], address);
	}
}

/* The model against what the server says, over a perfect network. */
static void check_bindings(void)
{
	open_phones(NULL);
	for (unsigned i = 0; i < PHONES; i++) {
		struct model *m = &shared->phones[i];
		struct bindings there;

		sim_phone_register(&phones[i], "");
		sim_check_int(sim_phone_wait(&phones[i]), 200);
		m->cseq = phones[i].cseq;
		there = listed(&phones[i], i);
		if (!same(&there, &m->known) && !(m->has_asked && same(&there, &m->asked))) {
			for (unsigned k = 0; k < CONTACTS; k++)
				fprintf(stderr, "p%u-%u: there %u, answered %u, asked %u\n", i, k, there.q[k],
					m->known.q[k], m->has_asked ? m->asked.q[k] : m->known.q[k]);
			sim_failed(__FILE_NAME__, __LINE__, "phone %u: round %u", i, shared->round);
		}
		m->known = there;
		m->has_asked = false;
		sim_phone_close(&phones[i]);
	}
	shared->round++; /* other ports from now on */
}

/* Now and then the disk fails for a moment. */
static void bad_disk(struct sim_event *e)
{
	static const enum sim_disk_op ops[] = {SIM_DISK_WRITE, SIM_DISK_SYNC, SIM_DISK_READ};

	sim_disk_fail(disk, ops[sim_rng_below(sim_test_rng(), 3)], (unsigned)sim_rng_below(sim_test_rng(), 4),
		      1 + (unsigned)sim_rng_below(sim_test_rng(), 2));
	sim_queue_add(e, sim_now() + sim_rng_range(sim_test_rng(), SIM_SECOND, 8 * SIM_SECOND), bad_disk, NULL);
}

static struct sim_event disk_event, crash_event, clock_event;

static void crash(struct sim_event *e)
{
	(void)e;
	sim_crash();
}

static void note_time(struct sim_event *e)
{
	shared->wall_us += SIM_SECOND;
	sim_queue_add(e, sim_now() + SIM_SECOND, note_time, NULL);
}

static void storm(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed * ROUNDS + shared->round, disk, shared->wall_us);
	check_bindings();
	bad_network();
	open_phones(answered);
	for (unsigned i = 0; i < PHONES; i++)
		sim_queue_add(&pauses[i], sim_now() + sim_rng_range(sim_test_rng(), 0, SIM_SECOND), pause_over, NULL);
	if (sim_rng_below(sim_test_rng(), 2))
		sim_queue_add(&disk_event, sim_now() + SIM_SECOND, bad_disk, NULL);
	sim_lane_delay(RS_LANE_STORE, 0, sim_rng_range(sim_test_rng(), 0, 400 * SIM_MS));
	sim_queue_add(&crash_event, sim_now() + sim_rng_range(sim_test_rng(), SIM_SECOND, 20 * SIM_SECOND), crash,
		      NULL);
	sim_queue_add(&clock_event, sim_now() + SIM_SECOND, note_time, NULL);
	sim_run_for(60 * SIM_SECOND);
	sim_failed(__FILE_NAME__, __LINE__, "it did not crash");
}

static void check(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed, disk, shared->wall_us);
	check_bindings();
	sim_server_stop();
}

static unsigned one_seed(uint64_t seed)
{
	struct sim_rng rng;

	sim_rng_init(&rng, seed, SIM_STREAM_TEST);
	sim_disk_format(disk, seed);
	memset(shared, 0, sizeof(*shared));
	for (unsigned i = 0; i < ROUNDS; i++) {
		/* In the midst of an operation of the disk, or at any other moment. */
		sim_disk_crash_after(disk, sim_rng_below(&rng, 2) ? 1 + sim_rng_below(&rng, 300) : 0);
		if (sim_fork_run(seed, storm, NULL) != SIM_CRASHED)
			return 1;
		sim_disk_comes_back(disk, &rng);
	}
	return sim_fork_run(seed, check, NULL) != SIM_PASSED;
}

static void answered_changes_survive_a_power_cut_and_nothing_else_appears(void **state)
{
	unsigned n = STORM_SEEDS, failed = 0;
	unsigned long long n_200 = 0, n_500 = 0;
	uint64_t first = 1;

	(void)state;
	sim_seeds(&first, &n);
	for (unsigned i = 0; i < n && failed < sim_failures_max(); i++) {
		failed += one_seed(first + i);
		for (unsigned k = 0; k < PHONES; k++) {
			n_200 += shared->phones[k].n_200;
			n_500 += shared->phones[k].n_500;
		}
	}
	print_message("%llu changes answered 200, %llu answered 500\n", n_200, n_500);
	assert_int_equal(failed, 0);
	assert_true(n < 100 || (n_200 > 20ull * n && n_500 > 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answered_changes_survive_a_power_cut_and_nothing_else_appears),
	};
	char conf[4096] = "";
	size_t len = 0;
	int rc;

	for (unsigned i = 0; i < AORS; i++)
		len += (size_t)snprintf(conf + len, sizeof(conf) - len,
					"[u%u]\ntype=endpoint\naors=u%u\n[u%u]\ntype=aor\nmax_contacts=50\n"
					"maximum_expiration=7200\n",
					i, i, i);
	disk = sim_disk_new(1);
	shared = sim_shared(sizeof(*shared));
	/* Phones without passwords: the list of many contacts is a long answer to an unverified source. */
	sim_server_configure(conf, "[security]\nudp_answer_factor=100\n");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	sim_server_forget();
	return rc;
}
