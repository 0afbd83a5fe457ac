/*
 * Phones that refresh their bindings as real ones do: digest with the nonce they have, retransmissions by Timers E and
 * F, patience when they are told to wait.
 */
#include "flood.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define T1      500000
#define T2      4000000
#define TIMER_F (64 * (int64_t)T1)

enum state { IDLE, ASKING, TOLD_TO_WAIT };

struct phone {
	int fd;
	struct sockaddr_in own;
	enum state state;
	int64_t at_us;    /* when something is due */
	int64_t due_us;   /* the refresh was */
	int64_t first_us; /* the request left first */
	int64_t interval_us, bound_until_us;
	uint32_t cseq, nc, txn;
	bool bound, reported;
	char nonce[128], message[MESSAGE];
	int len;
};

struct phone_figures phone_figures;
static struct phone *phones;

static void md5(const char *text, char out[33])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_Digest(text, strlen(text), digest, &n, EVP_md5(), NULL);
	for (unsigned int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

int phones_open(void)
{
	phones = calloc(options.phones, sizeof(*phones));
	for (unsigned i = 0; phones && i < options.phones; i++) {
		phones[i].fd = open_socket(2, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1), &phones[i].own);
		if (phones[i].fd < 0)
			return -1;
		watch(phones[i].fd, i);
	}
	return phones ? 0 : -1;
}

static void authorization(struct phone *p, unsigned i, char *out, size_t size)
{
	char text[256], ha1[33], ha2[33], response[33];

	out[0] = '\0';
	if (!p->nonce[0])
		return;
	p->nc++;
	snprintf(text, sizeof(text), "p%u:asterisk:secret", i);
	md5(text, ha1);
	md5("REGISTER:sip:127.0.0.1", ha2);
	snprintf(text, sizeof(text), "%s:%s:%08x:0123:auth:%s", ha1, p->nonce, p->nc, ha2);
	md5(text, response);
	snprintf(out, size,
		 "Authorization: Digest username=\"p%u\", realm=\"asterisk\", nonce=\"%s\", uri=\"sip:127.0.0.1\", "
		 "algorithm=MD5, qop=auth, nc=%08x, cnonce=\"0123\", response=\"%s\"\r\n",
		 i, p->nonce, p->nc, response);
}

static void transmit(struct phone *p)
{
	(void)!send(p->fd, p->message, (size_t)p->len, MSG_DONTWAIT);
	phone_figures.sent++;
}

static void ask(struct phone *p, unsigned i, int64_t now)
{
	unsigned port = ntohs(p->own.sin_port), b = i / 250, c = i % 250 + 1;
	char auth[600];

	authorization(p, i, auth, sizeof(auth));
	p->cseq++;
	p->txn++;
	p->len = snprintf(
		p->message, sizeof(p->message),
		"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.2.%u.%u:%u;branch=z9hG4bKp%u-%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:p%u@127.0.0.1>;tag=t%u\r\nTo: <sip:p%u@127.0.0.1>\r\n"
		"Call-ID: phone-%u-%u\r\nCSeq: %u REGISTER\r\nContact: <sip:p%u@127.2.%u.%u:%u>\r\n"
		"Expires: %u\r\n%sContent-Length: 0\r\n\r\n",
		b, c, port, i, p->txn, i, i, i, i, port, p->cseq, i, b, c, port, options.expires, auth);
	p->state = ASKING;
	p->first_us = now;
	p->interval_us = T1;
	p->at_us = now + T1;
	transmit(p);
}

void phones_begin(void)
{
	int64_t now = now_us();

	for (unsigned i = 0; i < options.phones; i++) {
		/* Over a second, so that the refreshes lie apart too. */
		phones[i].due_us = phones[i].at_us = now + (int64_t)i * 1000000 / options.phones;
	}
}

unsigned phones_bound(void)
{
	int64_t now = now_us();
	unsigned n = 0;

	for (unsigned i = 0; i < options.phones; i++)
		n += phones[i].bound && phones[i].bound_until_us > now;
	return n;
}

static void due(struct phone *p, unsigned i, int64_t now)
{
	if (p->state != ASKING) {
		ask(p, i, now);
	} else if (now - p->first_us >= TIMER_F) {
		phone_figures.timeouts++;
		ask(p, i, now);
	} else {
		p->interval_us = p->interval_us * 2 < T2 ? p->interval_us * 2 : T2;
		p->at_us = now + p->interval_us;
		phone_figures.retransmitted++;
		transmit(p);
	}
}

int64_t phones_run(int64_t now)
{
	int64_t next = now + 1000000;

	for (unsigned i = 0; i < options.phones; i++) {
		struct phone *p = &phones[i];

		if (p->at_us <= now)
			due(p, i, now);
		if (p->bound && !p->reported && p->bound_until_us <= now) {
			p->reported = true;
			phone_figures.expired++;
		}
		if (p->at_us < next)
			next = p->at_us;
	}
	return next;
}

static void bound(struct phone *p, int64_t now)
{
	ages_add(&phone_figures.ages, now - p->first_us);
	ages_add(&phone_figures.waits, now - p->due_us);
	if (now - p->first_us > TIMER_F)
		phone_figures.late++;
	phone_figures.refreshed++;
	p->bound = true;
	p->reported = false;
	/* From when it was asked: the server counts from a moment later. */
	p->bound_until_us = p->first_us + (int64_t)options.expires * 1000000;
	p->state = IDLE;
	p->due_us = p->at_us = now + (int64_t)options.expires * 500000;
}

static void challenged(struct phone *p, unsigned i, const char *message, int64_t now)
{
	const char *challenge = header(message, "WWW-Authenticate: "), *n;

	n = challenge ? strstr(challenge, "nonce=\"") : NULL;
	if (!n || sscanf(n, "nonce=\"%100[^\"]", p->nonce) != 1)
		return;
	p->nc = 0;
	phone_figures.challenged++;
	ask(p, i, now);
}

void phones_receive(uint32_t id, int64_t now)
{
	struct phone *p = &phones[id];
	char buf[MESSAGE], branch[64];
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0) {
		int status = 0;

		buf[n] = '\0';
		snprintf(branch, sizeof(branch), "branch=z9hG4bKp%u-%u;", id, p->txn);
		if (sscanf(buf, "SIP/2.0 %3d", &status) != 1 || status < 200 || status > 699 || p->state != ASKING ||
		    !strstr(buf, branch))
			continue;
		phone_figures.answered[status / 100]++;
		if (status == 200) {
			bound(p, now);
		} else if (status == 401) {
			challenged(p, id, buf, now);
		} else {
			const char *after = header(buf, "Retry-After: ");

			p->state = TOLD_TO_WAIT;
			p->at_us = now + (after ? atoi(after) : 1) * 1000000LL;
		}
	}
}
