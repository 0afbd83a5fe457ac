/* The watch: exchanges as the network sees them, and the rules; see sim_watch.h. */
#include "sim_watch.h"
#include "sim_watch_msg.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define T1        (500 * SIM_MS)
#define T2        (4 * SIM_SECOND)
#define T4        (5 * SIM_SECOND)
#define TIMER_END (64 * T1) /* B, F, H and J */
/* Work on a slow machine, and batches: what happens a little late, or beside what was read a moment ago. */
#define SLACK      (1500 * SIM_MS)
#define EARLY      (150 * SIM_MS)
#define BUCKETS    4096
#define STRANGE    8
#define STREAMS    64
#define STREAM_MAX 65536

/* A transaction of the server, by branch, sent-by and method of its request. */
struct asked {
	struct asked *next;
	uint64_t key;
	char name[96];
	struct sip_addr peer;
	bool stream, invite, strange;
	bool cut_off;   /* its stream ended: there may be no way for an answer */
	bool vague;     /* a request came about when the transaction ended: nobody can tell which it meets */
	bool delivered; /* to the services, and not answered without a transaction since */
	bool acked;
	unsigned arrived, arrived_after, finals, status;
	uint64_t answer; /* hash of the final one's bytes */
	int64_t first_at, final_at, last_final, acked_at;
	int64_t interval; /* Timer G */
};

/* A transaction of the client. */
struct told {
	struct told *next;
	uint64_t key, ack_key;
	char name[96];
	bool stream, invite, ack;
	bool late; /* the final response came when a timer may have ended it */
	unsigned sent, sent_late, finals, status;
	uint64_t bytes;
	int64_t first, last, interval;
	int64_t provisional_at, final_at;
};

struct stream {
	struct sip_addr server, peer;
	char *in, *out;
	size_t in_len, out_len;
	bool used;
};

static struct asked *asked[BUCKETS];
static struct told *told[BUCKETS];
static struct sip_addr strange[STRANGE];
static unsigned n_strange;
static struct stream streams[STREAMS];
static struct sim_watch_stats stats;
static const struct sim_net_watch *pass_on;

#define broken(name, ...) sim_failed(__FILE_NAME__, __LINE__, "%s: " name, __VA_ARGS__)

static uint64_t key_of(const struct sim_watch_msg *m, const char *method)
{
	struct rs_str as = method ? rs_str_c(method) : m->method;
	uint64_t h = XXH64(m->branch.p, m->branch.len, 1);

	for (size_t i = 0; i < m->sent_by.len; i++) {
		const char c = (char)tolower((unsigned char)m->sent_by.p[i]);
		h = XXH64(&c, 1, h);
	}
	return XXH64(as.p, as.len, h);
}

static void name_of(char *name, size_t size, const struct sim_watch_msg *m)
{
	snprintf(name, size, "%.*s branch %.*s at %.*s", RS_FMT(m->method), RS_FMT(m->branch), RS_FMT(m->sent_by));
}

static bool is_strange(const struct sip_addr *peer)
{
	for (unsigned i = 0; i < n_strange; i++) {
		if (sip_addr_same_ip(&strange[i], peer))
			return true;
	}
	return false;
}

