/*
 * OPTIONS over the simulated network, through the real transports and transactions, both ways: phones ask the server
 * and retransmit until they are answered, and the server asks phones. Packets are lost, doubled, late and cut into
 * pieces as the seed has it; at the end nothing may be left over.
 */
#include "sim_run.h"

#include "sip/transaction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

#define SERVER   "10.0.0.1:5060"
#define PHONES   6
#define REQUESTS 60
#define T1       (500 * SIM_MS)
#define T2       (4 * SIM_SECOND)
#define SEEDS    25

enum kind { FROM_UDP_PHONE, FROM_TCP_PHONE, TO_UDP_PHONE, TO_TCP_PHONE };

/* One OPTIONS. */
struct request {
	enum kind kind;
	unsigned phone;
	struct sim_event event; /* the phone's timer E */
	int64_t interval, gives_up;
	unsigned sent, answered, timeouts, processed;
	char answer[1500]; /* to compare with what comes when it was sent again */
	size_t answer_len;
};

struct phone {
	struct sim_peer *udp, *listener, *tcp, *accepted;
	char stream[2][20000]; /* dialled, accepted: not yet whole messages */
	size_t stream_len[2];
};

static struct request requests[REQUESTS];
static struct phone phones[PHONES];
static unsigned outcomes; /* requests that came to an end */

static struct request *by_call_id(struct rs_str call_id)
{
	uint64_t n;

	if (!rs_str_starts(call_id, RS_STR("call-")) ||
	    rs_str_to_u64(rs_str_n(call_id.p + 5, call_id.len - 5), REQUESTS - 1, &n) != 0)
		sim_failed(__FILE_NAME__, __LINE__, "Call-ID '%.*s' is nobody's", RS_FMT(call_id));
	return &requests[n];
}

/* ---- the server's transaction user ---- */

static void on_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	struct request *r = by_call_id(sip_rx_msg(rx)->call_id);
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);

	sim_check_int(++r->processed, 1); /* what comes again is absorbed */
	sim_check(tx);
	sim_check_int(sip_tsx_respond(tsx, tx), 0);
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct request *r = token;

	(void)tsx;
	sim_check_int(sip_rx_msg(rx)->status, 200);
	sim_check_int(r->answered + r->timeouts, 0);
	r->answered++;
	outcomes++;
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct request *r = token;

	(void)tsx;
	sim_check_int(why, SIP_TSX_TIMEOUT);
	sim_check_int(r->answered + r->timeouts, 0);
	r->timeouts++;
	outcomes++;
}

static const struct sip_tsx_user user = {
	.size = sizeof(user),
	.name = "options",
	.on_response = on_response,
	.on_end = on_end,
};

static void server_asks(struct request *r)
{
	char uri[64], call_id[20];
	struct sip_tx_request_params p = {
		.method = RS_STR("OPTIONS"), .from = RS_STR("<sip:server@10.0.0.1>"), .max_forwards = -1};
	struct sip_target target;
	struct sip_tx_data *tx;
	struct sip_uri u;

	snprintf(uri, sizeof(uri), "sip:phone@10.0.1.%u:5060%s", r->phone + 1,
		 r->kind == TO_TCP_PHONE ? ";transport=tcp" : "");
	snprintf(call_id, sizeof(call_id), "call-%d", (int)(r - requests));
	p.uri = rs_str_c(uri);
	p.call_id = rs_str_c(call_id);
	tx = sip_tx_request(&p);
	sim_check(tx);
	sim_check_int(sip_uri_parse(p.uri, &u), 0);
	sim_check(sip_resolve_numeric(&u, &target));
	sip_tx_set_target(tx, &target);
	sim_check_int(sip_tsx_send_for(NULL, tx, NULL, &user, r, 0, NULL), 0);
}

/* ---- the phones ---- */

static struct rs_str phone_request(const struct request *r, char *buf, size_t size)
{
	bool tcp = r->kind == FROM_TCP_PHONE;
	int i = (int)(r - requests);
	int n = snprintf(buf, size,
			 "OPTIONS sip:10.0.0.1 SIP/2.0\r\n"
			 "Via: SIP/2.0/%s 10.0.1.%u:5060;branch=z9hG4bK-%d;rport\r\n"
			 "Max-Forwards: 70\r\nFrom: <sip:p@10.0.1.1>;tag=f%d\r\nTo: <sip:10.0.0.1>\r\n"
			 "Call-ID: call-%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 5\r\n\r\nhello",
			 tcp ? "TCP" : "UDP", r->phone + 1, i, i, i);

	return rs_str_n(buf, (size_t)n);
}

static void timer_e(struct sim_event *e)
{
	struct request *r = rs_container_of(e, struct request, event);
	char buf[1000];

	if (sim_now() >= r->gives_up) {
		r->timeouts++;
		outcomes++;
		return;
	}
	sim_peer_send_to(phones[r->phone].udp, SERVER, phone_request(r, buf, sizeof(buf)));
	r->sent++;
	sim_queue_add(&r->event, r->gives_up - sim_now() < r->interval ? r->gives_up : sim_now() + r->interval, timer_e,
		      NULL);
	r->interval = r->interval * 2 < T2 ? r->interval * 2 : T2;
}

