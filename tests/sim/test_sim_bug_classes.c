/*
 * Classes of bugs that SIP peers have had, on the whole server in the simulation: what is taken away while it is in
 * use (bindings, AORs, endpoints, connections, listeners), and who is who on one connection.
 */
#include "sim_server.h"

#include "base/log.h"
#include "core/core.h"
#include "res_sip/digest.h"
#include "res_sip/location.h"
#include "sip/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 10

#define TRANSPORTS       "[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\nallow_reload=yes\n"
#define TCP_TRANSPORT    "[tcp]\ntype=transport\nprotocol=tcp\nbind=10.0.0.1:5060\nallow_reload=yes\n"
#define OPEN(name, more) "[" name "]\ntype=endpoint\naors=" name "\n" more "[" name "]\ntype=aor\nmax_contacts=5\n"
#define CLOSED(name, secret)                                                                                           \
	OPEN(name, "auth=" name "\n") "[" name "]\ntype=auth\nusername=" name "\npassword=" secret "\n"
#define CALLER OPEN("caller", "")
#define CALLEE OPEN("callee", "")
#define OTHERS OPEN("nat", "rewrite_contact=yes\n") CLOSED("alice", "wonderland") CLOSED("bob", "builder")

static struct sim_disk *disk;

/* ---- peers ---- */

struct raw {
	struct sim_peer *peer;
	const char *address;
	bool tcp, ended;
	char in[32768];
	size_t len;
	char last[8192];
};

static void receive(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct raw *r = token;

	(void)peer;
	(void)from;
	sim_check(r->len + bytes.len < sizeof(r->in));
	memcpy(r->in + r->len, bytes.p, bytes.len);
	r->len += bytes.len;
}

static void ended(struct sim_peer *peer, void *token, int error)
{
	struct raw *r = token;

	(void)peer;
	(void)error;
	r->ended = true;
}

static const struct sim_peer_ops ops = {.receive = receive, .ended = ended};

static void raw_open(struct raw *r, const char *address, bool tcp)
{
	memset(r, 0, sizeof(*r));
	r->address = address;
	r->tcp = tcp;
	r->peer = tcp ? sim_peer_tcp_connect(address, SIM_SERVER, &ops, r) : sim_peer_udp_open(address, &ops, r);
}

static void raw_close(struct raw *r)
{
	sim_peer_close(r->peer);
	r->peer = NULL;
}

static void raw_write(struct raw *r, const char *text)
{
	if (r->tcp)
		sim_peer_write(r->peer, rs_str_c(text));
	else
		sim_peer_send_to(r->peer, SIM_SERVER, rs_str_c(text));
}

static bool has_message(void *token)
{
	struct raw *r = token;
	size_t from = 0, length, need;

	while (r->len && (r->in[0] == '\r' || r->in[0] == '\n'))
		memmove(r->in, r->in + 1, --r->len);
	return sip_msg_frame(rs_str_n(r->in, r->len), &from, &length, &need) == SIP_PARSE_DONE && length;
}

/* The next message, into r->last; NULL: none in that time. */
static const char *raw_next(struct raw *r, int64_t us)
{
	size_t from = 0, length = 0, need;

	if (!has_message(r) && !sim_run_until(has_message, r, us))
		return NULL;
	sip_msg_frame(rs_str_n(r->in, r->len), &from, &length, &need);
	sim_check(length < sizeof(r->last));
	memcpy(r->last, r->in, length);
	r->last[length] = '\0';
	r->len -= length;
	memmove(r->in, r->in + length, r->len);
	return r->last;
}

static const char *line_of(const char *message, const char *name, char *out, size_t size)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = message ? strstr(message, key) : NULL;
	snprintf(out, size, "%.*s", at ? (int)strcspn(at + strlen(key), "\r") : 0, at ? at + strlen(key) : "");
	return out;
}

