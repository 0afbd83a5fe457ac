/* A phone: its life, its requests and its binding; see sim_agent.h. */
#include "sim_agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define T1          (500 * SIM_MS)
#define T2          (4 * SIM_SECOND)
#define TRIES       4 /* with other credentials */
#define EXPIRES_MIN 60

struct sim_agent_stats sim_agent_stats;
struct sim_agent_clock sim_agent_clock;
void (*sim_agent_intercept)(struct rs_str request);
void (*sim_agent_tap)(const struct sim_agent *a, struct rs_str request);

/* Where each MESSAGE went: the branch by which an agent got it. One request makes one branch for a contact. */
static struct {
	char branch[80];
	bool came;
} messages[SIM_MESSAGES][SIM_AGENTS];
static unsigned n_messages;

/* No step of the system's time moves an expiry. */
static int64_t now_us(void)
{
	return sim_now() - SIM_CLOCK_START + sim_agent_clock.before_us;
}

void sim_agents_configure(char *conf, size_t size, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		if (i % 3 != 2)
			len += (size_t)snprintf(conf + len, size - len,
						"[u%u]\ntype=auth\nauth_type=userpass\nusername=u%u\npassword=secret\n"
						"[u%u]\ntype=endpoint\nauth=u%u\naors=u%u\n",
						i, i, i, i, i);
		else
			len += (size_t)snprintf(conf + len, size - len, "[u%u]\ntype=endpoint\naors=u%u\n", i, i);
		len += (size_t)snprintf(conf + len, size - len,
					"[u%u]\ntype=aor\nmax_contacts=%u\nremove_existing=%s\nminimum_expiration=%d\n",
					i, i % 2 ? 1 : 4, i % 2 ? "yes" : "no", EXPIRES_MIN);
		sim_check(len < size);
	}
}

const char *sim_agent_header(struct rs_str bytes, const char *name, char *buf, size_t size)
{
	const char *at = bytes.p, *end = bytes.p + bytes.len;
	size_t len = strlen(name);

	buf[0] = '\0';
	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		at++;
		if ((size_t)(end - at) <= len || *at == '\r')
			break;
		if (strncasecmp(at, name, len) == 0 && at[len] == ':') {
			const char *line_end = memchr(at, '\r', (size_t)(end - at));
			at += len + 2;
			snprintf(buf, size, "%.*s", (int)(line_end - at), at);
			break;
		}
	}
	return buf;
}

/* ---- the way out and in ---- */

void sim_agent_send(struct sim_agent *a, const char *bytes, size_t len)
{
	if (!a->peer)
		return;
	if (a->tcp)
		sim_peer_write(a->peer, rs_str_n(bytes, len));
	else
		sim_peer_send_to(a->peer, SIM_SERVER, rs_str_n(bytes, len));
}

static void answer_came(struct sim_agent *a, struct rs_str bytes);

static void message_came(struct sim_agent *a, struct rs_str bytes)
{
	if (bytes.len > 8 && memcmp(bytes.p, "SIP/2.0 ", 8) == 0)
		answer_came(a, bytes);
	else
		sim_agent_asked(a, bytes);
}

static size_t whole_message(const char *in, size_t len)
{
	const char *end = memmem(in, len, "\r\n\r\n", 4);
	char length[16];
	size_t n;

	if (!end)
		return 0;
	n = (size_t)(end - in) + 4 +
	    strtoul(sim_agent_header(rs_str_n(in, len), "Content-Length", length, 16), NULL, 10);
	return n <= len ? n : 0;
}

static void stream_came(struct sim_agent *a, struct rs_str bytes)
{
	static char one[sizeof(a->in)];
	size_t n;

	sim_check(a->in_len + bytes.len < sizeof(a->in));
	memcpy(a->in + a->in_len, bytes.p, bytes.len);
	a->in_len += bytes.len;
	for (;;) {
		size_t skip = 0;
		while (skip < a->in_len && (a->in[skip] == '\r' || a->in[skip] == '\n'))
			skip++;
		n = whole_message(a->in + skip, a->in_len - skip);
		if (!n)
			break;
		memcpy(one, a->in + skip, n);
		one[n] = '\0';
		memmove(a->in, a->in + skip + n, a->in_len - skip - n);
		a->in_len -= skip + n;
		message_came(a, rs_str_n(one, n));
	}
}

