/* Runs commands and collects what they print: text, or a tree of JSON. */
#include "core/control/run.h"
#include "core/control/registry.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void cli_text_add(struct cli_text *t, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || t->failed)
		return;
	if (t->len + (size_t)n + 1 > t->size) {
		size_t size = t->size ? t->size : 1024;
		char *p;

		while (size < t->len + (size_t)n + 1)
			size *= 2;
		p = realloc(t->p, size);
		if (!p) {
			t->failed = true;
			return;
		}
		t->p = p;
		t->size = size;
	}
	vsnprintf(t->p + t->len, t->size - t->len, fmt, ap);
	t->len += (size_t)n;
}

int ast_sip_cli_alternative(const struct ast_sip_cli *cli)
{
	return cli->alternative;
}

bool ast_sip_cli_json(const struct ast_sip_cli *cli)
{
	return cli->json;
}

void ast_sip_cli_print(struct ast_sip_cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->json)
		return;
	va_start(ap, fmt);
	cli_text_add(&cli->out, fmt, ap);
	va_end(ap);
}

void ast_sip_cli_error(struct ast_sip_cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cli_text_add(&cli->err, fmt, ap);
	va_end(ap);
	if (cli->err.len && cli->err.p[cli->err.len - 1] != '\n') {
		va_list none;

		va_start(none, fmt);
		cli_text_add(&cli->err, "\n", none);
		va_end(none);
	}
}

/* ---- JSON ---- */

/* Puts value (its reference is taken over) under key into what is open now; at the top, with a key, into an object of
 * its own. */
static void json_put(struct ast_sip_cli *cli, const char *key, json_t *value)
{
	json_t *in = cli->depth ? cli->open[cli->depth - 1] : cli->root;

	if (!value) {
		cli->out.failed = true;
		return;
	}
	if (!in && !key) {
		cli->root = value;
		return;
	}
	if (!in)
		in = cli->root = json_object();
	if (json_is_array(in) ? json_array_append_new(in, value) : json_object_set_new(in, key ? key : "", value))
		cli->out.failed = true;
}

static void json_open(struct ast_sip_cli *cli, const char *key, json_t *value)
{
	if (cli->depth == CLI_MAX_DEPTH || cli->too_deep) {
		cli->too_deep++;
		cli->out.failed = true;
		json_decref(value);
		return;
	}
	json_put(cli, key, value);
	cli->open[cli->depth++] = value;
}

void ast_sip_cli_json_list(struct ast_sip_cli *cli, const char *key)
{
	if (cli->json)
		json_open(cli, key, json_array());
}

void ast_sip_cli_json_object(struct ast_sip_cli *cli, const char *key)
{
	if (cli->json)
		json_open(cli, key, json_object());
}

/* Names and URIs may come from the network: bytes that are no UTF-8 are shown as '?'. */
static json_t *json_text(struct rs_str s)
{
	json_t *text = json_stringn(s.p ? s.p : "", s.len);
	char *copy;

	if (text)
		return text;
	copy = rs_str_dup(s);
	for (size_t i = 0; copy && i < s.len; i++) {
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	}
	text = copy ? json_stringn(copy, s.len) : NULL;
	free(copy);
	return text;
}

void ast_sip_cli_json_str(struct ast_sip_cli *cli, const char *key, struct rs_str value)
{
	if (cli->json)
		json_put(cli, key, json_text(value));
}

void ast_sip_cli_json_int(struct ast_sip_cli *cli, const char *key, int64_t value)
{
	if (cli->json)
		json_put(cli, key, json_integer(value));
}

void ast_sip_cli_json_real(struct ast_sip_cli *cli, const char *key, double value)
{
	if (cli->json)
		json_put(cli, key, json_real(value));
}

void ast_sip_cli_json_bool(struct ast_sip_cli *cli, const char *key, bool value)
{
	if (cli->json)
		json_put(cli, key, json_boolean(value));
}

void ast_sip_cli_json_end(struct ast_sip_cli *cli)
{
	if (!cli->json)
		return;
	if (cli->too_deep)
		cli->too_deep--;
	else if (cli->depth)
		cli->depth--;
}

/* ---- the run ---- */

/* It is for a terminal: what a peer sent must not move the cursor, colour or reorder what stands there. */
static json_t *reply_text(struct cli_text *t)
{
	for (size_t i = 0; i < t->len;) {
		size_t n = rs_log_printable(rs_str_n(t->p + i, t->len - i));

		if (!n && t->p[i] != '\n' && t->p[i] != '\t')
			t->p[i] = '?';
		i += n ? n : 1;
	}
	return json_text(rs_str_n(t->p, t->len));
}

static json_t *reply_out(struct ast_sip_cli *cli, int result)
{
	json_t *text;
	char *dump;

	if (!cli->json)
		return reply_text(&cli->out);
	if (!cli->root)
		cli->root = json_pack("{s:b}", "ok", result == 0);
	dump = cli->root ? json_dumps(cli->root, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
	text = dump ? json_sprintf("%s\n", dump) : NULL;
	free(dump);
	return text;
}

json_t *cli_run(int argc, const char *const *argv, bool json)
{
	struct ast_sip_cli cli = {.json = json};
	struct cli_match m = cli_match_begin(argc, argv);
	json_t *reply = NULL, *out;
	int result = -1;

	if (m.command) {
		cli.alternative = m.alternative;
		result = m.command->handler(&cli, argc - m.words, argv + m.words);
	} else {
		cli_explain(&cli, argc, argv);
	}
	cli_match_end(&m);
	out = reply_out(&cli, result);
	if (out && !cli.out.failed && !cli.err.failed)
		reply = json_pack("{s:i, s:o, s:o}", "exit", result == 0 ? 0 : 1, "out", out, "err",
				  reply_text(&cli.err));
	else
		json_decref(out);
	json_decref(cli.root);
	free(cli.out.p);
	free(cli.err.p);
	return reply;
}
