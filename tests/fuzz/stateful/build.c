/* Messages of the peers: templates whose holes are filled from a program's operands. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OUR_HOST "10.0.0.1"

struct user {
	const char *name, *password;
};
static const struct user users[8] = {
	{"alice", "wonderland"}, {"bob", "builder"},    {"carol", "none"},         {"trunk", "none"},
	{"nobody", "none"},      {"anonymous", "none"}, {"%61lice", "wonderland"}, {"", "none"},
};

static const char *const methods[16] = {"REGISTER", "MESSAGE", "OPTIONS", "INVITE", "ACK",   "BYE",
					"CANCEL",   "INFO",    "PRACK",   "UPDATE", "REFER", "SUBSCRIBE",
					"NOTIFY",   "PUBLISH", "FOO",     "message"};

/* ---- text that grows ---- */

struct text {
	char v[TEXT_MAX];
	size_t len;
};

static void add(struct text *t, const char *fmt, ...) RS_PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->v + t->len, sizeof(t->v) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < sizeof(t->v) ? t->len + (size_t)n : sizeof(t->v) - 1;
}

/* ---- the exchange ---- */

static struct exchange *exchange_back(unsigned n)
{
	return world.n_exchanges ? &world.exchanges[world.n_exchanges - 1 - n % world.n_exchanges] : NULL;
}

static struct exchange *exchange_new(struct source *s, const char *method)
{
	struct exchange *e;

	if (world.n_exchanges == EXCHANGES)
		return NULL;
	e = &world.exchanges[world.n_exchanges++];
	*e = (struct exchange){.source = s, .life = world.life, .clean = !s->spoiled, .by_udp = !s->stream};
	snprintf(e->method, sizeof(e->method), "%s", method);
	return e;
}

/* A branch that no change of a few bytes makes into another one of ours. */
static void new_branch(struct exchange *e)
{
	unsigned n = ++world.next_branch;

	snprintf(e->branch, sizeof(e->branch), "z9hG4bK-s%u-%08x", n, n * 2654435761u);
}

/* Two requests of one branch and method are not told apart. */
static void note_same(struct exchange *e)
{
	for (struct exchange *other = world.exchanges; other < e; other++) {
		if (strcmp(other->branch, e->branch) == 0 && strcmp(other->method, e->method) == 0)
			other->clean = e->clean = false;
	}
}

static void choose_branch(struct exchange *e, uint8_t v)
{
	struct exchange *other =
		world.n_exchanges > 1 ? &world.exchanges[(world.n_exchanges - 2) - (v >> 2) % (world.n_exchanges - 1)]
				      : NULL;

	new_branch(e);
	switch (v & 3) {
	case 1:
		if (!other)
			break;
		memcpy(e->branch, other->branch, sizeof(e->branch));
		e->clean = false;
		for (unsigned i = 0; i < world.n_exchanges; i++) {
			if (strcmp(world.exchanges[i].branch, e->branch) == 0)
				world.exchanges[i].clean = false;
		}
		break;
	case 2:
		memmove(e->branch, e->branch + 7, sizeof(e->branch) - 7);
		e->clean = false;
		break;
	case 3:
		e->branch[0] = '\0';
		e->clean = false;
		break;
	}
}

static void choose_to_tag(struct exchange *e, uint8_t v)
{
	switch (v >> 4 & 3) {
	case 1:
		for (unsigned i = 1; i < world.n_exchanges; i++) {
			struct exchange *other = exchange_back(i);

			if (strcmp(other->call_id, e->call_id) != 0 || !other->to_tag[0])
				continue;
			memcpy(e->to_tag, other->to_tag, sizeof(e->to_tag));
			break;
		}
		break;
	case 2:
		snprintf(e->to_tag, sizeof(e->to_tag), "made-up");
		break;
	}
}

static void choose_dialog(struct exchange *e, uint8_t call, uint8_t cseq)
{
	static const uint32_t odd[] = {0, 0, 1, 0, 0x7fffffff, 0xffffffff};
	uint32_t *last = &world.cseqs[call & 15];

	snprintf(e->call_id, sizeof(e->call_id), "call-%u@fuzz", call & 15);
	snprintf(e->from_tag, sizeof(e->from_tag), "%s%u", call & 64 ? "other" : "from", call & 15);
	choose_to_tag(e, call);
	if (cseq == 0 || cseq >= RS_ARRAY_SIZE(odd))
		e->cseq = ++*last;
	else
		e->cseq = cseq == 1 ? *last : odd[cseq];
}

