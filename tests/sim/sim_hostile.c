/* See sim_hostile.h. */
#include "sim_hostile.h"
#include "sim_watch.h"

#include <stdio.h>
#include <string.h>

#define HEARD    16
#define STREAMS  3
#define PAUSE_US (700 * SIM_MS)

static struct {
	struct sim_peer *udp, *small, *streams[STREAMS];
	struct sim_event next;
	unsigned n;
	char heard[HEARD][SIM_AGENT_BYTES], from[HEARD][32];
	size_t heard_len[HEARD];
	unsigned n_heard;
	uint64_t sent, received;
	uint64_t small_sent, small_received; /* of short questions alone */
	unsigned long branches;
} h;

static void send_udp(struct rs_str bytes)
{
	h.sent += bytes.len;
	sim_peer_send_to(h.udp, SIM_SERVER, bytes);
}

static void overhear(const struct sim_agent *a, struct rs_str request)
{
	unsigned i = h.n_heard++ % HEARD;

	if (a->tcp || request.len >= SIM_AGENT_BYTES) {
		h.n_heard--;
		return;
	}
	memcpy(h.heard[i], request.p, request.len);
	h.heard_len[i] = request.len;
	snprintf(h.from[i], sizeof(h.from[i]), "%s", a->address);
}

/* Something overheard, under a branch of its own; false: nothing was. */
static bool overheard(char *buf, size_t *len, const char **from)
{
	unsigned n = h.n_heard < HEARD ? h.n_heard : HEARD, i;
	char *branch;

	if (!n)
		return false;
	i = (unsigned)sim_rng_below(sim_test_rng(), n);
	memcpy(buf, h.heard[i], h.heard_len[i]);
	buf[h.heard_len[i]] = '\0';
	branch = strstr(buf, ";branch=z9hG4bK-a");
	sim_check(branch);
	branch[16] = (char)('b' + sim_rng_below(sim_test_rng(), 20));
	branch[15] = (char)('A' + h.branches++ % 26);
	*len = h.heard_len[i];
	*from = h.from[i];
	return true;
}

static void replay(bool spoofed)
{
	char buf[SIM_AGENT_BYTES + 1];
	const char *from;
	size_t len;

	if (!overheard(buf, &len, &from))
		return;
	if (spoofed)
		sim_net_spoof(from, SIM_SERVER, rs_str_n(buf, len));
	else
		send_udp(rs_str_n(buf, len));
}

static void mutate(void)
{
	struct sim_rng *rng = sim_test_rng();
	char buf[SIM_AGENT_BYTES + 1];
	const char *from;
	size_t len;

	if (!overheard(buf, &len, &from))
		return;
	for (uint64_t n = 1 + sim_rng_below(rng, 8); n > 0; n--)
		buf[sim_rng_below(rng, len)] = (char)sim_rng_below(rng, 256);
	send_udp(rs_str_n(buf, 1 + sim_rng_below(rng, len)));
}

static void garbage(void)
{
	char buf[600];
	size_t len = sim_rng_below(sim_test_rng(), sizeof(buf));

	for (size_t i = 0; i < len; i++)
		buf[i] = (char)sim_rng_below(sim_test_rng(), 256);
	send_udp(rs_str_n(buf, len));
}

/* A request without credentials, in the name of a phone that has a password. */
static void impersonate(bool spoofed, const char *method)
{
	unsigned n = (unsigned)sim_rng_below(sim_test_rng(), h.n / 3) * 3 + (unsigned)sim_rng_below(sim_test_rng(), 2);
	char buf[900], from[32];
	int len =
		snprintf(buf, sizeof(buf),
			 "%s sip:u%u@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.66.6:5060;branch=z9hG4bK-h%lu;rport\r\n"
			 "Max-Forwards: 70\r\nFrom: <sip:u%u@10.0.0.1>;tag=h\r\nTo: <sip:u%u@10.0.0.1>\r\n"
			 "Call-ID: u%u-1-%s\r\nCSeq: 900000 %s\r\nContact: <sip:evil@10.0.66.6>;expires=3600\r\n"
			 "Content-Length: 0\r\n\r\n",
			 method, n, ++h.branches, n, n, n, method, method);

	snprintf(from, sizeof(from), "10.0.1.%u:5060", n + 1);
	if (spoofed)
		sim_net_spoof(from, SIM_SERVER, rs_str_n(buf, (size_t)len));
	else
		send_udp(rs_str_n(buf, (size_t)len));
}