static void phone_asks(struct sim_event *e)
{
	struct request *r = rs_container_of(e, struct request, event);
	char buf[1000];

	if (r->kind == FROM_UDP_PHONE) {
		r->interval = T1;
		r->gives_up = sim_now() + 64 * T1;
		timer_e(e);
	} else if (r->kind == FROM_TCP_PHONE) {
		sim_peer_write(phones[r->phone].tcp, phone_request(r, buf, sizeof(buf)));
	} else {
		server_asks(r);
	}
}

/* The first answer ends the request; each further one must be the same, byte for byte. */
static void phone_answered(const struct sip_msg *msg)
{
	struct request *r = by_call_id(msg->call_id);

	sim_check_int(msg->status, 200);
	if (r->answer_len) {
		sim_check(rs_str_eq(msg->bytes, rs_str_n(r->answer, r->answer_len)));
		return;
	}
	sim_check(msg->bytes.len <= sizeof(r->answer));
	memcpy(r->answer, msg->bytes.p, msg->bytes.len);
	r->answer_len = msg->bytes.len;
	sim_queue_remove(&r->event);
	if (r->timeouts == 0) {
		r->answered++;
		outcomes++;
	}
}

/* What a phone says to the server's question: the same each time. */
static void phone_answers(struct sip_msg *msg, struct sim_peer *p, const struct sip_addr *from)
{
	struct sip_writer w;
	char buf[1500];
	struct request *r = by_call_id(msg->call_id);

	r->processed++;
	sip_writer_init(&w, buf, sizeof(buf));
	sip_write_status_line(&w, 200, RS_STR_NULL);
	sip_write_response_headers(&w, msg, 200, RS_STR("totag"), NULL, false);
	sip_write_body(&w, RS_STR_NULL, RS_STR_NULL);
	sim_check(sip_writer_ok(&w));
	if (from)
		sim_peer_send(p, from, rs_str_n(w.buf, w.len));
	else
		sim_peer_write(p, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

/* One message; returns how many bytes it took, 0: it is not whole yet. */
static size_t phone_message(struct sim_peer *p, const struct sip_addr *from, struct rs_str bytes)
{
	static char first[16384];
	struct rs_arena arena;
	struct sip_msg msg;
	size_t used = 0;
	enum sip_parse_result result;

	rs_arena_init(&arena, first, sizeof(first), 1u << 20);
	result = sip_msg_parse(&msg, &arena, bytes, from == NULL, &used);
	if (result == SIP_PARSE_PARTIAL) {
		used = 0;
	} else {
		sim_check_int(result, SIP_PARSE_DONE);
		sim_check_int(msg.flaw, SIP_FLAW_NONE);
		if (msg.is_request)
			phone_answers(&msg, p, from);
		else
			phone_answered(&msg);
	}
	rs_arena_reset(&arena);
	return from ? bytes.len : used;
}

static void phone_receive(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct phone *ph = token;
	int which = p == ph->tcp ? 0 : 1;
	size_t used;

	if (from) {
		phone_message(p, from, bytes);
		return;
	}
	sim_check(ph->stream_len[which] + bytes.len <= sizeof(ph->stream[which]));
	memcpy(ph->stream[which] + ph->stream_len[which], bytes.p, bytes.len);
	ph->stream_len[which] += bytes.len;
	while (ph->stream_len[which] &&
	       (used = phone_message(p, NULL, rs_str_n(ph->stream[which], ph->stream_len[which]))) > 0) {
		ph->stream_len[which] -= used;
		memmove(ph->stream[which], ph->stream[which] + used, ph->stream_len[which]);
	}
}

static void phone_accepted(struct sim_peer *listener, void *token, struct sim_peer *stream)
{
	struct phone *ph = token;

	(void)listener;
	sim_check(!ph->accepted); /* connections are used again */
	ph->accepted = stream;
}

static const struct sim_peer_ops phone_ops = {.receive = phone_receive, .accepted = phone_accepted};

static void make_phones(void)
{
	for (unsigned i = 0; i < PHONES; i++) {
		char address[32], dial[32];

		snprintf(address, sizeof(address), "10.0.1.%u:5060", i + 1);
		snprintf(dial, sizeof(dial), "10.0.1.%u:40000", i + 1);
		phones[i].udp = sim_peer_udp_open(address, &phone_ops, &phones[i]);
		phones[i].listener = sim_peer_tcp_listen(address, &phone_ops, &phones[i]);
		phones[i].tcp = sim_peer_tcp_connect(dial, SERVER, &phone_ops, &phones[i]);
	}
}

/* ---- the run ---- */

static void listen_on(const char *name, enum sip_transport_type type)
{
	struct sip_listener_config config = {.name = rs_str_c(name), .type = type};

	sim_check_int(sip_addr_parse(RS_STR(SERVER), &config.sock.bind), 0);
	sim_check_int(sip_listener_open(&config, NULL), 0);
}

static void begin(uint64_t seed, unsigned loss)
{
	struct sim_link *link;

	memset(requests, 0, sizeof(requests));
	memset(phones, 0, sizeof(phones));
	outcomes = 0;
	sim_start(&(struct sim_config){
		.seed = seed, .stall = 50, .stall_us = 20 * SIM_MS, .stack = {.on_request = on_request}});
	listen_on("udp", SIP_TRANSPORT_UDP);
	listen_on("tcp", SIP_TRANSPORT_TCP);
	link = sim_net_link(NULL, NULL);
	link->loss = loss;
	link->duplicate = (unsigned)sim_rng_below(sim_test_rng(), 300);
	link->reorder = (unsigned)sim_rng_below(sim_test_rng(), 300);
	link->reorder_us = 3 * SIM_SECOND;
	link->segment = 1 + (unsigned)sim_rng_below(sim_test_rng(), 400);
	link->busy = (unsigned)sim_rng_below(sim_test_rng(), 100);
	make_phones();
}

static bool all_ended(void *token)
{
	(void)token;
	return outcomes == REQUESTS;
}

static void run_requests(void)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *r = &requests[i];

		r->kind = (enum kind)sim_rng_below(sim_test_rng(), 4);
		r->phone = (unsigned)sim_rng_below(sim_test_rng(), PHONES);
		sim_queue_add(&r->event, sim_now() + sim_rng_range(sim_test_rng(), 0, 20 * SIM_SECOND), phone_asks,
			      NULL);
	}
	sim_check(sim_run_until(all_ended, NULL, 120 * SIM_SECOND));
}

