/* The operations of a program that are no messages: time, tasks, streams, faults, the operator. */
#include "configs.h"
#include "world.h"

#include "core/control/commands.h"
#include "core/control/run.h"
#include "core/core.h"
#include "core/loader/loader.h"

#include <errno.h>
#include <stdlib.h>

#define SERVER "10.0.0.1"

/* The slow operations that one program may do: a start takes as long as a hundred messages. */
#define RESTARTS_MAX 2
#define RELOADS_MAX  6
#define MODULES_MAX  8

static const char *host_name(unsigned host, char buf[32])
{
	snprintf(buf, 32, "10.0.1.%u", host % HOSTS + 1);
	return buf;
}

/* ---- time and tasks ---- */

static int64_t duration(uint8_t v)
{
	static const int64_t table[16] = {100,
					  SIM_MS,
					  5 * SIM_MS,
					  20 * SIM_MS,
					  100 * SIM_MS,
					  500 * SIM_MS,
					  SIM_SECOND,
					  2 * SIM_SECOND,
					  4 * SIM_SECOND,
					  5 * SIM_SECOND,
					  10 * SIM_SECOND,
					  20 * SIM_SECOND,
					  32 * SIM_SECOND,
					  33 * SIM_SECOND,
					  64 * SIM_SECOND,
					  600 * SIM_SECOND};

	return table[v % 16];
}

/* The clock goes on, and nobody works. */
static void stall(uint8_t v)
{
	int64_t us = duration(v % 9);

	sim_flow_note("stall %lld us", (long long)us);
	world.stalled_us += us;
	sim_clock_set(sim_now() + us);
	rs_taskpool_advance();
}

static uint8_t choice;

static uint32_t choose(uint32_t n)
{
	return choice % n;
}

/* A byte a step: the upper half asks for an event of the network first, the rest says which task. */
static void step(struct rs_str choices)
{
	rs_taskpool_set_chooser(choose);
	for (size_t i = 0; i < choices.len; i++) {
		choice = (uint8_t)choices.p[i] & 0x7f;
		if ((uint8_t)choices.p[i] & 0x80 && sim_queue_run_due())
			continue;
		if (!rs_taskpool_step() && !sim_queue_run_due())
			break;
	}
	rs_taskpool_set_chooser(NULL);
}

/* ---- the network ---- */

static void stream(const struct instruction *in)
{
	struct source *s = world_stream(in->v[0]);
	struct sim_peer *peer = s->peer;

	if (!peer)
		return;
	sim_flow_note("stream %u: %u", in->v[0] % STREAMS, in->v[1] % 8);
	switch (in->v[1] % 8) {
	case 0:
		world_stream_gone(s);
		sim_peer_close(peer);
		break;
	case 1:
		world_stream_gone(s);
		sim_peer_reset(peer);
		break;
	case 2:
		sim_peer_shutdown(peer);
		break;
	case 3:
		world_stream_gone(s);
		sim_peer_vanish(peer);
		break;
	case 4:
		sim_peer_pause(peer, true);
		break;
	case 5:
		sim_peer_pause(peer, false);
		break;
	case 6:
		s->cut = in->v[1] >> 3 ? (uint8_t)(in->v[1] & 0xf8) : 128;
		break;
	case 7:
		if (s->rest_len)
			sim_peer_write(peer, rs_str_n(s->rest, s->rest_len));
		free(s->rest);
		s->rest = NULL;
		s->rest_len = 0;
		break;
	}
}

static void cut(unsigned host, bool cut)
{
	char name[32];

	sim_net_cut(SERVER, host_name(host, name), cut);
	world.hosts[host].cut |= cut;
	world.hosts[host].cut_now = cut;
}

static void link_change(const struct instruction *in)
{
	unsigned host = in->v[0] % HOSTS;
	char name[32];
	struct sim_link *l = sim_net_link(SERVER, host_name(host, name));

	sim_flow_note("link of %s: %u", name, in->v[1] % 8);
	switch (in->v[1] % 8) {
	case 0:
		cut(host, true);
		break;
	case 1:
		cut(host, false);
		break;
	case 2:
		/* What finds no room is dropped, whoever it is for: the socket is one. */
		for (unsigned i = 0; i < HOSTS; i++)
			world.hosts[i].cut = true;
		l->busy = 400;
		break;
	case 3:
		l->busy = 0;
		break;
	case 4:
		l->connect_error = ECONNREFUSED;
		break;
	case 5:
		l->connect_error = 0;
		break;
	case 6:
		l->segment = 1 + in->v[1] / 8u;
		break;
	case 7:
		l->segment = 0;
		break;
	}
}

