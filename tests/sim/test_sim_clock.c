/*
 * The system's time is set forwards and backwards by hours, and by steps as NTP makes them, while phones are
 * registered: no binding ends early or stays, a restart finds what is left of each, nonces and timers do not notice.
 */
#include "sim_phone.h"

#include "res_sip/digest.h"
#include "res_sip/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 12
#define HOUR  (3600 * SIM_SECOND)
#define DAY   (24 * HOUR)

static struct sim_disk *disk;

/* What the answer to a question says of the first contact. */
static int left(struct sim_phone *p)
{
	char line[256], *expires;

	sim_check_int(sim_phone_ask(p, ""), 200);
	if (!sim_phone_contact(p, 0, line, sizeof(line)))
		return 0;
	expires = strstr(line, ";expires=");
	sim_check(expires);
	return atoi(expires + 9);
}

static void near(int value, int wanted)
{
	if (value < wanted - 2 || value > wanted + 2)
		sim_failed(__FILE_NAME__, __LINE__, "%d is left, wanted %d", value, wanted);
}

#define A "Contact: <sip:a@192.0.2.1>"
#define B "Contact: <sip:b@192.0.2.1>"

/* ---- one life ---- */

static int64_t jump_of(uint64_t seed)
{
	static const int64_t jumps[] = {HOUR, -HOUR, 30 * DAY, -30 * DAY, 90 * SIM_SECOND, -90 * SIM_SECOND};

	return jumps[seed % RS_ARRAY_SIZE(jumps)];
}

