#include "core_test.h"

#include "base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINES    4000
#define MAX_MESSAGES 256

struct ct_phone {
	struct ct_phone *next;
	struct sim_peer *peer;
	char *messages[MAX_MESSAGES];
	unsigned first, n;
	char *last;
};

static char dir[256];
static struct ct_phone *phones;
static char *lines[MAX_LINES];
static unsigned n_lines;
static bool running;

/* ---- the log ---- */

static void catch_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	(void)level;
	if (getenv("CT_LOG"))
		fprintf(stderr, "%.*s\n", RS_FMT(line));
	if (n_lines < MAX_LINES)
		lines[n_lines++] = rs_str_dup(line);
}

const char *ct_log_line(const char *text)
{
	for (unsigned i = n_lines; i-- > 0;) {
		if (strstr(lines[i], text))
			return lines[i];
	}
	return NULL;
}

const char *ct_log_line_nth(const char *text, unsigned n)
{
	for (unsigned i = 0; i < n_lines; i++) {
		if (strstr(lines[i], text) && n-- == 0)
			return lines[i];
	}
	return NULL;
}

unsigned ct_logged(const char *text)
{
	unsigned n = 0;

	while (ct_log_line_nth(text, n))
		n++;
	return n;
}

void ct_log_clear(void)
{
	while (n_lines)
		free(lines[--n_lines]);
}

/* ---- the server ---- */

const char *ct_dir(void)
{
	return dir;
}

void ct_write(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void write_files(const char *pjsip, const char *own)
{
	char text[16384];
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/core_test.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "%s%s", CT_TRANSPORTS, pjsip);
	ct_write("pjsip.conf", text);
	snprintf(text, sizeof(text), "[registrar]\ndurable=no\n%s", own ? own : "");
	ct_write("res_sip.conf", text);
}

static void fail_with(const struct ast_sip_conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		print_error("%s:%u: %s\n", errors->v[i].file ? errors->v[i].file : "", errors->v[i].line,
			    errors->v[i].text);
	fail();
}

void ct_start(const char *pjsip, const char *own)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_core_options options = {
		.deterministic = true, .seed = 7, .net = &sim_net_ops, .names = &sim_names_ops};

	write_files(pjsip, own);
	sim_env_start(&(struct sim_config){.seed = 7, .no_pool = true});
	rs_log_set_sink(catch_line, NULL);
	options.conf_dir = options.state_dir = options.module_dir = dir;
	if (ast_sip_core_start(&options, &errors))
		fail_with(&errors);
	ast_sip_conf_errors_free(&errors);
	rs_log_set_level(RS_LOG_INFO);
	assert_int_equal(ast_sip_core_listen(), 0);
	running = true;
}

static void remove_files(void)
{
	static const char *const names[] = {"pjsip.conf", "res_sip.conf"};
	char path[512];

	for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

void ct_phone_close(struct ct_phone *p)
{
	struct ct_phone **at = &phones;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	sim_peer_close(p->peer);
	for (; p->n; p->n--)
		free(p->messages[p->first++ % MAX_MESSAGES]);
	free(p->last);
	free(p);
}

void ct_stop(void)
{
	ast_sip_core_stop(1000);
	while (phones)
		ct_phone_close(phones);
	assert_int_equal(sim_net_open_sockets(), 0);
	sim_env_stop();
	rs_log_set_sink(NULL, NULL);
	ct_log_clear();
	remove_files();
	running = false;
}

int ct_teardown(void **state)
{
	(void)state;
	if (running)
		ct_stop();
	return 0;
}

static struct ast_sip_endpoint *anyone(struct sip_rx_data *rx)
{
	return ast_sip_endpoint_find(ast_sip_rx_snapshot(rx), RS_STR("anonymous"));
}

void ct_let_all_in(void)
{
	static struct ast_sip_endpoint_identifier identifier;

	identifier = (struct ast_sip_endpoint_identifier){.size = sizeof(identifier), .identify_endpoint = anyone};
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&identifier, "anonymous"), 0);
}

void ct_run(void)
{
	while (sim_step_now())
		;
}

/* ---- phones ---- */

