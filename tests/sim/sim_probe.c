/* See sim_probe.h. */
#include "sim_probe.h"
#include "sim_agent.h"
#include "sim_watch.h"

#include "res_sip/res_sip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKS 3

static struct {
	struct sim_event next;
	unsigned n;
	unsigned long under_way, asked;
	struct ast_sip_work *works[WORKS];
	unsigned long pushed[WORKS], ran[WORKS];
	bool running[WORKS];
	bool calm;
} probe;

/* ---- order on serializers ---- */

struct numbered {
	unsigned work;
	unsigned long number;
};

static int numbered_task(void *data)
{
	struct numbered *t = data;

	sim_check(!probe.running[t->work]);
	sim_check(ast_sip_current_work() == probe.works[t->work]);
	sim_check_int(t->number, probe.ran[t->work]);
	probe.ran[t->work]++;
	free(t);
	return 0;
}

static int waited_for(void *data)
{
	sim_check(!probe.running[*(unsigned *)data]);
	probe.running[*(unsigned *)data] = true;
	probe.running[*(unsigned *)data] = false;
	return 7;
}

static void push_some(void)
{
	for (uint64_t n = sim_rng_below(sim_test_rng(), 4); n > 0; n--) {
		struct numbered *t = calloc(1, sizeof(*t));
		sim_check(t);
		t->work = (unsigned)sim_rng_below(sim_test_rng(), WORKS);
		t->number = probe.pushed[t->work]++;
		sim_check_int(ast_sip_push_task(probe.works[t->work], numbered_task, t), 0);
	}
	if (sim_rng_below(sim_test_rng(), 8) == 0) {
		unsigned work = (unsigned)sim_rng_below(sim_test_rng(), WORKS);
		int result = 0;
		sim_check_int(ast_sip_push_task_wait(probe.works[work], waited_for, &work, &result), 0);
		sim_check_int(result, 7);
		/* What was pushed before it has run. */
		sim_check_int(probe.ran[work], probe.pushed[work]);
	}
}

/* ---- a timer that is stopped about when it is due ---- */

struct race {
	struct sim_event event;
	struct ast_sip_timer *timer;
	unsigned work;
	int64_t due;
	bool stopped;
	unsigned fired;
};

static void race_fire(void *data)
{
	struct race *r = data;

	sim_check(!r->stopped);
	sim_check(sim_now() >= r->due);
	sim_check_int(r->fired++, 0);
}

static int race_stop(void *data)
{
	struct race *r = data;

	ast_sip_timer_stop(r->timer);
	r->stopped = true;
	return 0;
}

static void race_over(struct sim_event *e)
{
	struct race *r = rs_container_of(e, struct race, event);

	sim_check(r->stopped);
	ast_sip_timer_free(r->timer);
	free(r);
	probe.under_way--;
}

static void race_push(struct sim_event *e)
{
	struct race *r = rs_container_of(e, struct race, event);

	sim_check_int(ast_sip_push_task(probe.works[r->work], race_stop, r), 0);
	sim_queue_add(e, sim_now() + 10 * SIM_SECOND, race_over, NULL);
}

static void race_begin(void)
{
	int64_t delay_ms = sim_rng_range(sim_test_rng(), 1, 500);
	struct race *r = calloc(1, sizeof(*r));

	sim_check(r);
	r->work = (unsigned)sim_rng_below(sim_test_rng(), WORKS);
	r->due = sim_now() + delay_ms * SIM_MS;
	r->timer = ast_sip_timer_new(probe.works[r->work], race_fire, r);
	sim_check(r->timer);
	ast_sip_timer_start(r->timer, delay_ms);
	sim_queue_add(&r->event, r->due + sim_rng_range(sim_test_rng(), -5, 8) * SIM_MS, race_push, NULL);
	probe.under_way++;
}

/* ---- requests of the server's own ---- */

struct outgoing {
	struct sip_tsx *tsx;
	struct ast_sip_work *work;
	struct ast_sip_timer *cancel; /* INVITE: cancelled after a while */
	bool invite, ended, terminated;
	unsigned finals;
	char ok_tag[64];
};