/* The final status of the answer to the request with that Call-ID; 0: none. */
static int final(struct raw *r, const char *call_id, int64_t us)
{
	int64_t until = sim_now() + us;
	char id[64];
	const char *m;

	while ((m = raw_next(r, until > sim_now() ? until - sim_now() : 0))) {
		if (strncmp(m, "SIP/2.0 ", 8) == 0 && atoi(m + 8) >= 200 &&
		    strcmp(line_of(m, "Call-ID", id, sizeof(id)), call_id) == 0)
			return atoi(m + 8);
	}
	return 0;
}

static void request(struct raw *r, const char *method, const char *uri, const char *user, const char *to,
		    const char *call_id, unsigned cseq, const char *more)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK-%s-%u-%s;rport\r\nMax-Forwards: 70\r\n"
		 "From: <sip:%s@10.0.0.1>;tag=f\r\nTo: <sip:%s@10.0.0.1>\r\nCall-ID: %s\r\nCSeq: %u %s\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 method, uri, r->tcp ? "TCP" : "UDP", r->address, call_id, cseq, method, user, to, call_id, cseq,
		 method, more);
	raw_write(r, text);
}

static void send_register(struct raw *r, const char *user, const char *call_id, unsigned cseq, unsigned expires)
{
	char more[256];

	snprintf(more, sizeof(more), "Contact: <sip:%s@%s%s>;expires=%u\r\n", user, r->address,
		 r->tcp ? ";transport=tcp" : "", expires);
	request(r, "REGISTER", "sip:10.0.0.1", user, user, call_id, cseq, more);
}

static void send_message(struct raw *r, const char *to, const char *call_id)
{
	char uri[64];

	snprintf(uri, sizeof(uri), "sip:%s@10.0.0.1", to);
	request(r, "MESSAGE", uri, "caller", to, call_id, 1, "");
}

/* Answers the message in r->last. */
static void answer(struct raw *r, unsigned status)
{
	static const char *const names[] = {"From", "To", "Call-ID", "CSeq"};
	char text[8192], value[512];
	size_t len = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %u X\r\n", status);
	const char *via = r->last;

	while ((via = strstr(via, "\r\nVia: "))) {
		via += 2;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s\r\n", (int)strcspn(via, "\r"), via);
	}
	for (size_t i = 0; i < RS_ARRAY_SIZE(names); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s: %s%s\r\n", names[i],
					line_of(r->last, names[i], value, sizeof(value)), i == 1 ? ";tag=callee" : "");
	snprintf(text + len, sizeof(text) - len, "Content-Length: 0\r\n\r\n");
	raw_write(r, text);
}

static void reload(const char *pjsip)
{
	struct ast_sip_conf_errors errors = {0};
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pjsip.conf", ast_sip_core_options()->conf_dir);
	f = fopen(path, "w");
	sim_check(f && fputs(pjsip, f) >= 0 && !fclose(f));
	sim_check_int(ast_sip_core_reload(&errors), 0);
	ast_sip_conf_errors_free(&errors);
	rs_log_set_level(getenv("SIM_LOG") ? RS_LOG_DEBUG : RS_LOG_ERROR); /* it follows the configuration again */
}

static void run(void (*fn)(uint64_t seed, void *arg))
{
	const char *seed = getenv("SEED");

	for (unsigned i = 1; i <= SEEDS; i++) {
		uint64_t s = seed ? strtoull(seed, NULL, 10) : i;

		sim_server_configure(CALLER CALLEE OTHERS, NULL);
		sim_disk_format(disk, s);
		assert_int_equal(sim_fork_run(s, fn, NULL), SIM_PASSED);
		sim_server_forget();
		if (seed)
			return;
	}
}

/* ---- class: bindings that go while they are in use ---- */

