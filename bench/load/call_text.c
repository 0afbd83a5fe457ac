#include "call_text.h"
#include "shapes.h"
#include "sources.h"
#include "template.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COOKIE      "z9hG4bKc" /* then the name, the kind and the CSeq in hex */
#define SLOT_DIGITS 5
#define KEY_LEN     (SLOT_DIGITS + 8u)
#define CSEQ_DIGITS 4
#define SDP_KEY     "\r\no=c" /* then the name */
#define ROOM        1024

/* As a desk phone writes it; where {k} stands, its SDP names the call. */
static const char OFFER[] = "v=0\r\n"
			    "o=c{k} 20518 20518 IN IP4 127.0.0.1\r\n"
			    "s=-\r\n"
			    "c=IN IP4 127.0.0.1\r\n"
			    "t=0 0\r\n"
			    "m=audio 30120 RTP/AVP 9 8 0 18 101\r\n"
			    "a=rtpmap:9 G722/8000\r\n"
			    "a=rtpmap:8 PCMA/8000\r\n"
			    "a=rtpmap:0 PCMU/8000\r\n"
			    "a=rtpmap:18 G729/8000\r\n"
			    "a=fmtp:18 annexb=no\r\n"
			    "a=rtpmap:101 telephone-event/8000\r\n"
			    "a=fmtp:101 0-15\r\n"
			    "a=ptime:20\r\n"
			    "a=sendrecv\r\n";

static const char ANSWER[] = "v=0\r\n"
			     "o=- 77310 77310 IN IP4 127.0.0.1\r\n"
			     "s=-\r\n"
			     "c=IN IP4 127.0.0.1\r\n"
			     "t=0 0\r\n"
			     "m=audio 31644 RTP/AVP 8 101\r\n"
			     "a=rtpmap:8 PCMA/8000\r\n"
			     "a=rtpmap:101 telephone-event/8000\r\n"
			     "a=fmtp:101 0-15\r\n"
			     "a=ptime:20\r\n"
			     "a=sendrecv\r\n";

#define PHONE                                                                                                          \
	"Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, UPDATE\r\n"                           \
	"Supported: replaces\r\n"

static const char INVITE[] = "INVITE sip:{w}@127.0.0.1 SIP/2.0\r\n"
			     "Via: SIP/2.0/UDP 127.0.0.1:{p};branch=" COOKIE "{b};rport\r\n"
			     "Max-Forwards: 70\r\n"
			     "Contact: <sip:{u}@127.0.0.1:{p}>\r\n"
			     "To: <sip:{w}@127.0.0.1>\r\n"
			     "From: \"Front Desk\" <sip:{u}@127.0.0.1>;tag=a{k}\r\n"
			     "Call-ID: {i}\r\n"
			     "CSeq: {c} INVITE\r\n" PHONE "User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
			     "Content-Type: application/sdp\r\n"
			     "Content-Length: {l}\r\n\r\n"
			     "{s}";

/* ACK, BYE and INFO in the dialog; an ACK to a refusal, too. {x}: more lines, with the Content-Length and what follows.
 */
static const char INSIDE[] = "{m} {r} SIP/2.0\r\n"
			     "Via: SIP/2.0/UDP 127.0.0.1:{p};branch=" COOKIE "{b};rport\r\n"
			     "Max-Forwards: 70\r\n"
			     "{o}"
			     "To: <sip:{w}@127.0.0.1>{t}\r\n"
			     "From: \"Front Desk\" <sip:{u}@127.0.0.1>;tag=a{k}\r\n"
			     "Call-ID: {i}\r\n"
			     "CSeq: {c} {m}\r\n"
			     "{x}";

static const struct {
	const char *method, *rest;
} KINDS[] = {
	[CALL_INVITE] = {"INVITE", ""},
	[CALL_ACK] = {"ACK", "Content-Length: 0\r\n\r\n"},
	[CALL_BYE] = {"BYE", "User-Agent: Lobbyphone 4.2.11 rev 77\r\nContent-Length: 0\r\n\r\n"},
	[CALL_INFO] = {"INFO", "User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
			       "Content-Type: application/dtmf-relay\r\nContent-Length: 24\r\n\r\n"
			       "Signal=5\r\nDuration=160\r\n"},
};

static struct template invite, inside, offer;
static char run[9];

