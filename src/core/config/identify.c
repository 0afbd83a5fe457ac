/* type=identify: addresses, names, headers. */
#include "core/config/setter.h"

#include <netdb.h>
#include <stdlib.h>

#define HOST_ADDRS_MAX 64 /* addresses that one name may stand for */

static int resolve_system(const char *host, struct sip_addr *out, size_t max)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *list = NULL;
	size_t n = 0;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return -1;
	for (struct addrinfo *a = list; a && n < max; a = a->ai_next) {
		sip_addr_from_sockaddr(a->ai_addr, &out[n]);
		out[n++].port = 0;
	}
	freeaddrinfo(list);
	return n ? (int)n : -1;
}

int (*ast_sip_conf_resolve)(const char *host, struct sip_addr *out, size_t max) = resolve_system;

/* What the build gathers before the object is made. */
struct gather {
	struct ast_sip_match *v;
	uint32_t n, cap;
};

static int match_push(struct conf_load *l, struct gather *g, const struct ast_sip_match *m)
{
	if (g->n == g->cap) {
		uint32_t cap = g->cap ? g->cap * 2 : 8;
		struct ast_sip_match *v = conf_pool_grow(&l->tmp, g->v, g->n, g->cap, cap, sizeof(*v));

		if (!v)
			return -1;
		g->v = v;
		g->cap = cap;
	}
	g->v[g->n++] = *m;
	return 0;
}

/* IP, IP:port, IP[:port]/mask. 0, or -1: no numeric form. */
static int match_numeric(struct rs_str s, struct ast_sip_match *m)
{
	const char *slash = rs_str_chr(s, '/');
	struct rs_str host = slash ? rs_str_n(s.p, (size_t)(slash - s.p)) : s;

	if (sip_addr_parse(host, &m->addr) != 0)
		return -1;
	m->bits = m->addr.family == 4 ? 32 : 128;
	if (slash && conf_value_mask(rs_str_n(slash + 1, s.len - host.len - 1), m->addr.family, &m->bits) != 0)
		return -1;
	conf_addr_mask(&m->addr, m->bits);
	return 0;
}

/* host[:port] */
static int match_name(struct rs_str s, struct rs_str *host, uint32_t *port)
{
	const char *colon = rs_str_chr(s, ':');

	*host = colon ? rs_str_n(s.p, (size_t)(colon - s.p)) : s;
	*port = 0;
	if (!conf_value_is_host(*host))
		return -1;
	return colon ? conf_value_uint(rs_str_n(colon + 1, s.len - host->len - 1), 1, UINT16_MAX, port) : 0;
}

/* Without its '!'. */
static struct rs_str match_negated(struct rs_str s, bool *negate)
{
	*negate = s.len && s.p[0] == '!';
	return *negate ? rs_str_trim(rs_str_n(s.p + 1, s.len - 1)) : s;
}

/* The form is checked where it stands; names are resolved when the whole section is known. */
int conf_set_match(struct conf_load *l, const struct conf_option *o, void *draft, struct rs_str value)
{
	struct conf_identify_draft *d = draft;
	struct rs_str item, text, host;
	struct ast_sip_match m;
	uint32_t port;
	bool negate;

	while (conf_list_next(&value, &item)) {
		text = match_negated(item, &negate);
		if (match_numeric(text, &m) != 0 && (negate || match_name(text, &host, &port) != 0)) {
			conf_fail(l, "%s: '%.*s' is no address and no host name", o->name, RS_FMT(item));
			return -1;
		}
		if (conf_list_push(&l->tmp, &d->match, item) != 0) {
			conf_fail(l, "out of memory");
			return -1;
		}
	}
	return 0;
}

