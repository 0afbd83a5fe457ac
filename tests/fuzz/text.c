/*
 * Small parsers and printers of foreign text, chosen by the first byte: addresses, values of the configuration, lines
 * of the log, the words of the command line, names of modules, the packet trace.
 */
#include "fuzz.h"

#include "base/log.h"
#include "cli/cli.h"
#include "core/config/value.h"
#include "core/loader/names.h"
#include "modules/logger/logger.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned lines;

/* One line is one line, and a terminal shows it as it is. */
static void catch_line(void *token, enum rs_log_level level, struct rs_str line)
{
	(void)token;
	(void)level;
	lines++;
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.p[i];

		FUZZ_CHECK(c >= 0x20 && c != 0x7f);
	}
}

static void addresses(struct rs_str s)
{
	char text[SIP_ADDR_TEXT], host[SIP_ADDR_TEXT];
	struct sip_addr a, b;
	struct sockaddr_storage ss;

	if (sip_addr_parse(s, &a))
		return;
	FUZZ_CHECK(a.family == 4 || a.family == 6);
	FUZZ_CHECK(sip_addr_parse(rs_str_c(sip_addr_text(&a, true, text)), &b) == 0);
	FUZZ_CHECK(sip_addr_eq(&a, &b));
	FUZZ_CHECK(sip_addr_parse(rs_str_c(sip_addr_host(&a, host)), &b) == 0);
	/* A URI has no place for a scope. */
	b.scope_id = a.scope_id;
	FUZZ_CHECK(sip_addr_same_ip(&a, &b) && !b.port);
	sip_addr_to_sockaddr(&a, &ss);
	sip_addr_from_sockaddr((struct sockaddr *)&ss, &b);
	FUZZ_CHECK(sip_addr_eq(&a, &b));
	sip_addr_unmap(&a);
	sip_addr_is_any(&a);
}

static void values(struct rs_str s)
{
	struct conf_pool pool = {0};
	struct ast_sip_strings list = {0};
	struct rs_str rest = s, item;
	struct sip_addr a;
	uint32_t n;
	uint8_t bits;
	bool b;
	int i;

	conf_value_bool(s, &b);
	if (conf_value_uint(s, 3, 70000, &n) == 0)
		FUZZ_CHECK(n >= 3 && n <= 70000);
	conf_value_int(s, &i);
	if (conf_value_seconds(s, &n) == 0)
		FUZZ_CHECK(n <= 1000000000);
	conf_value_tos(s, &bits);
	if (conf_value_network(s, &a, &bits) == 0)
		FUZZ_CHECK(bits <= (a.family == 6 ? 128 : 32));
	if (conf_value_mask(s, 4, &bits) == 0)
		FUZZ_CHECK(bits <= 32);
	if (conf_value_mask(s, 6, &bits) == 0)
		FUZZ_CHECK(bits <= 128);
	conf_value_is_host(s);
	while (conf_list_next(&rest, &item)) {
		FUZZ_CHECK(item.len);
		fuzz_touch(item);
	}
	FUZZ_CHECK(conf_list_add(&pool, &list, s) == 0);
	for (uint32_t k = 0; k < list.n; k++)
		FUZZ_CHECK(conf_list_has(&list, list.v[k]));
	conf_pool_free(&pool);
}

static void log_lines(struct rs_str s)
{
	char small[16], big[4096];
	unsigned had = lines;

	rs_event(RS_LOG_ERROR, "fuzz.text", RS_FS("a", s), RS_FI("n", s.len), RS_FS("b", s));
	rs_log_line(RS_LOG_ERROR, "fuzz.c", "'%s' \"%s\"", rs_log_escape(big, sizeof(big), s),
		    rs_log_escape(small, sizeof(small), s));
	FUZZ_CHECK(lines == had + 2);
	FUZZ_CHECK(strlen(small) < sizeof(small) && !strpbrk(big, "'\""));
	rs_log_line(RS_LOG_ERROR, "fuzz.c", "%.*s", RS_FMT(s));
	FUZZ_CHECK(lines == had + 3);
}

static void words(struct rs_str s)
{
	char *line = rs_str_dup(s);
	struct words w;
	size_t sum = 0;

	FUZZ_CHECK(line && words_split(&w, line) == 0);
	for (int i = 0; i < w.n; i++)
		sum += strlen(w.v[i]);
	FUZZ_CHECK(sum <= strlen(line));
	words_free(&w);
	free(line);
}

static void names(struct rs_str s)
{
	static const char *const known[] = {"autoload", "load", "require", "preload", "preload-require", "noload"};
	char *name = rs_str_dup(s), out[MODULE_NAME_MAX], again[MODULE_NAME_MAX];
	uint64_t n;

	FUZZ_CHECK(name);
	if (module_name_normalise(name, out) == MODULE_NAME_FILE) {
		FUZZ_CHECK(!strchr(out, '/'));
		module_name_normalise(out, again);
		module_name_is_core(out);
	}
	rs_str_nearest(s, known, RS_ARRAY_SIZE(known));
	if (rs_str_to_u64(s, 65535, &n) == 0)
		FUZZ_CHECK(n <= 65535);
	sip_method_from_name(s);
	sip_transport_from_name(s);
	free(name);
}

static void trace(struct rs_str s)
{
	struct logger_packet *p = malloc(sizeof(*p) + s.len);
	FILE *f = fopen("/dev/null", "wb");

	FUZZ_CHECK(p && f);
	*p = (struct logger_packet){.received = true, .type = SIP_TRANSPORT_UDP, .len = s.len};
	p->remote = p->local = (struct sip_addr){.family = s.len % 2 ? 4 : 6, .port = 5060, .ip = {1}};
	if (s.len)
		memcpy(p->bytes, s.p, s.len);
	logger_print(p);
	FUZZ_CHECK(pcap_write(f, p) == 0);
	fclose(f);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct rs_str) = {addresses, values, log_lines, words, names, trace};
	struct rs_str s = fuzz_str(data, size);
	uint8_t kind = fuzz_byte(&s);

	kinds[kind % RS_ARRAY_SIZE(kinds)](s);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rs_log_set_sink(catch_line, NULL);
	return 0;
}