static void *entry(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

/* ---- transactions of the server ---- */

static struct asked *find_asked(uint64_t key)
{
	struct asked *a = asked[key % BUCKETS];

	while (a && a->key != key)
		a = a->next;
	return a;
}

/* What is answered without a transaction: a retransmission is a new request (section 2 of the architecture). */
static bool without_transaction(const struct asked *a)
{
	static const unsigned those[] = {400, 401, 407, 416, 420, 503, 505};

	for (unsigned i = 0; i < RS_ARRAY_SIZE(those); i++) {
		if (a->status == those[i])
			return true;
	}
	return strncmp(a->name, "OPTIONS ", 8) == 0;
}

/* Timer J, H or I, or none over a stream. */
static int64_t end_of(const struct asked *a)
{
	/* Timer I: an INVITE that comes behind it, late, is a new one. */
	return a->invite && a->acked && a->status >= 300 ? a->acked_at + T4 : a->final_at + TIMER_END;
}

static bool has_ended(const struct asked *a)
{
	return a->status && (a->stream || sim_now() > end_of(a) + SLACK);
}

static bool may_have_ended(const struct asked *a)
{
	return a->status && sim_now() > end_of(a) - EARLY;
}

static void begin_again(struct asked *a)
{
	a->arrived = a->arrived_after = a->finals = a->status = 0;
	a->delivered = a->vague = a->acked = false;
}

static void request_came(const struct sim_watch_msg *m, bool stream, const struct sip_addr *peer)
{
	uint64_t key = key_of(m, NULL);
	struct asked *a = find_asked(key);

	stats.requests++;
	if (!a) {
		a = entry(sizeof(*a));
		a->key = key;
		a->stream = stream;
		a->peer = *peer;
		a->invite = rs_str_eqz(m->method, "INVITE");
		name_of(a->name, sizeof(a->name), m);
		a->next = asked[key % BUCKETS];
		asked[key % BUCKETS] = a;
	}
	a->strange |= is_strange(peer);
	if (has_ended(a) || (a->status && without_transaction(a) && a->finals == a->arrived))
		begin_again(a);
	else if (may_have_ended(a))
		a->vague = true;
	stats.again += a->arrived > 0;
	if (a->arrived++ == 0)
		a->first_at = sim_now();
	if (a->status)
		a->arrived_after++;
}

static void ack_came(const struct sim_watch_msg *m)
{
	struct asked *a = find_asked(key_of(m, "INVITE"));

	if (!a || a->acked)
		return;
	a->acked = true;
	a->acked_at = sim_now();
}

/* A final answer to an INVITE goes out again by Timer G, until its ACK has come. */
static void check_timer_g(struct asked *a)
{
	int64_t gap = sim_now() - a->last_final;

	if (a->acked && sim_now() > a->acked_at + SLACK)
		broken("a final answer behind its ACK", a->name);
	if (sim_now() > a->final_at + TIMER_END + SLACK)
		broken("a final answer after Timer H", a->name);
	if (gap > T2 + SLACK)
		broken("Timer G came late", a->name);
}

static void final_sent(struct asked *a, const struct sim_watch_msg *m, struct rs_str bytes)
{
	uint64_t hash = XXH64(bytes.p, bytes.len, 0);

	a->finals++;
	if (!a->status || (without_transaction(a) && !a->invite)) {
		/* Whoever asked gives up by Timer F (RFC 4320). */
		if (!a->invite && sim_now() > a->first_at + TIMER_END - SLACK)
			broken("%u comes too late for anybody", a->name, m->status);
		a->status = m->status;
		a->answer = hash;
		a->final_at = sim_now();
		a->interval = T1;
		if (without_transaction(a))
			a->delivered = false;
	} else if (hash != a->answer && !a->vague && !(a->status < 300 && m->status < 300 && a->invite)) {
		broken("a retransmission was answered by other bytes (%u, then %u)", a->name, a->status, m->status);
	} else if (a->invite && m->status >= 300 && !a->vague && !without_transaction(a)) {
		check_timer_g(a);
	}
	a->last_final = sim_now();
	if (!a->invite && a->finals > a->arrived)
		broken("%u final answers to %u requests", a->name, a->finals, a->arrived);
}

static void response_sent(const struct sim_watch_msg *m, const struct sip_addr *peer, struct rs_str bytes)
{
	struct asked *a = find_asked(key_of(m, NULL));

	stats.answers++;
	if (rs_str_eqz(m->method, "ACK"))
		sim_failed(__FILE_NAME__, __LINE__, "an ACK was answered");
	if (is_strange(peer))
		return;
	if (!a)
		sim_failed(__FILE_NAME__, __LINE__, "%u to nobody's request, branch %.*s", m->status,
			   RS_FMT(m->branch));
	if (a->strange)
		return;
	if (m->status >= 200)
		final_sent(a, m, bytes);
	else if (a->status && !a->vague && !without_transaction(a))
		broken("%u behind a final answer", a->name, m->status);
}

void sim_watch_delivered(struct rs_str bytes)
{
	struct sim_watch_msg m;
	struct asked *a;

	if (!sim_watch_read(&m, bytes))
		return;
	a = find_asked(key_of(&m, NULL));
	if (!a || a->strange || a->vague)
		return;
	if (a->delivered)
		broken("handed to the services twice", a->name);
	a->delivered = true;
}

static void check_asked(const struct asked *a)
{
	if (a->strange || a->vague || !a->arrived)
		return;
	if (!a->status && !a->cut_off)
		broken("never answered", a->name);
	if (!a->stream && !a->invite && !without_transaction(a) && a->finals < a->arrived_after + 1)
		broken("%u final answers, and %u retransmissions behind the first", a->name, a->finals,
		       a->arrived_after);
	if (a->invite && !a->stream && a->status >= 300 && !a->acked && !without_transaction(a) && a->finals < 7)
		broken("no ACK came, and the answer was sent %u times only", a->name, a->finals);
}

/* ---- transactions of the client ---- */

static struct told *find_told(uint64_t key)
{
	struct told *t = told[key % BUCKETS];

	while (t && t->key != key)
		t = t->next;
	return t;
}

static void first_sent(const struct sim_watch_msg *m, uint64_t key, bool stream, struct rs_str bytes)
{
	struct told *t = entry(sizeof(*t));

	t->key = key;
	t->ack_key = key_of(m, "ACK");
	t->stream = stream;
	t->invite = rs_str_eqz(m->method, "INVITE");
	t->ack = rs_str_eqz(m->method, "ACK");
	t->sent = 1;
	t->bytes = XXH64(bytes.p, bytes.len, 0);
	t->first = t->last = sim_now();
	t->interval = T1;
	name_of(t->name, sizeof(t->name), m);
	t->next = told[key % BUCKETS];
	told[key % BUCKETS] = t;
}

/* Timers A and E, B and F. */
static void check_times(struct told *t)
{
	int64_t gap = sim_now() - t->last;

	if (gap < t->interval - EARLY)
		broken("sent again after %lld ms, not %lld", t->name, (long long)(gap / SIM_MS),
		       (long long)(t->interval / SIM_MS));
	if (gap > (t->provisional_at ? T2 : t->interval) + SLACK)
		broken("sent again after %lld ms, not %lld", t->name, (long long)(gap / SIM_MS),
		       (long long)(t->interval / SIM_MS));
	if (sim_now() > t->first + TIMER_END + SLACK)
		broken("sent after Timer %c", t->name, t->invite ? 'B' : 'F');
	t->interval = t->interval * 2 < T2 || t->invite ? t->interval * 2 : T2;
}

static void check_told_again(struct told *t, const struct sim_watch_msg *m, struct rs_str bytes)
{
	int64_t over = t->invite && t->provisional_at ? t->provisional_at : t->final_at;

	if (XXH64(bytes.p, bytes.len, 0) != t->bytes)
		broken("sent again with other bytes", t->name);
	if (t->ack) {
		struct told *invite = find_told(key_of(m, "INVITE"));
		/* With a branch of its own it is that of a 2xx, which the watch of calls counts. */
		if (invite ? t->sent >= invite->finals : !pass_on)
			broken("more ACKs than final responses", t->name);
		t->sent++;
		return;
	}
	if (t->stream)
		broken("sent twice over a stream", t->name);
	/* One that was on its way when the response was read. */
	if (over && (sim_now() > over + SLACK || t->sent_late++))
		broken("sent again behind a response", t->name);
	check_times(t);
	t->sent++;
	t->last = sim_now();
}

static void request_sent(const struct sim_watch_msg *m, bool stream, struct rs_str bytes)
{
	uint64_t key = key_of(m, NULL);
	struct told *t = find_told(key);

	stats.sent++;
	if (t)
		check_told_again(t, m, bytes);
	else
		first_sent(m, key, stream, bytes);
}

static void response_came(const struct sim_watch_msg *m)
{
	const struct told *cancel;
	struct told *t = find_told(key_of(m, NULL));

	stats.responses++;
	if (!t)
		return;
	if (!t->provisional_at && !t->final_at)
		t->late = sim_now() > t->first + TIMER_END - EARLY;
	if (m->status < 200) {
		if (!t->provisional_at)
			t->provisional_at = sim_now();
		return;
	}
	t->finals++;
	if (t->final_at)
		return;
	t->final_at = sim_now();
	t->status = m->status;
	/* RFC 3261 section 9.1: a phone that does not mind the CANCEL is not waited for longer than this. */
	cancel = t->invite ? find_told(key_of(m, "CANCEL")) : NULL;
	t->late |= cancel && sim_now() > cancel->first + TIMER_END - EARLY;
}

static void check_told(const struct told *t)
{
	/* Timer F, or the end that a service sets to it: 20 s and more. */
	if (!t->stream && !t->invite && !t->ack && !t->final_at && !t->provisional_at && t->sent < 7)
		broken("not answered, and sent %u times only", t->name, t->sent);
	if (t->invite && t->final_at && !t->late && t->status >= 300 && !find_told(t->ack_key))
		broken("%u was not acknowledged", t->name, t->status);
}

/* ---- what passes ---- */

static void message_out(bool stream, const struct sip_addr *peer, const struct sim_watch_msg *m, struct rs_str bytes)
{
	if (m->request)
		request_sent(m, stream, bytes);
	else
		response_sent(m, peer, bytes);
}

static void message_in(bool stream, const struct sip_addr *peer, const struct sim_watch_msg *m)
{
	if (!m->request)
		response_came(m);
	else if (rs_str_eqz(m->method, "ACK"))
		ack_came(m);
	else
		request_came(m, stream, peer);
}

static struct stream *stream_of(const struct sip_addr *server, const struct sip_addr *peer)
{
	struct stream *spare = NULL;

	for (unsigned i = 0; i < STREAMS; i++) {
		struct stream *s = &streams[i];
		if (s->used && sip_addr_eq(&s->server, server) && sip_addr_eq(&s->peer, peer))
			return s;
		if (!s->used)
			spare = s;
	}
	sim_check(spare);
	*spare = (struct stream){
		.server = *server, .peer = *peer, .in = entry(STREAM_MAX), .out = entry(STREAM_MAX), .used = true};
	return spare;
}

/* Takes the next whole message out of what a stream has carried. */
static bool take(char *buf, size_t *len, struct sim_watch_msg *m, char *whole)
{
	size_t skip = 0;

	while (skip < *len && (buf[skip] == '\r' || buf[skip] == '\n'))
		skip++;
	memmove(buf, buf + skip, *len - skip);
	*len -= skip;
	if (!sim_watch_read(m, rs_str_n(buf, *len)))
		return false;
	memcpy(whole, buf, m->length);
	sim_watch_read(m, rs_str_n(whole, m->length));
	memmove(buf, buf + m->length, *len - m->length);
	*len -= m->length;
	return true;
}

static bool add(char *buf, size_t *len, struct rs_str bytes)
{
	if (*len + bytes.len > STREAM_MAX)
		*len = 0; /* not SIP, or not to be understood: its end is the server's to find */
	if (bytes.len > STREAM_MAX)
		return false;
	memcpy(buf + *len, bytes.p, bytes.len);
	*len += bytes.len;
	return true;
}

static void sent(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes)
{
	static char whole[STREAM_MAX];
	struct sim_watch_msg m;
	struct stream *s;

	if (pass_on)
		pass_on->sent(stream, server, peer, bytes);
	if (!stream) {
		if (sim_watch_read(&m, bytes))
			message_out(false, peer, &m, bytes);
		return;
	}
	s = stream_of(server, peer);
	if (!add(s->out, &s->out_len, bytes))
		return;
	while (take(s->out, &s->out_len, &m, whole))
		message_out(true, peer, &m, rs_str_n(whole, m.length));
}

static void received(bool stream, const struct sip_addr *server, const struct sip_addr *peer, struct rs_str bytes)
{
	static char whole[STREAM_MAX];
	struct sim_watch_msg m;
	struct stream *s;

	if (pass_on)
		pass_on->received(stream, server, peer, bytes);
	if (!stream) {
		if (sim_watch_read(&m, bytes))
			message_in(false, peer, &m);
		return;
	}
	s = stream_of(server, peer);
	if (!add(s->in, &s->in_len, bytes))
		return;
	while (take(s->in, &s->in_len, &m, whole))
		message_in(true, peer, &m);
}

static void closed(const struct sip_addr *server, const struct sip_addr *peer)
{
	struct stream *s = stream_of(server, peer);

	free(s->in);
	free(s->out);
	s->used = false;
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct asked *a = asked[i]; a; a = a->next)
			a->cut_off |= a->stream && sip_addr_eq(&a->peer, peer);
	}
}

