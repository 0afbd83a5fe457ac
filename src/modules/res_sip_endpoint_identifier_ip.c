/*
 * Identifies by type=identify sections: "ip" by the packet's source, "header" by a header's value, "request_uri" by
 * the Request-URI (section 6 of the reference). Sections are visited in byte order of their names; in one section the
 * last matching rule decides.
 */
#include "res_sip/res_sip.h"

#include <regex.h>
#include <stdio.h>

/* The longest value that a regular expression is run over: its work grows with the text. */
#define MAX_REGEX_TEXT 2048

static bool prefix_matches(const struct ast_sip_match *m, const struct sip_addr *a)
{
	struct sip_addr rule = m->addr;
	unsigned bits = m->bits, whole, rest;

	if (bits >= 96) { /* ::ffff:10.0.0.0/104 is 10.0.0.0/8 */
		sip_addr_unmap(&rule);
		if (rule.family != m->addr.family)
			bits -= 96;
	}
	whole = bits / 8;
	rest = bits % 8;
	if (rule.family != a->family || (rule.port && rule.port != a->port) || memcmp(rule.ip, a->ip, whole) != 0)
		return false;
	return !rest || !((rule.ip[whole] ^ a->ip[whole]) & (uint8_t)(0xff << (8 - rest)));
}

static bool ip_matches(const struct ast_sip_identify_settings *s, struct sip_rx_data *rx)
{
	struct sip_addr source = *sip_rx_source(rx);
	bool matched = false;

	sip_addr_unmap(&source);
	for (uint32_t i = 0; i < s->n_match; i++) {
		if (prefix_matches(&s->match[i], &source))
			matched = !s->match[i].negate;
	}
	return matched;
}

static bool text_matches(const void *regex, struct rs_str expected, struct rs_str text)
{
	char buf[MAX_REGEX_TEXT + 1];

	if (!regex)
		return rs_str_eq(expected, text);
	if (text.len > MAX_REGEX_TEXT)
		return false;
	memcpy(buf, text.p ? text.p : "", text.len);
	buf[text.len] = '\0';
	return regexec(regex, buf, 0, NULL, 0) == 0;
}

static bool header_matches(const struct ast_sip_identify_settings *s, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr *h;

	if (!s->header_name.len)
		return false;
	for (unsigned n = 0; (h = sip_msg_hdr_by_name(msg, s->header_name, n)); n++) {
		if (text_matches(s->header_regex, s->header_value, rs_str_trim(sip_msg_unfold(msg, h->value))))
			return true;
	}
	return false;
}

static bool request_uri_matches(const struct ast_sip_identify_settings *s, struct sip_rx_data *rx)
{
	return (s->request_uri.len || s->request_uri_regex) &&
	       text_matches(s->request_uri_regex, s->request_uri, sip_rx_msg(rx)->uri_text);
}

static struct ast_sip_endpoint *
first_match(struct sip_rx_data *rx, bool (*matches)(const struct ast_sip_identify_settings *, struct sip_rx_data *))
{
	struct ast_sip_snapshot *snapshot = ast_sip_rx_snapshot(rx);
	struct ast_sip_identifies all = ast_sip_snapshot_identifies(snapshot);

	for (uint32_t i = 0; i < all.n; i++) {
		const struct ast_sip_identify_settings *s = ast_sip_identify_settings(all.v[i]);
		if (matches(s, rx))
			return ast_sip_endpoint_find(snapshot, s->endpoint);
	}
	return NULL;
}

static struct ast_sip_endpoint *by_ip(struct sip_rx_data *rx)
{
	return first_match(rx, ip_matches);
}
static struct ast_sip_endpoint *by_header(struct sip_rx_data *rx)
{
	return first_match(rx, header_matches);
}
static struct ast_sip_endpoint *by_request_uri(struct sip_rx_data *rx)
{
	return first_match(rx, request_uri_matches);
}

static struct {
	const char *name;
	struct ast_sip_endpoint_identifier identifier;
} identifiers[] = {
	{"ip", {.size = sizeof(struct ast_sip_endpoint_identifier), .identify_endpoint = by_ip}},
	{"header", {.size = sizeof(struct ast_sip_endpoint_identifier), .identify_endpoint = by_header}},
	{"request_uri", {.size = sizeof(struct ast_sip_endpoint_identifier), .identify_endpoint = by_request_uri}},
};

/* Under "Match" in `pjsip show endpoint`: which identify sections lead to it. */
static void format_endpoint(const struct ast_sip_endpoint *endpoint,
			    void (*line)(void *token, struct rs_str key, struct rs_str value), void *token)
{
	struct ast_sip_snapshot *snapshot = ast_sip_snapshot_get();
	struct ast_sip_identifies all;

	if (!snapshot)
		return;
	all = ast_sip_snapshot_identifies(snapshot);
	for (uint32_t i = 0; i < all.n; i++) {
		const struct ast_sip_identify_settings *s = ast_sip_identify_settings(all.v[i]);
		char addr[SIP_ADDR_TEXT], text[SIP_ADDR_TEXT + 8];

		if (!rs_str_eq(s->endpoint, ast_sip_endpoint_id(endpoint)))
			continue;
		line(token, RS_STR("Identify"), ast_sip_identify_id(all.v[i]));
		for (uint32_t m = 0; m < s->n_match; m++) {
			snprintf(text, sizeof(text), "%s%s/%u", s->match[m].negate ? "!" : "",
				 sip_addr_text(&s->match[m].addr, true, addr), s->match[m].bits);
			line(token, RS_STR("Match"), rs_str_c(text));
		}
	}
	ast_sip_snapshot_unref(snapshot);
}

static struct ast_sip_endpoint_formatter formatter = {
	.size = sizeof(struct ast_sip_endpoint_formatter),
	.name = "identify",
	.format_endpoint = format_endpoint,
};

static void unload(void)
{
	ast_sip_unregister_endpoint_formatter(&formatter);
	for (size_t i = 0; i < RS_ARRAY_SIZE(identifiers); i++)
		ast_sip_unregister_endpoint_identifier(&identifiers[i].identifier);
}

static int load(void)
{
	for (size_t i = 0; i < RS_ARRAY_SIZE(identifiers); i++) {
		if (ast_sip_register_endpoint_identifier_with_name(&identifiers[i].identifier, identifiers[i].name)) {
			unload();
			return AST_SIP_MODULE_DECLINE;
		}
	}
	if (ast_sip_register_endpoint_formatter(&formatter)) {
		unload();
		return AST_SIP_MODULE_DECLINE;
	}
	return AST_SIP_MODULE_OK;
}

AST_SIP_MODULE(.name = "res_sip_endpoint_identifier_ip",
	       .description = "Identifies endpoints by address, header and Request-URI",
	       .priority = AST_SIP_LOAD_IDENTIFIER, .load = load, .unload = unload);