static void removed_under_way(uint64_t seed, void *arg)
{
	struct raw caller, callee;

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&caller, "10.0.1.1:5060", seed & 1);
	raw_open(&callee, "10.0.1.2:5060", seed & 2);
	send_register(&callee, "callee", "reg", 1, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
	send_message(&caller, "callee", "m1");
	sim_check(raw_next(&callee, 30 * SIM_SECOND));
	sim_check(strncmp(callee.last, "MESSAGE ", 8) == 0);
	/* The binding goes; what is under way goes on. */
	{
		char message[8192];

		memcpy(message, callee.last, sizeof(message));
		send_register(&callee, "callee", "reg", 2, 0);
		sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
		sim_check_int(sim_server_bindings("callee"), 0);
		memcpy(callee.last, message, sizeof(message));
	}
	answer(&callee, 200);
	sim_check_int(final(&caller, "m1", 30 * SIM_SECOND), 200);
	send_message(&caller, "callee", "m2");
	sim_check_int(final(&caller, "m2", 30 * SIM_SECOND), 480);
	raw_close(&caller);
	raw_close(&callee);
	sim_server_stop();
}

static void a_binding_removed_under_a_message_does_not_take_it_along(void **state)
{
	(void)state;
	run(removed_under_way);
}

/* Both at once: whichever is first, the caller learns what happened, once. */
static void removed_at_once(uint64_t seed, void *arg)
{
	struct raw caller, callee;
	unsigned delivered = 0;
	int status;

	(void)arg;
	sim_server_start(seed, disk, 0);
	sim_lane_delay(RS_LANE_STORE, 1 * SIM_MS, 300 * SIM_MS);
	raw_open(&caller, "10.0.1.1:5060", seed & 1);
	raw_open(&callee, "10.0.1.2:5060", seed & 2);
	for (unsigned round = 0; round < 10; round++) {
		char id[16];
		int64_t until;

		snprintf(id, sizeof(id), "m%u", round);
		send_register(&callee, "callee", "reg", 2 * round + 1, 600);
		sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
		send_register(&callee, "callee", "reg", 2 * round + 2, 0);
		send_message(&caller, "callee", id);
		delivered = 0;
		until = sim_now() + 5 * SIM_SECOND;
		while (sim_now() < until && raw_next(&callee, until - sim_now())) {
			if (strncmp(callee.last, "MESSAGE ", 8) == 0) {
				delivered = 1;
				answer(&callee, 202);
			}
		}
		status = final(&caller, id, 30 * SIM_SECOND);
		sim_check_int(status, delivered ? 202 : 480);
		sim_check_int(sim_server_bindings("callee"), 0);
	}
	sim_lane_delay(RS_LANE_STORE, 0, 0);
	raw_close(&caller);
	raw_close(&callee);
	sim_server_stop();
}

static void a_removal_and_a_message_at_once_have_one_outcome(void **state)
{
	(void)state;
	run(removed_at_once);
}

/* ---- class: AORs and endpoints that a reload takes away ---- */

