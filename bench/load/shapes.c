#include "shapes.h"
#include "sources.h"
#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_USER  1000000
#define URI         "sip:127.0.0.1"
#define SLOT_DIGITS 4
#define COOKIE      "z9hG4bKb" /* then slot, sequence and step in hex */

static const char OPTIONS[] = "OPTIONS " URI " SIP/2.0\r\n"
			      "Via: SIP/2.0/{v} 127.0.0.1:{p};branch=" COOKIE "{b};rport\r\n"
			      "Max-Forwards: 70\r\n"
			      "From: <sip:" SHAPE_TRUNK "@127.0.0.1>;tag={b}\r\n"
			      "To: <" URI ">\r\n"
			      "Call-ID: {b}@127.0.0.1\r\n"
			      "CSeq: {c} OPTIONS\r\n"
			      "Contact: <sip:" SHAPE_TRUNK "@127.0.0.1:{p}>\r\n"
			      "Accept: application/sdp\r\n"
			      "User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
			      "Content-Length: 0\r\n\r\n";

static const char REGISTER[] = "REGISTER " URI " SIP/2.0\r\n"
			       "Via: SIP/2.0/{v} 127.0.0.1:{p};branch=" COOKIE "{b};rport\r\n"
			       "Max-Forwards: 70\r\n"
			       "Contact: <sip:{u}@127.0.0.1:{p}{t}>;expires=3600"
			       ";+sip.instance=\"<urn:uuid:6d2f0c55-83aa-4c0e-9a51-0f2f5{u}>\"\r\n"
			       "To: \"Front Desk\" <sip:{u}@127.0.0.1>\r\n"
			       "From: \"Front Desk\" <sip:{u}@127.0.0.1>;tag={b}\r\n"
			       "Call-ID: {i}\r\n"
			       "CSeq: {c} REGISTER\r\n"
			       "Expires: 3600\r\n"
			       "Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, REFER, MESSAGE, OPTIONS, INFO, SUBSCRIBE\r\n"
			       "Supported: replaces, path\r\n"
			       "User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
			       "{a}"
			       "Content-Length: 0\r\n\r\n";

static const char AUTHORIZATION[] =
	"Authorization: Digest username=\"{u}\",realm=\"{r}\",nonce=\"{n}\",uri=\"" URI "\","
	"response=\"{d}\",cnonce=\"9e1c77aa02\",nc=00000001,qop=auth,algorithm=MD5{o}\r\n";

static const char MESSAGE[] =
	"MESSAGE sip:{u}@127.0.0.1 SIP/2.0\r\n"
	"Via: SIP/2.0/{v} 127.0.0.1:{p};branch=" COOKIE "{b};rport\r\n"
	"Max-Forwards: 70\r\n"
	"From: \"Front Desk\" <sip:" SHAPE_TRUNK "@127.0.0.1>;tag={b}\r\n"
	"To: <sip:{u}@127.0.0.1>\r\n"
	"Call-ID: {b}@127.0.0.1\r\n"
	"CSeq: {c} MESSAGE\r\n"
	"User-Agent: Lobbyphone 4.2.11 rev 77\r\n"
	"Content-Type: text/plain\r\n"
	"Content-Length: 88\r\n\r\n"
	"The car for the airport is at the side entrance; the driver waits until a quarter past.\n";

static struct template options, registration, authorization, message;
static char realm[64], ha2[DIGEST_HEX], wrong_ha1[DIGEST_HEX], run[9];
static char (*ha1s)[DIGEST_HEX];
static bool over_tcp;

void shape_user(uint32_t user, char out[SHAPE_USER_LEN + 1])
{
	out[0] = 'u';
	user += FIRST_USER;
	for (unsigned i = SHAPE_USER_LEN - 1; i > 0; i--, user /= 10)
		out[i] = (char)('0' + user % 10);
	out[SHAPE_USER_LEN] = '\0';
}

void shape_password(uint32_t user, char out[SHAPE_USER_LEN + 8])
{
	char name[SHAPE_USER_LEN + 1];

	shape_user(user, name);
	snprintf(out, SHAPE_USER_LEN + 8, "secret-%s", name);
}

int shapes_start(uint32_t users, const char *in_realm, bool tcp)
{
	over_tcp = tcp;
	snprintf(realm, sizeof(realm), "%s", in_realm);
	snprintf(run, sizeof(run), "%08x", (unsigned)(time(NULL) * 1000003));
	template_compile(&options, OPTIONS);
	template_compile(&registration, REGISTER);
	template_compile(&authorization, AUTHORIZATION);
	template_compile(&message, MESSAGE);
	digest_md5("REGISTER:" URI, strlen("REGISTER:" URI), ha2);
	digest_ha1("nobody", realm, "nothing", wrong_ha1);
	ha1s = malloc(users * sizeof(*ha1s));
	for (uint32_t i = 0; ha1s && i < users; i++) {
		char user[SHAPE_USER_LEN + 1], password[SHAPE_USER_LEN + 8];

		shape_user(i, user);
		shape_password(i, password);
		digest_ha1(user, realm, password, ha1s[i]);
	}
	return ha1s ? 0 : -1;
}

void shapes_stop(void)
{
	free(ha1s);
}

