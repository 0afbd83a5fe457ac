/*
 * Connections that break in every way, under the real stack: reset, cut, gone without a word, refused, the server's
 * address taken away. Whatever happens each transaction has exactly one outcome, and nothing is left over.
 */
#include "sim_run.h"

#include "sip/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define SERVER   "10.0.0.1:5060"
#define PHONES   5
#define REQUESTS 60
#define TROUBLES 25
#define SEEDS    40

struct request {
	struct sim_event event;
	unsigned phone, outcomes;
	bool answered;
};

struct phone {
	struct sim_peer *listener;
	struct sim_peer *streams[32]; /* slots; NULL: ended */
	char text[32][8192];
	size_t len[32];
};

static struct request requests[REQUESTS];
static struct phone phones[PHONES];
static struct sim_event troubles[TROUBLES];
static unsigned outcomes, processed;
static bool stopping;

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);

	sim_check(tx != NULL);
	processed++;
	/* The connection may have gone already: then this says so, and the transaction ends by itself. */
	sip_tsx_respond(tsx, tx);
}

static void one_outcome(struct request *r)
{
	sim_check_int(++r->outcomes, 1);
	outcomes++;
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct request *r = token;

	(void)tsx;
	sim_check_int(sip_rx_msg(rx)->status, 200);
	r->answered = true;
	one_outcome(r);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	(void)tsx;
	sim_check(why == SIP_TSX_TIMEOUT || why == SIP_TSX_TRANSPORT_ERROR || stopping);
	one_outcome(token);
}

static const struct sip_tsx_user user = {
	.size = sizeof(user),
	.name = "streams",
	.on_response = on_response,
	.on_end = on_end,
};

static void server_asks(struct sim_event *e)
{
	struct request *r = rs_container_of(e, struct request, event);
	struct sip_tx_request_params p = {
		.method = RS_STR("OPTIONS"), .from = RS_STR("<sip:server@10.0.0.1>"), .max_forwards = -1};
	struct sip_target target = {.type = SIP_TRANSPORT_TCP};
	char text[40];
	struct sip_tx_data *tx;

	snprintf(text, sizeof(text), "sip:10.0.1.%u;transport=tcp", r->phone + 1);
	p.uri = rs_str_c(text);
	tx = sip_tx_request(&p);
	sim_check(tx);
	target.addr = (struct sip_addr){.family = 4, .port = 5060, .ip = {10, 0, 1, (uint8_t)(r->phone + 1)}};
	sip_tx_set_target(tx, &target);
	sim_check_int(sip_tsx_send_for(NULL, tx, NULL, &user, r, 0, NULL), 0);
}

/* ---- phones ---- */

static int slot_of(const struct phone *ph, const struct sim_peer *p)
{
	for (int i = 0; i < 32; i++) {
		if (ph->streams[i] == p)
			return i;
	}
	return -1;
}

static void add_stream(struct phone *ph, struct sim_peer *p)
{
	int slot = slot_of(ph, NULL);

	if (slot < 0) {
		sim_peer_close(p);
		return;
	}
	ph->streams[slot] = p;
	ph->len[slot] = 0;
}

static void accepted(struct sim_peer *listener, void *token, struct sim_peer *stream)
{
	(void)listener;
	add_stream(token, stream);
}