void call_text_start(void)
{
	snprintf(run, sizeof(run), "%08x", (unsigned)(time(NULL) * 1000003));
	template_compile(&invite, INVITE);
	template_compile(&inside, INSIDE);
	template_compile(&offer, OFFER);
}

static void put_key(struct call_name name, char out[KEY_LEN])
{
	put_hex(name.slot, SLOT_DIGITS, out);
	put_hex(name.sequence, 8, out + SLOT_DIGITS);
}

static bool get_key(const char *p, const char *end, struct call_name *name)
{
	uint32_t slot;

	if (end - p < (long)KEY_LEN || !get_hex(p, SLOT_DIGITS, &slot) ||
	    !get_hex(p + SLOT_DIGITS, 8, &name->sequence) || slot >= CALL_SLOTS)
		return false;
	name->slot = slot;
	return true;
}

/* What the fields point to. */
struct texts {
	char key[KEY_LEN], branch[KEY_LEN + 1 + CSEQ_DIGITS], call_id[8 + KEY_LEN], port[10], cseq[10], length[10];
	char caller[SHAPE_USER_LEN + 1], callee[SHAPE_USER_LEN + 1], body[ROOM], uri[64];
};

static struct field text(const char *p)
{
	return (struct field){p, strlen(p)};
}

/* branch_of: an ACK to a refusal has the branch of its INVITE. */
static void set_common(const struct call_request *r, enum call_kind branch_of, struct texts *t, struct field f[26])
{
	put_key(r->name, t->key);
	memcpy(t->branch, t->key, KEY_LEN);
	put_hex(branch_of, 1, t->branch + KEY_LEN);
	put_hex(r->cseq, CSEQ_DIGITS, t->branch + KEY_LEN + 1);
	memcpy(t->call_id, run, 8);
	memcpy(t->call_id + 8, t->key, KEY_LEN);
	shape_user(r->caller, t->caller);
	shape_user(r->callee, t->callee);
	f['k' - 'a'] = (struct field){t->key, KEY_LEN};
	f['b' - 'a'] = (struct field){t->branch, sizeof(t->branch)};
	f['i' - 'a'] = (struct field){t->call_id, sizeof(t->call_id)};
	f['p' - 'a'] = (struct field){t->port, put_decimal(source_port(r->source), t->port)};
	f['c' - 'a'] = (struct field){t->cseq, put_decimal(r->cseq, t->cseq)};
	f['u' - 'a'] = (struct field){t->caller, SHAPE_USER_LEN};
	f['w' - 'a'] = (struct field){t->callee, SHAPE_USER_LEN};
	f['m' - 'a'] = text(KINDS[r->kind].method);
	f['x' - 'a'] = text(KINDS[r->kind].rest);
}

size_t call_write(const struct call_request *r, char *buf)
{
	const struct call_dialog *d = r->dialog;
	struct field f[26] = {0};
	struct texts t;

	set_common(r, r->kind, &t, f);
	if (!d) {
		size_t len = template_write(&offer, f, t.body, sizeof(t.body));

		f['s' - 'a'] = (struct field){t.body, len};
		f['l' - 'a'] = (struct field){t.length, put_decimal((uint32_t)len, t.length)};
		return template_write(&invite, f, buf, MAX_DATAGRAM);
	}
	f['r' - 'a'] = (struct field){d->target, d->target_len};
	f['o' - 'a'] = (struct field){d->route, d->route_len};
	f['t' - 'a'] = (struct field){d->tag, d->tag_len};
	return template_write(&inside, f, buf, MAX_DATAGRAM);
}

/* The parameter ";tag=…" of the line that begins with "\n" and name. */
static struct field find_tag(const char *p, size_t len, const char *name)
{
	const char *line = memmem(p, len, name, strlen(name)), *end, *tag;
	size_t n = 1;

	end = line ? memchr(line + 1, '\n', (size_t)(p + len - line - 1)) : NULL;
	tag = end ? memmem(line, (size_t)(end - line), ";tag=", 5) : NULL;
	if (!tag)
		return (struct field){NULL, 0};
	while (tag + n < end && tag[n] != ';' && tag[n] != '\r' && tag[n] != ' ')
		n++;
	return (struct field){tag, n};
}

size_t call_write_refused_ack(const struct call_request *r, const char *p, size_t len, char *buf)
{
	struct field f[26] = {0};
	struct texts t;

	set_common(r, CALL_INVITE, &t, f);
	f['r' - 'a'] = (struct field){t.uri, (size_t)snprintf(t.uri, sizeof(t.uri), "sip:%s@127.0.0.1", t.callee)};
	f['t' - 'a'] = find_tag(p, len, "\nTo:");
	return template_write(&inside, f, buf, MAX_DATAGRAM);
}

