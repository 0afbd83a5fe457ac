/* calls.conf: what it may say, and how its routes are read. */
#include "calls.h"
#include "pattern.h"

#include <stdlib.h>

#define FILE_NAME "calls.conf"

static const struct ast_sip_conf_word redirect_words[] = {{"follow", REDIRECT_FOLLOW}, {"pass", REDIRECT_PASS}, {0}};

static const struct ast_sip_conf_option general[] = {
	[GENERAL_RECORDS] = {"records", AST_SIP_CONF_STR, .def = "calls.json",
			     .help = "file with one JSON line a call; empty: none"},
	[GENERAL_MAX_CALLS] = {"max_calls", AST_SIP_CONF_UINT, .def = "0", .max = 10000000,
			       .help = "calls at once; 0: no limit"},
	[GENERAL_MAX_CALLS_PER_ENDPOINT] = {"max_calls_per_endpoint", AST_SIP_CONF_UINT, .def = "0", .max = 10000000,
					    .help = "calls at once of one endpoint; 0: no limit"},
	[GENERAL_MAX_DURATION] = {"max_duration", AST_SIP_CONF_UINT, .def = "0", .max = 2000000,
				  .help = "seconds after which an answered call is ended; 0: no limit"},
	[GENERAL_RING_TIMEOUT] = {"ring_timeout", AST_SIP_CONF_UINT, .def = "60", .min = 1, .max = 600,
				  .help = "seconds that phones called by their name ring"},
	[GENERAL_REDIRECT] = {"redirect", AST_SIP_CONF_ENUM, .def = "follow", .words = redirect_words,
			      .help = "a 3xx of a phone: follow it, or pass it to the caller"},
};

static const struct ast_sip_conf_option route[] = {
	[ROUTE_PATTERN] = {"pattern", AST_SIP_CONF_STR, .flags = AST_SIP_CONF_REQUIRED,
			   .help = "numbers that it takes"},
	[ROUTE_STRIP] = {"strip", AST_SIP_CONF_UINT, .def = "0", .max = CALLS_MAX_NUMBER,
			 .help = "characters taken off in front"},
	[ROUTE_PREFIX] = {"prefix", AST_SIP_CONF_STR, .help = "what is put in front then"},
	[ROUTE_ENDPOINT] = {"endpoint", AST_SIP_CONF_LIST, .flags = AST_SIP_CONF_REQUIRED | AST_SIP_CONF_ACCUMULATE,
			    .refers = "endpoint", .help = "tried in order"},
	[ROUTE_TIMEOUT] = {"timeout", AST_SIP_CONF_UINT, .def = "60", .min = 1, .max = 600,
			   .help = "seconds that each of them rings"},
	[ROUTE_CONTINUE_ON] = {"continue_on", AST_SIP_CONF_LIST, .def = "unreachable, 408, 5xx",
			       .help = "failures after which the next endpoint is tried"},
};

/* ---- continue_on ---- */

#define FIRST_STATUS 300
#define STATUSES     400

struct continue_on {
	bool failed[FAILED_UNREACHABLE + 1];
	bool status[STATUSES]; /* from FIRST_STATUS on */
};

static void add_class(struct continue_on *c, unsigned class)
{
	for (unsigned i = 0; i < 100; i++)
		c->status[class * 100 - FIRST_STATUS + i] = true;
}

static int add_word(struct continue_on *c, struct rs_str word)
{
	uint64_t v;

	if (rs_str_ieqz(word, "busy"))
		c->status[486 - FIRST_STATUS] = c->status[600 - FIRST_STATUS] = true;
	else if (rs_str_ieqz(word, "no_answer"))
		c->failed[FAILED_NO_ANSWER] = c->status[480 - FIRST_STATUS] = true;
	else if (rs_str_ieqz(word, "unreachable"))
		c->failed[FAILED_UNREACHABLE] = true;
	else if (rs_str_ieqz(word, "declined"))
		c->status[403 - FIRST_STATUS] = c->status[603 - FIRST_STATUS] = true;
	else if (word.len == 3 && rs_str_ieqz(rs_str_n(word.p + 1, 2), "xx") && word.p[0] >= '3' && word.p[0] <= '6')
		add_class(c, (unsigned)(word.p[0] - '0'));
	else if (!rs_str_to_u64(word, FIRST_STATUS + STATUSES - 1, &v) && v >= FIRST_STATUS)
		c->status[v - FIRST_STATUS] = true;
	else
		return -1;
	return 0;
}

static int check_route(const struct ast_sip_conf_object *o, struct ast_sip_conf_check *check, void **prepared)
{
	struct ast_sip_strings words = ast_sip_conf_list(o, ROUTE_CONTINUE_ON);
	const char *wrong = pattern_check(ast_sip_conf_str(o, ROUTE_PATTERN));
	struct continue_on *c;

	if (wrong) {
		ast_sip_conf_refuse(check, "pattern", "%s", wrong);
		return -1;
	}
	if (ast_sip_conf_list(o, ROUTE_ENDPOINT).n > CALLS_MAX_STAGES) {
		ast_sip_conf_refuse(check, "endpoint", "more than %d endpoints", CALLS_MAX_STAGES);
		return -1;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		ast_sip_conf_refuse(check, NULL, "no memory");
		return -1;
	}
	for (uint32_t i = 0; i < words.n; i++) {
		if (!add_word(c, words.v[i]))
			continue;
		ast_sip_conf_refuse(check, "continue_on",
				    "'%.*s' is none of busy, no_answer, unreachable, declined, a status from 300 to "
				    "699, 3xx, 4xx, 5xx and 6xx",
				    RS_FMT(words.v[i]));
		free(c);
		return -1;
	}
	*prepared = c;
	return 0;
}

bool calls_route_continues(const struct ast_sip_conf_object *o, enum calls_failure how, unsigned status)
{
	const struct continue_on *c = ast_sip_conf_prepared(o);

	if (!c)
		return false;
	if (how != FAILED_ANSWER)
		return c->failed[how];
	return status >= FIRST_STATUS && status < FIRST_STATUS + STATUSES && c->status[status - FIRST_STATUS];
}

/* ---- the file ---- */

static const struct ast_sip_conf_type types[] = {
	{.name = "general", .single = true, .options = general, .n = RS_ARRAY_SIZE(general)},
	{.name = "route", .options = route, .n = RS_ARRAY_SIZE(route), .check = check_route, .release = free},
};
static const struct ast_sip_conf_file file = {
	.size = sizeof(struct ast_sip_conf_file), .name = FILE_NAME, .types = types, .n_types = RS_ARRAY_SIZE(types)};
const struct ast_sip_conf_file *const calls_conf_files[] = {&file, NULL};

uint32_t calls_general_uint(struct ast_sip_snapshot *s, enum calls_general row)
{
	struct ast_sip_conf_object *o = ast_sip_conf_single(s, FILE_NAME, "general");

	return o ? ast_sip_conf_uint(o, row) : 0;
}

int calls_general_int(struct ast_sip_snapshot *s, enum calls_general row)
{
	struct ast_sip_conf_object *o = ast_sip_conf_single(s, FILE_NAME, "general");

	return o ? ast_sip_conf_int(o, row) : 0;
}

struct rs_str calls_general_str(struct ast_sip_snapshot *s, enum calls_general row)
{
	struct ast_sip_conf_object *o = ast_sip_conf_single(s, FILE_NAME, "general");

	return o ? ast_sip_conf_str(o, row) : RS_STR_NULL;
}

struct ast_sip_conf_objects calls_routes(struct ast_sip_snapshot *s)
{
	return ast_sip_conf_objects(s, FILE_NAME, "route");
}