/* Each address that the name has; a port is kept only when it is written. */
static int match_resolve(struct conf_load *l, struct gather *g, struct rs_str s)
{
	struct sip_addr addrs[HOST_ADDRS_MAX];
	struct rs_str host;
	uint32_t port = 0;
	char *z;
	int n;

	(void)match_name(s, &host, &port);
	z = rs_str_dup(host);
	n = z ? ast_sip_conf_resolve(z, addrs, HOST_ADDRS_MAX) : -1;
	free(z);
	if (n < 0)
		conf_error_add(l->errors, true, conf_set_file(l->set, l->section->file), l->section->line,
			       "identify '%.*s': match: the host '%.*s' does not resolve", RS_FMT(l->section->name),
			       RS_FMT(host));
	for (int i = 0; i < n; i++) {
		struct ast_sip_match m = {.addr = addrs[i]};

		sip_addr_unmap(&m.addr);
		m.bits = m.addr.family == 4 ? 32 : 128;
		m.addr.port = (uint16_t)port;
		if (match_push(l, g, &m) != 0)
			return -1;
	}
	return 0;
}

static int match_all(struct conf_load *l, struct conf_identify_draft *d, struct gather *g)
{
	for (uint32_t i = 0; i < d->match.n; i++) {
		struct ast_sip_match m = {0};
		struct rs_str s = match_negated(d->match.v[i], &m.negate);
		int rc;

		if (match_numeric(s, &m) == 0) {
			rc = match_push(l, g, &m);
		} else {
			rc = match_resolve(l, g, s);
			rc |= conf_list_push(&l->tmp, &d->s.hosts, s);
		}
		if (rc != 0) {
			l->var = NULL;
			conf_fail(l, "out of memory");
			return -1;
		}
	}
	d->s.match = g->v;
	d->s.n_match = g->n;
	return 0;
}

/* "/regex/": the text inside, checked. false: it is a plain value. */
static bool regex_text(struct rs_str s, struct rs_str *inside)
{
	if (s.len < 2 || s.p[0] != '/' || s.p[s.len - 1] != '/')
		return false;
	*inside = rs_str_n(s.p + 1, s.len - 2);
	return true;
}

static int regex_compile(struct conf_load *l, const char *option, regex_t *re, struct rs_str text)
{
	char *z = rs_str_dup(text), why[128];
	int rc = z ? regcomp(re, z, REG_EXTENDED | REG_NOSUB) : REG_ESPACE;

	free(z);
	if (rc == 0)
		return 0;
	regerror(rc, NULL, why, sizeof(why));
	conf_at(l, option);
	conf_fail(l, "%s: bad expression '%.*s': %s", option, RS_FMT(text), why);
	return -1;
}

static int header_split(struct conf_load *l, struct conf_identify_draft *d)
{
	const char *colon = rs_str_chr(d->match_header, ':');

	if (d->match_header.len == 0)
		return 0;
	if (colon) {
		size_t n = (size_t)(colon - d->match_header.p);

		d->s.header_name = rs_str_trim(rs_str_n(d->match_header.p, n));
		d->s.header_value = rs_str_trim(rs_str_n(colon + 1, d->match_header.len - n - 1));
	}
	if (d->s.header_name.len)
		return 0;
	conf_at(l, "match_header");
	conf_fail(l, "match_header: '%.*s' is no 'Name: value'", RS_FMT(d->match_header));
	return -1;
}

struct ast_sip_identify *conf_identify_new(struct rs_str id, const struct conf_identify_draft *d,
					   struct conf_extras_block *extras)
{
	const struct ast_sip_identify_settings *s = &d->s;
	size_t matches = s->n_match * sizeof(*s->match);
	struct ast_sip_identify *i;
	char *text;