static void acknowledge(struct sip_rx_data *rx)
{
	const struct sip_msg *msg = sip_rx_msg(rx);
	char call_id[128], from_tag[64], uri[SIP_ADDR_TEXT + 24], host[SIP_ADDR_TEXT];
	struct sip_tx_request_params p = {
		.method = RS_STR("ACK"), .from = RS_STR("<sip:probe@10.0.0.1>"), .max_forwards = -1};
	struct sip_target target;
	struct sip_tx_data *tx;
	struct sip_uri u;

	snprintf(call_id, sizeof(call_id), "%.*s", RS_FMT(msg->call_id));
	snprintf(from_tag, sizeof(from_tag), "%.*s", RS_FMT(msg->from_tag));
	sip_addr_text(sip_rx_source(rx), true, host);
	snprintf(uri, sizeof(uri), "sip:%s%s", host,
		 sip_transport_is_reliable(sip_rx_transport(rx)) ? ";transport=tcp" : "");
	p.uri = rs_str_c(uri);
	p.call_id = rs_str_c(call_id);
	p.from_tag = rs_str_c(from_tag);
	p.cseq = msg->cseq;
	tx = sip_tx_request(&p);
	sim_check(tx);
	sim_check_int(sip_uri_parse(p.uri, &u), 0);
	sim_check(sip_resolve_numeric(&u, &target));
	sip_tx_set_target(tx, &target);
	sip_stack_send(tx);
}

static void on_response(struct sip_tsx *tsx, struct sip_rx_data *rx, void *token)
{
	struct outgoing *o = token;
	const struct sip_msg *msg = sip_rx_msg(rx);

	sim_check(!o->ended && !o->terminated);
	sim_check(ast_sip_current_work() == o->work);
	if (msg->status < 200) {
		sim_check_int(o->finals, 0);
		return;
	}
	if (o->invite && msg->status < 300) {
		/* RFC 6026: further ones may follow, each a fork's. */
		sim_check(sip_tsx_state(tsx) == SIP_TSX_ACCEPTED);
		snprintf(o->ok_tag, sizeof(o->ok_tag), "%.*s", RS_FMT(msg->to_tag));
		acknowledge(rx);
		o->finals++;
		return;
	}
	sim_check_int(o->finals++, 0);
}

static void on_end(struct sip_tsx *tsx, enum sip_tsx_end why, void *token)
{
	struct outgoing *o = token;

	(void)tsx;
	sim_check(why != SIP_TSX_CANCELLED_LOCALLY);
	sim_check(!o->ended && !o->terminated);
	sim_check_int(o->finals, 0);
	o->ended = true;
}

static void on_terminated(struct sip_tsx *tsx, void *token)
{
	struct outgoing *o = token;

	(void)tsx;
	sim_check(!o->terminated);
	sim_check(o->ended || o->finals);
	o->terminated = true;
	probe.under_way--;
	ast_sip_timer_free(o->cancel);
	ast_sip_destroy_work(o->work);
	sip_tsx_unref(o->tsx);
	free(o);
}

static const struct sip_tsx_user client = {.size = sizeof(client),
					   .name = "probe client",
					   .on_response = on_response,
					   .on_end = on_end,
					   .on_terminated = on_terminated};

static void cancel_now(void *data)
{
	struct outgoing *o = data;

	sim_check(!o->terminated);
	sip_tsx_cancel(o->tsx, RS_STR_NULL);
}

static void ask(struct sim_event *e)
{
	unsigned n = (unsigned)sim_rng_below(sim_test_rng(), probe.n);
	struct outgoing *o = calloc(1, sizeof(*o));
	struct sip_tx_request_params p = {.from = RS_STR("<sip:probe@10.0.0.1>"), .max_forwards = -1};
	struct sip_target target;
	struct sip_tx_data *tx;
	struct sip_uri u;
	char uri[64];

	sim_check(o);
	o->invite = sim_rng_below(sim_test_rng(), 2);
	o->work = ast_sip_create_work();
	/* Nobody listens there for TCP: the connection is refused. */
	snprintf(uri, sizeof(uri), "sip:u%u@10.0.1.%u:5060%s", n, n + 1, n % 4 == 3 ? ";transport=tcp" : "");
	p.method = o->invite ? RS_STR("INVITE") : RS_STR("OPTIONS");
	p.uri = rs_str_c(uri);
	tx = sip_tx_request(&p);
	sim_check(tx && o->work);
	sim_check_int(sip_uri_parse(p.uri, &u), 0);
	sim_check(sip_resolve_numeric(&u, &target));
	sip_tx_set_target(tx, &target);
	if (o->invite && sim_rng_below(sim_test_rng(), 2)) {
		o->cancel = ast_sip_timer_new(o->work, cancel_now, o);
		ast_sip_timer_start(o->cancel, sim_rng_range(sim_test_rng(), 0, 8000));
	}
	probe.under_way++;
	probe.asked++;
	sim_check_int(sip_tsx_send(tx, ast_sip_work_serializer(o->work), &client, o, o->invite ? 60 * SIM_SECOND : 0,
				   &o->tsx),
		      0);
	push_some();
	race_begin();
	if (!probe.calm)
		sim_queue_add(e, sim_now() + sim_rng_range(sim_test_rng(), 0, 4 * SIM_SECOND), ask, NULL);
}