/* Short questions, of those that invite a long answer. */
static void amplify(void)
{
	char buf[300];
	int len = snprintf(
		buf, sizeof(buf),
		"OPTIONS sip:h SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK%lu\r\nf:sip:u0@h;tag=1\r\nt:sip:h\r\ni:%lu\r\n"
		"CSeq:1 OPTIONS\r\n\r\n",
		h.branches, h.branches);

	h.branches++;
	h.small_sent += (size_t)len;
	sim_peer_send_to(h.small, SIM_SERVER, rs_str_n(buf, (size_t)len));
}

static void forged_response(void)
{
	char buf[400];
	int len = snprintf(buf, sizeof(buf),
			   "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK%llx\r\n"
			   "From: <sip:u0@10.0.0.1>;tag=f0\r\nTo: <sip:u1@10.0.0.1>;tag=z\r\nCall-ID: x%lu\r\n"
			   "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
			   (unsigned long long)sim_rng_next(sim_test_rng()), ++h.branches);

	send_udp(rs_str_n(buf, (size_t)len));
}

static void stream(void)
{
	struct sim_rng *rng = sim_test_rng();
	struct sim_peer **s = &h.streams[sim_rng_below(rng, STREAMS)];
	static const char *const pieces[] = {
		"OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.66.6;branch=z9hG4bKs\r\n",
		"Content-Length: 99999\r\n\r\n", "\r\n\r\n\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\0\0"};
	const char *piece = pieces[sim_rng_below(rng, RS_ARRAY_SIZE(pieces))];

	if (!*s) {
		*s = sim_peer_tcp_connect(SIM_HOSTILE ":0", SIM_SERVER, NULL, NULL);
	} else if (sim_rng_below(rng, 3)) {
		sim_peer_write(*s, rs_str_n(piece, strlen(piece) + (piece[0] == '\0') * 6));
	} else {
		(sim_rng_below(rng, 2) ? sim_peer_close : sim_peer_vanish)(*s);
		*s = NULL;
	}
}

static void act(struct sim_event *e)
{
	switch (sim_rng_below(sim_test_rng(), 11)) {
	case 0:
		garbage();
		break;
	case 1:
	case 2:
		replay(true);
		break;
	case 3:
		replay(false);
		break;
	case 4:
		mutate();
		break;
	case 5:
		impersonate(false, "REGISTER");
		break;
	case 6:
		impersonate(true, "REGISTER");
		break;
	case 7:
		impersonate(false, sim_rng_below(sim_test_rng(), 2) ? "CANCEL" : "ACK");
		break;
	case 8:
		amplify();
		break;
	case 9:
		forged_response();
		break;
	default:
		stream();
		break;
	}
	sim_queue_add(e, sim_now() + sim_rng_range(sim_test_rng(), 0, PAUSE_US), act, NULL);
}

static void answered(struct sim_peer *p, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	(void)token;
	if (!from)
		return;
	if (p == h.small)
		h.small_received += bytes.len;
	else
		h.received += bytes.len;
	sim_check(h.received <= 3 * h.sent);
	sim_check(h.small_received <= 3 * h.small_sent);
	/* Nothing of what it asks for is done, whoever's password it comes with. */
	sim_check(bytes.len < 9 || memcmp(bytes.p, "SIP/2.0 2", 9) != 0);
}

static const struct sim_peer_ops ops = {.receive = answered};

void sim_hostile_start(unsigned n)
{
	struct sim_link *link = sim_net_link(SIM_HOSTILE, NULL);

	memset(&h, 0, sizeof(h));
	link->loss = link->duplicate = 0; /* or nobody could count */
	h.n = n;
	link = sim_net_link(SIM_HOSTILE_SMALL, NULL);
	link->loss = link->duplicate = 0;
	sim_watch_strange(SIM_HOSTILE);
	sim_watch_strange(SIM_HOSTILE_SMALL);
	sim_agent_tap = overhear;
	sim_agent_intercept = send_udp;
	h.small = sim_peer_udp_open(SIM_HOSTILE_SMALL ":5060", &ops, NULL);
	h.udp = sim_peer_udp_open(SIM_HOSTILE ":5060", &ops, NULL);
	sim_queue_add(&h.next, sim_now() + PAUSE_US, act, NULL);
}

void sim_hostile_stop(void)
{
	sim_agent_tap = NULL;
	sim_agent_intercept = NULL;
	sim_peer_close(h.small);
	sim_queue_remove(&h.next);
	sim_peer_close(h.udp);
	for (unsigned i = 0; i < STREAMS; i++) {
		if (h.streams[i])
			sim_peer_close(h.streams[i]);
	}
}