static size_t write_credentials(const struct shape_request *r, const struct challenge *c, const struct field *user,
				char *buf, size_t size)
{
	struct field fields[26] = {['u' - 'a'] = *user};
	char response[DIGEST_HEX], opaque[128] = "";
	int n = 0;

	digest_response(r->shape == SHAPE_WRONG ? wrong_ha1 : ha1s[r->user], ha2, c, "9e1c77aa02", response);
	if (c->opaque)
		n = snprintf(opaque, sizeof(opaque), ",opaque=\"%.*s\"", c->opaque_len, c->opaque);
	fields['r' - 'a'] = (struct field){realm, strlen(realm)};
	fields['n' - 'a'] = (struct field){c->nonce, (size_t)c->nonce_len};
	fields['d' - 'a'] = (struct field){response, DIGEST_HEX};
	fields['o' - 'a'] = (struct field){opaque, (size_t)n};
	return template_write(&authorization, fields, buf, size);
}

static const struct template *template_of(enum shape shape)
{
	switch (shape) {
	case SHAPE_OPTIONS:
		return &options;
	case SHAPE_MESSAGE:
		return &message;
	default:
		return &registration;
	}
}

size_t shape_write(const struct shape_request *r, const struct challenge *c, char *buf)
{
	char branch[13], port[10], user[SHAPE_USER_LEN + 1], call_id[32], cseq[10], credentials[1024];
	struct field f[26] = {0};

	put_hex(r->slot, SLOT_DIGITS, branch);
	put_hex(r->sequence, 8, branch + SLOT_DIGITS);
	put_hex(r->step, 1, branch + SLOT_DIGITS + 8);
	shape_user(r->user, user);
	f['b' - 'a'] = (struct field){branch, sizeof(branch)};
	f['v' - 'a'] = (struct field){over_tcp ? "TCP" : "UDP", 3};
	f['p' - 'a'] = (struct field){port, put_decimal(source_port(r->source), port)};
	f['u' - 'a'] = (struct field){user, SHAPE_USER_LEN};
	f['c' - 'a'] = (struct field){cseq, put_decimal(r->cseq, cseq)};
	f['t' - 'a'] = (struct field){";transport=tcp", over_tcp ? 14 : 0};
	/* The Call-ID of all of a unit, or of all refreshes of a user in this run. */
	memcpy(call_id, run, 8);
	memcpy(call_id + 8, r->shape == SHAPE_REFRESH ? user : branch, r->shape == SHAPE_REFRESH ? SHAPE_USER_LEN : 12);
	f['i' - 'a'] = (struct field){call_id, r->shape == SHAPE_REFRESH ? 8 + SHAPE_USER_LEN : 20};
	if (c)
		f['a' - 'a'] = (struct field){credentials,
					      write_credentials(r, c, &f['u' - 'a'], credentials, sizeof(credentials))};
	return template_write(template_of(r->shape), f, buf, MAX_DATAGRAM);
}

unsigned shape_expects(enum shape shape, unsigned step)
{
	if (shape == SHAPE_OPTIONS || shape == SHAPE_MESSAGE || shape == SHAPE_BIND)
		return 200;
	return step == 0 || shape == SHAPE_WRONG ? 401 : 200;
}

bool shape_match(const char *p, size_t len, unsigned *slot, uint32_t *sequence, unsigned *step)
{
	const char *at = memmem(p, len, COOKIE, sizeof(COOKIE) - 1);
	uint32_t v[3];

	if (!at || (size_t)(p + len - at) < sizeof(COOKIE) - 1 + SLOT_DIGITS + 9)
		return false;
	at += sizeof(COOKIE) - 1;
	if (!get_hex(at, SLOT_DIGITS, &v[0]) || !get_hex(at + SLOT_DIGITS, 8, &v[1]) ||
	    !get_hex(at + SLOT_DIGITS + 8, 1, &v[2]))
		return false;
	*slot = v[0];
	*sequence = v[1];
	*step = v[2];
	return true;
}

/* The lines that an answer takes over from its request. */
static bool belongs_in_answer(const char *line, bool routes)
{
	return strncmp(line, "Via:", 4) == 0 || strncmp(line, "From:", 5) == 0 || strncmp(line, "To:", 3) == 0 ||
	       strncmp(line, "Call-ID:", 8) == 0 || strncmp(line, "CSeq:", 5) == 0 ||
	       (routes && strncmp(line, "Record-Route:", 13) == 0);
}

size_t shape_append(char *buf, size_t at, const char *text, size_t len)
{
	if (at + len > MAX_DATAGRAM)
		return at;
	memcpy(buf + at, text, len);
	return at + len;
}

/* line is a To: with its end. */
static size_t append_tag(char *buf, size_t at, const char *line, size_t len, const char *tag)
{
	if (at < 2 || memmem(line, len, ";tag=", 5))
		return at;
	at = shape_append(buf, at - 2, ";tag=", 5);
	at = shape_append(buf, at, tag, strlen(tag));
	return shape_append(buf, at, "\r\n", 2);
}

size_t shape_answer_head(const char *status, const char *p, size_t len, const char *tag, bool routes, char *buf)
{
	const char *end = p + len, *line = memchr(p, '\n', len), *next;
	size_t at = shape_append(buf, 0, status, strlen(status));

	at = shape_append(buf, at, "\r\n", 2);
	for (line = line ? line + 1 : end; line + 13 < end && *line != '\r'; line = next) {
		next = memchr(line, '\n', (size_t)(end - line));
		next = next ? next + 1 : end;
		if (!belongs_in_answer(line, routes))
			continue;
		at = shape_append(buf, at, line, (size_t)(next - line));
		if (*line == 'T')
			at = append_tag(buf, at, line, (size_t)(next - line), tag);
	}
	return at;
}

size_t shape_answer(const char *p, size_t len, char *buf)
{
	size_t at = shape_answer_head("SIP/2.0 200 OK", p, len, "callee", false, buf);

	return shape_append(buf, at, "Content-Length: 0\r\n\r\n", 21);
}
