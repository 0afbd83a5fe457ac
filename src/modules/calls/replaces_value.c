/* The value of Replaces (RFC 3891 section 6.1). */
#include "calls.h"

int replaces_parse(struct rs_str value, struct replaces *out)
{
	bool first = true;

	*out = (struct replaces){.early_only = false};
	while (value.len || first) {
		const char *semicolon = rs_str_chr(value, ';');
		size_t len = semicolon ? (size_t)(semicolon - value.p) : value.len;
		struct rs_str part = rs_str_trim(rs_str_n(value.p, len)), name = part, text = RS_STR_NULL;
		const char *equals = rs_str_chr(part, '=');

		if (equals && !first) {
			name = rs_str_trim(rs_str_n(part.p, (size_t)(equals - part.p)));
			text = rs_str_trim(rs_str_n(equals + 1, (size_t)(part.p + part.len - equals - 1)));
		}
		if (first)
			out->call_id = part;
		else if (rs_str_ieqz(name, "to-tag"))
			out->to_tag = text;
		else if (rs_str_ieqz(name, "from-tag"))
			out->from_tag = text;
		else if (rs_str_ieqz(name, "early-only"))
			out->early_only = true;
		first = false;
		value = semicolon ? rs_str_n(semicolon + 1, value.len - len - 1) : RS_STR_NULL;
	}
	return out->call_id.len && out->to_tag.len && out->from_tag.len ? 0 : -1;
}
