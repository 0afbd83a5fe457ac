/* name-addr and addr-spec with parameters (RFC 3261 section 20.10 and 25.1). */
#include "sip/message/grammar.h"
#include "sip/message/hdr_table.h"

__attribute__((always_inline)) static inline int cut_name_addr(struct sip_cur *c, bool list,
							       struct sip_name_addr_cut *out)
{
	const char *start, *close;

	out->display = RS_STR_NULL;
	out->quoted = out->brackets = false;
	cur_lws(c);
	start = c->p;
	if (cur_at(c, '"')) {
		out->quoted = true;
		if (!cur_quoted(c, &out->display))
			return -1;
		cur_lws(c);
		if (!cur_at(c, '<'))
			return -1;
	} else if (!cur_at(c, '<')) {
		for (;; c->p++) {
			c->p = sip_skip_plain(c->p, c->end, c->safe);
			if (cur_end(c) || *c->p == '<' || *c->p == ';' || *c->p == '"' || (list && *c->p == ','))
				break;
		}
		if (!cur_at(c, '<')) {
			out->uri = sip_trim(start, c->p);
			return cur_at(c, '"') || out->uri.len == 0 ? -1 : 0;
		}
		out->display = sip_trim(start, c->p);
	}
	c->p++;
	close = sip_find(c->p, c->end, c->safe, '>');
	if (close == c->end)
		return -1;
	out->brackets = true;
	out->uri = rs_str_n(c->p, (size_t)(close - c->p));
	c->p = close + 1;
	return 0;
}

int sip_cur_name_addr(struct sip_cur *c, bool list, struct sip_name_addr_cut *out)
{
	return cut_name_addr(c, list, out);
}

struct rs_str sip_tag_scan(struct rs_str value)
{
	struct sip_cur c = cur_of(value);
	struct sip_name_addr_cut cut;
	struct sip_param p;

	if (value.len == 0 || sip_cur_name_addr(&c, false, &cut))
		return RS_STR_NULL;
	while (sip_cur_param(&c, &p) > 0) {
		if (SIP_IS(p.name, "tag"))
			return p.value;
	}
	return RS_STR_NULL;
}

/* Words and blanks; 8-bit text without quotes is common and harmless. */
static bool display_ok(struct rs_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_class(s.p[i], C_TOKEN | C_LWS) && (unsigned char)s.p[i] < 0x80)
			return false;
	}
	return true;
}

static int note_tag(struct sip_name_addr *v)
{
	for (uint32_t i = 0, n = v->params.n; i < n; i++) {
		const struct sip_param *p = &v->params.v[i];

		if (!SIP_IS(p->name, "tag"))
			continue;
		/* Two tags would make one dialog of two, depending on the reader. */
		if (v->tag.p || !p->value.p || p->quoted)
			return -1;
		v->tag = p->value;
	}
	return 0;
}

static int parse(struct sip_cur *at, bool list, struct sip_store *store, struct sip_name_addr *v)
{
	struct sip_name_addr_cut cut;
	struct sip_cur c = *at;
	const char *start;

	cur_lws(&c);
	start = c.p;
	if (cut_name_addr(&c, list, &cut) || (!cut.quoted && !display_ok(cut.display)))
		return -1;
	v->display = cut.display;
	v->tag = RS_STR_NULL;
	v->brackets = cut.brackets;
	v->star = false;
	/* Without brackets nobody can tell whose the rest would be. */
	if (!cut.brackets && (rs_str_chr(cut.uri, '?') || rs_str_chr(cut.uri, ',')))
		return -1;
	at->p = c.p;
	if (sip_uri_parse_in(cut.uri, c.safe, &v->uri) || sip_cur_params(at, store, &v->params) || note_tag(v))
		return -1;
	v->text = sip_trim(start, at->p);
	return 0;
}

int sip_parse_name_addr(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_name_addr *v = out;

	if (id == SIP_HDR_CONTACT && cur_at(c, '*') && (c->end - c->p == 1 || is_lws(c->p[1]))) {
		*v = (struct sip_name_addr){.text = rs_str_n(c->p, 1), .star = true};
		c->p++;
		return 0;
	}
	return parse(c, (sip_hdr_kinds[id].flags & SIP_HDR_LIST) != 0, store, v);
}

int sip_parse_uri_params(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_name_addr *v = out;

	(void)id;
	if (parse(c, true, store, v))
		return -1;
	return v->brackets && !v->display.p ? 0 : -1;
}