static void answer(struct sim_peer *p, struct sip_msg *msg)
{
	struct sip_writer w;
	char buf[1500];

	sip_writer_init(&w, buf, sizeof(buf));
	sip_write_status_line(&w, 200, RS_STR_NULL);
	sip_write_response_headers(&w, msg, 200, RS_STR("totag"), NULL, false);
	sip_write_body(&w, RS_STR_NULL, RS_STR_NULL);
	sim_check(sip_writer_ok(&w));
	sim_peer_write(p, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

static void receive(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct phone *ph = token;
	int i = slot_of(ph, p);

	(void)from;
	sim_check(i >= 0);
	sim_check(ph->len[i] + bytes.len <= sizeof(ph->text[i]));
	memcpy(ph->text[i] + ph->len[i], bytes.p, bytes.len);
	ph->len[i] += bytes.len;
	for (;;) {
		static char first[16384];
		struct rs_arena arena;
		struct sip_msg msg;
		size_t used = 0;
		enum sip_parse_result result;

		rs_arena_init(&arena, first, sizeof(first), 1u << 20);
		result = sip_msg_parse(&msg, &arena, rs_str_n(ph->text[i], ph->len[i]), true, &used);
		if (ph->len[i] == 0 || result == SIP_PARSE_PARTIAL)
			break;
		sim_check_int(result, SIP_PARSE_DONE);
		if (msg.is_request)
			answer(p, &msg);
		rs_arena_reset(&arena);
		ph->len[i] -= used;
		memmove(ph->text[i], ph->text[i] + used, ph->len[i]);
	}
}

static void forget(struct phone *ph, struct sim_peer *p)
{
	int i = slot_of(ph, p);

	if (i >= 0)
		ph->streams[i] = NULL;
}

static void ended(struct sim_peer *p, void *token, int error)
{
	(void)error;
	forget(token, p);
	sim_peer_close(p);
}

static void connected(struct sim_peer *p, void *token, int error)
{
	if (error)
		ended(p, token, error);
}

static const struct sim_peer_ops ops = {
	.receive = receive, .accepted = accepted, .connected = connected, .ended = ended};

/* A phone dials and sends some requests, the last of them maybe cut short. */
static void dial(struct phone *ph)
{
	char from[32];
	struct sim_peer *p;

	snprintf(from, sizeof(from), "10.0.1.%d", (int)(ph - phones) + 1);
	p = sim_peer_tcp_connect(from, SERVER, &ops, ph);
	add_stream(ph, p);
	if (slot_of(ph, p) < 0)
		return;
	for (int i = (int)sim_rng_below(sim_test_rng(), 4); i >= 0; i--) {
		char buf[600];
		int n = snprintf(buf, sizeof(buf),
				 "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP %s:5060;branch=z9hG4bK%llu\r\n"
				 "Max-Forwards: 70\r\nFrom: <sip:p@10.0.1.1>;tag=f\r\nTo: <sip:10.0.0.1>\r\n"
				 "Call-ID: %llu\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
				 from, (unsigned long long)sim_rng_next(sim_test_rng()),
				 (unsigned long long)sim_rng_next(sim_test_rng()));

		if (i == 0 && sim_rng_below(sim_test_rng(), 3) == 0)
			n = (int)sim_rng_below(sim_test_rng(), (uint64_t)n);
		sim_peer_write(p, rs_str_n(buf, (size_t)n));
	}
}

static void trouble(struct sim_event *e)
{
	unsigned which = (unsigned)sim_rng_below(sim_test_rng(), PHONES);
	struct phone *ph = &phones[which];
	struct sim_peer *p = ph->streams[sim_rng_below(sim_test_rng(), 4)];
	char ip[32];

	(void)e;
	snprintf(ip, sizeof(ip), "10.0.1.%u", which + 1);
	switch (sim_rng_below(sim_test_rng(), 8)) {
	case 0:
	case 1:
		dial(ph);
		break;
	case 2:
		sim_net_cut(ip, "10.0.0.1", !sim_net_link(ip, "10.0.0.1")->cut);
		break;
	case 3:
		sim_net_link(ip, "10.0.0.1")->connect_error = sim_rng_below(sim_test_rng(), 2) ? 111 : 0;
		break;
	case 4:
		if (p)
			sim_peer_shutdown(p);
		break;
	default:
		if (!p)
			break;
		forget(ph, p);
		if (sim_rng_below(sim_test_rng(), 3) == 0)
			sim_peer_vanish(p);
		else if (sim_rng_below(sim_test_rng(), 2))
			sim_peer_reset(p);
		else
			sim_peer_close(p);
	}
}

/* ---- the run ---- */

static bool all_ended(void *token)
{
	(void)token;
	return outcomes == REQUESTS;
}

static void begin(uint64_t seed)
{
	struct sip_listener_config config = {.name = RS_STR("tcp"), .type = SIP_TRANSPORT_TCP};

	memset(requests, 0, sizeof(requests));
	memset(phones, 0, sizeof(phones));
	outcomes = processed = 0;
	stopping = false;
	sim_start(&(struct sim_config){
		.seed = seed, .stall = 50, .stall_us = 20 * SIM_MS, .stack = {.on_request = on_request}});
	sim_check_int(sip_addr_parse(RS_STR(SERVER), &config.sock.bind), 0);
	sim_check_int(sip_listener_open(&config, NULL), 0);
	sim_net_link(NULL, NULL)->segment = 1 + (unsigned)sim_rng_below(sim_test_rng(), 600);
	sim_net_link(NULL, NULL)->delay_max = 200 * SIM_MS;
	for (unsigned i = 0; i < PHONES; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.0.1.%u:5060", i + 1);
		phones[i].listener = sim_peer_tcp_listen(address, &ops, &phones[i]);
	}
}

static int64_t some_time(void)
{
	return sim_now() + sim_rng_range(sim_test_rng(), 0, 60 * SIM_SECOND);
}

static void schedule(void)
{
	memset(troubles, 0, sizeof(troubles));
	for (unsigned i = 0; i < REQUESTS; i++) {
		requests[i].phone = (unsigned)sim_rng_below(sim_test_rng(), PHONES);
		sim_queue_add(&requests[i].event, some_time(), server_asks, NULL);
	}
	for (unsigned i = 0; i < TROUBLES; i++)
		sim_queue_add(&troubles[i], some_time(), trouble, NULL);
}

static void broken(uint64_t seed, void *arg)
{
	unsigned *answered = arg;
	struct sip_tsx_stats stats;

	begin(seed);
	schedule();
	if (seed % 4 == 0) {
		sim_run_for(30 * SIM_SECOND);
		sim_net_remove_address("10.0.0.1");
		sim_run_for(10 * SIM_SECOND);
		sim_net_add_address("10.0.0.1");
	}
	sim_check(sim_run_until(all_ended, NULL, 200 * SIM_SECOND));
	for (unsigned i = 0; i < REQUESTS; i++)
		*answered += requests[i].answered;
	sim_run_for(80 * SIM_SECOND);
	sip_tsx_stats(&stats);
	sim_check_int(stats.server_now, 0);
	sim_check_int(stats.client_now, 0);
	sim_stop();
}

static void every_transaction_has_one_outcome_however_connections_break(void **state)
{
	unsigned *answered = sim_shared(sizeof(*answered));

	(void)state;
	assert_int_equal(sim_fork_seeds(1, SEEDS, broken, answered), 0);
	assert_true(*answered > 0); /* they did not all just fail */
}

/* Stopped in the middle of it all: each transaction hears of its end, nothing is left open (sim_stop looks). */
static void stopped(uint64_t seed, void *arg)
{
	unsigned started = 0;

	(void)arg;
	begin(seed);
	schedule();
	sim_run_for(sim_rng_range(sim_test_rng(), 0, 60 * SIM_SECOND));
	for (unsigned i = 0; i < REQUESTS; i++)
		started += !requests[i].event.queued;
	stopping = true;
	sim_stop();
	sim_check_int(outcomes, started);
}

static void a_stop_in_the_middle_ends_every_transaction(void **state)
{
	(void)state;
	assert_int_equal(sim_fork_seeds(100, SEEDS / 2, stopped, NULL), 0);
}

/* Nothing that one life of the stack leaves behind is seen in the next one, not even in the order of what happens. */
static void five_lives(uint64_t seed, void *arg)
{
	uint64_t second = 0;

	for (int life = 1; life <= 5; life++) {
		stopping = false;
		stopped(seed, arg);
		if (life == 2) /* the first one drew what is drawn once a process */
			second = sim_flow_digest();
		if (life > 2)
			sim_check(sim_flow_digest() == second);
	}
}

static void a_stack_that_starts_again_is_like_new(void **state)
{
	(void)state;
	assert_int_equal(sim_fork_seeds(200, 5, five_lives, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_transaction_has_one_outcome_however_connections_break),
		cmocka_unit_test(a_stop_in_the_middle_ends_every_transaction),
		cmocka_unit_test(a_stack_that_starts_again_is_like_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
