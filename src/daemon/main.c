/* res_sipd: brings the server up, waits for signals, takes it down. */
#include "base/log.h"
#include "check.h"
#include "core/control/control.h"
#include "core/core.h"
#include "core/loader/loader.h"
#include "exit.h"
#include "notify.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long running work may take to end when the server stops. */
#define GRACE_MS 5000

/* `core stop now` sets it, then sends SIGTERM to the process. */
static _Atomic bool stop_at_once;

/* Every connection is a descriptor: as many as the system allows. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Signals come by a descriptor, to the main thread; every other thread inherits the mask. */
static int signals_open(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* The folder and those above it. */
static int make_folder(const char *path)
{
	char *copy = strdup(path);
	int result = copy ? 0 : -1;

	for (char *p = copy ? copy + 1 : NULL; p && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			break;
		*p = '/';
	}
	if (copy && mkdir(copy, 0750) && errno != EEXIST)
		result = -1;
	free(copy);
	return result;
}

static int lock_state(const char *dir)
{
	int owner, fd;

	if (make_folder(dir)) {
		fprintf(stderr, "res_sipd: the state folder %s cannot be made: %s\n", dir, strerror(errno));
		return -1;
	}
	fd = ast_sip_control_lock(dir, &owner);
	if (fd < 0 && errno == EWOULDBLOCK)
		fprintf(stderr, "res_sipd: another server (process %d) runs on the state folder %s\n", owner, dir);
	else if (fd < 0)
		fprintf(stderr, "res_sipd: the state folder %s cannot be used: %s\n", dir, strerror(errno));
	return fd;
}

/* ---- reload and stop, from signals and from the control socket ---- */

static void control_stop(void *token, bool at_once)
{
	(void)token;
	atomic_store(&stop_at_once, at_once);
	kill(getpid(), SIGTERM);
}

static int control_reload(void *token, struct ast_sip_conf_errors *errors)
{
	int result;

	(void)token;
	notify_reloading();
	result = ast_sip_core_reload(errors);
	notify_ready(result ? "The last reload was refused; the configuration before it is in force" : "Reloaded");
	return result;
}

static void reload(void)
{
	struct ast_sip_conf_errors errors = {0};
	int result = control_reload(NULL, &errors);

	check_print(&errors);
	ast_sip_conf_errors_free(&errors);
	if (result)
		rs_event(RS_LOG_ERROR, "reload.refused", RS_FZ("why", "see the lines above"));
	else
		rs_event(RS_LOG_NOTICE, "reload.done", RS_FZ("by", "SIGHUP"));
}

/* ---- the ready line ---- */

struct listing {
	char text[2048];
	size_t len;
};

static void listener_each(void *token, const struct sip_listener_stats *stats)
{
	struct listing *l = token;
	char addr[SIP_ADDR_TEXT], protocol[8] = "";
	const char *name = sip_transport_name(stats->type);
	int n;

	for (size_t i = 0; i < sizeof(protocol) - 1 && name[i]; i++)
		protocol[i] = (char)(name[i] | 0x20);
	n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%s %s", l->len ? ", " : "", protocol,
		     sip_addr_text(&stats->bound, true, addr));
	if (n > 0 && (size_t)n < sizeof(l->text) - l->len)
		l->len += (size_t)n;
	else
		l->text[l->len] = '\0';
}

static void module_each(void *token, const struct ast_sip_module_status *status)
{
	if (strcmp(status->state, "Running") == 0)
		++*(unsigned *)token;
}

static void tell_ready(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	struct listing listeners = {.len = 0};
	unsigned modules = 0;
	uint32_t endpoints = s ? ast_sip_snapshot_endpoints(s).n : 0;
	char line[2304];

	sip_transport_each(listener_each, &listeners);
	ast_sip_loader_each(module_each, &modules);
	ast_sip_snapshot_unref(s);
	snprintf(line, sizeof(line), "res_sipd %s ready: %s (%u endpoint%s, %u module%s)", RES_SIP_VERSION,
		 listeners.len ? listeners.text : "no listener", endpoints, endpoints == 1 ? "" : "s", modules,
		 modules == 1 ? "" : "s");
	fprintf(stderr, "%s\n", line);
	notify_ready(line);
}

/* ---- life ---- */

static int start_modules(const struct options *o)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_modules_conf conf = {0};
	int result = ast_sip_modules_conf_load(o->conf_dir, &conf, &errors);

	check_print(&errors);
	if (result == 0)
		result = ast_sip_loader_start(o->module_dir, &conf);
	ast_sip_modules_conf_free(&conf);
	ast_sip_conf_errors_free(&errors);
	return result ? EXIT_CONFIG : EXIT_CLEAN;
}

static int start_core(const struct options *o)
{
	struct ast_sip_core_options core = {
		.conf_dir = o->conf_dir, .state_dir = o->state_dir, .module_dir = o->module_dir};
	struct ast_sip_conf_errors errors = {0};
	int error = ast_sip_core_start(&core, &errors);

	check_print(&errors);
	if (error && !errors.n_fatal)
		fprintf(stderr, "res_sipd: the server cannot start: %s\n", strerror(error));
	error = error ? errors.n_fatal ? EXIT_CONFIG : EXIT_RUNTIME : EXIT_CLEAN;
	ast_sip_conf_errors_free(&errors);
	return error;
}

static void wait_for_end(int signals)
{
	struct signalfd_siginfo info;

	for (;;) {
		ssize_t n = read(signals, &info, sizeof(info));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == sizeof(info) && info.ssi_signo == SIGHUP)
			reload();
		else if (n == sizeof(info) && info.ssi_signo == SIGUSR1)
			ast_sip_loader_rotate_all();
		else
			return;
	}
}

static int serve(const struct options *o, int signals)
{
	struct ast_sip_control_config control = {
		.socket_path = o->socket, .stop = control_stop, .reload = control_reload};

	if (ast_sip_core_listen() || ast_sip_control_start(&control))
		return EXIT_RUNTIME;
	tell_ready();
	wait_for_end(signals);
	notify_stopping();
	ast_sip_control_stop();
	return EXIT_CLEAN;
}

static int run(const struct options *o, int signals)
{
	int status = start_core(o);

	if (status)
		return status;
	status = start_modules(o);
	if (!status)
		status = serve(o, signals);
	ast_sip_core_stop(atomic_load(&stop_at_once) ? 0 : GRACE_MS);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = options_read(&o, argc, argv), signals, lock;

	if (status >= 0)
		return status;
	if (o.verbose)
		rs_log_set_level(o.verbose > 1 ? RS_LOG_DEBUG : RS_LOG_VERBOSE);
	if (o.check)
		return check_run(&o);
	raise_limits();
	signals = signals_open();
	if (signals < 0) {
		fprintf(stderr, "res_sipd: signals cannot be read: %s\n", strerror(errno));
		return EXIT_RUNTIME;
	}
	lock = lock_state(o.state_dir);
	if (lock < 0)
		return EXIT_RUNTIME;
	rs_log_start();
	status = run(&o, signals);
	rs_log_stop();
	close(lock);
	close(signals);
	return status;
}