static void received(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	static char one[65536];
	struct sim_agent *a = token;

	if (peer != a->peer)
		return;
	if (!from) {
		stream_came(a, bytes);
		return;
	}
	sim_check(bytes.len < sizeof(one));
	memcpy(one, bytes.p, bytes.len);
	one[bytes.len] = '\0';
	message_came(a, rs_str_n(one, bytes.len));
}

static void connect_stream(struct sim_agent *a);

/* The peer is not the agent's any more. What is under way is given up. */
static void stream_gone(struct sim_agent *a)
{
	a->peer = NULL;
	for (unsigned i = 0; i < SIM_AGENT_REQUESTS; i++) {
		if (a->requests[i].used)
			a->requests[i].gives_up = sim_now();
	}
}

static void ended(struct sim_peer *peer, void *token, int error)
{
	struct sim_agent *a = token;

	(void)error;
	if (peer != a->peer)
		return;
	sim_peer_close(peer);
	stream_gone(a);
}

static void connected(struct sim_peer *peer, void *token, int error)
{
	if (error)
		ended(peer, token, error);
}

static const struct sim_peer_ops ops = {.receive = received, .connected = connected, .ended = ended};

static void connect_stream(struct sim_agent *a)
{
	char from[32];

	snprintf(from, sizeof(from), "10.0.1.%u:0", a->index + 1);
	a->in_len = 0;
	a->peer = sim_peer_tcp_connect(from, SIM_SERVER, &ops, a);
}

/* ---- its binding ---- */

static void may_be(struct sim_agent_memory *m, struct sim_binding b)
{
	sim_check(m->n_maybe < SIM_AGENT_MAYBE);
	m->maybe[m->n_maybe++] = b;
}

/* Whether what the server lists is what b says it is; found 0: nothing is listed. */
static bool agrees(const struct sim_binding *b, unsigned found, int64_t now)
{
	if (!b->q || now > b->ends_last + 2 * SIM_SECOND + sim_agent_clock.doubt_us)
		return found == 0;
	if (found == 0)
		return now >= b->ends_first - sim_agent_clock.doubt_us;
	return found == b->q;
}

/* The q of the agent's own contact, in thousandths; 0: it is not listed. */
static unsigned listed(const struct sim_agent *a, struct rs_str bytes)
{
	const char *at = bytes.p, *q;
	char own[64];
	unsigned found = 0;

	snprintf(own, sizeof(own), "<sip:%s@", a->user);
	while ((at = strstr(at, "\r\nContact: "))) {
		at += 11;
		sim_check(strncmp(at, own, strlen(own)) == 0); /* nobody else's stands in its AOR */
		sim_check(!found);                             /* and no second one of its own */
		q = strstr(at, ";q=0.");
		sim_check(q);
		found = (unsigned)atoi(q + 5);
	}
	return found;
}

static void registered(struct sim_agent *a, struct sim_agent_request *r, struct rs_str bytes)
{
	struct sim_agent_memory *m = a->memory;
	unsigned found = listed(a, bytes);

	sim_agent_stats.registered++;
	if (!r->question) {
		m->known = (struct sim_binding){.q = r->expires ? r->q : 0,
						.ends_first = r->asked_at + r->expires * SIM_SECOND,
						.ends_last = now_us() + r->expires * SIM_SECOND};
		m->n_maybe = 0;
		if (found != m->known.q)
			sim_failed(__FILE_NAME__, __LINE__, "%s: q %u was asked for, %u is listed", a->user, m->known.q,
				   found);
		return;
	}
	if (agrees(&m->known, found, now_us()))
		return;
	for (unsigned i = 0; i < m->n_maybe; i++)
		if (agrees(&m->maybe[i], found, now_us()))
			return;
	sim_failed(__FILE_NAME__, __LINE__, "%s: q %u is listed, known is %u, and %u changes may have been made",
		   a->user, found, m->known.q, m->n_maybe);
}

