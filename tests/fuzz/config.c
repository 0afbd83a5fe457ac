/*
 * Configuration files in a folder of their own: "@@ name" on a line of its own begins one of those below, the text
 * before the first such line is pjsip.conf. A load gives a snapshot or errors, each of which names its file; one that
 * fails leaves the snapshot before it as it was.
 */
#include "fuzz.h"

#include "base/log.h"
#include "core/config/module_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const names[] = {"pjsip.conf",   "res_sip.conf", "acl.conf",
				    "modules.conf", "more.conf",    "routes.conf"};

static char dir[256];
static struct ast_sip_snapshot *before; /* a sound one */

static void path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

static void write_file(const char *name, struct rs_str text)
{
	char path[512];
	FILE *f;

	path_of(path, sizeof(path), name);
	f = fopen(path, "wb");
	FUZZ_CHECK(f);
	FUZZ_CHECK(fwrite(text.p, 1, text.len, f) == text.len);
	FUZZ_CHECK(fclose(f) == 0);
}

static void remove_files(void)
{
	char path[512];

	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++) {
		path_of(path, sizeof(path), names[i]);
		unlink(path);
	}
}

/* The name behind "@@ " when a line is such a one; else NULL. */
static const char *name_of(struct rs_str line)
{
	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++) {
		if (line.len == strlen(names[i]) + 3 && memcmp(line.p, "@@ ", 3) == 0 &&
		    rs_str_eqz(rs_str_n(line.p + 3, line.len - 3), names[i]))
			return names[i];
	}
	return NULL;
}

static void write_files(struct rs_str input)
{
	const char *name = names[0], *start = input.p;

	while (input.len) {
		struct rs_str line = fuzz_take(&input, '\n');
		const char *next = name_of(line);

		if (!next)
			continue;
		write_file(name, rs_str_n(start, (size_t)(line.p - start)));
		name = next;
		start = input.p;
	}
	write_file(name, rs_str_n(start, (size_t)(input.p + input.len - start)));
}

/* Files outside of the folder are the operator's business, and not ours to read. */
static bool includes_others(struct rs_str input)
{
	while (input.len) {
		struct rs_str line = fuzz_take(&input, '\n');

		if (memmem(line.p, line.len, "include", 7) && (rs_str_chr(line, '/') || rs_str_chr(line, '~')))
			return true;
		for (size_t i = 0; i + 7 <= line.len; i++) {
			if (strncasecmp(line.p + i, "include", 7) == 0 &&
			    (rs_str_chr(line, '/') || rs_str_chr(line, '~')))
				return true;
		}
	}
	return false;
}

static void check_errors(const struct ast_sip_conf_errors *e, bool failed)
{
	size_t fatal = 0;

	for (size_t i = 0; i < e->n; i++) {
		FUZZ_CHECK(e->v[i].file && *e->v[i].file);
		FUZZ_CHECK(e->v[i].text && *e->v[i].text);
		fatal += !e->v[i].warning;
	}
	FUZZ_CHECK(fatal <= e->n_fatal);
	FUZZ_CHECK(failed == (e->n_fatal > 0));
	/* The first that is kept of an error that is a line's has that line. */
	FUZZ_CHECK(!failed || fatal);
}

/* ---- reading what was loaded ---- */

static void touch_option(void *token, struct rs_str name, struct rs_str value)
{
	(void)token;
	fuzz_touch(name);
	fuzz_touch(value);
}

static void touch_strings(struct ast_sip_strings s)
{
	for (uint32_t i = 0; i < s.n; i++) {
		fuzz_touch(s.v[i]);
		FUZZ_CHECK(s.v[i].p[s.v[i].len] == '\0');
	}
}

static void touch_endpoints(struct ast_sip_snapshot *s)
{
	struct ast_sip_endpoints v = ast_sip_snapshot_endpoints(s);
	struct sip_addr a = {.family = 4, .ip = {10, 0, 0, 1}};

	for (uint32_t i = 0; i < v.n; i++) {
		struct ast_sip_endpoint *e = ast_sip_endpoint_find(s, ast_sip_endpoint_id(v.v[i]));

		FUZZ_CHECK(e == v.v[i]);
		ast_sip_acl_allows(ast_sip_endpoint_settings(e)->acl, &a, NULL);
		touch_strings(ast_sip_endpoint_aors(e));
		touch_strings(ast_sip_endpoint_auths(e));
		ast_sip_object_options(e, "endpoint", touch_option, NULL);
		ast_sip_endpoint_unref(e);
	}
}