static void reloaded_away(uint64_t seed, void *arg)
{
	struct raw caller, callee;
	char message[8192];
	int status;

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&caller, "10.0.1.1:5060", seed & 1);
	raw_open(&callee, "10.0.1.2:5060", seed & 2);
	send_register(&callee, "callee", "reg", 1, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
	send_message(&caller, "callee", "m1");
	sim_check(raw_next(&callee, 30 * SIM_SECOND));
	memcpy(message, callee.last, sizeof(message));
	/* A refresh whose commit takes its time, and everybody is gone meanwhile. */
	sim_lane_delay(RS_LANE_STORE, SIM_SECOND, 2 * SIM_SECOND);
	send_register(&callee, "callee", "reg", 2, 600);
	sim_run_for(seed % 5 * 100 * SIM_MS);
	reload(TRANSPORTS TCP_TRANSPORT OTHERS);
	memcpy(callee.last, message, sizeof(message));
	answer(&callee, 200);
	sim_check_int(final(&caller, "m1", 30 * SIM_SECOND), 200);
	status = final(&callee, "reg", 30 * SIM_SECOND);
	sim_check(status == 200 || status == 401); /* it came before or after */
	sim_lane_delay(RS_LANE_STORE, 0, 0);
	/* Now they are strangers, and an AOR that is nobody's. */
	send_register(&callee, "callee", "reg", 3, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 401);
	send_message(&caller, "callee", "m2");
	sim_check_int(final(&caller, "m2", 30 * SIM_SECOND), 401);
	/* And again those that they were. */
	reload(TRANSPORTS TCP_TRANSPORT CALLER CALLEE OTHERS);
	send_register(&callee, "callee", "reg", 4, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
	sim_check_int(sim_server_bindings("callee"), 1);
	raw_close(&caller);
	raw_close(&callee);
	sim_server_stop();
}

static void what_a_reload_takes_away_ends_what_it_had_begun(void **state)
{
	(void)state;
	run(reloaded_away);
}

/* ---- class: connections that end while they are in use ---- */

static void connection_lost(uint64_t seed, void *arg)
{
	struct raw caller, callee, mallory;
	int status;

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&caller, "10.0.1.1:5060", seed & 1);
	raw_open(&callee, "10.0.1.2:5060", true);
	send_register(&callee, "nat", "reg", 1, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
	sim_check_int(sim_server_bindings("nat"), 1);
	send_message(&caller, "nat", "m1");
	sim_check(raw_next(&callee, 30 * SIM_SECOND));
	if (seed % 3 == 0)
		sim_peer_reset(callee.peer);
	else
		sim_peer_close(callee.peer);
	/* Somebody else gets its address at once. */
	raw_open(&mallory, "10.0.1.2:5060", true);
	request(&mallory, "OPTIONS", "sip:10.0.0.1", "caller", "caller", "opt", 1, "");
	sim_check_int(final(&mallory, "opt", 30 * SIM_SECOND), 200);
	send_message(&caller, "nat", "m2");
	status = final(&caller, "m2", 60 * SIM_SECOND);
	sim_check_int(status, 480);
	sim_run_for(60 * SIM_SECOND);
	sim_check_int(sim_server_bindings("nat"), 0);
	/* Nothing that was for the first one has come to it. */
	sim_check(!raw_next(&mallory, SIM_SECOND));
	raw_close(&caller);
	raw_close(&mallory);
	sim_server_stop();
}

static void nobody_takes_the_place_of_a_connection_that_ended(void **state)
{
	(void)state;
	run(connection_lost);
}

/* The caller is gone when his answer comes, and so is the callee when it was sent. */
static void caller_lost(uint64_t seed, void *arg)
{
	struct raw caller, callee, mallory;

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&callee, "10.0.1.2:5060", seed & 2);
	send_register(&callee, "callee", "reg", 1, 600);
	sim_check_int(final(&callee, "reg", 30 * SIM_SECOND), 200);
	for (unsigned round = 0; round < 3; round++) {
		char id[16];

		raw_open(&caller, "10.0.1.1:5060", true);
		snprintf(id, sizeof(id), "m%u", round);
		send_message(&caller, "callee", id);
		sim_check(raw_next(&callee, 30 * SIM_SECOND));
		if (seed & 1)
			sim_peer_reset(caller.peer);
		else
			sim_peer_close(caller.peer);
		raw_open(&mallory, "10.0.1.1:6000", true);
		answer(&callee, 200);
		sim_run_for(SIM_SECOND);
		sim_check(!has_message(&mallory));
		raw_close(&mallory);
		while (raw_next(&callee, 10 * SIM_SECOND))
			;
	}
	raw_close(&callee);
	sim_server_stop();
}

static void an_answer_whose_caller_is_gone_reaches_nobody_else(void **state)
{
	(void)state;
	run(caller_lost);
}

/* ---- class: a transport that is torn down by who is called from it ---- */

static unsigned closed;

static void close_tcp(void)
{
	if (!closed++)
		sim_check_int(sip_listener_close(RS_STR("tcp"), true), 0);
}

static bool close_on_request(struct sip_rx_data *rx)
{
	if (!sip_msg_hdr_by_name(sip_rx_msg(rx), RS_STR("X-Close"), 0))
		return false;
	close_tcp();
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}

static int close_on_send(struct sip_tx_data *tx)
{
	if (rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_SUBJECT), "close"))
		close_tcp();
	return 0;
}

static struct sip_module closer = {.size = sizeof(struct sip_module),
				   .name = "closer",
				   .priority = SIP_PRIORITY_ACL + 1,
				   .on_rx_request = close_on_request,
				   .on_tx_request = close_on_send};

