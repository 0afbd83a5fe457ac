/*
 * What comes over the control socket, a line each: JSON as the protocol has it, or, when it begins with no brace, words
 * of a command (behind "#" answered in JSON, behind "?" to be completed). The commands are the real ones, over a
 * running core.
 */
#include "fuzz.h"

#include "core/control/commands.h"
#include "core/control/protocol.h"
#include "core/loader/loader.h"
#include "core_test.h"

#include "base/log.h"

#include <jansson.h>

static const char config[] = "[alice]\ntype=endpoint\naors=alice\nauth=alice\n[alice]\ntype=aor\nmax_contacts=3\n"
			     "contact=sip:alice@10.0.0.2:5062\n[alice]\ntype=auth\nusername=alice\npassword=x\n"
			     "[bob]\ntype=endpoint\naors=bob\n[bob]\ntype=aor\n[caf\xe9]\ntype=endpoint\n"
			     "[id]\ntype=identify\nendpoint=bob\nmatch=10.0.0.7\n[acl]\ntype=acl\ndeny=10.9.0.0/16\n";

static void check_reply(const char *reply, size_t len)
{
	const char *err;
	json_t *r;

	FUZZ_CHECK(len && reply[len - 1] == '\n' && memchr(reply, '\n', len) == reply + len - 1);
	r = json_loadb(reply, len - 1, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(r && json_is_integer(json_object_get(r, "exit")));
	FUZZ_CHECK(json_is_array(json_object_get(r, "words")) ||
		   (json_is_string(json_object_get(r, "out")) && json_is_string(json_object_get(r, "err"))));
	err = json_string_value(json_object_get(r, "err"));
	FUZZ_CHECK(!err || strcmp(err, "No memory for the answer.\n") != 0);
	json_decref(r);
}

static void run(struct rs_str line)
{
	size_t len = 0;
	char *reply = control_answer(line, &len);

	FUZZ_CHECK(reply);
	check_reply(reply, len);
	free(reply);
	ct_run();
}

static void run_words(struct rs_str line)
{
	json_t *argv = json_array(), *request = json_object();
	char kind = line.p[0], *text;

	if (kind == '#' || kind == '?')
		line = rs_str_n(line.p + 1, line.len - 1);
	while (line.len) {
		struct rs_str word = fuzz_take(&line, ' ');

		if (word.len)
			json_array_append_new(argv, json_stringn_nocheck(word.p, word.len));
	}
	if (kind == '?') {
		size_t n = json_array_size(argv);

		if (n) {
			json_object_set(request, "complete", json_array_get(argv, n - 1));
			json_array_remove(argv, n - 1);
		} else {
			json_object_set_new(request, "complete", json_string(""));
		}
	}
	json_object_set_new(request, "argv", argv);
	json_object_set_new(request, "json", json_boolean(kind == '#'));
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	/* Words that are no UTF-8 cannot be said in JSON. */
	if (text)
		run(rs_str_c(text));
	free(text);
}

/* The operator's own regular expressions may take the memory and the time that he likes. */
static bool has_expensive_regex(struct rs_str s)
{
	return s.p && memmem(s.p, s.len, "like", 4) && (rs_str_chr(s, '{') || rs_str_chr(s, '\\'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rs_str rest = fuzz_str(data, size);

	while (rest.len) {
		struct rs_str line = fuzz_take(&rest, '\n');

		if (line.len > CONTROL_MAX_LINE || (line.len && line.p[0] != '{' && has_expensive_regex(line)))
			continue;
		if (line.len && line.p[0] != '{')
			run_words(line);
		else
			run(line);
	}
	rs_log_set_level(RS_LOG_INFO);
	ct_log_clear();
	return 0;
}

static void stop(void)
{
	control_commands_unregister();
	ct_stop();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ast_sip_modules_conf modules = {.present = true};

	(void)argc;
	(void)argv;
	ct_start(config, NULL);
	FUZZ_CHECK(ast_sip_loader_start(ct_dir(), &modules) == 0);
	control_commands_register();
	atexit(stop);
	return 0;
}
