/* What this side and the peer can do: Allow, Supported, Require. */
#include "session_private.h"

#define MAX_TAGS 512 /* bytes of one Supported line of ours */

static const struct {
	const char *name;
	unsigned bit;
} tags[] = {
	{"100rel", AST_SIP_SESSION_TAG_100REL},     {"timer", AST_SIP_SESSION_TAG_TIMER},
	{"replaces", AST_SIP_SESSION_TAG_REPLACES}, {"norefersub", AST_SIP_SESSION_TAG_NOREFERSUB},
	{"histinfo", AST_SIP_SESSION_TAG_HISTINFO},
};

const struct ast_sip_endpoint_settings *session_settings(const struct ast_sip_endpoint *endpoint)
{
	static const struct ast_sip_endpoint_settings defaults = {
		.rel100 = AST_SIP_100REL_YES,
		.timers = AST_SIP_TIMERS_YES,
		.timers_min_se = 90,
		.timers_sess_expires = 1800,
	};

	return endpoint ? ast_sip_endpoint_settings(endpoint) : &defaults;
}

bool session_requires(struct sip_rx_data *rx, const char *tag)
{
	return sip_msg_has_token(sip_rx_msg(rx), SIP_HDR_REQUIRE, rs_str_c(tag));
}

bool session_supports(struct sip_rx_data *rx, const char *tag)
{
	return sip_msg_has_token(sip_rx_msg(rx), SIP_HDR_SUPPORTED, rs_str_c(tag)) || session_requires(rx, tag);
}

static unsigned method_bit(struct rs_str name)
{
	return 1u << sip_method_from_name(name);
}

static unsigned tag_bit(struct rs_str name)
{
	for (unsigned k = 0; k < RS_ARRAY_SIZE(tags); k++) {
		if (rs_str_ieqz(name, tags[k].name))
			return tags[k].bit;
	}
	return 0;
}

static bool is_word(char c)
{
	return c > ' ' && c != ',' && c != ';';
}

/* The bits of what a header lists. Typed values would cost more than all else that is asked of these lines. */
static unsigned listed(struct sip_msg *msg, enum sip_hdr_id id, unsigned (*bit)(struct rs_str name))
{
	unsigned bits = 0;

	for (const struct sip_hdr *h = sip_msg_first(msg, id); h; h = sip_msg_next(msg, h)) {
		const char *p = h->value.p, *end = p + h->value.len, *start;

		while (p < end) {
			while (p < end && !is_word(*p))
				p++;
			start = p;
			while (p < end && is_word(*p))
				p++;
			if (p > start)
				bits |= bit(rs_str_n(start, (size_t)(p - start)));
			while (p < end && *p != ',')
				p++;
		}
	}
	return bits;
}

void session_learn(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);

	if (sip_msg_first(msg, SIP_HDR_ALLOW))
		s->allows = (uint16_t)(listed(msg, SIP_HDR_ALLOW, method_bit) & ~(1u << SIP_METHOD_OTHER));
	/* An answer that says nothing of it takes nothing back. */
	if (msg->is_request || sip_msg_first(msg, SIP_HDR_SUPPORTED))
		s->supports =
			(uint8_t)(listed(msg, SIP_HDR_SUPPORTED, tag_bit) | listed(msg, SIP_HDR_REQUIRE, tag_bit));
}

/* ---- ours ---- */

static bool left_out(const struct ast_sip_endpoint_settings *set, struct rs_str tag)
{
	return (set->rel100 == AST_SIP_100REL_NO && rs_str_ieqz(tag, "100rel")) ||
	       (set->timers == AST_SIP_TIMERS_NO && rs_str_ieqz(tag, "timer"));
}

/* Supported as the services have it, without what the endpoint's options switch off. */
static void add_supported(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	const struct ast_sip_endpoint_settings *set = session_settings(s->endpoint);
	struct rs_str all;
	char buf[MAX_TAGS];
	size_t n = 0;

	ast_sip_add_supported(tx);
	if (set->rel100 != AST_SIP_100REL_NO && set->timers != AST_SIP_TIMERS_NO)
		return;
	all = sip_tx_hdr(tx, SIP_HDR_SUPPORTED);
	for (size_t at = 0; at < all.len;) {
		struct rs_str rest = rs_str_n(all.p + at, all.len - at), tag;
		const char *comma = rs_str_chr(rest, ',');

		tag = rs_str_trim(rs_str_n(rest.p, comma ? (size_t)(comma - rest.p) : rest.len));
		at += (comma ? (size_t)(comma - rest.p) : rest.len) + 1;
		if (!tag.len || left_out(set, tag) || n + tag.len + 2 > sizeof(buf))
			continue;
		if (n) {
			memcpy(buf + n, ", ", 2);
			n += 2;
		}
		memcpy(buf + n, tag.p, tag.len);
		n += tag.len;
	}
	sip_tx_remove_hdr(tx, SIP_HDR_SUPPORTED);
	if (n)
		sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, rs_str_n(buf, n));
}

void session_add_capabilities(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	const struct ast_sip_endpoint_settings *set = session_settings(s->endpoint);

	ast_sip_add_allow(tx);
	add_supported(s, tx);
	if (!sip_tx_is_request(tx) || sip_tx_method(tx) != SIP_METHOD_INVITE)
		return;
	if (set->rel100 == AST_SIP_100REL_REQUIRED)
		sip_tx_add_hdr(tx, SIP_HDR_REQUIRE, RS_STR("100rel"));
	if (set->timers == AST_SIP_TIMERS_REQUIRED)
		sip_tx_add_hdr(tx, SIP_HDR_REQUIRE, RS_STR("timer"));
}
