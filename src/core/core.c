/* The life of the core: start, listen, reload, stop. */
#include "core/core.h"

#include "base/log.h"
#include "base/slab.h"
#include "core/config/error.h"
#include "core/config/module_file.h"
#include "core/listen.h"
#include "core/loader/loader.h"
#include "core/pipeline.h"
#include "core/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct ast_sip_core_options options;
static int64_t started_us;
static bool listening;
static pthread_mutex_t reload_lock = PTHREAD_MUTEX_INITIALIZER;

const struct ast_sip_core_options *ast_sip_core_options(void)
{
	return &options;
}

const char *ast_sip_state_dir(void)
{
	return options.state_dir ? options.state_dir : ".";
}

int64_t ast_sip_core_started_us(void)
{
	return started_us;
}

/* ---- what the configuration says of the parts below ---- */

static int start_pool(struct ast_sip_snapshot *s)
{
	const struct ast_sip_system *system = ast_sip_snapshot_system(s);
	struct rs_taskpool_config c = {
		.minimum = system->taskpool_minimum_size,
		.initial = system->taskpool_initial_size,
		.increment = system->taskpool_auto_increment,
		.maximum = system->taskpool_max_size,
		.idle_timeout_s = system->taskpool_idle_timeout,
		.stuck_ms = ast_sip_own_uint(s, "taskpool", "stuck_ms", 0),
		.deterministic = options.deterministic,
		.seed = options.seed,
	};

	/* 0 means the default below, no limit in the file. */
	if (!c.maximum)
		c.maximum = 4096;
	if (c.maximum < c.minimum)
		c.maximum = c.minimum;
	return rs_taskpool_start(&c);
}

static uint32_t limit(struct ast_sip_snapshot *s, const char *name)
{
	return ast_sip_own_uint(s, "limits", name, 0);
}

static void hold_module(void *module, int delta, const char *what, const char *name)
{
	(void)name;
	ast_sip_module_hold_for(module, delta, what);
}

static const char *name_module(void *module)
{
	return ast_sip_module_name(module);
}

static int start_stack(struct ast_sip_snapshot *s)
{
	const struct ast_sip_system *system = ast_sip_snapshot_system(s);
	struct sip_stack_config c = {
		.net = options.net,
		.net_token = options.net_token,
		.names = options.names,
		.names_token = options.names_token,
		.t1_us = (int64_t)system->timer_t1_ms * 1000,
		.timer_b_us = (int64_t)system->timer_b_ms * 1000,
		.disable_rport = system->disable_rport,
		.compact_headers = system->compact_headers,
		.server_name = ast_sip_snapshot_global(s)->user_agent,
		.max_transactions = limit(s, "transactions"),
		.max_dialogs = limit(s, "dialogs"),
		.max_connections = limit(s, "connections"),
		.max_connections_per_peer = limit(s, "connections_per_peer"),
		.stream_idle_s = limit(s, "tcp_idle_s"),
		.stream_half_open_s = limit(s, "tcp_half_open_s"),
		.stream_send_s = limit(s, "tcp_send_s"),
		.stream_send_queue = limit(s, "tcp_send_queue"),
		.readers = limit(s, "udp_readers"),
		.retry_after_s = limit(s, "retry_after_s"),
		.keep_alive_interval_s = ast_sip_snapshot_global(s)->keep_alive_interval,
		.peer_trusted = ast_sip_peer_trusted,
		.admit = ast_sip_overload_admit,
		.admits_all = ast_sip_overload_admits_all,
		.answer_allowed = ast_sip_budget_allows,
		.on_request = ast_sip_distributor_request,
		.on_tx = ast_sip_distributor_tx,
		.on_stray_response = ast_sip_distributor_stray_response,
	};

	rs_taskpool_set_module_namer(name_module);
	rs_taskpool_set_park_hook(ast_sip_snapshot_thread_release);
	sip_module_hold = hold_module;
	return sip_stack_start(&c);
}

static void set_message_limits(struct ast_sip_snapshot *s)
{
	struct sip_msg_limits l = {
		.msg = limit(s, "message_size"),
		.hdrs = limit(s, "headers"),
		.line = limit(s, "header_size"),
		.values = limit(s, "header_values"),
		.params = limit(s, "params"),
		.uri = limit(s, "uri"),
		.parts = limit(s, "body_parts"),
	};

	sip_msg_set_limits(&l);
}

static void set_log_level(struct ast_sip_snapshot *s)
{
	static const char *const names[] = {"error", "warning", "notice", "security", "info", "verbose", "debug"};
	struct rs_str level = ast_sip_own_str(s, "log", "level");

	for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++) {
		if (rs_str_ieqz(level, names[i]))
			rs_log_set_level((enum rs_log_level)i);
	}
}

/* What follows the snapshot in force, at start and at a reload. */
static void configure(struct ast_sip_snapshot *s)
{
	set_log_level(s);
	ast_sip_budget_configure(s);
	ast_sip_overload_configure(s);
}

static void report_not_applicable(struct ast_sip_snapshot *s)
{
	struct ast_sip_strings names = ast_sip_snapshot_not_applicable(s);

	for (uint32_t i = 0; i < names.n; i++)
		rs_event(RS_LOG_NOTICE, "config.option_not_applicable", RS_FS("option", names.v[i]));
}

/* ---- start ---- */