static void names(uint8_t v)
{
	char host[32];

	snprintf(host, sizeof(host), "phone%u.example", (v >> 4) % HOSTS + 1u);
	sim_flow_note("name %s: %u", host, v % 4);
	if (v % 4 == 3)
		sim_names_mute(host, v & 8);
	else
		sim_names_fail(host, v % 4 == 0 ? ENOENT : v % 4 == 1 ? ETIMEDOUT : 0);
}

/* ---- the machine ---- */

static void disk(uint8_t kind, uint8_t after)
{
	sim_flow_note("disk: %u fails %u times after %u", kind % 8, 1u + kind / 8u, after);
	if (kind % 8 < SIM_DISK_OPS)
		sim_disk_fail(world.disk, (enum sim_disk_op)(kind % 8), after, 1u + kind / 8u);
	else
		sim_disk_set_capacity(world.disk, kind & 8 ? sim_disk_used(world.disk) + after : 0);
}

static void lane(uint8_t v)
{
	sim_flow_note("lane: %u", v % 5);
	switch (v % 5) {
	case 0:
		sim_lane_delay(RS_LANE_STORE, 0, 0);
		sim_lane_delay(RS_LANE_NAMES, 0, 0);
		break;
	case 1:
		rs_executor_hold(RS_LANE_STORE, true);
		break;
	case 2:
		sim_lane_delay(RS_LANE_STORE, 10 * SIM_MS, 500 * SIM_MS);
		break;
	case 3:
		rs_executor_hold(RS_LANE_FILES, true);
		break;
	case 4:
		rs_executor_hold(RS_LANE_FILES, false);
		break;
	}
}

static void disk_heals(void)
{
	for (int i = 0; i < SIM_DISK_OPS; i++)
		sim_disk_fail(world.disk, (enum sim_disk_op)i, 0, 0);
	sim_disk_set_capacity(world.disk, 0);
}

static void lanes_run(void)
{
	for (int i = 0; i < RS_LANE_N; i++)
		sim_lane_delay((enum rs_executor_lane)i, 0, 0);
}

/* Which of them lies in the folder. */
static unsigned written;

static void write_configuration(unsigned n)
{
	if (n != written)
		sim_server_reconfigure(configs[n].pjsip, configs[n].own);
	written = n;
}

/* The server ends in the midst of what it does, or the power goes: from then on nothing reaches the disk. */
static void restart(uint8_t v)
{
	bool power = v & 1;

	if (world.restarts++ >= RESTARTS_MAX)
		return;
	sim_flow_note(power ? "power cut" : "restart");
	disk_heals();
	lanes_run();
	if (power) {
		for (int i = 0; i < SIM_DISK_OPS; i++)
			sim_disk_fail(world.disk, (enum sim_disk_op)i, 0, UINT32_MAX);
	}
	relay_unregister();
	sim_server_halt();
	stateful_forget();
	disk_heals();
	if (power)
		sim_disk_power_cut(world.disk);
	world_forget_server();
	if (written == CONFIG_BROKEN)
		write_configuration(0);
	sim_server_boot(world.life);
	relay_register();
}

/* ---- the operator ---- */

void operate_configure(void)
{
	sim_server_configure(configs[0].pjsip, configs[0].own);
	control_commands_register();
}

void operate_forget(void)
{
	control_commands_unregister();
	sim_server_forget();
}

void operate_start(void)
{
	write_configuration(0);
}

static void reload(uint8_t v)
{
	struct ast_sip_conf_errors errors = {0};
	unsigned n = v % CONFIGS;

	if (world.reloads++ >= RELOADS_MAX)
		return;
	sim_flow_note("reload %u", n);
	write_configuration(n);
	(void)ast_sip_core_reload(&errors);
	ast_sip_conf_errors_free(&errors);
}