static void choose_uris(struct exchange *e, uint8_t v)
{
	const struct user *from = &users[v & 7], *to = &users[v >> 4 & 7];
	bool is_register = strcmp(e->method, "REGISTER") == 0;

	snprintf(e->from, sizeof(e->from), "<sip:%s%s" OUR_HOST ">", from->name, from->name[0] ? "@" : "");
	snprintf(e->to, sizeof(e->to), "<sip:%s%s" OUR_HOST ">", to->name, to->name[0] ? "@" : "");
	if (is_register)
		snprintf(e->uri, sizeof(e->uri), "sip:" OUR_HOST);
	else
		snprintf(e->uri, sizeof(e->uri), "sip:%s%s" OUR_HOST, to->name, to->name[0] ? "@" : "");
}

/* ---- headers ---- */

static void add_contact(struct text *t, const struct exchange *e, uint8_t v, const char *user)
{
	unsigned host = e->source->host + 1, other = host % HOSTS + 1;

	switch (v & 15) {
	case 1:
		add(t, "Contact: <sip:%s@10.0.1.%u:5060>\r\n", user, host);
		break;
	case 2:
		add(t, "Contact: <sip:%s@10.0.1.%u:5060;transport=tcp>\r\n", user, host);
		break;
	case 3:
		add(t, "Contact: *\r\n");
		break;
	case 4:
		add(t, "Contact: <sip:%s@10.0.1.%u>;q=0.3, <sip:%s@10.0.1.%u>;q=0.7\r\n", user, host, user, other);
		break;
	case 5:
		add(t, "Contact: <sip:%s@phone%u.example>\r\n", user, host);
		break;
	case 6:
		add(t, "Contact: <sip:%s@10.0.1.%u:5060>;expires=0\r\n", user, host);
		break;
	case 7:
		add(t,
		    "Contact: <sip:%s@10.0.1.%u;ob>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-00000000000%u>\";"
		    "reg-id=1\r\n",
		    user, host, host);
		break;
	case 8:
		add(t, "Contact: <sip:%s@10.0.9.9:5060>\r\n", user);
		break;
	case 9:
		add(t, "Contact: <sip:%s@" OUR_HOST ">\r\n", user);
		break;
	case 10:
		add(t, "Contact: <sip:%s@[::1>;q=2\r\n", user);
		break;
	case 11:
		add(t, "Contact: <sip:%s@10.0.1.%u:5060>\r\n", user, other);
		break;
	case 12:
		add(t, "Contact: <sip:%s@10.0.1.%u;transport=tcp>;q=0.5\r\nContact: <sip:%s@10.0.1.%u>\r\n", user, host,
		    user, host);
		break;
	case 13:
		add(t, "Contact: <sips:%s@10.0.1.%u>\r\n", user, host);
		break;
	case 14:
		add(t, "Contact: <tel:+15551234>\r\n");
		break;
	case 15:
		add(t, "Contact: <sip:bob@" OUR_HOST ">\r\nContact: <sip:alice@" OUR_HOST ">\r\n");
		break;
	}
}

static void add_expires(struct text *t, uint8_t v)
{
	static const char *const values[] = {NULL,         "60",         "0",  "3600", "1",
					     "4294967295", "4294967296", "-1", "soon", "30"};
	const char *value = v >> 4 < RS_ARRAY_SIZE(values) ? values[v >> 4] : NULL;

	if (value)
		add(t, "Expires: %s\r\n", value);
}

static void add_start(struct text *t, const struct exchange *e, uint8_t extras)
{
	char address[SIP_ADDR_TEXT] = "10.0.1.1:5060";

	if (e->source->peer)
		sip_addr_text(sim_peer_address(e->source->peer), true, address);
	add(t, "%s %s SIP/2.0\r\n%s: SIP/2.0/%s %s;rport%s%s\r\n", e->method, e->uri, extras & 32 ? "v" : "Via",
	    e->source->stream ? "TCP" : "UDP", address, e->branch[0] ? ";branch=" : "", e->branch);
	if (extras & 2)
		add(t, "Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK-below\r\n");
	add(t, "Max-Forwards: %u\r\n", extras & 4 ? 0 : 70);
	if (extras & 1)
		add(t, "Route: <sip:" OUR_HOST ";lr>\r\n");
	add(t, "%s: %s;tag=%s\r\n%s: %s%s%s\r\n", extras & 32 ? "f" : "From", e->from, e->from_tag,
	    extras & 32 ? "t" : "To", e->to, e->to_tag[0] ? ";tag=" : "", e->to_tag);
	add(t, "%s: %s\r\nCSeq: %u %s\r\n", extras & 32 ? "i" : "Call-ID", e->call_id, e->cseq, e->method);
}