/* ---- its requests ---- */

static void build(struct sim_agent *a, struct sim_agent_request *r, bool wrong)
{
	static unsigned long branches; /* one process, one simulation */
	char credentials[700];
	int n;

	sim_digest_credentials(&a->digest, a->user, wrong ? "guess" : "secret", r->method, r->uri, credentials,
			       sizeof(credentials));
	r->cseq = ++a->memory->cseq;
	snprintf(r->via, sizeof(r->via), "%s", a->address);
	r->branch = ++branches;
	n = snprintf(r->bytes, sizeof(r->bytes),
		     "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK-a%u-%u-%lu;rport\r\nMax-Forwards: 70\r\n"
		     "From: <sip:%s@10.0.0.1>;tag=f%u\r\nTo: <%s>\r\nCall-ID: %s-%u-%s\r\nCSeq: %u %s\r\n%s%s"
		     "%sContent-Length: %zu\r\n\r\n%s",
		     r->method, r->uri, a->tcp ? "TCP" : "UDP", a->address, a->index, a->memory->life, r->branch,
		     a->user, a->index, strcmp(r->method, "REGISTER") == 0 ? "sip:10.0.0.1" : r->uri, a->user,
		     a->memory->life, r->method, r->cseq, r->method, credentials, r->lines,
		     r->body[0] ? "Content-Type: text/plain\r\n" : "", strlen(r->body), r->body);
	sim_check(n > 0 && (size_t)n < sizeof(r->bytes));
	r->len = (size_t)n;
	/* A REGISTER names its AOR in To. */
	if (strcmp(r->method, "REGISTER") == 0) {
		char *to = strstr(r->bytes, "To: <sip:10.0.0.1>"), rest[SIM_AGENT_BYTES];
		snprintf(rest, sizeof(rest), "%s", to + strlen("To: <sip:10.0.0.1>"));
		n = snprintf(to, sizeof(r->bytes) - (size_t)(to - r->bytes), "To: <sip:%s@10.0.0.1>%s", a->user, rest);
		r->len = (size_t)(to - r->bytes) + (size_t)n;
		sim_check(r->len < sizeof(r->bytes));
	}
}

static void finish(struct sim_agent_request *r, unsigned status, struct rs_str bytes)
{
	struct sim_agent *a = r->agent;

	sim_queue_remove(&r->timer);
	r->used = false;
	if (status == 0) {
		sim_agent_stats.unanswered++;
		/* On a stream what is still on its way would come later. */
		if (a->tcp && a->peer) {
			sim_peer_close(a->peer);
			a->peer = NULL;
		}
		return;
	}
	if (strcmp(r->method, "REGISTER") == 0) {
		if (status == 200)
			registered(a, r, bytes);
		else
			sim_agent_stats.refused++;
		/* A change that is refused has not been made; it was noted last. */
		if (status != 200 && !r->question && a->memory->n_maybe)
			a->memory->n_maybe--;
		sim_check(status == 200 || status == 401 || status == 500 || status == 503);
	}
	if (r->message && status == 200) {
		bool came = false;
		for (unsigned i = 0; i < SIM_AGENTS; i++)
			came |= messages[r->message - 1][i].came;
		sim_check(came);
		sim_agent_stats.messages++;
	}
	if (sim_agent_tap && status == 200 && memmem(r->bytes, r->len, "\r\nAuthorization: ", 17))
		sim_agent_tap(a, rs_str_n(r->bytes, r->len));
	sim_agent_stats.calls += r->invite;
}

static void timer(struct sim_event *e);

