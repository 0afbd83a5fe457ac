/* Parties: what a message and its sender's endpoint say of who speaks. */
#include "identity.h"

#include <errno.h>
#include <stdlib.h>

/* ---- text ---- */

/* The bytes of the well-formed character that s begins with (RFC 3629), 0: there is none. */
static size_t utf8_char(struct rs_str s, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 4;
	uint32_t c = p[0];

	if (n == 1) {
		*out = c;
		return 1;
	}
	if (c < 0xc2 || c > 0xf4 || s.len < n)
		return 0;
	c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*out = c;
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/*
 * A display name as it may be shown anywhere: controls are blanks, what is no UTF-8 a question mark. unquote: a
 * backslash only protects what follows (the text of a quoted string).
 */
static struct rs_str clean_name(struct rs_str s, bool unquote, char out[CALL_MAX_NAME])
{
	size_t len = 0, n;
	uint32_t c;

	s = rs_str_trim(s);
	for (size_t i = 0; i < s.len; i += n) {
		struct rs_str shown;

		if (unquote && s.p[i] == '\\' && i + 1 < s.len)
			i++;
		n = utf8_char(rs_str_n(s.p + i, s.len - i), &c);
		shown = !n ? RS_STR("?") : is_control(c) ? RS_STR(" ") : rs_str_n(s.p + i, n);
		if (shown.len > CALL_MAX_NAME - len)
			break;
		memcpy(out + len, shown.p, shown.len);
		len += shown.len;
		n = n ? n : 1;
	}
	return rs_str_trim(rs_str_n(out, len));
}

/* What is told as it is or not at all: a change would make it another's. */
static struct rs_str as_it_is(struct rs_str s, size_t max)
{
	size_t n;
	uint32_t c;

	if (s.len > max)
		return RS_STR_NULL;
	for (size_t i = 0; i < s.len; i += n) {
		n = utf8_char(rs_str_n(s.p + i, s.len - i), &c);
		if (!n || is_control(c))
			return RS_STR_NULL;
	}
	return s;
}

/* ---- the object ---- */

static struct rs_str put(char **at, struct rs_str s)
{
	char *p = *at;

	if (s.len)
		memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	*at += s.len + 1;
	return rs_str_n(p, s.len);
}

static int set(struct call_party *p, struct rs_str name, bool unquote, struct rs_str number, struct rs_str host)
{
	char room[CALL_MAX_NAME], *at;

	*p = (struct call_party){0};
	name = clean_name(name, unquote, room);
	number = as_it_is(number, CALL_MAX_NUMBER);
	host = as_it_is(host, CALL_MAX_HOST);
	if (!name.len && !number.len && !host.len)
		return 0;
	at = malloc(name.len + number.len + host.len + 3);
	if (!at) {
		errno = ENOMEM;
		return -1;
	}
	p->block = at;
	p->name = put(&at, name);
	p->number = put(&at, number);
	p->host = put(&at, host);
	return 0;
}

int call_party_set(struct call_party *p, struct rs_str name, struct rs_str number, struct rs_str host)
{
	return set(p, name, false, number, host);
}

int call_party_copy(struct call_party *to, const struct call_party *from)
{
	if (call_party_set(to, from->name, from->number, from->host))
		return -1;
	to->presentation = from->presentation;
	to->screening = from->screening;
	to->privacy = from->privacy;
	return 0;
}

void call_party_fini(struct call_party *p)
{
	free(p->block);
	*p = (struct call_party){0};
}

/* ---- Privacy ---- */

static unsigned priv_value(struct rs_str word)
{
	static const struct {
		const char *word;
		unsigned bit;
	} known[] = {
		{"id", CALL_PRIVACY_ID},
		{"user", CALL_PRIVACY_USER},
		{"header", CALL_PRIVACY_HEADER},
		{"session", CALL_PRIVACY_SESSION},
		{"history", CALL_PRIVACY_HISTORY},
		{"none", CALL_PRIVACY_NONE},
		{"critical", CALL_PRIVACY_CRITICAL},
	};

	for (size_t i = 0; i < RS_ARRAY_SIZE(known); i++) {
		if (rs_str_ieqz(word, known[i].word))
			return known[i].bit;
	}
	return CALL_PRIVACY_OTHER;
}

/* The grammar has semicolons; commas are seen, too, and whoever asks for privacy should have it. */
static bool is_priv_separator(char c)
{
	return c == ';' || c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

unsigned call_privacy_from(const struct sip_msg *msg)
{
	unsigned all = 0;

	for (const struct sip_hdr *h = sip_msg_first(msg, SIP_HDR_PRIVACY); h; h = sip_msg_next(msg, h)) {
		struct rs_str s = h->value;
		size_t from = 0;

		for (size_t i = 0; i <= s.len; i++) {
			if (i < s.len && !is_priv_separator(s.p[i]))
				continue;
			if (i > from)
				all |= priv_value(rs_str_n(s.p + from, i - from));
			from = i + 1;
		}
	}
	return all;
}

/* ---- what is said of a party ---- */

struct said {
	struct rs_str name, number, host;
	bool quoted; /* name is the text of a quoted string */
	enum call_presentation presentation;
	enum call_screening screening;
	char number_room[CALL_MAX_NUMBER + 1];
};

/* RFC 3966 section 3: what only makes a number easier to read. */
static struct rs_str without_separators(struct rs_str s, char out[CALL_MAX_NUMBER + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (memchr("-.()", s.p[i], 4))
			continue;
		if (len == CALL_MAX_NUMBER)
			return RS_STR_NULL;
		out[len++] = s.p[i];
	}
	return rs_str_n(out, len);
}

static struct rs_str number_of(const struct sip_uri *u, char out[CALL_MAX_NUMBER + 1])
{
	struct rs_str user = u->user, value;
	const char *semi;
	int n;

	if (u->scheme == SIP_URI_TEL)
		return without_separators(user, out);
	if (!sip_uri_is_sip(u) || !u->has_user)
		return RS_STR_NULL;
	/* A telephone-subscriber (RFC 3261 section 19.1.6) brings its own parameters. */
	semi = rs_str_chr(user, ';');
	if (semi && sip_uri_param(u, RS_STR("user"), &value) && rs_str_ieqz(value, "phone"))
		user.len = (size_t)(semi - user.p);
	n = sip_unescape(user, out, CALL_MAX_NUMBER + 1);
	return n < 0 ? RS_STR_NULL : rs_str_n(out, (size_t)n);
}

static void say(struct said *s, const struct sip_name_addr *a)
{
	s->name = a->display;
	s->quoted = true;
	s->number = number_of(&a->uri, s->number_room);
	s->host = sip_uri_is_sip(&a->uri) ? a->uri.host : RS_STR_NULL;
}

/* A URI that is made to say nothing (RFC 3261 section 8.1.1.3, RFC 3323 section 4.1.1.3). */
static bool means_nobody(const struct sip_uri *u)
{
	return sip_uri_is_sip(u) && (rs_str_ieqz(u->user, "anonymous") || rs_str_ieqz(u->host, "anonymous.invalid"));
}

static void say_nobody(struct said *s)
{
	s->name = s->number = s->host = RS_STR_NULL;
	s->presentation = CALL_PROHIBITED;
}

static void say_from(struct said *s, const struct sip_name_addr *from)
{
	if (!from)
		return;
	say(s, from);
	if (means_nobody(&from->uri)) {
		say_nobody(s);
	} else if (rs_str_ieqz(from->display, "anonymous")) {
		s->name = RS_STR_NULL;
		s->presentation = CALL_PROHIBITED;
	}
}

/* Of the two that may stand there (RFC 3325 section 9.1), the SIP URI. */
static bool say_asserted(struct said *s, struct sip_msg *msg)
{
	const struct sip_hdr_values *v = sip_msg_values(msg, SIP_HDR_P_ASSERTED_IDENTITY, NULL);
	const struct sip_name_addr *best = NULL;

	for (uint32_t i = 0; v && i < v->n; i++) {
		const struct sip_name_addr *a = &v->v.name_addr[i];

		if (sip_uri_is_sip(&a->uri) && a->uri.has_user) {
			best = a;
			break;
		}
		if (!best && a->uri.scheme == SIP_URI_TEL)
			best = a;
	}
	if (!best)
		return false;
	say(s, best);
	if (means_nobody(&best->uri))
		say_nobody(s);
	s->screening = CALL_PASSED_SCREEN;
	return true;
}

static struct rs_str rpid_param(const struct sip_name_addr *a, const char *name)
{
	const struct sip_param *p = sip_params_get(&a->params, rs_str_c(name));

	return p ? p->value : RS_STR_NULL;
}

static bool say_rpid(struct said *s, struct sip_msg *msg, const char *side)
{
	const struct sip_hdr_values *v = sip_msg_values(msg, SIP_HDR_REMOTE_PARTY_ID, NULL);

	for (uint32_t i = 0; v && i < v->n; i++) {
		const struct sip_name_addr *a = &v->v.name_addr[i];
		struct rs_str party = rpid_param(a, "party"), privacy = rpid_param(a, "privacy");

		if (party.len && !rs_str_ieqz(party, side))
			continue;
		say(s, a);
		if (means_nobody(&a->uri))
			say_nobody(s);
		else if (rs_str_ieqz(privacy, "name"))
			s->name = RS_STR_NULL;
		else if (privacy.len && !rs_str_ieqz(privacy, "off"))
			s->presentation = CALL_PROHIBITED;
		s->screening = rs_str_ieqz(rpid_param(a, "screen"), "yes") ? CALL_PASSED_SCREEN : CALL_NOT_SCREENED;
		return true;
	}
	return false;
}

/* Who hides behind an anonymous From is not shown by what a network asserts, unless Privacy says that he may be. */
static void say_trusted(struct said *s, struct sip_msg *msg, unsigned privacy, const char *side)
{
	enum call_presentation before = s->presentation;

	if (privacy & CALL_PRIVACY_NONE)
		s->presentation = CALL_ALLOWED;
	if (!say_asserted(s, msg) && !say_rpid(s, msg, side))
		s->presentation = before;
}

/* ---- what the endpoint's options say ---- */

static bool is_dialable(struct rs_str s)
{
	bool digit = false;

	for (size_t i = 0; i < s.len; i++) {
		digit = digit || (s.p[i] >= '0' && s.p[i] <= '9');
		if (!memchr("0123456789+*#-.() ", s.p[i], 18))
			return false;
	}
	return digit;
}

/* "Name" <number>, Name <number>, <number>; without brackets a number when it looks like one. */
static void say_callerid(struct said *s, struct rs_str callerid, enum call_screening screening)
{
	const char *open = rs_str_chr(callerid, '<'), *close;
	struct rs_str name = callerid, number = RS_STR_NULL;

	close = open ? memchr(open, '>', (size_t)(callerid.p + callerid.len - open)) : NULL;
	if (close) {
		name.len = (size_t)(open - callerid.p);
		number = rs_str_trim(rs_str_n(open + 1, (size_t)(close - open - 1)));
	} else if (is_dialable(callerid)) {
		number = rs_str_trim(callerid);
		name.len = 0;
	}
	name = rs_str_trim(name);
	if (number.len) {
		s->number = number;
		s->host = s->name = RS_STR_NULL;
		s->screening = screening;
	}
	if (!name.len)
		return;
	s->quoted = name.len > 1 && name.p[0] == '"' && name.p[name.len - 1] == '"';
	s->name = s->quoted ? rs_str_n(name.p + 1, name.len - 2) : name;
}

static bool ends_with(struct rs_str s, struct rs_str end)
{
	return s.len >= end.len && rs_str_ieq(rs_str_n(s.p + s.len - end.len, end.len), end);
}

/* The number is that of ISDN's Calling Party Number (Q.931 octet 3a): two bits each of presentation and screening. */
static bool privacy_number(struct rs_str s, unsigned *octet)
{
	char text[16], *end;
	long v;

	if (!s.len || s.len >= sizeof(text))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	v = strtol(text, &end, 0);
	*octet = (unsigned)v;
	return *end == '\0';
}

static void read_callerid_privacy(struct rs_str s, enum call_presentation *presentation, enum call_screening *screening)
{
	unsigned octet;

	*presentation = CALL_ALLOWED;
	*screening = CALL_NOT_SCREENED;
	if (privacy_number(s, &octet)) {
		*presentation = (octet & 0x60) == 0      ? CALL_ALLOWED
				: (octet & 0x60) == 0x20 ? CALL_PROHIBITED
							 : CALL_UNAVAILABLE;
		*screening = (enum call_screening)(octet & 3);
		return;
	}
	if (rs_str_starts(s, RS_STR("prohib")))
		*presentation = CALL_PROHIBITED;
	else if (rs_str_ieqz(s, "unavailable"))
		*presentation = CALL_UNAVAILABLE;
	if (ends_with(s, RS_STR("_passed_screen")))
		*screening = CALL_PASSED_SCREEN;
	else if (ends_with(s, RS_STR("_failed_screen")))
		*screening = CALL_FAILED_SCREEN;
}

/* What is configured counts more than what is said; what is prohibited on either side stays so. */
static void say_options(struct said *s, const struct ast_sip_endpoint_settings *e)
{
	enum call_presentation presentation;
	enum call_screening screening;

	read_callerid_privacy(e->callerid_privacy, &presentation, &screening);
	if (e->callerid.len)
		say_callerid(s, e->callerid, screening);
	if (s->presentation == CALL_ALLOWED)
		s->presentation = presentation;
}

/* ---- who it is ---- */

static int finish(struct said *s, const struct ast_sip_endpoint_settings *e, unsigned privacy, struct call_party *p)
{
	if (privacy & (CALL_PRIVACY_ID | CALL_PRIVACY_USER))
		s->presentation = CALL_PROHIBITED;
	say_options(s, e);
	if (set(p, s->name, s->quoted, s->number, s->host))
		return -1;
	p->presentation = (uint8_t)s->presentation;
	p->screening = (uint8_t)s->screening;
	p->privacy = (uint8_t)privacy;
	return 0;
}

unsigned call_party_from_request(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
				 struct call_party *p)
{
	unsigned privacy = call_privacy_from(msg);
	struct said s = {.presentation = CALL_ALLOWED};

	*p = (struct call_party){0};
	if ((privacy & CALL_PRIVACY_CRITICAL) && (privacy & (CALL_PRIVACY_SESSION | CALL_PRIVACY_OTHER)))
		return 500;
	say_from(&s, sip_msg_name_addr(msg, SIP_HDR_FROM, 0));
	if (endpoint->trust_id_inbound)
		say_trusted(&s, msg, privacy, "calling");
	return finish(&s, endpoint, privacy, p) ? 500 : 0;
}

int call_party_from_response(struct sip_msg *msg, const struct ast_sip_endpoint_settings *endpoint,
			     struct rs_str dialed, struct call_party *p)
{
	unsigned privacy = call_privacy_from(msg);
	struct said s = {.number = dialed, .presentation = CALL_ALLOWED};

	if (endpoint->trust_id_inbound)
		say_trusted(&s, msg, privacy, "called");
	return finish(&s, endpoint, privacy, p);
}

/* ---- Reason ---- */

struct rs_str call_reason_from(struct sip_msg *msg, char buf[CALL_MAX_REASON])
{
	const struct sip_hdr_values *v = sip_msg_values(msg, SIP_HDR_REASON, NULL);
	uint32_t n = 0;
	size_t len = 0;

	for (uint32_t i = 0; v && i < v->n && n < CALL_MAX_REASONS; i++) {
		struct rs_str text = v->v.token[i].text;
		size_t comma = len ? 2 : 0;

		if (text.len + comma > CALL_MAX_REASON - len)
			continue;
		memcpy(buf + len, ", ", comma);
		len += comma;
		for (size_t k = 0; k < text.len; k++)
			buf[len++] = (unsigned char)text.p[k] < ' ' || text.p[k] == 0x7f ? ' ' : text.p[k];
		n++;
	}
	return rs_str_n(buf, len);
}
