/* Makes the record that readers see out of the entries that are registered. */
#include "core/registered.h"

#include <stdlib.h>

bool ast_sip_list_has(struct rs_str list, struct rs_str name, bool ignore_case)
{
	while (list.len) {
		const char *comma = rs_str_chr(list, ',');
		size_t len = comma ? (size_t)(comma - list.p) : list.len;
		struct rs_str item = rs_str_trim(rs_str_n(list.p, len));

		if (ignore_case ? rs_str_ieq(item, name) : rs_str_eq(item, name))
			return true;
		list = comma ? rs_str_n(comma + 1, list.len - len - 1) : RS_STR_NULL;
	}
	return false;
}

bool ast_sip_registered_handles(const struct ast_sip_registered *r, enum sip_method method, struct rs_str name)
{
	return method != SIP_METHOD_OTHER ? (r->methods & 1u << method) != 0 : ast_sip_list_has(r->allow, name, false);
}

/* One block holds the record and its arrays; two passes: the first only counts. */
struct bump {
	char *p;
	size_t used;
};

static void *take(struct bump *b, size_t bytes)
{
	void *at = b->p ? b->p + b->used : NULL;

	b->used += (bytes + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	return at;
}

/* Appends the items of list to out that are not in it yet. */
static size_t list_union(char *out, size_t len, const char *list, bool ignore_case)
{
	struct rs_str rest = rs_str_c(list);

	while (rest.len) {
		const char *comma = rs_str_chr(rest, ',');
		size_t n = comma ? (size_t)(comma - rest.p) : rest.len;
		struct rs_str item = rs_str_trim(rs_str_n(rest.p, n));

		if (item.len && !ast_sip_list_has(rs_str_n(out, len), item, ignore_case)) {
			if (len) {
				memcpy(out + len, ", ", 2);
				len += 2;
			}
			memcpy(out + len, item.p, item.len);
			len += item.len;
		}
		rest = comma ? rs_str_n(comma + 1, rest.len - n - 1) : RS_STR_NULL;
	}
	return len;
}

static int by_priority(const void *a, const void *b)
{
	const struct sip_module *x = (*(const struct ast_sip_entry *const *)a)->item;
	const struct sip_module *y = (*(const struct ast_sip_entry *const *)b)->item;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	/* Entries lie in order of registration. */
	return *(const struct ast_sip_entry *const *)a < *(const struct ast_sip_entry *const *)b ? -1 : 1;
}

static void fill_methods(struct ast_sip_registered *r)
{
	for (unsigned m = SIP_METHOD_OTHER + 1; m < SIP_METHOD_N; m++) {
		if (ast_sip_list_has(r->allow, sip_method_name((enum sip_method)m), false))
			r->methods |= 1u << m;
	}
}

static void add_service(struct ast_sip_registered *r, struct sip_module *s)
{
	r->services[r->n_services++] = s;
	if (s->on_rx_request) {
		r->rx_request[r->n_rx_request++] = s;
		if (s->priority < SIP_PRIORITY_FILTER)
			r->before_filter = r->n_rx_request;
		if (s->priority < SIP_PRIORITY_IDENTIFY)
			r->before_identify = r->n_rx_request;
		if (s->priority < SIP_PRIORITY_AUTHENTICATE)
			r->before_authenticate = r->n_rx_request;
	}
	if (s->on_rx_response)
		r->rx_response[r->n_rx_response++] = s;
	if (s->on_rx_answer)
		r->rx_answer[r->n_rx_answer++] = s;
	if (s->on_tx_request)
		r->tx_request[r->n_tx_request++] = s;
	if (s->on_tx_response)
		r->tx_response[r->n_tx_response++] = s;
}

static void fill_services(struct ast_sip_registered *r, const struct ast_sip_entry **sorted, size_t n, char *allow,
			  char *supported)
{
	size_t allow_len = 0, supported_len = 0;

	for (size_t i = 0; i < n; i++) {
		struct sip_module *s = sorted[i]->item;

		add_service(r, s);
		allow_len = list_union(allow, allow_len, s->methods, false);
		supported_len = list_union(supported, supported_len, s->supported, true);
	}
	r->allow = rs_str_n(allow, allow_len);
	r->supported = rs_str_n(supported, supported_len);
	fill_methods(r);
}

/* ---- the identifiers' order (section 7 of the architecture) ---- */

struct ordering {
	struct ast_sip_registered *r;
	const struct ast_sip_entry *entries;
	size_t n;
	bool *placed;
};

/* name NULL: the unnamed; ANY: whatever is left. */
static const char ANY[] = "";

static void place(struct ordering *o, const char *name, size_t name_len)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct ast_sip_entry *e = &o->entries[i];

		if (e->kind != AST_SIP_ENTRY_IDENTIFIER || e->parked || o->placed[i])
			continue;
		if (name != ANY &&
		    (name ? !e->name || !rs_str_eq(rs_str_c(e->name), rs_str_n(name, name_len)) : !!e->name))
			continue;
		o->placed[i] = true;
		o->r->identifiers[o->r->n_identifiers++] =
			(struct ast_sip_named_identifier){.identifier = e->item, .name = e->name};
	}
}