static void transmit(struct sim_agent_request *r)
{
	if (sim_agent_intercept && !r->agent->tcp && memmem(r->bytes, r->len, "\r\nAuthorization: ", 17) &&
	    sim_rng_below(sim_test_rng(), 30) == 0)
		sim_agent_intercept(rs_str_n(r->bytes, r->len));
	else
		sim_agent_send(r->agent, r->bytes, r->len);
	r->interval = T1;
	r->gives_up = sim_now() + 64 * T1;
	r->proceeding = false;
	sim_queue_add(&r->timer, r->agent->tcp ? r->gives_up : sim_now() + T1, timer, NULL);
}

static void timer(struct sim_event *e)
{
	struct sim_agent_request *r = rs_container_of(e, struct sim_agent_request, timer);
	int64_t next;

	if (sim_now() >= r->gives_up) {
		finish(r, 0, RS_STR_NULL);
		return;
	}
	if (!r->agent->tcp && !(r->invite && r->proceeding))
		sim_agent_send(r->agent, r->bytes, r->len);
	r->interval = r->proceeding || (r->interval * 2 > T2 && !r->invite) ? T2 : r->interval * 2;
	next = r->agent->tcp ? sim_now() + SIM_SECOND : sim_now() + r->interval;
	sim_queue_add(e, next < r->gives_up ? next : r->gives_up, timer, NULL);
}

/* ACK or CANCEL for an INVITE, with its branch and CSeq number; to_tag: what stands behind the URI in To. */
static void in_passing(struct sim_agent_request *r, const char *method, const char *uri, const char *to_tag)
{
	struct sim_agent *a = r->agent;
	char buf[800];
	int n = snprintf(buf, sizeof(buf),
			 "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK-a%u-%u-%lu;rport\r\nMax-Forwards: 70\r\n"
			 "From: <sip:%s@10.0.0.1>;tag=f%u\r\nTo: <%s>%s\r\nCall-ID: %s-%u-INVITE\r\nCSeq: %u %s\r\n"
			 "Content-Length: 0\r\n\r\n",
			 method, uri, a->tcp ? "TCP" : "UDP", r->via, a->index, a->memory->life, r->branch, a->user,
			 a->index, r->uri, to_tag, a->user, a->memory->life, r->cseq, method);

	sim_check(n > 0 && (size_t)n < sizeof(buf));
	r->cancelled = method[0] == 'C';
	sim_agent_send(a, buf, (size_t)n);
}

static void acknowledge(struct sim_agent_request *r, struct rs_str answer)
{
	char to[200];
	const char *tag = strstr(sim_agent_header(answer, "To", to, sizeof(to)), ";tag=");

	sim_check(tag);
	in_passing(r, "ACK", r->uri, tag);
}

static struct sim_agent_request *request_of(struct sim_agent *a, struct rs_str answer)
{
	char via[256], branch[64];

	sim_agent_header(answer, "Via", via, sizeof(via));
	for (unsigned i = 0; i < SIM_AGENT_REQUESTS; i++) {
		struct sim_agent_request *r = &a->requests[i];
		snprintf(branch, sizeof(branch), ";branch=z9hG4bK-a%u-%u-%lu;", a->index, a->memory->life, r->branch);
		if (strstr(via, branch) && strstr(answer.p, r->method))
			return r;
	}
	return NULL;
}

static void answer_came(struct sim_agent *a, struct rs_str bytes)
{
	struct sim_agent_request *r = request_of(a, bytes);
	unsigned status = (unsigned)atoi(bytes.p + 8);
	char cseq[64], challenge[600];

	sim_agent_header(bytes, "CSeq", cseq, sizeof(cseq));
	if (!r || (unsigned)atoi(cseq) != r->cseq || !strstr(cseq, r->method))
		return; /* of an earlier request, late, or to a CANCEL */
	if (r->invite && status >= 200)
		acknowledge(r, bytes); /* a 2xx's would go by another branch; nobody minds here */
	if (!r->used)
		return;
	if (status < 200) {
		r->proceeding = true;
		if (!r->cancelled && sim_rng_below(sim_test_rng(), 3) == 0)
			in_passing(r, "CANCEL", r->uri, "");
		return;
	}
	if (status == 401 && ++r->tries < TRIES) {
		sim_digest_challenged(&a->digest, sim_agent_header(bytes, "WWW-Authenticate", challenge, 600));
		sim_queue_remove(&r->timer);
		r->asked_at = now_us();
		build(a, r, !a->quiet && sim_rng_below(sim_test_rng(), 20) == 0);
		transmit(r);
		return;
	}
	finish(r, status, bytes);
}