/* ---- calls that come in ---- */

struct incoming {
	struct sip_rx_data *rx;
	struct ast_sip_timer *timer;
	unsigned status; /* what it will be answered with */
	int64_t due;
	bool stopped;
};

static void answer_now(void *data)
{
	struct incoming *in = data;

	sim_check(!in->stopped);
	sim_check(sim_now() >= in->due);
	ast_sip_respond(in->rx, in->status, RS_STR_NULL);
}

static void on_cancel(struct sip_tsx *tsx, struct sip_rx_data *cancel, void *token)
{
	struct incoming *in = token;

	(void)tsx;
	(void)cancel;
	in->stopped = true;
	ast_sip_timer_stop(in->timer);
	ast_sip_respond(in->rx, 487, RS_STR_NULL);
}

static void call_over(struct sip_tsx *tsx, void *token)
{
	struct incoming *in = token;

	(void)tsx;
	in->stopped = true;
	ast_sip_timer_free(in->timer);
	sip_rx_unref(in->rx);
	free(in);
	probe.under_way--;
}

static const struct sip_tsx_user server = {
	.size = sizeof(server), .name = "probe server", .on_cancel = on_cancel, .on_terminated = call_over};

static bool call_came(struct sip_rx_data *rx)
{
	static const unsigned answers[] = {200, 302, 404, 486, 600};
	struct incoming *in;
	int64_t delay_ms = 1 + (int64_t)sim_rng_below(sim_test_rng(), 9000);

	if (sip_rx_msg(rx)->method != SIP_METHOD_INVITE)
		return false;
	push_some();
	if (sim_rng_below(sim_test_rng(), 3) == 0) {
		ast_sip_respond(rx, 486, RS_STR_NULL);
		return true;
	}
	in = calloc(1, sizeof(*in));
	sim_check(in);
	in->rx = sip_rx_ref(rx);
	in->status = answers[sim_rng_below(sim_test_rng(), RS_ARRAY_SIZE(answers))];
	in->due = sim_now() + delay_ms * SIM_MS;
	in->timer = ast_sip_timer_new(ast_sip_current_work(), answer_now, in);
	sim_check(in->timer);
	probe.under_way++;
	sip_tsx_set_user(sip_rx_tsx(rx), &server, in);
	ast_sip_timer_start(in->timer, delay_ms);
	if (sim_rng_below(sim_test_rng(), 2))
		ast_sip_respond(rx, 180, RS_STR_NULL);
	return true;
}

/* ---- the services ---- */

static bool request_came(struct sip_rx_data *rx)
{
	sim_watch_delivered(sip_rx_msg(rx)->bytes);
	return false;
}

static struct sip_module first = {.size = sizeof(first),
				  .name = "sim_probe_first",
				  .priority = SIP_PRIORITY_LOGGER,
				  .on_rx_request = request_came};
static struct sip_module last = {.size = sizeof(last),
				 .name = "sim_probe",
				 .priority = SIP_PRIORITY_APPLICATION,
				 .on_rx_request = call_came,
				 .methods = "INVITE"};

void sim_probe_start(unsigned n)
{
	memset(&probe, 0, sizeof(probe));
	probe.n = n;
	for (unsigned i = 0; i < WORKS; i++) {
		probe.works[i] = ast_sip_create_work();
		sim_check(probe.works[i]);
	}
	sim_check_int(ast_sip_register_service(&first), 0);
	sim_check_int(ast_sip_register_service(&last), 0);
	sim_queue_add(&probe.next, sim_now() + SIM_SECOND, ask, NULL);
}

void sim_probe_calm(void)
{
	probe.calm = true;
	sim_queue_remove(&probe.next);
}

void sim_probe_stop(void)
{
	sim_check(probe.asked > 0);
	sim_check_int(probe.under_way, 0);
	ast_sip_unregister_service(&first);
	ast_sip_unregister_service(&last);
	for (unsigned i = 0; i < WORKS; i++) {
		sim_check_int(probe.ran[i], probe.pushed[i]);
		ast_sip_destroy_work(probe.works[i]);
	}
}
