/* A simulated phone, see sim_phone.h. */
#include "sim_phone.h"

#include "sip/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T1 (500 * SIM_MS)
#define T2 (4 * SIM_SECOND)

static void finish(struct sim_phone *p, int status)
{
	p->waiting = false;
	sim_queue_remove(&p->timer);
	if (p->done)
		p->done(p, status);
}

static void transmit(struct sim_phone *p)
{
	struct rs_str bytes = rs_str_n(p->request, p->request_len);

	if (p->tcp)
		sim_peer_write(p->peer, bytes);
	else
		sim_peer_send_to(p->peer, SIM_SERVER, bytes);
}

static void timer_e(struct sim_event *e)
{
	struct sim_phone *p = rs_container_of(e, struct sim_phone, timer);
	int64_t next;

	if (sim_now() >= p->gives_up) {
		p->answer_len = 0;
		p->answer[0] = '\0';
		finish(p, 0);
		return;
	}
	if (!p->tcp)
		transmit(p);
	next = p->tcp ? p->gives_up : sim_now() + p->interval;
	sim_queue_add(e, next < p->gives_up ? next : p->gives_up, timer_e, NULL);
	p->interval = p->interval * 2 < T2 ? p->interval * 2 : T2;
}

/* Sound, an answer to what is asked now; older ones come again over a bad network. */
static void check_answer(struct sim_phone *p, struct rs_str bytes)
{
	static char first[16384];
	struct rs_arena arena;
	struct sip_msg msg;
	size_t used;

	rs_arena_init(&arena, first, sizeof(first), 1u << 20);
	sim_check_int(sip_msg_parse(&msg, &arena, bytes, p->tcp, &used), SIP_PARSE_DONE);
	sim_check_int(msg.flaw, SIP_FLAW_NONE);
	sim_check(!msg.is_request);
	sim_check(msg.to_tag.len || msg.status < 200);
	if (p->waiting && msg.cseq == p->cseq && rs_str_eqz(msg.call_id, p->call_id) && msg.status >= 200) {
		sim_check(bytes.len < sizeof(p->answer));
		memcpy(p->answer, bytes.p, bytes.len);
		p->answer[bytes.len] = '\0';
		p->answer_len = 0;
		finish(p, (int)msg.status);
	}
	rs_arena_reset(&arena);
}

/* Answers to REGISTER have no body: an empty line ends them. Pings come between them. */
static void receive_stream(struct sim_phone *p, struct rs_str bytes)
{
	static char whole[SIM_PHONE_MAX];
	char *end;

	while (p->answer_len == 0 && bytes.len && (bytes.p[0] == '\r' || bytes.p[0] == '\n'))
		bytes = rs_str_n(bytes.p + 1, bytes.len - 1);
	if (!bytes.len)
		return;
	sim_check(p->answer_len + bytes.len < sizeof(p->answer));
	memcpy(p->answer + p->answer_len, bytes.p, bytes.len);
	p->answer_len += bytes.len;
	p->answer[p->answer_len] = '\0';
	end = strstr(p->answer, "\r\n\r\n");
	if (!end)
		return;
	sim_check_int(end + 4 - p->answer, p->answer_len);
	memcpy(whole, p->answer, p->answer_len);
	check_answer(p, rs_str_n(whole, p->answer_len));
}

static void receive(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct sim_phone *p = token;

	(void)peer;
	if (from)
		check_answer(p, bytes);
	else
		receive_stream(p, bytes);
}

static void ended(struct sim_peer *peer, void *token, int error)
{
	struct sim_phone *p = token;

	(void)peer;
	(void)error;
	if (p->waiting)
		finish(p, 0);
}

static const struct sim_peer_ops ops = {.receive = receive, .ended = ended};

void sim_phone_open(struct sim_phone *p, const char *address)
{
	p->peer = p->tcp ? sim_peer_tcp_connect(address, SIM_SERVER, &ops, p) : sim_peer_udp_open(address, &ops, p);
	if (!p->call_id[0])
		snprintf(p->call_id, sizeof(p->call_id), "%s@phone", address);
}

void sim_phone_close(struct sim_phone *p)
{
	sim_queue_remove(&p->timer);
	sim_peer_close(p->peer);
	p->peer = NULL;
}

struct sim_phone *sim_phone_new(const char *user, const char *address, bool tcp)
{
	struct sim_phone *p = calloc(1, sizeof(*p));

	sim_check(p);
	p->user = user;
	p->tcp = tcp;
	sim_phone_open(p, address);
	return p;
}

void sim_phone_free(struct sim_phone *p)
{
	sim_phone_close(p);
	free(p);
}

void sim_phone_register_cseq(struct sim_phone *p, const char *lines, unsigned cseq)
{
	static unsigned branch; /* one process, one simulation */
	char address[SIP_ADDR_TEXT];
	int n;

	sim_check(!p->waiting);
	p->cseq = cseq;
	sip_addr_text(sim_peer_address(p->peer), true, address);
	n = snprintf(p->request, sizeof(p->request),
		     "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK-%s-%u;rport\r\n"
		     "Max-Forwards: 70\r\nFrom: <sip:%s@10.0.0.1>;tag=f\r\nTo: <sip:%s@10.0.0.1>\r\nCall-ID: %s\r\n"
		     "CSeq: %u REGISTER\r\n%sContent-Length: 0\r\n\r\n",
		     p->tcp ? "TCP" : "UDP", address, p->user, ++branch, p->user, p->user, p->call_id, cseq, lines);
	sim_check(n > 0 && (size_t)n < sizeof(p->request));
	p->request_len = (size_t)n;
	p->answer_len = 0;
	p->waiting = true;
	p->interval = T1;
	p->gives_up = sim_now() + (p->gives_up_us ? p->gives_up_us : 64 * T1);
	if (p->tcp)
		transmit(p);
	timer_e(&p->timer);
}

void sim_phone_register(struct sim_phone *p, const char *lines)
{
	sim_phone_register_cseq(p, lines, p->cseq + 1);
}

static bool answered(void *token)
{
	return !((struct sim_phone *)token)->waiting;
}

int sim_phone_wait(struct sim_phone *p)
{
	sim_check(sim_run_until(answered, p, 70 * SIM_SECOND));
	return p->answer[0] ? atoi(p->answer + 8) : 0;
}

int sim_phone_ask(struct sim_phone *p, const char *lines)
{
	sim_phone_register(p, lines);
	return sim_phone_wait(p);
}

bool sim_phone_contact(const struct sim_phone *p, unsigned n, char *buf, size_t size)
{
	const char *at = p->answer, *end;

	while ((at = strstr(at, "\r\nContact: "))) {
		at += 11;
		if (n-- > 0)
			continue;
		end = strstr(at, "\r\n");
		snprintf(buf, size, "%.*s", (int)(end - at), at);
		return true;
	}
	return false;
}

unsigned sim_phone_contacts(const struct sim_phone *p)
{
	char buf[512];
	unsigned n = 0;

	while (sim_phone_contact(p, n, buf, sizeof(buf)))
		n++;
	return n;
}