static struct sim_agent_request *new_request(struct sim_agent *a, const char *method, const char *uri)
{
	struct sim_agent_request *r = NULL;

	for (unsigned i = 0; i < SIM_AGENT_REQUESTS; i++) {
		if (!a->requests[i].used)
			r = &a->requests[i];
		else if (strcmp(a->requests[i].method, method) == 0 && strcmp(method, "MESSAGE") != 0)
			return NULL; /* one at a time: a refresh waits for the one before it */
	}
	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->agent = a;
	r->used = true;
	r->method = method;
	r->invite = strcmp(method, "INVITE") == 0;
	r->asked_at = now_us();
	snprintf(r->uri, sizeof(r->uri), "%s", uri);
	return r;
}

static void go(struct sim_agent *a, struct sim_agent_request *r)
{
	if (a->tcp && !a->peer)
		connect_stream(a);
	build(a, r, false);
	transmit(r);
}

static void do_register(struct sim_agent *a)
{
	struct sim_agent_request *r;
	struct sim_rng *rng = sim_test_rng();
	char contact[64];

	if (a->memory->n_maybe == SIM_AGENT_MAYBE)
		return;
	r = new_request(a, "REGISTER", "sip:10.0.0.1");
	if (!r)
		return;
	r->q = 1 + (unsigned)sim_rng_below(rng, 999);
	r->expires = sim_rng_below(rng, 5) == 0 ? 0 : (unsigned)sim_rng_range(rng, EXPIRES_MIN, 4 * EXPIRES_MIN);
	snprintf(contact, sizeof(contact), "<sip:%s@%s%s>", a->user,
		 a->index == SIM_AGENT_NAMED ? SIM_AGENT_NAME : a->address, a->tcp ? ";transport=tcp" : "");
	if (r->expires)
		snprintf(r->lines, sizeof(r->lines), "Contact: %s;q=0.%03u;expires=%u\r\n", contact, r->q, r->expires);
	else /* a phone that moved does not know better */
		snprintf(r->lines, sizeof(r->lines),
			 a->index % 2 ? "Contact: *\r\nExpires: 0\r\n" : "Contact: %s;expires=0\r\n", contact);
	may_be(a->memory, (struct sim_binding){.q = r->expires ? r->q : 0,
					       .ends_first = now_us() + r->expires * SIM_SECOND,
					       .ends_last = now_us() + (r->expires + 200) * SIM_SECOND});
	go(a, r);
}

static void do_message(struct sim_agent *a)
{
	struct sim_agent_request *r;
	char uri[32];

	if (n_messages == SIM_MESSAGES)
		return;
	snprintf(uri, sizeof(uri), "sip:u%u@10.0.0.1", (unsigned)sim_rng_below(sim_test_rng(), SIM_AGENTS));
	r = new_request(a, "MESSAGE", uri);
	if (!r)
		return;
	r->message = ++n_messages;
	snprintf(r->body, sizeof(r->body), "message %u", r->message - 1);
	go(a, r);
}

void sim_agent_message_came(struct sim_agent *a, unsigned id, const char *branch)
{
	sim_check(id < n_messages);
	/* A phone without a password sends one branch only; one that was challenged may have been let in later. */
	if (messages[id][a->index].came && strcmp(messages[id][a->index].branch, branch) != 0)
		sim_failed(__FILE_NAME__, __LINE__, "message %u came to %s by %s and by %s", id, a->user,
			   messages[id][a->index].branch, branch);
	messages[id][a->index].came = true;
	snprintf(messages[id][a->index].branch, sizeof(messages[id][a->index].branch), "%s", branch);
}