static void receive(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct ct_phone *p = token;

	(void)peer;
	(void)from;
	assert_true(p->n < MAX_MESSAGES);
	p->messages[(p->first + p->n++) % MAX_MESSAGES] = rs_str_dup(bytes);
}

struct ct_phone *ct_phone(const char *address)
{
	static const struct sim_peer_ops ops = {.receive = receive};
	struct ct_phone *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->peer = sim_peer_udp_open(address, &ops, p);
	p->next = phones;
	phones = p;
	return p;
}

void ct_send_bytes(struct ct_phone *p, struct rs_str bytes)
{
	sim_peer_send_to(p->peer, CT_SERVER, bytes);
}

/* Bare LF becomes CRLF. */
static size_t with_crlf(const char *text, char *out, size_t size)
{
	size_t len = 0;

	for (; *text && len + 2 < size; text++) {
		if (*text == '\n')
			out[len++] = '\r';
		out[len++] = *text;
	}
	return len;
}

void ct_send(struct ct_phone *p, const char *fmt, ...)
{
	char text[8192], wire[9000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ct_send_bytes(p, rs_str_n(wire, with_crlf(text, wire, sizeof(wire))));
}

static bool has_message(void *token)
{
	return ((struct ct_phone *)token)->n > 0;
}

const char *ct_receive_within(struct ct_phone *p, int64_t us)
{
	if (!p->n && !sim_run_until(has_message, p, us))
		return NULL;
	free(p->last);
	p->last = p->messages[p->first % MAX_MESSAGES];
	p->first++;
	p->n--;
	return p->last;
}

const char *ct_receive(struct ct_phone *p)
{
	return ct_receive_within(p, SIM_SECOND);
}

int ct_status(const char *message)
{
	return message && strncmp(message, "SIP/2.0 ", 8) == 0 ? atoi(message + 8) : 0;
}

const char *ct_header(const char *message, const char *name, unsigned n)
{
	static char value[2048];
	size_t len = strlen(name);

	for (const char *line = message ? strstr(message, "\r\n") : NULL; line && strncmp(line, "\r\n\r\n", 4) != 0;
	     line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2, *end = strstr(at, "\r\n");

		if (strncasecmp(at, name, len) != 0 || at[len] != ':' || n-- > 0 || !end)
			continue;
		at += len + 1;
		while (*at == ' ')
			at++;
		snprintf(value, sizeof(value), "%.*s", (int)(end - at), at);
		return value;
	}
	return NULL;
}

void ct_request(struct ct_phone *p, const char *method, const char *uri, const char *word, const char *more)
{
	char addr[SIP_ADDR_TEXT];
	bool has_length = strstr(more, "Content-Length:") != NULL;

	ct_send(p,
		"%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\nFrom: <sip:alice@10.0.0.1>;tag=f%s\n"
		"To: <%s>\nCall-ID: %s@phone\nCSeq: 1 %s\n%s%s%s%s",
		method, uri, sip_addr_text(sim_peer_address(p->peer), true, addr), word, method, word, uri, word,
		method, strstr(more, "Max-Forwards:") ? "" : "Max-Forwards: 70\n", more,
		has_length ? "" : "Content-Length: 0\n", has_length ? "" : "\n");
}

static size_t copy_headers(char *out, size_t size, const char *request, const char *name)
{
	const char *value;
	size_t len = 0;

	for (unsigned n = 0; (value = ct_header(request, name, n)); n++) {
		bool tag = strcmp(name, "To") == 0 && !strstr(value, "tag=");

		len += (size_t)snprintf(out + len, size - len, "%s: %s%s\r\n", name, value, tag ? ";tag=callee" : "");
	}
	return len;
}

void ct_answer(struct ct_phone *p, const char *request, unsigned status, const char *more)
{
	static const char *const names[] = {"Via", "From", "To", "Call-ID", "CSeq"};
	char text[8192];
	size_t len = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %u Answer\r\n", status);

	for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++)
		len += copy_headers(text + len, sizeof(text) - len, request, names[i]);
	len += with_crlf(more, text + len, sizeof(text) - len);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "Content-Length: 0\r\n\r\n");
	ct_send_bytes(p, rs_str_n(text, len));
}