static void closed_inside(uint64_t seed, void *arg)
{
	struct raw udp, tcp, other;
	bool sending = seed & 1;

	(void)arg;
	closed = 0;
	sim_server_start(seed, disk, 0);
	sim_check_int(ast_sip_register_service(&closer), 0);
	raw_open(&udp, "10.0.1.1:5060", false);
	raw_open(&tcp, "10.0.1.2:5060", true);
	raw_open(&other, "10.0.1.3:5060", true);
	send_register(&tcp, "callee", "reg", 1, 600);
	sim_check_int(final(&tcp, "reg", 30 * SIM_SECOND), 200);
	/* Several at once, of which the first ends what they all came by. */
	for (unsigned i = 1; i <= 5; i++) {
		char id[16];

		snprintf(id, sizeof(id), "o%u", i);
		request(&other, "OPTIONS", "sip:10.0.0.1", "caller", "caller", id, 1, sending ? "" : "X-Close: 1\r\n");
	}
	if (sending)
		request(&udp, "MESSAGE", "sip:callee@10.0.0.1", "caller", "callee", "m", 1, "Subject: close\r\n");
	sim_run_for(SIM_SECOND);
	sim_check(closed > 0);
	sim_check(tcp.ended && other.ended);
	if (sending) /* its only contact cannot be reached any more */
		sim_check_int(final(&udp, "m", 60 * SIM_SECOND), 480);
	/* The others are served as ever. */
	request(&udp, "OPTIONS", "sip:10.0.0.1", "caller", "caller", "after", 1, "");
	sim_check_int(final(&udp, "after", 30 * SIM_SECOND), 200);
	ast_sip_unregister_service(&closer);
	raw_close(&udp);
	raw_close(&tcp);
	raw_close(&other);
	sim_server_stop();
}

static void a_transport_may_be_closed_by_who_is_called_from_it(void **state)
{
	(void)state;
	run(closed_inside);
}

/* The same from outside, while bytes are on their way and tasks are queued. */
static void closed_by_reload(uint64_t seed, void *arg)
{
	struct raw udp, tcp[8];
	static const char *const addresses[] = {"10.0.2.1:5060", "10.0.2.2:5060", "10.0.2.3:5060", "10.0.2.4:5060",
						"10.0.2.5:5060", "10.0.2.6:5060", "10.0.2.7:5060", "10.0.2.8:5060"};

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&udp, "10.0.1.1:5060", false);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 8; i++) {
			raw_open(&tcp[i], addresses[i], true);
			send_register(&tcp[i], "callee", addresses[i], round + 1, 600);
			request(&tcp[i], "MESSAGE", "sip:nat@10.0.0.1", "caller", "nat", addresses[i], 1, "");
		}
		sim_run_for((int64_t)(seed * 7 + round * 13) % 40 * 100);
		for (unsigned i = 0; i < seed % 20; i++)
			sim_step();
		reload(TRANSPORTS CALLER CALLEE OTHERS);
		sim_run_for(SIM_SECOND);
		request(&udp, "OPTIONS", "sip:10.0.0.1", "caller", "caller", "o", round + 1, "");
		sim_check_int(final(&udp, "o", 30 * SIM_SECOND), 200);
		for (unsigned i = 0; i < 8; i++)
			raw_close(&tcp[i]);
		reload(TRANSPORTS TCP_TRANSPORT CALLER CALLEE OTHERS);
	}
	raw_close(&udp);
	sim_server_stop();
}

static void a_listener_may_go_while_its_messages_wait(void **state)
{
	(void)state;
	run(closed_by_reload);
}

/* ---- class: one connection, several identities ---- */