/* A connection breaks, or a phone gets another port; where the AOR has room for one contact the new one replaces the
 * old. */
static void change_place(struct sim_agent *a)
{
	if (a->tcp && a->peer) {
		sim_peer_reset(a->peer);
		stream_gone(a);
	} else if (!a->tcp && a->index % 2) {
		snprintf(a->address, sizeof(a->address), "10.0.1.%u:%u", a->index + 1,
			 5060 + (unsigned)sim_rng_below(sim_test_rng(), 5));
		sim_peer_move(a->peer, a->address);
	}
}

static void act(struct sim_event *e)
{
	struct sim_agent *a = rs_container_of(e, struct sim_agent, next);
	struct sim_agent_request *r = NULL;

	switch (sim_rng_below(sim_test_rng(), 12)) {
	case 0:
		r = new_request(a, "OPTIONS", "sip:10.0.0.1");
		break;
	case 1:
	case 2:
		r = new_request(a, "INVITE", "sip:probe@10.0.0.1");
		break;
	case 3:
		if (sim_rng_below(sim_test_rng(), 3) == 0)
			change_place(a);
		break;
	case 4:
	case 5:
	case 6:
		do_message(a);
		break;
	default:
		do_register(a);
		break;
	}
	if (r && r->invite)
		snprintf(r->lines, sizeof(r->lines), "Contact: <sip:%s@%s>\r\n", a->user, a->address);
	if (r)
		go(a, r);
	sim_queue_add(e, sim_now() + sim_rng_range(sim_test_rng(), 0, 4 * SIM_SECOND), act, NULL);
}

/* ---- its life ---- */

void sim_agent_start(struct sim_agent *a, unsigned n, struct sim_agent_memory *memory)
{
	memset(a, 0, sizeof(*a));
	a->index = n;
	a->tcp = n % 4 == 3;
	a->memory = memory;
	memory->life++;
	snprintf(a->user, sizeof(a->user), "u%u", n);
	snprintf(a->address, sizeof(a->address), "10.0.1.%u:5060", n + 1);
	if (!a->tcp)
		a->peer = sim_peer_udp_open(a->address, &ops, a);
	if (n == SIM_AGENT_NAMED)
		sim_names_add(SIM_AGENT_NAME, "10.0.1.7");
	sim_queue_add(&a->next, sim_now() + sim_rng_range(sim_test_rng(), 0, SIM_SECOND), act, NULL);
}

void sim_agent_calm(struct sim_agent *a)
{
	a->quiet = true;
	sim_queue_remove(&a->next);
}

bool sim_agent_idle(const struct sim_agent *a)
{
	for (unsigned i = 0; i < SIM_AGENT_REQUESTS; i++) {
		if (a->requests[i].used)
			return false;
	}
	return true;
}

static bool idle(void *token)
{
	return sim_agent_idle(token);
}

void sim_agent_check(struct sim_agent *a)
{
	unsigned long before = sim_agent_stats.registered;
	struct sim_agent_request *question;

	sim_agent_calm(a);
	sim_check(sim_run_until(idle, a, 80 * SIM_SECOND));
	question = new_request(a, "REGISTER", "sip:10.0.0.1");
	question->question = true;
	go(a, question);
	sim_check(sim_run_until(idle, a, 80 * SIM_SECOND));
	sim_check_int(sim_agent_stats.registered, before + 1);
}

void sim_agent_stop(struct sim_agent *a)
{
	sim_queue_remove(&a->next);
	for (unsigned i = 0; i < SIM_AGENT_REQUESTS; i++)
		sim_queue_remove(&a->requests[i].timer);
	sim_agent_answers_stop(a);
	if (a->peer)
		sim_peer_close(a->peer);
	a->peer = NULL;
}
