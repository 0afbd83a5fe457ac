#include "core/control/protocol.h"
#include "core/control/registry.h"
#include "core/control/run.h"

#include <stdlib.h>

static json_t *failure(const char *text)
{
	return json_pack("{s:i, s:s, s:s}", "exit", 1, "out", "", "err", text);
}

/* The words of argv, which must be an array of strings. Their number, or -1. */
static int words_of(const json_t *argv, const char *words[CONTROL_MAX_ARGS])
{
	size_t n = json_array_size(argv);

	if (!json_is_array(argv) || n > CONTROL_MAX_ARGS)
		return -1;
	for (size_t i = 0; i < n; i++) {
		words[i] = json_string_value(json_array_get(argv, i));
		if (!words[i])
			return -1;
	}
	return (int)n;
}

static json_t *answer(const json_t *request)
{
	const char *words[CONTROL_MAX_ARGS];
	const char *prefix = json_string_value(json_object_get(request, "complete"));
	int n = words_of(json_object_get(request, "argv"), words);

	if (n < 0)
		return failure("The request has no argv of at most 64 words.\n");
	if (!prefix)
		return cli_run(n, words, json_is_true(json_object_get(request, "json")));
	return json_pack("{s:i, s:o}", "exit", 0, "words", cli_complete(n, words, prefix));
}

char *control_answer(struct rs_str line, size_t *len)
{
	json_error_t error;
	json_t *request = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &error);
	json_t *reply = request ? answer(request) : failure("The request is not JSON.\n");
	char *text = NULL;
	size_t n;

	json_decref(request);
	if (!reply)
		reply = failure("No memory for the answer.\n");
	n = reply ? json_dumpb(reply, NULL, 0, JSON_COMPACT) : 0;
	text = n ? malloc(n + 1) : NULL;
	/* It needs memory itself: what it did not write is nobody's business. */
	if (text && json_dumpb(reply, text, n, JSON_COMPACT) != n) {
		free(text);
		text = NULL;
	}
	if (text) {
		text[n] = '\n';
		*len = n + 1;
	}
	json_decref(reply);
	return text;
}
