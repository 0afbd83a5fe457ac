/*
 * The client's machines against the server's over a network that loses, doubles and reorders: the stack calls itself.
 * Whatever the seed, a request is heard at most once and its client has exactly one outcome.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/log.h"
#include "sim_run.h"

#include <stdlib.h>

#define SEEDS 40
#define CALLS 40

struct one {
	bool invite;
	unsigned heard, outcomes, terminated, status, wanted;
	bool timeout;
};

static struct one ones[CALLS];
static struct sip_addr server;

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct one *one = token;

	(void)tsx;
	if (sip_rx_msg(rx)->status < 200)
		return;
	one->outcomes++;
	one->status = sip_rx_msg(rx)->status;
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct one *one = token;

	(void)tsx;
	sim_check_int(why, SIP_TSX_TIMEOUT);
	one->outcomes++;
	one->timeout = true;
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	struct one *one = token;

	(void)tsx;
	one->terminated++;
}

static const struct sip_tsx_user user = {
	.size = sizeof(user),
	.name = "loss",
	.on_response = on_response,
	.on_end = on_end,
	.on_terminated = on_terminated,
};

static void respond(struct sip_tsx *tsx, struct sip_rx_data *rx, unsigned status)
{
	struct sip_tx_data *tx = sip_tx_response(rx, status, RS_STR_NULL);

	sim_check(tx != NULL);
	sim_check_int(sip_tsx_respond(tsx, tx), 0);
}

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	/* The Call-ID is the number of the call. */
	uint64_t n = CALLS;

	sim_check(rs_str_to_u64(sip_rx_msg(rx)->call_id, CALLS - 1, &n) == 0);
	ones[n].heard++;
	if (ones[n].invite)
		respond(tsx, rx, 180);
	respond(tsx, rx, ones[n].wanted);
}

static void begin_one(unsigned n)
{
	char call_id[12];
	struct sip_tx_request_params params = {
		.method = ones[n].invite ? RS_STR("INVITE") : RS_STR("OPTIONS"),
		.uri = RS_STR("sip:us@10.0.0.1"),
		.from = RS_STR("<sip:us@10.0.0.1>"),
		.max_forwards = -1,
	};
	struct sip_target target = {.type = SIP_TRANSPORT_UDP, .addr = server};
	struct sip_tx_data *tx;

	snprintf(call_id, sizeof(call_id), "%u", n);
	params.call_id = rs_str_c(call_id);
	tx = sip_tx_request(&params);
	sim_check(tx);
	sip_tx_set_target(tx, &target);
	sim_check_int(sip_tsx_send_for(NULL, tx, NULL, &user, &ones[n], 0, NULL), 0);
}

static void run_seed(uint64_t seed)
{
	const struct sim_config config = {.seed = seed, .stack = {.on_request = on_request, .readers = 1}};
	struct sip_listener_config listener = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};
	struct sip_tsx_stats stats;
	struct sim_link *link;

	sim_start(&config);
	link = sim_net_link(NULL, NULL);
	link->loss = 250;
	link->duplicate = 200;
	link->reorder = 300;
	link->reorder_us = SIM_SECOND;
	sim_check(sip_addr_parse(RS_STR("10.0.0.1:5060"), &listener.sock.bind) == 0);
	sim_check_int(sip_listener_open(&listener, &server), 0);
	memset(ones, 0, sizeof(ones));
	for (unsigned n = 0; n < CALLS; n++) {
		ones[n].invite = n % 2;
		ones[n].wanted = n % 2 ? 486 : n % 4 ? 404 : 200;
		begin_one(n);
	}
	sim_run_for(100 * SIM_SECOND);
	for (unsigned n = 0; n < CALLS; n++) {
		sim_check_int(ones[n].outcomes, 1);
		sim_check_int(ones[n].terminated, 1);
		sim_check(ones[n].heard <= 1);
		sim_check(ones[n].timeout || (ones[n].heard == 1 && ones[n].status == ones[n].wanted));
	}
	sip_tsx_stats(&stats);
	sim_check_int(stats.server_now, 0);
	sim_check_int(stats.client_now, 0);
	sim_check(stats.absorbed > 0);
	sim_stop();
}

static void each_request_is_heard_once_and_has_one_outcome(void **state)
{
	const char *seed = getenv("SEED");

	(void)state;
	rs_log_set_level(RS_LOG_WARNING);
	if (seed) {
		run_seed(strtoull(seed, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= SEEDS; i++)
		run_seed(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_request_is_heard_once_and_has_one_outcome)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