static void module(uint8_t v)
{
	static const char *const list[] = {"res_sip_messaging",
					   "res_sip_registrar",
					   "res_sip_options",
					   "res_sip_nat",
					   "res_sip_acl",
					   "res_sip_authenticator_digest",
					   "res_sip_outbound_authenticator_digest",
					   "res_sip_endpoint_identifier_user",
					   "res_sip_endpoint_identifier_ip",
					   "res_sip_logger"};
	const char *name = list[(v >> 1) % RS_ARRAY_SIZE(list)];
	char *why = NULL;

	if (world.modules++ >= MODULES_MAX)
		return;
	sim_flow_note("%s %s", v & 1 ? "load" : "unload", name);
	(void)(v & 1 ? ast_sip_loader_load(name, &why) : ast_sip_loader_unload(name, &why));
	free(why);
}

static void command(uint8_t v)
{
	static const char *const list[][4] = {
		{"pjsip", "show", "contacts"},
		{"pjsip", "show", "endpoints"},
		{"pjsip", "show", "aors"},
		{"pjsip", "show", "identifies"},
		{"pjsip", "show", "transports"},
		{"pjsip", "show", "services"},
		{"core", "show", "taskpool"},
		{"pjsip", "show", "settings"},
		{"pjsip", "show", "unidentified_requests"},
		{"module", "show"},
		{"pjsip", "show", "auths"},
		{"pjsip", "show", "endpoint", "alice"},
		{"pjsip", "show", "aor", "bob"},
	};
	const char *const *argv = list[(v >> 1) % RS_ARRAY_SIZE(list)];
	int argc = 0;

	while (argc < 4 && argv[argc])
		argc++;
	json_decref(cli_run(argc, argv, v & 1));
}

/* ---- all of them ---- */

void operate_mend(void)
{
	sim_flow_note("all is mended");
	for (unsigned i = 0; i < HOSTS; i++) {
		char name[32];
		struct sim_link *l = sim_net_link(SERVER, host_name(i, name));

		l->busy = 0;
		l->connect_error = 0;
		cut(i, false);
		snprintf(name, sizeof(name), "phone%u.example", i + 1);
		sim_names_mute(name, false);
	}
	for (unsigned i = HOSTS; i < SOURCES; i++) {
		if (world.sources[i].peer)
			sim_peer_pause(world.sources[i].peer, false);
	}
	disk_heals();
	lanes_run();
}

static void wall(uint8_t v)
{
	static const int64_t jumps[] = {1, -1, 30, -30, 3600, -3600, 86400, -86400};

	sim_flow_note("wall clock: %lld s", (long long)jumps[v % 8]);
	sim_clock_jump_wall(jumps[v % 8] * SIM_SECOND);
}

void operate(const struct instruction *in)
{
	switch (in->op) {
	case OP_REQUEST:
		build_request(in);
		break;
	case OP_RESPOND:
		build_response(in);
		break;
	case OP_RESEND:
		build_resend(in);
		break;
	case OP_CANCEL:
		build_for(in->v[0], "CANCEL", true);
		break;
	case OP_ACK:
		build_for(in->v[0], "ACK", !(in->v[1] & 1));
		break;
	case OP_RAW:
		build_raw(in);
		break;
	case OP_TIME:
		sim_run_for(duration(in->v[0]));
		break;
	case OP_STEP:
		step(in->text);
		break;
	case OP_CONNECT:
		world_connect(in->v[0] & 15, in->v[0] >> 4);
		break;
	case OP_STREAM:
		stream(in);
		break;
	case OP_LINK:
		link_change(in);
		break;
	case OP_DISK:
		disk(in->v[0], in->v[1]);
		break;
	case OP_LANE:
		lane(in->v[0]);
		break;
	case OP_WALL:
		wall(in->v[0]);
		break;
	case OP_RELOAD:
		reload(in->v[0]);
		break;
	case OP_MODULE:
		module(in->v[0]);
		break;
	case OP_RESTART:
		restart(in->v[0]);
		break;
	case OP_STALL:
		stall(in->v[0]);
		break;
	case OP_NAMES:
		names(in->v[0]);
		break;
	case OP_COMMAND:
		command(in->v[0]);
		break;
	case OP_EXPECT:
		if (stateful_strict)
			sim_check_int(world.last_status, in->v[0] << 8 | in->v[1]);
		break;
	case PROGRAM_OPS_N:
		break;
	}
}
