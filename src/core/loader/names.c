#include "core/loader/names.h"

/* Section 18 of the reference: what these do is done by the server itself. */
static const char *const built_in[] = {
	"res_pjsip", "res_sip", "res_pjproject", "res_security_log", "res_sip_path",
};
static const char *const core_names[] = {"res_pjsip", "res_sip"};

static bool name_in(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

enum module_name_kind module_name_normalise(const char *name, char out[MODULE_NAME_MAX])
{
	static const char theirs[] = "res_pjsip_", ours[] = "res_sip_";
	struct rs_str s = rs_str_trim(rs_str_c(name));
	size_t n = 0;

	out[0] = '\0';
	if (rs_str_chr(s, '/'))
		return MODULE_NAME_FILE;
	if (s.len > 3 && strncasecmp(s.p + s.len - 3, ".so", 3) == 0)
		s.len -= 3;
	if (s.len >= sizeof(theirs) - 1 && strncasecmp(s.p, theirs, sizeof(theirs) - 1) == 0) {
		memcpy(out, ours, sizeof(ours) - 1);
		n = sizeof(ours) - 1;
		s = rs_str_n(s.p + sizeof(theirs) - 1, s.len - (sizeof(theirs) - 1));
	}
	for (size_t i = 0; i < s.len && n < MODULE_NAME_MAX - 1; i++)
		out[n++] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i];
	out[n] = '\0';
	if (name_in(out, built_in, RS_ARRAY_SIZE(built_in)) || strncmp(out, "res_sorcery_", 12) == 0)
		return MODULE_NAME_BUILT_IN;
	return MODULE_NAME_FILE;
}

bool module_name_is_core(const char *name)
{
	return name_in(name, core_names, RS_ARRAY_SIZE(core_names));
}
