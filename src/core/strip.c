/*
 * Takes URI parameters that are this server's own (x-ast-…) out of the Contacts of a request (stage 8 of the
 * reference): from outside they would pretend that it had put them there.
 */
#include "core/pipeline.h"

#include <stdlib.h>

/* Whatever of it is written with escapes: sip_uri_param finds it all the same. */
static bool is_own(struct rs_str name)
{
	static const char own[] = "x-ast-";
	char buf[3 * sizeof(own)]; /* all of it escaped */
	int n = sip_unescape(rs_str_n(name.p, name.len < sizeof(buf) - 1 ? name.len : sizeof(buf) - 1), buf,
			     sizeof(buf));

	return n >= (int)sizeof(own) - 1 && strncasecmp(buf, own, sizeof(own) - 1) == 0;
}

static bool has_own(const struct sip_uri *uri)
{
	struct rs_str name, value;
	size_t pos = 0;

	while (sip_uri_next_param(uri, &pos, &name, &value)) {
		if (is_own(name))
			return true;
	}
	return false;
}

/* The value with another URI in the place of its own. */
static void strip_value(struct sip_rx_data *rx, unsigned n, const struct sip_name_addr *c)
{
	size_t before = (size_t)(c->uri.text.p - c->text.p), after = before + c->uri.text.len;
	char *text = malloc(c->text.len + 1);
	int len;

	if (!text)
		return;
	memcpy(text, c->text.p, before);
	len = sip_uri_print_filtered(&c->uri, is_own, true, text + before, c->uri.text.len + 1);
	if (len >= 0) {
		memcpy(text + before + (size_t)len, c->text.p + after, c->text.len - after);
		sip_rx_override(rx, SIP_HDR_CONTACT, n, rs_str_n(text, before + (size_t)len + c->text.len - after));
	}
	free(text);
}

void ast_sip_strip_own_params(struct sip_rx_data *rx)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	const struct sip_hdr_values *contacts =
		sip_msg_hdr(msg, SIP_HDR_CONTACT, 0) ? sip_msg_values(msg, SIP_HDR_CONTACT, NULL) : NULL;

	for (uint32_t i = 0; contacts && i < contacts->n; i++) {
		const struct sip_name_addr *c = &contacts->v.name_addr[i];

		/* A URI that had to be unfolded does not lie in its value; whoever folds a Contact has no such
		 * parameter. */
		if (!c->star && c->uri.params.len && c->uri.text.p >= c->text.p &&
		    c->uri.text.p + c->uri.text.len <= c->text.p + c->text.len && has_own(&c->uri))
			strip_value(rx, i, c);
	}
}
