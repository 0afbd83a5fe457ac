/*
 * Answers of the DNS, as libunbound hands them over, through the real reading of them and the resolver above it. The
 * first line is the URI to be resolved; then, for each of the two questions (AAAA, A), a byte of flags, the rcode, a
 * byte with the number of records, and for each a length byte and its bytes. The functions of libunbound are this
 * file's.
 */
#include "fuzz.h"

#include "sim_run.h"
#include "sip/resolver/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <unbound.h>

enum {
	NO_ANSWER = 1, /* until the resolver has given up */
	FAILED = 2,    /* an error, and maybe no result at all */
	NO_RESULT = 4,
	NO_DATA = 8,
	OTHER_TYPE = 16, /* the answer is to another question than was asked */
	LYING = 32,      /* lengths that are not those of the data */
	REFUSED = 64,    /* the question is not even taken */
};

#define RECORDS 40 /* more than our side keeps */

struct question {
	ub_callback_type callback;
	void *token;
	int type;
};

static struct question questions[4];
static unsigned n_questions;
static struct rs_str answers; /* what is left of the input */
static unsigned done_calls;
static struct sip_resolve_plan plan;

/* ---- libunbound ---- */

struct ub_ctx {
	int unused;
};
static struct ub_ctx context;

struct ub_ctx *ub_ctx_create(void)
{
	return &context;
}
void ub_ctx_delete(struct ub_ctx *ctx)
{
	(void)ctx;
}
int ub_ctx_set_option(struct ub_ctx *ctx, const char *opt, const char *val)
{
	(void)ctx;
	(void)opt;
	(void)val;
	return 0;
}
int ub_ctx_set_fwd(struct ub_ctx *ctx, const char *addr)
{
	(void)ctx;
	(void)addr;
	return 0;
}
int ub_ctx_resolvconf(struct ub_ctx *ctx, const char *fname)
{
	(void)ctx;
	(void)fname;
	return 0;
}
int ub_ctx_hosts(struct ub_ctx *ctx, const char *fname)
{
	(void)ctx;
	(void)fname;
	return 0;
}
int ub_ctx_async(struct ub_ctx *ctx, int dothread)
{
	(void)ctx;
	(void)dothread;
	return 0;
}
int ub_fd(struct ub_ctx *ctx)
{
	(void)ctx;
	return -1;
}
int ub_process(struct ub_ctx *ctx)
{
	(void)ctx;
	return 0;
}
const char *ub_strerror(int err)
{
	(void)err;
	return "";
}

int ub_resolve_async(struct ub_ctx *ctx, const char *name, int rrtype, int rrclass, void *mydata,
		     ub_callback_type callback, int *async_id)
{
	(void)ctx;
	(void)rrclass;
	(void)async_id;
	FUZZ_CHECK(strlen(name) && strlen(name) <= SIP_MAX_HOST);
	if (answers.len && (answers.p[0] & REFUSED) && !(answers.p[0] & NO_ANSWER)) {
		fuzz_byte(&answers);
		return UB_NOMEM;
	}
	FUZZ_CHECK(n_questions < RS_ARRAY_SIZE(questions));
	questions[n_questions++] = (struct question){callback, mydata, rrtype};
	return 0;
}

void ub_resolve_free(struct ub_result *r)
{
	for (int i = 0; r->data && r->data[i]; i++)
		free(r->data[i]);
	free(r->data);
	free(r->len);
	free(r);
}

/* The pool's poll, which the deterministic mode has not. */
int fuzz_poll_add(struct rs_poll *p, int fd, void (*ready)(struct rs_poll *, uint32_t), uint32_t events);
void fuzz_poll_remove(struct rs_poll *p, void (*done)(struct rs_poll *p));

int fuzz_poll_add(struct rs_poll *p, int fd, void (*ready)(struct rs_poll *, uint32_t), uint32_t events)
{
	(void)p;
	(void)fd;
	(void)ready;
	(void)events;
	return 0;
}
void fuzz_poll_remove(struct rs_poll *p, void (*done)(struct rs_poll *p))
{
	done(p);
}

/* ---- answers from the input ---- */

static char *record(size_t n)
{
	char *p = calloc(1, n ? n : 1);

	FUZZ_CHECK(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)fuzz_byte(&answers);
	return p;
}