static void touch_others(struct ast_sip_snapshot *s)
{
	struct ast_sip_aors aors = ast_sip_snapshot_aors(s);
	struct ast_sip_auths auths = ast_sip_snapshot_auths(s);
	struct ast_sip_identifies identifies = ast_sip_snapshot_identifies(s);
	struct ast_sip_acls acls = ast_sip_snapshot_acls(s);
	struct ast_sip_transports transports = ast_sip_snapshot_transports(s);
	struct sip_addr a = {.family = 6, .ip = {0xfd}};

	for (uint32_t i = 0; i < aors.n; i++)
		ast_sip_object_options(aors.v[i], "aor", touch_option, NULL);
	for (uint32_t i = 0; i < auths.n; i++)
		ast_sip_object_options(auths.v[i], "auth", touch_option, NULL);
	for (uint32_t i = 0; i < identifies.n; i++)
		ast_sip_object_options(identifies.v[i], "identify", touch_option, NULL);
	for (uint32_t i = 0; i < acls.n; i++)
		ast_sip_acl_allows(acls.v[i], &a, NULL);
	for (uint32_t i = 0; i < transports.n; i++) {
		ast_sip_object_options(transports.v[i], "transport", touch_option, NULL);
		ast_sip_local_net_contains(transports.v[i]->local_net, &a);
	}
	ast_sip_object_options(ast_sip_snapshot_global(s), "global", touch_option, NULL);
	ast_sip_object_options(ast_sip_snapshot_system(s), "system", touch_option, NULL);
	touch_strings(ast_sip_snapshot_not_applicable(s));
}

/* ---- a module's file ---- */

enum { PATTERN, ENDPOINT, TIMEOUT, OFFSET, RINGING, GO_ON, VIA, ACTIVE };
static const struct ast_sip_conf_word words[] = {{"parallel", 1}, {"sequential", 2}, {NULL, 0}};
static const struct ast_sip_conf_option route[] = {
	[PATTERN] = {.name = "pattern", .kind = AST_SIP_CONF_STR, .flags = AST_SIP_CONF_REQUIRED},
	[ENDPOINT] = {.name = "endpoint",
		      .kind = AST_SIP_CONF_LIST,
		      .flags = AST_SIP_CONF_ACCUMULATE,
		      .refers = "endpoint"},
	[TIMEOUT] = {.name = "timeout", .kind = AST_SIP_CONF_UINT, .def = "30", .min = 1, .max = 600},
	[OFFSET] = {.name = "offset", .kind = AST_SIP_CONF_INT},
	[RINGING] = {.name = "ringing", .kind = AST_SIP_CONF_ENUM, .words = words},
	[GO_ON] = {.name = "go_on", .kind = AST_SIP_CONF_FLAGS, .words = words},
	[VIA] = {.name = "via", .kind = AST_SIP_CONF_URI},
	[ACTIVE] = {.name = "active", .kind = AST_SIP_CONF_BOOL},
};

static int check_route(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *c, void **prepared)
{
	struct rs_str pattern = ast_sip_conf_str(o, PATTERN);

	FUZZ_CHECK(pattern.len && ast_sip_conf_uint(o, TIMEOUT) >= 1 && ast_sip_conf_uint(o, TIMEOUT) <= 600);
	if (pattern.p[0] == '!') {
		ast_sip_conf_refuse(c, "pattern", "pattern: '%.*s' is refused", RS_FMT(pattern));
		return -1;
	}
	*prepared = rs_str_dup(pattern);
	return 0;
}

static const struct ast_sip_conf_type file_types[] = {
	{.name = "general", .single = true, .options = &route[TIMEOUT], .n = 1},
	{.name = "route", .options = route, .n = RS_ARRAY_SIZE(route), .check = check_route, .release = free},
};
static const struct ast_sip_conf_file routes = {
	.size = sizeof(routes), .name = "routes.conf", .types = file_types, .n_types = RS_ARRAY_SIZE(file_types)};
static const struct ast_sip_conf_file *const files[] = {&routes, NULL};

