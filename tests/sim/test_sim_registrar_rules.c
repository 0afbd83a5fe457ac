/* The registrar's rules on the virtual clock, through the whole server: expiry, CSeq order, the order of an AOR. */
#include "sim_phone.h"

#include "res_sip/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 10

static struct sim_disk *disk;

static void run(void (*fn)(uint64_t seed, void *arg))
{
	const char *seed = getenv("SEED");

	/* Each child begins with an empty disk of its own. */
	for (unsigned i = 1; i <= SEEDS; i++) {
		uint64_t s = seed ? strtoull(seed, NULL, 10) : i;

		sim_disk_format(disk, s);
		assert_int_equal(sim_fork_run(s, fn, NULL), SIM_PASSED);
		if (seed)
			return;
	}
}

#define A "Contact: <sip:a@192.0.2.1>"
#define B "Contact: <sip:b@192.0.2.1>"

/* ---- expiry ---- */

static void expiry(uint64_t seed, void *arg)
{
	struct sim_phone *p;
	char line[256];

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", seed & 1);
	sim_check_int(sim_phone_ask(p, A ";expires=60\r\n" B ";expires=120\r\n"), 200);
	sim_check(sim_phone_contact(p, 0, line, sizeof(line)) && strstr(line, ";expires=60"));
	sim_run_for(59 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 2);
	sim_run_for(2 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_check_int(sim_phone_ask(p, ""), 200);
	sim_check_int(sim_phone_contacts(p), 1);
	sim_check(sim_phone_contact(p, 0, line, sizeof(line)) && strstr(line, "sip:b@"));
	/* A refresh moves its end. */
	sim_check_int(sim_phone_ask(p, B ";expires=300\r\n"), 200);
	sim_run_for(200 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_run_for(101 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_phone_free(p);
	sim_server_stop(); /* the index is empty */
}

static void a_binding_ends_when_its_time_is_up(void **state)
{
	(void)state;
	run(expiry);
}

/* Two lives of the server: what expired while it was down is not there again. */
static void register_and_crash(uint64_t seed, void *arg)
{
	struct sim_phone *p;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", false);
	sim_check_int(sim_phone_ask(p, A ";expires=60\r\n" B ";expires=3600\r\n"), 200);
	sim_crash();
}

static void look_later(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed, disk, 100 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_run_for(3499 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_run_for(2 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_server_stop();
}

static void time_goes_on_while_the_server_is_down(void **state)
{
	(void)state;
	sim_disk_format(disk, 1);
	assert_int_equal(sim_fork_run(1, register_and_crash, NULL), SIM_CRASHED);
	sim_disk_power_cut(disk);
	assert_int_equal(sim_fork_run(1, look_later, NULL), SIM_PASSED);
}

/* ---- CSeq ---- */

static void cseq(uint64_t seed, void *arg)
{
	struct sim_phone *p, *other;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", seed & 1);
	other = sim_phone_new("alice", "10.0.1.2:5060", false);
	sim_phone_register_cseq(p, A ";expires=600\r\n", 10);
	sim_check_int(sim_phone_wait(p), 200);
	sim_phone_register_cseq(p, A ";expires=0\r\n", 9);
	sim_check_int(sim_phone_wait(p), 500);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_phone_register_cseq(p, A ";expires=0\r\n", 10);
	sim_check_int(sim_phone_wait(p), 500);
	sim_phone_register_cseq(p, "Contact: *\r\nExpires: 0\r\n", 10);
	sim_check_int(sim_phone_wait(p), 500);
	/* Nothing of a request that is out of order for one of its contacts happens. */
	sim_phone_register_cseq(p, B ";expires=600\r\n" A ";expires=600\r\n", 10);
	sim_check_int(sim_phone_wait(p), 500);
	sim_check_int(sim_server_bindings("alice"), 1);
	/* Another Call-ID counts by itself. */
	sim_phone_register_cseq(other, A ";expires=600\r\n", 1);
	sim_check_int(sim_phone_wait(other), 200);
	sim_phone_register_cseq(p, A ";expires=0\r\n", 3);
	sim_check_int(sim_phone_wait(p), 200);
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_phone_free(p);
	sim_phone_free(other);
	sim_server_stop();
}

static void a_cseq_not_higher_is_refused_with_500(void **state)
{
	(void)state;
	run(cseq);
}

/* ---- one AOR, many phones ---- */

#define CROWD 12

static bool all_answered(void *token)
{
	struct sim_phone **crowd = token;

	for (int i = 0; i < CROWD; i++) {
		if (crowd[i]->waiting)
			return false;
	}
	return true;
}

/* Statuses of CROWD phones that register one contact each, at once, while commits take their time. */
static void crowd_registers(const char *aor, int statuses[CROWD])
{
	struct sim_phone *crowd[CROWD];

	sim_lane_delay(RS_LANE_STORE, 10 * SIM_MS, 500 * SIM_MS);
	for (int i = 0; i < CROWD; i++) {
		char address[32], lines[128];

		snprintf(address, sizeof(address), "10.0.2.%d:5060", i + 1);
		snprintf(lines, sizeof(lines), "Contact: <sip:c%d@192.0.2.1>;expires=600\r\n", i);
		crowd[i] = sim_phone_new(aor, address, i & 1);
		sim_phone_register(crowd[i], lines);
	}
	sim_check(sim_run_until(all_answered, crowd, 60 * SIM_SECOND));
	for (int i = 0; i < CROWD; i++) {
		statuses[i] = sim_phone_wait(crowd[i]);
		sim_phone_free(crowd[i]);
	}
	sim_lane_delay(RS_LANE_STORE, 0, 0);
}

static void limited(uint64_t seed, void *arg)
{
	int statuses[CROWD], good = 0, refused = 0;

	(void)arg;
	sim_server_start(seed, disk, 0);
	crowd_registers("one", statuses);
	for (int i = 0; i < CROWD; i++) {
		good += statuses[i] == 200;
		refused += statuses[i] == 403;
	}
	sim_check_int(good, 1);
	sim_check_int(refused, CROWD - 1);
	sim_check_int(sim_server_bindings("one"), 1);
	sim_server_stop();
}

static void max_contacts_holds_for_phones_that_come_at_once(void **state)
{
	(void)state;
	run(limited);
}

static void replaced(uint64_t seed, void *arg)
{
	int statuses[CROWD];

	(void)arg;
	sim_server_start(seed, disk, 0);
	crowd_registers("last", statuses);
	for (int i = 0; i < CROWD; i++)
		sim_check_int(statuses[i], 200);
	sim_check_int(sim_server_bindings("last"), 1);
	sim_server_stop();
}

static void remove_existing_leaves_the_last_one(void **state)
{
	(void)state;
	run(replaced);
}

/* ---- the store fails ---- */

static void broken_disk(uint64_t seed, void *arg)
{
	struct sim_phone *p;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", seed & 1);
	sim_check_int(sim_phone_ask(p, A ";expires=600\r\n"), 200);
	sim_disk_fail(disk, seed & 2 ? SIM_DISK_WRITE : SIM_DISK_SYNC, 0, 1000000);
	sim_check_int(sim_phone_ask(p, B ";expires=600\r\n"), 500);
	sim_check_int(sim_phone_ask(p, A ";expires=0\r\n"), 500);
	sim_check_int(sim_phone_ask(p, "Contact: *\r\nExpires: 0\r\n"), 500);
	sim_check_int(sim_phone_ask(p, ""), 200); /* who only asks needs no disk */
	sim_check_int(sim_phone_contacts(p), 1);
	sim_disk_fail(disk, SIM_DISK_WRITE, 0, 0);
	sim_disk_fail(disk, SIM_DISK_SYNC, 0, 0);
	sim_check_int(sim_phone_ask(p, B ";expires=600\r\n"), 200);
	sim_check_int(sim_phone_contacts(p), 2);
	sim_disk_set_capacity(disk, sim_disk_used(disk)); /* and a full one */
	for (int i = 0, status = 200; status == 200; i++) {
		char lines[128];

		sim_check(i < 2000);
		snprintf(lines, sizeof(lines), "Contact: <sip:x%d@192.0.2.1>;expires=600\r\n", i);
		status = sim_phone_ask(p, lines);
		sim_check(status == 200 || status == 500);
		sim_check_int(sim_phone_ask(p, "Contact: <sip:x@192.0.2.1>;expires=0\r\n"), 200); /* nothing to write */
	}
	sim_disk_set_capacity(disk, 0);
	sim_phone_free(p);
	sim_crash();
}

static void look_after_a_broken_disk(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed, disk, 10 * SIM_SECOND);
	sim_check(sim_server_bindings("alice") >= 2);
	sim_server_stop();
}

static void a_failed_commit_is_500_and_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		sim_disk_format(disk, i);
		assert_int_equal(sim_fork_run(i, broken_disk, NULL), SIM_CRASHED);
		sim_disk_power_cut(disk);
		assert_int_equal(sim_fork_run(i, look_after_a_broken_disk, NULL), SIM_PASSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binding_ends_when_its_time_is_up),
		cmocka_unit_test(time_goes_on_while_the_server_is_down),
		cmocka_unit_test(a_cseq_not_higher_is_refused_with_500),
		cmocka_unit_test(max_contacts_holds_for_phones_that_come_at_once),
		cmocka_unit_test(remove_existing_leaves_the_last_one),
		cmocka_unit_test(a_failed_commit_is_500_and_leaves_nothing),
	};
	int rc;

	disk = sim_disk_new(1);
	sim_server_configure(
		"[alice]\ntype=endpoint\naors=alice\n[alice]\ntype=aor\nmax_contacts=3000\n"
		"[one]\ntype=endpoint\naors=one\n[one]\ntype=aor\nmax_contacts=1\n"
		"[last]\ntype=endpoint\naors=last\n[last]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n",
		"[security]\nudp_answer_factor=100\n");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	sim_server_forget();
	return rc;
}
