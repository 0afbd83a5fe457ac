#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *request_make(int argc, char *const *argv, bool json)
{
	json_t *words = json_array();

	for (int i = 0; words && i < argc; i++) {
		if (json_array_append_new(words, json_string(argv[i]))) {
			json_decref(words);
			return NULL;
		}
	}
	return words ? json_pack("{s:o, s:b}", "argv", words, "json", json) : NULL;
}

static void print(const json_t *reply, const char *key, FILE *to)
{
	const json_t *text = json_object_get(reply, key);

	if (json_is_string(text))
		fwrite(json_string_value(text), 1, json_string_length(text), to);
}

int command_run(struct connection *c, int argc, char *const *argv, bool json)
{
	json_t *request = request_make(argc, argv, json), *reply;
	int status;

	if (!request) {
		fprintf(stderr, "res_sip: the command is not UTF-8\n");
		return 1;
	}
	reply = connection_ask(c, request);
	if (!reply) {
		fprintf(stderr, "res_sip: the server went away\n");
		return 1;
	}
	print(reply, "out", stdout);
	fflush(stdout);
	print(reply, "err", stderr);
	status = (int)json_integer_value(json_object_get(reply, "exit"));
	json_decref(reply);
	return status;
}