static void read_records(struct ub_result *r, uint8_t flags)
{
	unsigned n = fuzz_byte(&answers) % (RECORDS + 1);

	r->data = calloc(n + 1, sizeof(*r->data));
	r->len = calloc(n + 1, sizeof(*r->len));
	FUZZ_CHECK(r->data && r->len);
	for (unsigned i = 0; i < n; i++) {
		uint8_t len = fuzz_byte(&answers);

		/* Mostly what an address has. */
		if (len >= 64)
			len = r->qtype == 28 ? 16 : 4;
		r->data[i] = record(len);
		r->len[i] = len;
		/* Whoever lies does not claim just what we take: that memory would have to be there. */
		if ((flags & LYING) && len != 4 && len != 16)
			r->len[i] = len % 2 ? -len : INT32_MAX - len;
	}
}

static void give_answer(const struct question *q)
{
	uint8_t flags = fuzz_byte(&answers);
	struct ub_result *r;

	if ((flags & FAILED) && (flags & NO_RESULT)) {
		q->callback(q->token, UB_SERVFAIL, NULL);
		return;
	}
	r = calloc(1, sizeof(*r));
	FUZZ_CHECK(r);
	r->qtype = flags & OTHER_TYPE ? (q->type == 28 ? 1 : 28) : q->type;
	r->qclass = 1;
	r->rcode = fuzz_byte(&answers) % 16;
	r->nxdomain = r->rcode == 3;
	r->havedata = !(flags & NO_DATA);
	if (r->havedata)
		read_records(r, flags);
	q->callback(q->token, flags & FAILED ? UB_SERVFAIL : 0, r);
}

/* ---- the question ---- */

static void resolved(const struct sip_targets *targets, void *token)
{
	FUZZ_CHECK(token == &done_calls);
	done_calls++;
	FUZZ_CHECK(targets->n <= SIP_MAX_TARGETS);
	FUZZ_CHECK((targets->n == 0) == (targets->error != 0));
	for (unsigned i = 0; i < targets->n; i++) {
		const struct sip_target *t = &targets->v[i];

		FUZZ_CHECK(t->addr.family == 4 || t->addr.family == 6);
		FUZZ_CHECK(t->addr.port == plan.port && t->type == plan.type);
		FUZZ_CHECK(!plan.numeric || sip_addr_eq(&t->addr, &plan.addr));
	}
}

static void step(void)
{
	while (sim_step_now())
		;
}

static void give_answers(void)
{
	unsigned n = n_questions;

	n_questions = 0;
	for (unsigned i = 0; i < n; i++)
		give_answer(&questions[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str uri;
	struct sip_target numeric;
	struct sip_uri u;
	bool late;

	answers = fuzz_str(data, size);
	uri = fuzz_take(&answers, '\n');
	if (sip_uri_parse(uri, &u))
		return 0;
	late = answers.len && (answers.p[0] & NO_ANSWER);
	n_questions = done_calls = 0;
	plan = (struct sip_resolve_plan){0};
	if (sip_resolve_plan(&u, &plan) == 0)
		FUZZ_CHECK(sip_resolve_numeric(&u, &numeric) == plan.numeric);
	FUZZ_CHECK(sip_resolve_for(NULL, &u, NULL, resolved, &done_calls) == 0);
	step();
	if (late && n_questions) {
		sim_run_for(11 * SIM_SECOND);
		FUZZ_CHECK(done_calls == 1);
	}
	give_answers();
	step();
	FUZZ_CHECK(done_calls == 1);
	return 0;
}

static void ignore_request(struct sip_tsx *tsx, struct sip_rx_data *rx)
{
	(void)tsx;
	(void)rx;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct sip_stack_config stack = {.net = &sim_net_ops, .on_request = ignore_request};
	struct sip_listener_config listener = {.name = RS_STR("udp"), .type = SIP_TRANSPORT_UDP};

	(void)argc;
	(void)argv;
	sim_env_start(&(struct sim_config){.seed = 1});
	stack.names = &sip_names_unbound;
	FUZZ_CHECK(sip_stack_start(&stack) == 0);
	FUZZ_CHECK(sip_addr_parse(RS_STR("10.0.0.1:5060"), &listener.sock.bind) == 0);
	FUZZ_CHECK(sip_listener_open(&listener, NULL) == 0);
	return 0;
}