static const struct sim_net_watch watch = {.sent = sent, .received = received, .closed = closed};

void sim_watch_start(void)
{
	stats = (struct sim_watch_stats){0};
	n_strange = 0;
	pass_on = NULL;
	sim_net_set_watch(&watch);
}

void sim_watch_pass_on(const struct sim_net_watch *next)
{
	pass_on = next;
}

void sim_watch_strange(const char *ip)
{
	sim_check(n_strange < STRANGE);
	sim_check_int(sip_addr_parse(rs_str_c(ip), &strange[n_strange++]), 0);
}

void sim_watch_forget(void)
{
	sim_net_set_watch(NULL);
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct asked *a = asked[i], *next; a; a = next) {
			next = a->next;
			free(a);
		}
		for (struct told *t = told[i], *next; t; t = next) {
			next = t->next;
			free(t);
		}
		asked[i] = NULL;
		told[i] = NULL;
	}
	for (unsigned i = 0; i < STREAMS; i++) {
		if (streams[i].used)
			closed(&streams[i].server, &streams[i].peer);
	}
}

void sim_watch_again(void)
{
	sim_net_set_watch(&watch);
}

void sim_watch_stop(void)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (const struct asked *a = asked[i]; a; a = a->next)
			check_asked(a);
		for (const struct told *t = told[i]; t; t = t->next)
			check_told(t);
	}
	sim_watch_forget();
	pass_on = NULL;
}

const struct sim_watch_stats *sim_watch_stats(void)
{
	return &stats;
}
