/* calls show, calls show <id>, calls hangup <id>. */
#include "calls.h"
#include "base/clock.h"
#include "base/log.h"
#include "res_sip/cli.h"

#include <stdlib.h>

#define TEXT 256 /* bytes of a field on the terminal */

static const char *state_name(const struct call_facts *f)
{
	switch (f->state) {
	case CALL_DIALING:
		return "Dialing";
	case CALL_RINGING:
		return "Ringing";
	case CALL_UP:
		return "Up";
	case CALL_OVER:
		break;
	}
	return "Over";
}

static int64_t seconds(const struct call_facts *f)
{
	int64_t from = f->answer_us ? f->answer_us : f->start_us, s = (rs_wall_us() - from) / 1000000;

	return s > 0 ? s : 0; /* the wall clock may have jumped */
}

static void print_line(struct ast_sip_cli *cli, const struct call_facts *f)
{
	char caller[TEXT], dialed[TEXT], from[TEXT], to[TEXT];

	ast_sip_cli_print(cli, "%10llu  %-8s %8lld  %-16s %-16s %s -> %s\n", (unsigned long long)f->id, state_name(f),
			  (long long)seconds(f), rs_log_escape(from, sizeof(from), f->text[CALL_CALLER_ENDPOINT]),
			  rs_log_escape(to, sizeof(to), f->text[CALL_CALLEE_ENDPOINT]),
			  rs_log_escape(caller, sizeof(caller), f->text[CALL_CALLER]),
			  rs_log_escape(dialed, sizeof(dialed), f->text[CALL_DIALED]));
}

static const char *const text_names[CALL_TEXTS] = {
	[CALL_CALLER] = "caller",
	[CALL_CALLER_NAME] = "caller_name",
	[CALL_DIALED] = "dialed",
	[CALL_CALLER_ENDPOINT] = "caller_endpoint",
	[CALL_CALLER_ID] = "caller_call_id",
	[CALL_CALLEE] = "callee",
	[CALL_CALLEE_ENDPOINT] = "callee_endpoint",
	[CALL_CALLEE_ID] = "callee_call_id",
	[CALL_TRANSFER] = "transferred_to",
	[CALL_TRANSFER_ID] = "transfer_call_id",
};

static void json(struct ast_sip_cli *cli, const struct call_facts *f)
{
	ast_sip_cli_json_object(cli, NULL);
	ast_sip_cli_json_int(cli, "id", (int64_t)f->id);
	ast_sip_cli_json_str(cli, "state", rs_str_c(state_name(f)));
	ast_sip_cli_json_int(cli, "seconds", seconds(f));
	ast_sip_cli_json_int(cli, "start_us", f->start_us);
	ast_sip_cli_json_int(cli, "ring_us", f->ring_us);
	ast_sip_cli_json_int(cli, "answer_us", f->answer_us);
	ast_sip_cli_json_int(cli, "branches", f->branches);
	ast_sip_cli_json_int(cli, "transfers", f->transfers);
	for (unsigned i = 0; i < CALL_TEXTS; i++)
		ast_sip_cli_json_str(cli, text_names[i], f->text[i]);
	ast_sip_cli_json_end(cli);
}

static int no_memory(struct ast_sip_cli *cli)
{
	ast_sip_cli_error(cli, "No memory.");
	return -1;
}

static int show_all(struct ast_sip_cli *cli)
{
	struct call **v, *c;
	struct call_facts f;
	size_t n, shown = 0;

	v = call_list(&n);
	if (!v)
		return no_memory(cli);
	ast_sip_cli_json_list(cli, NULL);
	for (size_t i = 0; i < n; i++) {
		c = v[i];
		if (!call_facts(c, &f)) {
			if (!shown++)
				ast_sip_cli_print(cli, "%10s  %-8s %8s  %-16s %-16s %s\n", "ID", "State", "Seconds",
						  "Caller", "Callee", "From -> dialed");
			print_line(cli, &f);
			json(cli, &f);
			call_facts_fini(&f);
		}
		call_unref(c);
	}
	free(v);
	ast_sip_cli_json_end(cli);
	ast_sip_cli_print(cli, "%zu call%s\n", shown, shown == 1 ? "" : "s");
	return 0;
}

static struct call *find(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct call *c = NULL;
	uint64_t id;

	if (argc != 1 || rs_str_to_u64(rs_str_c(argv[0]), UINT64_MAX, &id))
		ast_sip_cli_error(cli, "Which one? Give its number; `calls show` lists them.");
	else if (!(c = call_find(id)))
		ast_sip_cli_error(cli, "There is no call %s.", argv[0]);
	return c;
}

static int show_one(struct ast_sip_cli *cli, struct call *c)
{
	struct call_facts f;
	char text[TEXT];

	if (call_facts(c, &f))
		return no_memory(cli);
	json(cli, &f);
	ast_sip_cli_print(cli, "%-18s %llu\n%-18s %s\n%-18s %lld\n%-18s %u\n%-18s %u\n", "id", (unsigned long long)f.id,
			  "state", state_name(&f), "seconds", (long long)seconds(&f), "branches", f.branches,
			  "transfers", f.transfers);
	for (unsigned i = 0; i < CALL_TEXTS; i++)
		ast_sip_cli_print(cli, "%-18s %s\n", text_names[i], rs_log_escape(text, sizeof(text), f.text[i]));
	call_facts_fini(&f);
	return 0;
}

static int show(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct call *c;
	int rc;

	if (!argc)
		return show_all(cli);
	c = find(cli, argc, argv);
	if (!c)
		return -1;
	rc = show_one(cli, c);
	call_unref(c);
	return rc;
}

static int hangup(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct call *c = find(cli, argc, argv);

	if (!c)
		return -1;
	call_hangup(c, RS_STR("Q.850;cause=16;text=\"Ended by the operator\""), "command");
	call_unref(c);
	ast_sip_cli_print(cli, "Call %s is ended.\n", argv[0]);
	return 0;
}

static char *complete(int arg, const char *prefix, int n)
{
	char *word = NULL, text[24];
	size_t count = 0;
	struct call **v = arg ? NULL : call_list(&count);

	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)call_id(v[i]));
		if (!word && strncmp(text, prefix, strlen(prefix)) == 0 && n-- == 0)
			word = strdup(text);
		call_unref(v[i]);
	}
	free(v);
	return word;
}

static struct ast_sip_cli_command commands[] = {
	{.size = sizeof(struct ast_sip_cli_command),
	 .path = "calls show",
	 .usage = "[<id>]",
	 .help = "Calls that there are now, or one of them",
	 .handler = show,
	 .complete = complete},
	{.size = sizeof(struct ast_sip_cli_command),
	 .path = "calls hangup",
	 .usage = "<id>",
	 .help = "Ends a call",
	 .handler = hangup,
	 .complete = complete},
};

int calls_cli_register(void)
{
	return ast_sip_cli_register(commands, RS_ARRAY_SIZE(commands));
}

void calls_cli_unregister(void)
{
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
}