	i = calloc(1, sizeof(*i) + matches + conf_strings_size(d->match) + conf_strings_size(s->hosts) +
			      conf_str_size(id) + conf_str_size(s->endpoint) + conf_str_size(s->header_name) +
			      conf_str_size(s->header_value) + conf_str_size(s->request_uri) +
			      conf_str_size(d->match_header) + conf_str_size(d->match_request_uri));
	if (!i)
		return NULL;
	i->o.magic = CONF_MAGIC_IDENTIFY;
	atomic_init(&i->o.refs, 1);
	i->extras = extras;
	i->s = *s;
	text = (char *)(i + 1);
	if (matches)
		memcpy(text, s->match, matches);
	i->s.match = (const struct ast_sip_match *)(void *)text;
	text += matches;
	i->match = conf_strings_copy(&text, d->match);
	i->s.hosts = conf_strings_copy(&text, s->hosts);
	i->o.id = conf_str_copy(&text, id);
	i->s.endpoint = conf_str_copy(&text, s->endpoint);
	i->s.header_name = conf_str_copy(&text, s->header_name);
	i->s.header_value = conf_str_copy(&text, s->header_value);
	i->s.request_uri = conf_str_copy(&text, s->request_uri);
	i->match_header = conf_str_copy(&text, d->match_header);
	i->match_request_uri = conf_str_copy(&text, d->match_request_uri);
	return i;
}

bool conf_identify_equal(const struct ast_sip_identify *a, const struct ast_sip_identify *b)
{
	if (a->s.n_match != b->s.n_match || a->s.srv_lookups != b->s.srv_lookups || a->extras != b->extras)
		return false;
	for (uint32_t i = 0; i < a->s.n_match; i++)
		if (a->s.match[i].negate != b->s.match[i].negate || a->s.match[i].bits != b->s.match[i].bits ||
		    !sip_addr_eq(&a->s.match[i].addr, &b->s.match[i].addr))
			return false;
	return rs_str_eq(a->s.endpoint, b->s.endpoint) && conf_strings_equal(a->match, b->match) &&
	       rs_str_eq(a->match_header, b->match_header) && rs_str_eq(a->match_request_uri, b->match_request_uri);
}

static int identify_check(struct conf_load *l, struct conf_identify_draft *d, struct gather *g)
{
	if (d->s.endpoint.len == 0) {
		conf_at(l, "endpoint");
		conf_fail(l, "endpoint is required");
		return -1;
	}
	if (d->match.n == 0 && d->match_header.len == 0 && d->match_request_uri.len == 0) {
		l->var = NULL;
		conf_fail(l, "one of match, match_header, match_request_uri is required");
		return -1;
	}
	if (conf_refs_check(l, CONF_ENDPOINT, "endpoint", (struct ast_sip_strings){&d->s.endpoint, 1}) != 0)
		return -1;
	d->s.request_uri = d->match_request_uri;
	return header_split(l, d) != 0 ? -1 : match_all(l, d, g);
}

void *conf_build_identify(struct conf_load *l, const struct conf_section *s)
{
	struct conf_identify_draft d;
	struct gather g = {0};
	struct rs_str header, uri;
	struct conf_extras_block *extras;
	struct ast_sip_identify *i;
	bool header_regex, uri_regex;
	int rc = 0;

	if (conf_apply(l, CONF_IDENTIFY, &l->pjsip, s, &d) != 0 || identify_check(l, &d, &g) != 0)
		return NULL;
	header_regex = regex_text(d.s.header_value, &header);
	uri_regex = regex_text(d.s.request_uri, &uri);
	if (header_regex)
		d.s.header_value = header;
	if (uri_regex)
		d.s.request_uri = uri;
	extras = conf_extras_get(l);
	i = conf_identify_new(s->name, &d, extras);
	if (!i) {
		conf_fail(l, "out of memory");
		conf_object_unref((struct conf_object *)extras, CONF_MAGIC_EXTRAS);
		return NULL;
	}
	if (header_regex && (rc = regex_compile(l, "match_header", &i->header_regex, header)) == 0)
		i->s.header_regex = &i->header_regex;
	if (rc == 0 && uri_regex && (rc = regex_compile(l, "match_request_uri", &i->request_uri_regex, uri)) == 0)
		i->s.request_uri_regex = &i->request_uri_regex;
	if (rc == 0)
		return i;
	conf_object_unref(&i->o, CONF_MAGIC_IDENTIFY);
	return NULL;
}
