/* What must hold of everything that the server sends, whatever the program does. */
#include "world.h"

#include "core/loader/modules.h"

#include <xxhash.h>

#define T1 (500 * SIM_MS)
#define T4 (5 * SIM_SECOND)
/* What a slow machine (sim_run.h) and the network may add to a time that is checked. */
#define LATE (2 * SIM_SECOND + world.stalled_us)
/* An answer over UDP to an unverified source, over its question. */
#define FACTOR 3
/* Sends of one request over UDP in 64*T1: by timer A, and by timer E. */
#define SENDS_INVITE 7
#define SENDS_OTHER  11
/* Final answers to an INVITE that nobody acknowledges, by timer G. */
#define ANSWERS_INVITE 12

#define CHECK(cond, ...)                                                                                               \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			sim_failed(__FILE_NAME__, __LINE__, __VA_ARGS__);                                              \
	} while (0)

static bool is_invite(const char *method)
{
	return strcmp(method, "INVITE") == 0;
}

/* Whether the checks that need to know all of the exchange apply to it. */
static bool is_known(const struct exchange *e)
{
	return e->clean && !world.forged && e->life == world.life;
}

/* What is not known to be the answer to one question is at most three times the longest one. */
void check_size(struct source *s, const struct exchange *e, struct rs_str bytes)
{
	const struct host *h = &world.hosts[s->host];
	size_t question = e && is_known(e) ? e->len : h->longest;

	if (s->stream || h->verified || h->known)
		return;
	CHECK(bytes.len <= FACTOR * question, "%zu bytes of answer to an unverified source's %zu", bytes.len, question);
}

/* A 2xx, or what came back from a peer, is a transaction's answer; a refusal may have been given without one. */
static bool has_transaction(const struct exchange *e)
{
	return e->by_udp && (e->status / 100 == 2 || e->relayed);
}

/* Answered without a transaction, it may arrive late: behind what the same request, sent again, was answered then. */
static bool may_be_an_earlier_refusal(unsigned status)
{
	static const unsigned those[] = {400, 401, 403, 407, 416, 420, 481, 503, 505};

	for (unsigned i = 0; i < RS_ARRAY_SIZE(those); i++) {
		if (status == those[i])
			return true;
	}
	return false;
}

static void check_final(struct exchange *e, struct sip_msg *msg, struct rs_str bytes)
{
	bool invite = is_invite(e->method), both_2xx = invite && e->status / 100 == 2 && msg->status / 100 == 2;

	if (both_2xx)
		return;
	CHECK(e->finals + 1 <= e->sends * (invite ? ANSWERS_INVITE : 1), "final answer %u to %u sends of %s, branch %s",
	      e->finals + 1, e->sends, e->method, e->branch);
	CHECK(!e->acked_us || world.hosts[e->source->host].cut || sim_now() < e->acked_us + LATE ||
		      e->sent_us > e->acked_us,
	      "a final answer %lld us after the ACK, branch %s", (long long)(sim_now() - e->acked_us), e->branch);
	if (e->finals == 0 || !has_transaction(e) || sim_now() > e->final_us + 64 * T1 - LATE)
		return;
	/* Behind Timer I an INVITE that comes again is a new one. */
	if (invite && e->ack_us && sim_now() > e->ack_us + T4 - LATE)
		return;
	if (may_be_an_earlier_refusal(e->status) || (!e->relayed && may_be_an_earlier_refusal(msg->status)))
		return;
	CHECK(XXH64(bytes.p, bytes.len, 0) == e->digest, "another final answer (%u, then %u) to %s, branch %s",
	      e->status, msg->status, e->method, e->branch);
}

void check_response(struct source *s, struct exchange *e, struct sip_msg *msg, struct rs_str bytes)
{
	if (!is_known(e))
		return;
	CHECK(strcmp(e->method, "ACK") != 0, "an answer to an ACK: %u, branch %s", msg->status, e->branch);
	CHECK(msg->flaw == SIP_FLAW_NONE, "an answer with a flaw: %s", msg->flaw_text);
	CHECK(s->host == e->source->host && (!e->by_udp || !s->stream), "the answer to %s came another way, branch %s",
	      e->method, e->branch);
	if (msg->status >= 200)
		check_final(e, msg, bytes);
}

void check_again(struct source *s, struct asked *a, struct rs_str bytes)
{
	if (strcmp(a->method, "ACK") == 0)
		return;
	CHECK(s == a->source, "a request was sent again another way, branch %s", a->branch);
	CHECK(!s->stream, "a request was sent again over a stream, branch %s", a->branch);
	CHECK(a->len == bytes.len && memcmp(a->bytes, bytes.p, a->len) == 0,
	      "a request was sent again with other bytes, branch %s", a->branch);
	/* What is on its way when the server ends arrives. */
	CHECK(a->life == world.life || sim_now() < world.born_us + LATE, "a request of an earlier life, branch %s",
	      a->branch);
}

void check_request(struct asked *a, struct exchange *upstream, struct sip_msg *msg)
{
	unsigned most = is_invite(a->method) ? SENDS_INVITE : SENDS_OTHER;

	if (!upstream || is_known(upstream))
		CHECK(msg->flaw == SIP_FLAW_NONE || world.forged, "a request with a flaw: %s", msg->flaw_text);
	if (strcmp(a->method, "ACK") == 0)
		return;
	CHECK(a->times <= most, "a request was sent %u times, branch %s", a->times, a->branch);
	CHECK(sim_now() <= a->first_us + 64 * T1 + LATE, "a request was sent again after %lld us, branch %s",
	      (long long)(sim_now() - a->first_us), a->branch);
	/* A link that is cut loses what is on its way, too. */
	CHECK(!a->answered_us || world.hosts[a->source->host].cut || sim_now() < a->answered_us + LATE,
	      "a request was sent again %lld us after its final answer, branch %s",
	      (long long)(sim_now() - a->answered_us), a->branch);
}

/* ---- at the end ---- */

/* What a module holds of what comes and goes is given back when it went. */
static void check_hold(void *token, const char *what, long count)
{
	static const char *const passing[] = {
		"task", "request", "client transaction", "transaction user", "location update", "resolving a name"};

	for (unsigned i = 0; i < RS_ARRAY_SIZE(passing); i++)
		CHECK(strcmp(what, passing[i]) != 0 || !count, "%s still holds %ld: %s", (const char *)token, count,
		      what);
}

static void check_module(void *token, const struct ast_sip_module_status *status)
{
	(void)token;
	if (strcmp(status->state, "Running") == 0)
		ast_sip_module_holds_each(loader_find(status->name), check_hold, (void *)status->name);
}

/* Who relays a request over UDP answers for it. */
void check_at_end(void)
{
	ast_sip_loader_each(check_module, NULL);
	for (unsigned i = 0; i < world.n_exchanges; i++) {
		const struct exchange *e = &world.exchanges[i];
		const struct host *h = &world.hosts[e->source->host];

		if (!is_known(e) || !e->relayed || !e->by_udp || h->cut || strcmp(e->method, "ACK") == 0)
			continue;
		if (e->authenticated || h->known)
			CHECK(e->finals, "%s was relayed and never answered, branch %s", e->method, e->branch);
	}
}