/* The last component is made, and those above it. */
static int make_directory(const char *path)
{
	char *copy = strdup(path);
	int rc = 0;

	if (!copy)
		return ENOMEM;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	if (mkdir(copy, 0750) && errno != EEXIST)
		rc = errno;
	free(copy);
	return rc;
}

static int start_parts(struct ast_sip_snapshot *s)
{
	int error = start_pool(s);

	if (error)
		return error;
	ast_sip_work_open(true);
	ast_sip_snapshot_install(ast_sip_snapshot_ref(s));
	error = ast_sip_services_start();
	if (error)
		goto pool;
	configure(s);
	error = start_stack(s);
	if (error)
		goto services;
	error = ast_sip_location_start(options.state_dir, ast_sip_own_bool(s, "registrar", "durable", true));
	if (error)
		goto stack;
	ast_sip_location_configured(s);
	return 0;

stack:
	sip_stack_stop();
services:
	rs_taskpool_stop();
	ast_sip_location_free();
	ast_sip_services_stop();
	ast_sip_snapshot_install(NULL);
	ast_sip_work_open(false);
	return error;
pool:
	rs_taskpool_stop();
	ast_sip_snapshot_install(NULL);
	ast_sip_work_open(false);
	return error;
}

int ast_sip_core_start(const struct ast_sip_core_options *wanted, struct ast_sip_conf_errors *errors)
{
	struct ast_sip_snapshot *s;
	int error;

	ast_sip_digest_prepare();
	s = ast_sip_snapshot_load(wanted->conf_dir, NULL, errors);
	if (!s)
		return EINVAL;
	options = *wanted;
	started_us = rs_now_us();
	error = make_directory(options.state_dir);
	if (!error &&
	    (ast_sip_digest_start() || ast_sip_rx_state_start() || ast_sip_nonce_start() || ast_sip_budget_start(s)))
		error = ENOMEM;
	if (!error) {
		ast_sip_work_prepare();
		set_message_limits(s);
		error = start_parts(s);
	}
	if (error) {
		ast_sip_rx_state_stop();
		ast_sip_budget_stop();
		conf_error_add(errors, false, "pjsip.conf", 0, "cannot start: %s", strerror(error));
	} else {
		report_not_applicable(s);
	}
	ast_sip_snapshot_unref(s);
	return error;
}

int ast_sip_core_listen(void)
{
	struct ast_sip_snapshot *s = ast_sip_snapshot_get();
	int rc = ast_sip_listeners_open(s);

	listening = true;
	ast_sip_snapshot_unref(s);
	return rc;
}

/* ---- reload ---- */

/* Reads the files again and puts what they say in force. The new snapshot, referenced; NULL: nothing has changed. */
static struct ast_sip_snapshot *reread(struct ast_sip_conf_errors *errors)
{
	struct ast_sip_snapshot *old = ast_sip_snapshot_get(), *s, *now = NULL;

	s = ast_sip_snapshot_load(options.conf_dir, old, errors);
	/* First what can fail: it must leave everything as it was. */
	if (!s)
		goto out;
	if (ast_sip_registered_configured(s)) {
		conf_error_add(errors, false, "pjsip.conf", 0, "no memory for the order of identifiers");
		goto out;
	}
	if (listening && ast_sip_listeners_change(s, errors)) {
		if (ast_sip_registered_configured(old))
			rs_event(RS_LOG_ERROR, "core.no_memory", RS_FZ("for", "order of identifiers"));
		goto out;
	}
	ast_sip_snapshot_install(ast_sip_snapshot_ref(s));
	now = ast_sip_snapshot_ref(s);
out:
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_unref(old);
	return now;
}

static int reload(struct ast_sip_conf_errors *errors)
{
	struct ast_sip_snapshot *s;

	ast_sip_conf_change_begin();
	s = reread(errors);
	/* The loader comes next, which may just wait to add or remove a module's file. */
	ast_sip_conf_change_end();
	if (!s)
		return -1;
	configure(s);
	ast_sip_location_configured(s);
	ast_sip_loader_reload_all();
	report_not_applicable(s);
	ast_sip_snapshot_unref(s);
	return 0;
}

int ast_sip_core_reload(struct ast_sip_conf_errors *errors)
{
	int rc;

	pthread_mutex_lock(&reload_lock);
	rc = reload(errors);
	pthread_mutex_unlock(&reload_lock);
	if (rc)
		rs_event(RS_LOG_ERROR, "core.reload_refused", RS_FI("errors", errors->n_fatal));
	else
		rs_event(RS_LOG_NOTICE, "core.reloaded", RS_FI("warnings", errors->n - errors->n_fatal));
	return rc;
}

/* ---- stop ---- */

void ast_sip_core_stop(unsigned grace_ms)
{
	ast_sip_loader_stopping(grace_ms);
	ast_sip_overload_stop();
	ast_sip_listeners_close();
	listening = false;
	rs_taskpool_drain(grace_ms);
	sip_transaction_settle();
	ast_sip_loader_stop(grace_ms);
	sip_stack_stop();
	ast_sip_location_stop();
	ast_sip_work_open(false);
	rs_taskpool_stop();
	ast_sip_location_free();
	ast_sip_services_stop();
	ast_sip_unidentified_clear();
	ast_sip_budget_stop();
	ast_sip_rx_state_stop();
	ast_sip_snapshot_install(NULL);
}