static void add_end(struct text *t, const char *method, bool body)
{
	if (body || strcmp(method, "MESSAGE") == 0)
		add(t, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
	else
		add(t, "Content-Length: 0\r\n\r\n");
}

/* ---- sending ---- */

static bool contains(struct rs_str bytes, const char *what)
{
	return bytes.p && memmem(bytes.p, bytes.len, what, strlen(what)) != NULL;
}

/* What raw text may do to what the checks know. */
static void note_raw(struct source *s, struct rs_str text)
{
	s->spoiled |= s->stream && text.len; /* nobody knows where the next message begins */
	if (contains(text, "z9hG4bK-s"))
		world.forged = true;
	if (contains(text, "thorization"))
		world.hosts[s->host].verified = true;
}

static void note_ack(const struct exchange *ack)
{
	struct exchange *invite = exchange_find(rs_str_c(ack->branch), RS_STR("INVITE"));

	if (invite && !invite->ack_us)
		invite->ack_us = sim_now();
	if (invite && invite->finals && !invite->acked_us && !world.hosts[ack->source->host].cut_now && ack->clean)
		invite->acked_us = sim_now();
}

void exchange_send(struct exchange *e, struct source *from)
{
	struct rs_str bytes = rs_str_n(e->bytes, e->len);

	if (!e->len)
		return;
	if (from != e->source)
		e->clean = false;
	note_raw(from, contains(bytes, "thorization") ? RS_STR("thorization") : RS_STR(""));
	e->sends++;
	e->sent_us = sim_now();
	if (strcmp(e->method, "ACK") == 0)
		note_ack(e);
	world_send(from, bytes);
}

static void keep_and_send(struct exchange *e, const struct text *t)
{
	e->len = t->len;
	e->bytes = malloc(t->len + 1);
	if (!e->bytes)
		abort();
	memcpy(e->bytes, t->v, t->len);
	exchange_send(e, e->source);
}

void build_request(const struct instruction *in)
{
	static struct text t;
	struct source *s = &world.sources[in->v[0] % SOURCES];
	struct exchange *e = exchange_new(s, methods[in->v[1] % 16]);
	const struct user *user = &users[in->v[2] & 7], *who = &users[(in->v[2] + (in->v[6] >> 3)) & 7];
	char auth[768];

	if (!e)
		return;
	choose_branch(e, in->v[3]);
	choose_dialog(e, in->v[4], in->v[5]);
	choose_uris(e, in->v[2]);
	t.len = 0;
	add_start(&t, e, in->v[8]);
	/* Who sends an INVITE must say where he is: 0 is his own address there. */
	add_contact(&t, e, in->v[7] & 15 || strcmp(e->method, "INVITE") ? in->v[7] : 1, user->name);
	add_expires(&t, in->v[7]);
	auth_line(s, in->v[6] & 7, who->name, who->password, e->method, e->uri, auth, sizeof(auth));
	add(&t, "%s", auth);
	if (in->v[8] & 8)
		add(&t, "Require: foo\r\n");
	if (in->v[8] & 64)
		add(&t, "Path: <sip:10.0.1.2;lr>\r\nSupported: path\r\n");
	if (in->v[8] & 128)
		add(&t, "Proxy-Require: bar\r\n");
	add_end(&t, e->method, in->v[8] & 16);
	e->authenticated = auth[0] && (in->v[6] & 7) == 1;
	if (in->text.len) {
		e->clean = false;
		note_raw(s, in->text);
		t.len = mutate(t.v, t.len, sizeof(t.v), in->text);
	}
	keep_and_send(e, &t);
}

void build_for(unsigned back, const char *method, bool same_branch)
{
	static struct text t;
	struct exchange *of = exchange_back(back), *e;

	if (!of || !(e = exchange_new(of->source, method)))
		return;
	e->clean &= of->clean;
	e->cseq = of->cseq;
	memcpy(e->branch, of->branch, sizeof(e->branch));
	if (!same_branch)
		new_branch(e);
	else
		note_same(e);
	memcpy(e->call_id, of->call_id, sizeof(e->call_id));
	memcpy(e->from_tag, of->from_tag, sizeof(e->from_tag));
	memcpy(e->from, of->from, sizeof(e->from));
	memcpy(e->to, of->to, sizeof(e->to));
	memcpy(e->uri, of->uri, sizeof(e->uri));
	if (strcmp(method, "ACK") == 0)
		memcpy(e->to_tag, of->to_tag, sizeof(e->to_tag));
	t.len = 0;
	add_start(&t, e, 0);
	add_end(&t, method, false);
	keep_and_send(e, &t);
}

void build_resend(const struct instruction *in)
{
	struct exchange *e = exchange_back(in->v[0]);

	if (!e)
		return;
	exchange_send(e, in->v[1] ? &world.sources[(in->v[1] - 1) % SOURCES] : e->source);
}

void build_raw(const struct instruction *in)
{
	struct source *s = &world.sources[in->v[0] % SOURCES];

	note_raw(s, in->text);
	world_send(s, in->text);
}

/* ---- answers to the server ---- */

static void copy_lines(struct text *t, struct sip_msg *msg, enum sip_hdr_id id)
{
	const struct sip_hdr *h;

	for (unsigned i = 0; (h = sip_msg_hdr(msg, id, i)); i++)
		add(t, "%.*s", RS_FMT(h->line));
}

static void write_response(struct text *t, struct sip_msg *msg, unsigned status, uint8_t flags, unsigned host)
{
	const struct sip_hdr *to = sip_msg_hdr(msg, SIP_HDR_TO, 0);

	add(t, "SIP/2.0 %u Whatever\r\n", status);
	if (flags & 4)
		add(t, "Via: SIP/2.0/UDP " OUR_HOST ":5060;branch=z9hG4bK-forged\r\n");
	copy_lines(t, msg, SIP_HDR_VIA);
	copy_lines(t, msg, SIP_HDR_RECORD_ROUTE);
	copy_lines(t, msg, SIP_HDR_FROM);
	if (to)
		add(t, "To: %.*s%s%u\r\n", RS_FMT(to->value), msg->to_tag.p || flags & 1 ? "" : ";tag=peer",
		    flags >> 6);
	copy_lines(t, msg, SIP_HDR_CALL_ID);
	copy_lines(t, msg, SIP_HDR_CSEQ);
	if (flags & 32)
		add(t, "Contact: <sip:peer@10.0.1.%u>\r\n", host + 1);
	if (status == 401 || status == 407)
		add(t, "%s-Authenticate: Digest realm=\"peer\",nonce=\"n%u\",algorithm=MD5,qop=\"auth\"\r\n",
		    status == 401 ? "WWW" : "Proxy", flags >> 6);
	if (flags & 16)
		add(t, "Content-Type: text/plain\r\nContent-Length: 1200\r\n\r\n%1200s", "long");
	else
		add(t, "Content-Length: 0\r\n\r\n");
}

static void send_response(struct asked *a, unsigned status, const struct instruction *in, const struct text *t)
{
	uint8_t flags = in->v[2];
	struct source *s = flags & 2 ? &world.sources[(a->source - world.sources + 1) % SOURCES] : a->source;
	bool sound = status >= 200 && !(flags & 7) && !in->text.len && s->peer && a->life == world.life &&
		     !world.hosts[s->host].cut_now;

	world_send(s, rs_str_n(t->v, t->len));
	if (flags & 8)
		world_send(s, rs_str_n(t->v, t->len));
	if (sound && !a->answered_us)
		a->answered_us = sim_now();
}

void build_response(const struct instruction *in)
{
	static const unsigned statuses[] = {200, 100, 180, 183, 202, 299, 301, 302, 400, 401, 404, 407,
					    408, 480, 486, 487, 491, 500, 503, 600, 603, 606, 699, 199};
	unsigned kept = world.n_asked < ASKED ? world.n_asked : ASKED;
	unsigned status = statuses[in->v[1] % RS_ARRAY_SIZE(statuses)];
	static char first[16384];
	static struct text t;
	struct rs_arena arena;
	struct sip_msg msg;
	struct asked *a;

	if (!kept)
		return;
	a = &world.asked[(world.n_asked - 1 - in->v[0] % kept) % ASKED];
	rs_arena_init(&arena, first, sizeof(first), 1u << 20);
	t.len = 0;
	if (sip_msg_parse(&msg, &arena, rs_str_n(a->bytes, a->len), false, NULL) == SIP_PARSE_DONE)
		write_response(&t, &msg, status, in->v[2], a->source->host);
	rs_arena_reset(&arena);
	if (in->text.len)
		t.len = mutate(t.v, t.len, sizeof(t.v), in->text);
	send_response(a, status, in, &t);
}