static bool keep(char *to, size_t room, uint8_t *to_len, const char *p, size_t len)
{
	if (len > room)
		return false;
	memcpy(to, p, len);
	*to_len = (uint8_t)len;
	return true;
}

/* The route set of the caller: the Record-Route lines from the last one to the first. Each has one value, as those who
 * put themselves there write it. */
static bool learn_routes(const char *p, size_t len, struct call_dialog *out)
{
	static const char name[] = "\nRecord-Route:";
	const char *at = p, *end = p + len, *line_end;

	while ((at = memmem(at, (size_t)(end - at), name, sizeof(name) - 1))) {
		size_t n, whole;

		at += sizeof(name) - 1;
		line_end = memchr(at, '\n', (size_t)(end - at));
		n = line_end ? (size_t)(line_end + 1 - at) : 0;
		whole = n + 6;
		if (!n || whole + out->route_len > sizeof(out->route))
			return false;
		memmove(out->route + whole, out->route, out->route_len);
		memcpy(out->route, "Route:", 6);
		memcpy(out->route + 6, at, n);
		out->route_len = (uint8_t)(out->route_len + whole);
		at = line_end;
	}
	return true;
}

bool call_learn(const char *p, size_t len, struct call_dialog *out)
{
	const char *contact = memmem(p, len, "\nContact:", 9), *end = p + len, *start, *stop;
	struct field tag = find_tag(p, len, "\nTo:");

	out->route_len = 0;
	start = contact ? memchr(contact, '<', (size_t)(end - contact)) : NULL;
	stop = start ? memchr(start, '>', (size_t)(end - start)) : NULL;
	return stop && tag.len &&
	       keep(out->target, sizeof(out->target), &out->target_len, start + 1, (size_t)(stop - start - 1)) &&
	       keep(out->tag, sizeof(out->tag), &out->tag_len, tag.p, tag.len) && learn_routes(p, len, out);
}

bool call_match_response(const char *p, size_t len, struct call_name *name, enum call_kind *kind, uint32_t *cseq)
{
	const char *at = memmem(p, len, COOKIE, sizeof(COOKIE) - 1), *end = p + len;
	uint32_t k;

	if (!at)
		return false;
	at += sizeof(COOKIE) - 1;
	if (!get_key(at, end, name) || end - at < (long)KEY_LEN + 1 + CSEQ_DIGITS || !get_hex(at + KEY_LEN, 1, &k) ||
	    k > CALL_INFO || !get_hex(at + KEY_LEN + 1, CSEQ_DIGITS, cseq))
		return false;
	*kind = (enum call_kind)k;
	return true;
}

bool call_match_request(const char *p, size_t len, struct call_name *name, bool *called)
{
	struct field tag = find_tag(p, len, "\nTo:");
	const char *at;

	if (tag.len) {
		*called = tag.len > 5 && tag.p[5] == 'b';
		return tag.len == 6 + KEY_LEN && get_key(tag.p + 6, tag.p + tag.len, name);
	}
	at = memmem(p, len, SDP_KEY, sizeof(SDP_KEY) - 1);
	*called = true;
	return at && get_key(at + sizeof(SDP_KEY) - 1, p + len, name);
}

size_t call_answer_invite(unsigned status, const char *p, size_t len, struct call_name name, uint32_t callee,
			  unsigned source, char *buf)
{
	char tag[1 + KEY_LEN + 1] = "b", user[SHAPE_USER_LEN + 1], rest[ROOM];
	size_t at;
	int n;

	put_key(name, tag + 1);
	shape_user(callee, user);
	at = shape_answer_head(status == 180 ? "SIP/2.0 180 Ringing" : "SIP/2.0 200 OK", p, len, tag, true, buf);
	n = snprintf(rest, sizeof(rest), "Contact: <sip:%s@127.0.0.1:%u>\r\n%sContent-Length: %zu\r\n\r\n%s", user,
		     source_port(source), status == 180 ? PHONE : PHONE "Content-Type: application/sdp\r\n",
		     status == 180 ? 0 : sizeof(ANSWER) - 1, status == 180 ? "" : ANSWER);
	return shape_append(buf, at, rest, (size_t)n);
}