static void end(void)
{
	struct sip_tsx_stats stats;

	/* Timers J and K, and the last packets. */
	sim_run_for(80 * SIM_SECOND);
	sip_tsx_stats(&stats);
	sim_check_int(stats.server_now, 0);
	sim_check_int(stats.client_now, 0);
	sim_check_int(stats.completed_now, 0);
	sim_stop();
}

static void noisy(uint64_t seed, void *arg)
{
	(void)arg;
	begin(seed, (unsigned)(seed % 5) * 30);
	run_requests();
	for (unsigned i = 0; i < REQUESTS; i++) {
		sim_check_int(requests[i].answered, 1);
		sim_check(requests[i].processed >= 1);
	}
	end();
}

static void options_are_answered_once_whatever_the_network_does(void **state)
{
	(void)state;
	assert_int_equal(sim_fork_seeds(1, SEEDS, noisy, NULL), 0);
}

/* Nothing gets through one way or the other: each transaction still has its one outcome, after 64*T1. */
static void deaf(uint64_t seed, void *arg)
{
	(void)arg;
	begin(seed, 0);
	sim_run_for(30 * SIM_SECOND);
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct request *r = &requests[i];

		r->kind = sim_rng_below(sim_test_rng(), 2) ? FROM_UDP_PHONE : TO_UDP_PHONE;
		r->phone = (unsigned)sim_rng_below(sim_test_rng(), PHONES);
		sim_queue_add(&r->event, sim_now() + sim_rng_range(sim_test_rng(), 0, SIM_SECOND), phone_asks, NULL);
	}
	for (unsigned i = 0; i < PHONES; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.0.1.%u", i + 1);
		sim_net_cut(ip, "10.0.0.1", true);
	}
	sim_run_for(31 * SIM_SECOND);
	sim_check_int(outcomes, 0);
	sim_check(sim_run_until(all_ended, NULL, 3 * SIM_SECOND));
	for (unsigned i = 0; i < REQUESTS; i++)
		sim_check_int(requests[i].timeouts, 1);
	end();
}

static void over_a_cut_link_each_transaction_times_out_once(void **state)
{
	(void)state;
	assert_int_equal(sim_fork_seeds(1, 3, deaf, NULL), 0);
}

static uint64_t *digest;

static void noisy_digest(uint64_t seed, void *arg)
{
	noisy(seed, arg);
	*digest = sim_flow_digest();
}

static void the_same_seed_runs_the_stack_the_same_way(void **state)
{
	uint64_t first;

	(void)state;
	digest = sim_shared(sizeof(*digest));
	assert_int_equal(sim_fork_run(3, noisy_digest, NULL), SIM_PASSED);
	first = *digest;
	assert_int_equal(sim_fork_run(3, noisy_digest, NULL), SIM_PASSED);
	assert_true(*digest == first);
	assert_int_equal(sim_fork_run(4, noisy_digest, NULL), SIM_PASSED);
	assert_true(*digest != first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_answered_once_whatever_the_network_does),
		cmocka_unit_test(over_a_cut_link_each_transaction_times_out_once),
		cmocka_unit_test(the_same_seed_runs_the_stack_the_same_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