static void touch_routes(struct ast_sip_snapshot *s)
{
	struct ast_sip_conf_objects v = ast_sip_conf_objects(s, "routes.conf", "route");

	FUZZ_CHECK(ast_sip_conf_single(s, "routes.conf", "general"));
	for (uint32_t i = 0; i < v.n; i++) {
		struct ast_sip_strings endpoints = ast_sip_conf_list(v.v[i], ENDPOINT);

		FUZZ_CHECK(ast_sip_conf_object_find(s, "routes.conf", "route", ast_sip_conf_object_id(v.v[i])) ==
			   v.v[i]);
		FUZZ_CHECK(rs_str_eqz(ast_sip_conf_str(v.v[i], PATTERN), ast_sip_conf_prepared(v.v[i])));
		touch_strings(endpoints);
		for (uint32_t e = 0; e < endpoints.n; e++)
			FUZZ_CHECK(ast_sip_snapshot_endpoint(s, endpoints.v[e]));
		ast_sip_conf_object_options(v.v[i], touch_option, NULL);
	}
}

/* ---- loads ---- */

static void check_modules(void)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_modules_conf c;
	int rc = ast_sip_modules_conf_load(dir, &c, &errors);

	check_errors(&errors, rc != 0);
	for (size_t i = 0; i < c.n; i++) {
		FUZZ_CHECK(*c.v[i].name && !strchr(c.v[i].name, '/'));
		FUZZ_CHECK(c.v[i].line && *c.v[i].file);
	}
	ast_sip_modules_conf_free(&c);
	ast_sip_conf_errors_free(&errors);
}

static struct ast_sip_snapshot *load(struct ast_sip_snapshot *previous)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_snapshot *s = ast_sip_snapshot_load(dir, previous, &errors);

	check_errors(&errors, !s);
	ast_sip_conf_errors_free(&errors);
	return s;
}

/* The one that was there is whole, whatever became of the load beside it. */
static void check_before(void)
{
	struct ast_sip_endpoint *e = ast_sip_endpoint_find(before, RS_STR("alice"));

	FUZZ_CHECK(e && ast_sip_endpoint_aors(e).n == 1 && ast_sip_snapshot_endpoints(before).n == 2);
	FUZZ_CHECK(rs_str_eqz(ast_sip_endpoint_settings(e)->from_user, "a"));
	ast_sip_endpoint_unref(e);
	ast_sip_object_options(e, "endpoint", touch_option, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str input = fuzz_str(data, size);
	struct ast_sip_snapshot *s, *again;

	if (includes_others(input))
		return 0;
	write_files(input);
	check_modules();
	s = load(before);
	if (s) {
		touch_endpoints(s);
		touch_others(s);
		touch_routes(s);
		/* What loads once loads again. */
		again = load(s);
		FUZZ_CHECK(again);
		FUZZ_CHECK(ast_sip_snapshot_endpoints(again).n == ast_sip_snapshot_endpoints(s).n);
		ast_sip_snapshot_unref(s);
		touch_endpoints(again);
		touch_others(again);
		touch_routes(again);
		ast_sip_snapshot_unref(again);
	}
	check_before();
	remove_files();
	return 0;
}

/* Names of identify sections: no server is asked. */
static int resolve(const char *host, struct sip_addr *out, size_t max)
{
	if (max && strlen(host) % 2) {
		*out = (struct sip_addr){.family = 4, .ip = {10, 0, 0, 9}};
		return 1;
	}
	return -1;
}

static void clean_up(void)
{
	ast_sip_conf_files_remove(NULL);
	ast_sip_snapshot_unref(before);
	remove_files();
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ast_sip_conf_errors errors = {0};
	const char *tmp = getenv("TMPDIR");

	(void)argc;
	(void)argv;
	rs_log_set_level(RS_LOG_ERROR);
	ast_sip_conf_resolve = resolve;
	snprintf(dir, sizeof(dir), "%s/fuzz_config.XXXXXX", tmp ? tmp : "/tmp");
	FUZZ_CHECK(mkdtemp(dir));
	write_file("pjsip.conf", RS_STR("[alice]\ntype=endpoint\naors=alice\nfrom_user=a\n[alice]\ntype=aor\n"
					"[e]\ntype=endpoint\ncallerid=x\n"));
	FUZZ_CHECK(ast_sip_conf_files_add(NULL, files, &errors) == 0);
	before = load(NULL);
	FUZZ_CHECK(before);
	atexit(clean_up);
	return 0;
}