static void jump_once(uint64_t seed, void *arg)
{
	struct sim_phone *p;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", seed & 1);
	sim_check_int(sim_phone_ask(p, A ";expires=60\r\n" B ";expires=600\r\n"), 200);
	sim_run_for(20 * SIM_SECOND);
	sim_clock_jump_wall(jump_of(seed));
	sim_check_int(sim_server_bindings("alice"), 2);
	near(left(p), 40);
	sim_run_for(38 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 2);
	sim_run_for(4 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	/* One that is made after the jump lives as long as any. */
	sim_check_int(sim_phone_ask(p, A ";expires=60\r\n"), 200);
	sim_run_for(58 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 2);
	sim_run_for(4 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_run_for(500 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_phone_free(p);
	sim_server_stop();
}

static void run(void (*fn)(uint64_t seed, void *arg))
{
	const char *seed = getenv("SEED");

	for (unsigned i = 0; i < SEEDS; i++) {
		uint64_t s = seed ? strtoull(seed, NULL, 10) : i;

		sim_disk_format(disk, s);
		assert_int_equal(sim_fork_run(s, fn, NULL), SIM_PASSED);
		if (seed)
			return;
	}
}

static void a_jump_ends_no_binding_early_and_keeps_none(void **state)
{
	(void)state;
	run(jump_once);
}

static void jump_often(uint64_t seed, void *arg)
{
	struct sim_phone *p;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", seed & 1);
	sim_check_int(sim_phone_ask(p, A ";expires=300\r\n"), 200);
	for (int i = 0; i < 100; i++) {
		sim_run_for(5 * SIM_SECOND);
		/* Steps of up to ten seconds, and the slewing between them. */
		sim_clock_jump_wall(sim_rng_range(sim_test_rng(), -10 * SIM_SECOND, 10 * SIM_SECOND));
		if (i % 20 == 19)
			sim_check_int(sim_phone_ask(p, A ";expires=300\r\n"), 200);
		sim_check_int(sim_server_bindings("alice"), 1);
	}
	sim_run_for(298 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 1);
	sim_run_for(4 * SIM_SECOND);
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_phone_free(p);
	sim_server_stop();
}

static void steps_now_and_then_add_up_to_nothing(void **state)
{
	(void)state;
	run(jump_often);
}

/* ---- a restart ---- */

static int64_t *wall; /* how much later it is when the server starts again; shared with the children */

static void jump_and_end(uint64_t seed, void *arg)
{
	bool clean = arg != NULL;
	struct sim_phone *p;

	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", false);
	sim_check_int(sim_phone_ask(p, A ";expires=600\r\n"), 200);
	sim_clock_jump_wall(jump_of(seed));
	if (!clean)
		sim_check_int(sim_phone_ask(p, B ";expires=300\r\n"), 200); /* the store follows with the next change */
	sim_phone_free(p);
	if (clean)
		sim_server_stop(); /* 80 s and it is written at the end, too */
	*wall = jump_of(seed) + sim_now() - SIM_CLOCK_START;
	if (!clean)
		sim_crash();
}

static void look_again(uint64_t seed, void *arg)
{
	bool clean = arg != NULL;
	struct sim_phone *p;

	sim_server_start(seed, disk, *wall);
	p = sim_phone_new("alice", "10.0.1.1:5061", false);
	near(left(p), clean ? 520 : 600);
	sim_check_int(sim_phone_contacts(p), clean ? 1 : 2);
	sim_phone_free(p);
	sim_server_stop();
}

static void a_restart_after_a_jump_finds_what_is_left(void **state)
{
	static int clean;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		void *arg = i % 2 ? &clean : NULL;

		sim_disk_format(disk, i);
		assert_int_equal(sim_fork_run(i / 2, jump_and_end, arg), arg ? SIM_PASSED : SIM_CRASHED);
		if (!arg)
			sim_disk_power_cut(disk);
		assert_int_equal(sim_fork_run(i / 2, look_again, arg), SIM_PASSED);
	}
}

/* The clock has lost its battery: the server starts in the past, before the bindings were made. */
static void look_in_the_past(uint64_t seed, void *arg)
{
	(void)arg;
	sim_server_start(seed, disk, -365 * DAY);
	sim_check_int(sim_server_bindings("alice"), 2);
	sim_run_for(SIM_SECOND);
	sim_clock_jump_wall(365 * DAY); /* and is told the right time */
	sim_check_int(sim_server_bindings("alice"), 2);
	sim_run_for(7200 * SIM_SECOND); /* maximum_expiration */
	sim_check_int(sim_server_bindings("alice"), 0);
	sim_server_stop();
}

static void a_start_in_the_past_keeps_no_binding_for_years(void **state)
{
	(void)state;
	sim_disk_format(disk, 2);
	assert_int_equal(sim_fork_run(2, jump_and_end, NULL), SIM_CRASHED);
	sim_disk_power_cut(disk);
	assert_int_equal(sim_fork_run(2, look_in_the_past, NULL), SIM_PASSED);
}

/* ---- nonces and timers ---- */

/* Credentials of bob for a nonce that an answer had. */
static void authorization(const char *nonce, unsigned nc, char *line, size_t size)
{
	char ha1[AST_SIP_DIGEST_HEX], response[AST_SIP_DIGEST_HEX], count_text[9];
	struct rs_str login[] = {RS_STR("bob"), RS_STR("asterisk"), RS_STR("secret")};
	struct ast_sip_digest d = {.nonce = rs_str_c(nonce),
				   .uri = RS_STR("sip:10.0.0.1"),
				   .cnonce = RS_STR("c"),
				   .qop = RS_STR("auth"),
				   .algorithm = AST_SIP_MD5};

	snprintf(count_text, sizeof(count_text), "%08x", nc);
	d.nc = rs_str_c(count_text);
	sim_check_int(ast_sip_digest_join(AST_SIP_MD5, login, 3, ha1), 0);
	sim_check_int(ast_sip_digest_response(&d, rs_str_c(ha1), RS_STR("REGISTER"), response), 0);
	snprintf(line, size,
		 "Authorization: Digest username=\"bob\", realm=\"asterisk\", nonce=\"%s\", uri=\"sip:10.0.0.1\", "
		 "algorithm=MD5, qop=auth, nc=%s, cnonce=\"c\", response=\"%s\"\r\n" A "\r\n",
		 nonce, count_text, response);
}

static void nonces(uint64_t seed, void *arg)
{
	struct sim_phone *p;
	char nonce[128], line[1024];
	const char *at;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("bob", "10.0.1.1:5060", seed & 1);
	sim_check_int(sim_phone_ask(p, ""), 401);
	at = strstr(p->answer, "nonce=\"");
	sim_check(at && sscanf(at, "nonce=\"%100[^\"]", nonce) == 1);
	sim_clock_jump_wall(jump_of(seed));
	authorization(nonce, 1, line, sizeof(line));
	sim_check_int(sim_phone_ask(p, line), 200); /* as good as before */
	sim_check_int(sim_phone_ask(p, line), 401); /* once */
	sim_clock_jump_wall(-jump_of(seed));
	authorization(nonce, 2, line, sizeof(line));
	sim_check_int(sim_phone_ask(p, line), 200);
	sim_run_for(60 * SIM_SECOND); /* its lifetime is 32 s */
	sim_clock_jump_wall(-60 * SIM_SECOND);
	authorization(nonce, 3, line, sizeof(line));
	sim_check_int(sim_phone_ask(p, line), 401);
	sim_phone_free(p);
	sim_server_stop();
}

static void a_nonce_lives_as_long_as_ever(void **state)
{
	(void)state;
	run(nonces);
}

/* Timer J keeps the answer for 32 s, whatever the wall says. */
static void timers(uint64_t seed, void *arg)
{
	struct sim_phone *p;

	(void)arg;
	sim_server_start(seed, disk, 0);
	p = sim_phone_new("alice", "10.0.1.1:5060", false);
	sim_check_int(sim_phone_ask(p, A ";expires=60\r\n"), 200);
	sim_clock_jump_wall(jump_of(seed));
	sim_run_for(33 * SIM_SECOND);
	sim_phone_free(p);
	sim_server_stop(); /* which checks that all transactions have ended after Timer J */
}

static void transactions_end_by_their_own_clock(void **state)
{
	(void)state;
	run(timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jump_ends_no_binding_early_and_keeps_none),
		cmocka_unit_test(steps_now_and_then_add_up_to_nothing),
		cmocka_unit_test(a_restart_after_a_jump_finds_what_is_left),
		cmocka_unit_test(a_start_in_the_past_keeps_no_binding_for_years),
		cmocka_unit_test(a_nonce_lives_as_long_as_ever),
		cmocka_unit_test(transactions_end_by_their_own_clock),
	};
	int rc;

	disk = sim_disk_new(1);
	wall = sim_shared(sizeof(*wall));
	sim_server_configure("[alice]\ntype=endpoint\naors=alice\n[alice]\ntype=aor\nmax_contacts=10\n"
			     "minimum_expiration=1\n"
			     "[bob]\ntype=endpoint\naors=bob\nauth=bob\n[bob]\ntype=aor\nmax_contacts=10\n"
			     "[bob]\ntype=auth\nusername=bob\npassword=secret\n",
			     "[security]\nudp_answer_factor=100\n");
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	sim_server_forget();
	return rc;
}
