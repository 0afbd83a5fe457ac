/*
 * The packet trace: `pjsip set logger …`, by host and method, to the log or to a pcap file, and the option debug of
 * global. The reading and sending threads only copy; a work of its own writes.
 */
#include "logger.h"
#include "base/clock.h"
#include "base/log.h"
#include "res_sip/cli.h"
#include "res_sip/res_sip.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define MAX_HOSTS   32
#define MAX_METHODS 16
#define MAX_DEBUG   64

/* What waits for a slow disk or terminal is memory; what comes on top is left out, and said to be. */
#define MAX_QUEUED       10000
#define MAX_QUEUED_BYTES (16u << 20)

static struct {
	pthread_rwlock_t lock; /* written by commands; the trace only reads when it is on */
	bool to_log;
	struct sip_addr hosts[MAX_HOSTS];
	unsigned n_hosts;
	char methods[MAX_METHODS][32];
	unsigned n_methods;
	FILE *pcap; /* used on the work only */
} filter = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static atomic_bool on; /* something is traced at all */
static atomic_uint queued;
static atomic_size_t queued_bytes;
static atomic_ullong dropped;
static struct ast_sip_work *work;

/* ---- which messages ---- */

static bool host_wanted(const struct sip_addr *remote)
{
	if (!filter.n_hosts)
		return true;
	for (unsigned i = 0; i < filter.n_hosts; i++) {
		const struct sip_addr *h = &filter.hosts[i];
		if (sip_addr_same_ip(h, remote) && (!h->port || h->port == remote->port))
			return true;
	}
	return false;
}

/* The method of a request, or that of the CSeq of a response. */
static bool method_wanted(struct rs_str bytes)
{
	char room[2048];
	struct rs_arena arena;
	struct sip_msg msg;
	bool wanted = false;

	if (!filter.n_methods)
		return true;
	rs_arena_init(&arena, room, sizeof(room), SIP_MAX_ARENA);
	if (sip_msg_parse(&msg, &arena, bytes, false, NULL) == SIP_PARSE_DONE) {
		for (unsigned i = 0; i < filter.n_methods && !wanted; i++)
			wanted = rs_str_ieqz(msg.is_request ? msg.method_text : msg.cseq_method, filter.methods[i]);
	}
	rs_arena_reset(&arena);
	return wanted;
}

/* ---- from the trace to the work ---- */

/* Room in the queue for a message of n bytes; false: none. */
static bool reserve(size_t n)
{
	unsigned packets = atomic_fetch_add_explicit(&queued, 1, memory_order_relaxed);
	size_t bytes = atomic_fetch_add_explicit(&queued_bytes, n, memory_order_relaxed);

	return packets < MAX_QUEUED && bytes + n <= MAX_QUEUED_BYTES;
}

static void give_back(size_t n)
{
	atomic_fetch_sub_explicit(&queued, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&queued_bytes, n, memory_order_relaxed);
}

static int write_packet(void *data)
{
	struct logger_packet *p = data;
	unsigned long long left_out = atomic_exchange_explicit(&dropped, 0, memory_order_relaxed);
	bool to_log;

	give_back(p->len);
	if (left_out)
		rs_event(RS_LOG_WARNING, "logger.left_out", RS_FI("messages", left_out));
	pthread_rwlock_rdlock(&filter.lock);
	to_log = filter.to_log && method_wanted(rs_str_n(p->bytes, p->len));
	if (filter.pcap && method_wanted(rs_str_n(p->bytes, p->len)) && pcap_write(filter.pcap, p))
		rs_event(RS_LOG_WARNING, "logger.pcap", RS_FZ("error", strerror(errno)));
	pthread_rwlock_unlock(&filter.lock);
	if (to_log)
		logger_print(p);
	free(p);
	return 0;
}

static void on_message(const struct sip_trace_event *e)
{
	struct logger_packet *p;
	bool wanted;

	if (!atomic_load_explicit(&on, memory_order_relaxed))
		return;
	pthread_rwlock_rdlock(&filter.lock);
	wanted = host_wanted(&e->remote);
	pthread_rwlock_unlock(&filter.lock);
	if (!wanted)
		return;
	p = reserve(e->bytes.len) ? malloc(sizeof(*p) + e->bytes.len) : NULL;
	if (!p) {
		give_back(e->bytes.len);
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
		return;
	}
	*p = (struct logger_packet){.received = e->received,
				    .type = e->type,
				    .local = e->local,
				    .remote = e->remote,
				    .wall_us = rs_wall_us(),
				    .len = e->bytes.len};
	memcpy(p->bytes, e->bytes.p, e->bytes.len);
	if (ast_sip_push_task(work, write_packet, p)) {
		give_back(p->len);
		free(p);
	}
}

static struct sip_trace trace = {.message = on_message};

/* ---- commands ---- */

static void update_on(void)
{
	atomic_store(&on, filter.to_log || filter.pcap);
}

static int add_host(struct ast_sip_cli *cli, const char *text, bool add)
{
	struct sip_addr a;

	if (sip_addr_parse(rs_str_c(text), &a)) {
		ast_sip_cli_error(cli, "'%s' is no address; give an IP address, with a port if you like", text);
		return -1;
	}
	if (!add)
		filter.n_hosts = 0;
	if (filter.n_hosts == MAX_HOSTS) {
		ast_sip_cli_error(cli, "at most %d hosts can be traced at once", MAX_HOSTS);
		return -1;
	}
	filter.hosts[filter.n_hosts++] = a;
	filter.to_log = filter.to_log || !filter.pcap;
	ast_sip_cli_print(cli, "PJSIP Logging Enabled for host: %s\n", text);
	return 0;
}