static void credentials(const char *challenge, const char *user, const char *password, const char *method,
			const char *uri, char *out, size_t size)
{
	struct ast_sip_digest d = {.algorithm = AST_SIP_MD5,
				   .uri = rs_str_c(uri),
				   .cnonce = RS_STR("c"),
				   .nc = RS_STR("00000001"),
				   .qop = RS_STR("auth")};
	char nonce[128], ha1[AST_SIP_DIGEST_HEX], response[AST_SIP_DIGEST_HEX];

	sim_check(strstr(challenge, "nonce=\""));
	sim_check_int(sscanf(strstr(challenge, "nonce=\""), "nonce=\"%127[^\"]", nonce), 1);
	d.nonce = rs_str_c(nonce);
	sim_check_int(ast_sip_digest_join(AST_SIP_MD5,
					  (struct rs_str[]){rs_str_c(user), RS_STR("asterisk"), rs_str_c(password)}, 3,
					  ha1),
		      0);
	sim_check_int(ast_sip_digest_response(&d, rs_str_c(ha1), rs_str_c(method), response), 0);
	snprintf(out, size,
		 "Authorization: Digest username=\"%s\",realm=\"asterisk\",nonce=\"%s\",uri=\"%s\",response=\"%s\","
		 "algorithm=MD5,cnonce=\"c\",nc=00000001,qop=auth\r\n",
		 user, nonce, uri, response);
}

static void identities(uint64_t seed, void *arg)
{
	struct raw c;
	char lines[1024], with_contact[2048];

	(void)arg;
	sim_server_start(seed, disk, 0);
	raw_open(&c, "10.0.1.1:5060", true);
	/* Alice proves who she is. */
	send_register(&c, "alice", "a", 1, 600);
	sim_check_int(final(&c, "a", 30 * SIM_SECOND), 401);
	credentials(c.last, "alice", "wonderland", "REGISTER", "sip:10.0.0.1", lines, sizeof(lines));
	snprintf(with_contact, sizeof(with_contact), "%sContact: <sip:alice@10.0.1.1:5060;transport=tcp>\r\n", lines);
	request(&c, "REGISTER", "sip:10.0.0.1", "alice", "alice", "a", 2, with_contact);
	sim_check_int(final(&c, "a", 30 * SIM_SECOND), 200);
	/* Neither bob's nor mallory's requests are hers, nor her own without proof. */
	send_register(&c, "bob", "b", 1, 600);
	sim_check_int(final(&c, "b", 30 * SIM_SECOND), 401);
	request(&c, "MESSAGE", "sip:alice@10.0.0.1", "bob", "alice", "m", 1, "");
	sim_check_int(final(&c, "m", 30 * SIM_SECOND), 401);
	request(&c, "MESSAGE", "sip:alice@10.0.0.1", "mallory", "alice", "n", 1, "");
	sim_check_int(final(&c, "n", 30 * SIM_SECOND), 401);
	send_register(&c, "alice", "a", 3, 0);
	sim_check_int(final(&c, "a", 30 * SIM_SECOND), 401);
	sim_check_int(sim_server_bindings("alice"), 1);
	/* Her credentials again: a replay, for her and for bob. */
	request(&c, "REGISTER", "sip:10.0.0.1", "alice", "alice", "a", 4, with_contact);
	sim_check_int(final(&c, "a", 30 * SIM_SECOND), 401);
	request(&c, "REGISTER", "sip:10.0.0.1", "bob", "bob", "b", 2, with_contact);
	sim_check_int(final(&c, "b", 30 * SIM_SECOND), 401);
	sim_check_int(sim_server_bindings("bob"), 0);
	raw_close(&c);
	sim_server_stop();
}

static void a_connection_is_nobodys_identity(void **state)
{
	(void)state;
	run(identities);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_binding_removed_under_a_message_does_not_take_it_along),
		cmocka_unit_test(a_removal_and_a_message_at_once_have_one_outcome),
		cmocka_unit_test(what_a_reload_takes_away_ends_what_it_had_begun),
		cmocka_unit_test(nobody_takes_the_place_of_a_connection_that_ended),
		cmocka_unit_test(an_answer_whose_caller_is_gone_reaches_nobody_else),
		cmocka_unit_test(a_transport_may_be_closed_by_who_is_called_from_it),
		cmocka_unit_test(a_listener_may_go_while_its_messages_wait),
		cmocka_unit_test(a_connection_is_nobodys_identity),
	};

	disk = sim_disk_new(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