static void placez(struct ordering *o, const char *name)
{
	place(o, name, strlen(name));
}

/* By load lines: as listed, then the rest, with anonymous last. */
static void place_as_loaded(struct ordering *o, const struct ast_sip_identifier_order *order)
{
	for (size_t i = 0; i < order->n_loaded; i++) {
		if (strcmp(order->loaded[i], "anonymous") != 0)
			placez(o, order->loaded[i]);
	}
	for (size_t i = 0; i < o->n; i++) {
		const struct ast_sip_entry *e = &o->entries[i];

		if (e->kind == AST_SIP_ENTRY_IDENTIFIER && e->name && strcmp(e->name, "anonymous") != 0)
			placez(o, e->name);
	}
}

static void fill_identifiers(struct ordering *o, const struct ast_sip_identifier_order *order)
{
	place(o, NULL, 0);
	if (order->configured) {
		for (uint32_t i = 0; i < order->configured->n; i++)
			place(o, order->configured->v[i].p, order->configured->v[i].len);
	} else if (order->n_loaded) {
		place_as_loaded(o, order);
	} else {
		placez(o, "ip");
		placez(o, "username");
		placez(o, "anonymous");
	}
	place(o, ANY, 0);
}

/* ---- the record ---- */

struct counts {
	size_t kind[AST_SIP_ENTRY_KINDS], text;
};

static struct counts count(const struct ast_sip_entry *entries, size_t n)
{
	struct counts c = {0};

	for (size_t i = 0; i < n; i++) {
		if (entries[i].parked)
			continue;
		c.kind[entries[i].kind]++;
		if (entries[i].kind == AST_SIP_ENTRY_SERVICE) {
			const struct sip_module *s = entries[i].item;

			/* Each item may gain a blank after its comma. */
			c.text += 2 * rs_str_c(s->methods).len + 2 * rs_str_c(s->supported).len + 8;
		}
	}
	return c;
}

static struct ast_sip_registered *lay_out(struct bump *b, const struct counts *c, char **allow, char **supported)
{
	struct ast_sip_registered *r = take(b, sizeof(*r)), none = {0};
	size_t services = c->kind[AST_SIP_ENTRY_SERVICE] * sizeof(void *);
	struct ast_sip_registered *out = r ? r : &none;

	out->services = take(b, services);
	out->rx_request = take(b, services);
	out->rx_response = take(b, services);
	out->rx_answer = take(b, services);
	out->tx_request = take(b, services);
	out->tx_response = take(b, services);
	out->identifiers = take(b, c->kind[AST_SIP_ENTRY_IDENTIFIER] * sizeof(*out->identifiers));
	out->formatters = take(b, c->kind[AST_SIP_ENTRY_FORMATTER] * sizeof(void *));
	*allow = take(b, c->text);
	*supported = take(b, c->text);
	return r;
}

static void fill(struct ast_sip_registered *r, const struct ast_sip_entry *entries, size_t n,
		 const struct ast_sip_entry **services)
{
	for (size_t i = 0; i < n; i++) {
		const struct ast_sip_entry *e = &entries[i];

		if (e->parked)
			continue;
		switch (e->kind) {
		case AST_SIP_ENTRY_SERVICE:
			*services++ = e;
			break;
		case AST_SIP_ENTRY_AUTHENTICATOR:
			r->authenticator = e->item; /* the newest: a reload's takes over */
			break;
		case AST_SIP_ENTRY_OUTBOUND_AUTHENTICATOR:
			r->outbound_authenticator = e->item;
			break;
		case AST_SIP_ENTRY_FORMATTER:
			r->formatters[r->n_formatters++] = e->item;
			break;
		case AST_SIP_ENTRY_IDENTIFIER:
		case AST_SIP_ENTRY_KINDS:
			break;
		}
	}
}

struct ast_sip_registered *ast_sip_registered_build(const struct ast_sip_entry *entries, size_t n,
						    const struct ast_sip_identifier_order *order)
{
	struct counts c = count(entries, n);
	struct bump sizes = {0}, b = {0};
	struct ast_sip_registered *r = NULL;
	const struct ast_sip_entry **services = calloc(c.kind[AST_SIP_ENTRY_SERVICE] + 1, sizeof(*services));
	bool *placed = calloc(n + 1, sizeof(*placed));
	char *allow, *supported;

	lay_out(&sizes, &c, &allow, &supported);
	b.p = calloc(1, sizes.used);
	if (!services || !placed || !b.p) {
		free(b.p);
		goto out;
	}
	r = lay_out(&b, &c, &allow, &supported);
	atomic_init(&r->refs, 1);
	fill(r, entries, n, services);
	qsort(services, c.kind[AST_SIP_ENTRY_SERVICE], sizeof(*services), by_priority);
	fill_services(r, services, c.kind[AST_SIP_ENTRY_SERVICE], allow, supported);
	fill_identifiers(&(struct ordering){.r = r, .entries = entries, .n = n, .placed = placed}, order);
out:
	free(services);
	free(placed);
	return r;
}