static int add_method(struct ast_sip_cli *cli, const char *text, bool add)
{
	if (!add)
		filter.n_methods = 0;
	if (filter.n_methods == MAX_METHODS || strlen(text) >= sizeof(filter.methods[0])) {
		ast_sip_cli_error(cli, "at most %d methods can be traced at once", MAX_METHODS);
		return -1;
	}
	snprintf(filter.methods[filter.n_methods++], sizeof(filter.methods[0]), "%s", text);
	filter.to_log = filter.to_log || !filter.pcap;
	ast_sip_cli_print(cli, "PJSIP Logging Enabled for method: %s\n", text);
	return 0;
}

static int open_pcap(struct ast_sip_cli *cli, const char *path)
{
	FILE *f = pcap_open(path);

	if (!f) {
		ast_sip_cli_error(cli, "cannot write %s: %s", path, strerror(errno));
		return -1;
	}
	if (filter.pcap)
		fclose(filter.pcap);
	filter.pcap = f;
	ast_sip_cli_print(cli, "PJSIP logging to pcap file %s\n", path);
	return 0;
}

static void turn_off(void)
{
	filter.to_log = false;
	filter.n_hosts = filter.n_methods = 0;
	if (filter.pcap)
		fclose(filter.pcap);
	filter.pcap = NULL;
}

static int run_set(struct ast_sip_cli *cli, const char *what, const char *arg)
{
	if (!strcmp(what, "on") || (!strcmp(what, "verbose") && arg && !strcmp(arg, "on"))) {
		filter.to_log = true;
		filter.n_hosts = filter.n_methods = 0;
		ast_sip_cli_print(cli, "PJSIP Logging enabled\n");
		return 0;
	}
	if (!strcmp(what, "verbose") && arg && !strcmp(arg, "off")) {
		filter.to_log = false;
		ast_sip_cli_print(cli, "PJSIP Logging to verbose has been disabled\n");
		return 0;
	}
	if (!strcmp(what, "off")) {
		turn_off();
		ast_sip_cli_print(cli, "PJSIP Logging disabled\n");
		return 0;
	}
	if (arg && (!strcmp(what, "host") || !strcmp(what, "add")))
		return add_host(cli, arg, what[0] == 'a');
	if (arg && (!strcmp(what, "method") || !strcmp(what, "methodadd")))
		return add_method(cli, arg, what[6] != '\0');
	if (arg && !strcmp(what, "pcap"))
		return open_pcap(cli, arg);
	ast_sip_cli_error(cli,
			  "say on, off, host <h>, add <h>, method <m>, methodadd <m>, verbose on|off, or pcap <file>");
	return -1;
}

static int set_logger(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	int rc;

	pthread_rwlock_wrlock(&filter.lock);
	rc = run_set(cli, argc > 0 ? argv[0] : "", argc > 1 ? argv[1] : NULL);
	update_on();
	pthread_rwlock_unlock(&filter.lock);
	return rc;
}

static char *complete(int arg, const char *prefix, int n)
{
	static const char *const words[] = {"on", "off", "host", "add", "method", "methodadd", "verbose", "pcap"};

	for (size_t i = 0; arg == 0 && i < RS_ARRAY_SIZE(words); i++) {
		if (!strncmp(words[i], prefix, strlen(prefix)) && n-- == 0)
			return strdup(words[i]);
	}
	return NULL;
}

static struct ast_sip_cli_command commands[] = {
	{.size = sizeof(struct ast_sip_cli_command),
	 .path = "pjsip set logger",
	 .usage = "on|off|host <h>|add <h>|method <m>|methodadd <m>|verbose on|off|pcap <file>",
	 .help = "Traces SIP messages to the log or to a capture file",
	 .handler = set_logger,
	 .complete = complete},
};

/* ---- life ---- */

/* The option debug of global: yes, no, or one host. A reload that does not change it leaves what commands have set. */
static int apply_debug_option(void)
{
	static char last[MAX_DEBUG] = "no";
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	struct rs_str debug = ast_sip_snapshot_global(s)->debug;
	struct sip_addr host;

	pthread_rwlock_wrlock(&filter.lock);
	if (!rs_str_eqz(debug, last)) {
		snprintf(last, sizeof(last), "%.*s", RS_FMT(debug));
		filter.n_hosts = 0;
		filter.to_log = rs_str_ieqz(debug, "yes");
		if (!sip_addr_parse(debug, &host)) {
			filter.to_log = true;
			filter.hosts[filter.n_hosts++] = host;
		}
		update_on();
	}
	pthread_rwlock_unlock(&filter.lock);
	ast_sip_snapshot_unref(s);
	return 0;
}

static int load(void)
{
	work = ast_sip_create_work();
	if (!work)
		return AST_SIP_MODULE_DECLINE;
	if (ast_sip_cli_register(commands, RS_ARRAY_SIZE(commands))) {
		ast_sip_destroy_work(work);
		return AST_SIP_MODULE_DECLINE;
	}
	apply_debug_option();
	sip_trace_register(&trace);
	return AST_SIP_MODULE_OK;
}

static void unload(void)
{
	sip_trace_unregister(&trace);
	ast_sip_cli_unregister(commands, RS_ARRAY_SIZE(commands));
	atomic_store(&on, false);
	ast_sip_destroy_work(work);
}

__attribute__((destructor)) static void unmapped(void)
{
	turn_off();
}

AST_SIP_MODULE(.name = "res_sip_logger", .description = "Traces SIP messages", .load = load, .unload = unload,
	       .reload = apply_debug_option);
