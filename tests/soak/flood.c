/*
 * flood: offers a server more than it can do, whatever it answers (an open loop), while phones with live bindings
 * refresh them. Prints what came of it as JSON.
 */
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH  32
#define EVENTS 64

struct options options = {.seconds = 10, .settle = 3, .rate = 1000, .sources = 256, .expires = 10};

struct source {
	int fd;
	struct sockaddr_in own;
};
static struct source *sources;
static int epoll_fd;
static uint64_t sent, unsent, serial;
static uint64_t answered[7];
static struct ages ages; /* of 200s */
static uint64_t ages_other_max;

/* ---- what the files share ---- */

int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int open_socket(uint8_t a, uint8_t b, uint8_t c, struct sockaddr_in *own)
{
	uint32_t ip = 127u << 24 | (uint32_t)a << 16 | (uint32_t)b << 8 | c;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
	socklen_t len = sizeof(*own);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    connect(fd, (struct sockaddr *)&options.server, sizeof(options.server)) ||
	    getsockname(fd, (struct sockaddr *)own, &len)) {
		perror("flood: a socket");
		return -1;
	}
	return fd;
}

void ages_add(struct ages *a, int64_t us)
{
	size_t ms = us < 0 ? 0 : (size_t)us / 1000, most = sizeof(a->count) / sizeof(a->count[0]) - 1;

	a->count[ms < most ? ms : most]++;
	a->n++;
	if (us > 0 && (uint64_t)us > a->max_us)
		a->max_us = (uint64_t)us;
}

double ages_share(const struct ages *a, double share)
{
	uint64_t want = (uint64_t)((double)a->n * share), seen = 0;

	for (size_t i = 0; i < sizeof(a->count) / sizeof(a->count[0]); i++) {
		seen += a->count[i];
		if (a->n && seen >= want)
			return (double)i + 1;
	}
	return 0;
}

const char *header(const char *message, const char *name)
{
	const char *found = strstr(message, name);

	return found ? found + strlen(name) : NULL;
}

void watch(int fd, uint32_t id)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = id};

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* ---- the flood ---- */

static int sources_open(void)
{
	sources = calloc(options.sources, sizeof(*sources));
	for (unsigned i = 0; sources && i < options.sources; i++) {
		sources[i].fd = open_socket(1, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1), &sources[i].own);
		if (sources[i].fd < 0)
			return -1;
		watch(sources[i].fd, SOURCE + i);
	}
	return sources ? 0 : -1;
}

/* The branch says when it was sent. */
static int make_options(const struct source *s, char *out, int64_t now)
{
	char ip[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &s->own.sin_addr, ip, sizeof(ip));
	serial++;
	return snprintf(
		out, MESSAGE,
		"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKf%llx-%llx;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:new@%s>;tag=f%llx\r\nTo: <sip:127.0.0.1>\r\nCall-ID: flood-%llx\r\n"
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		ip, ntohs(s->own.sin_port), (unsigned long long)now, (unsigned long long)serial, ip,
		(unsigned long long)serial, (unsigned long long)serial);
}

static int make_failure(const struct source *s, char *out, int64_t now)
{
	char ip[INET_ADDRSTRLEN];

	serial++;
	if (serial % 4 == 0) {
		int n = 40 + (int)(serial % 900);

		for (int i = 0; i < n; i++)
			out[i] = (char)(serial * 31 + (unsigned)i * 7 + 2);
		return n;
	}
	inet_ntop(AF_INET, &s->own.sin_addr, ip, sizeof(ip));
	/* A user that there is and one that there is not, with a password that is wrong. */
	return snprintf(
		out, MESSAGE,
		"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s:%u;branch=z9hG4bKf%llx-%llx;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:%s@127.0.0.1>;tag=f%llx\r\nTo: <sip:%s@127.0.0.1>\r\n"
		"Call-ID: flood-%llx\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@%s>\r\nAuthorization: Digest "
		"username=\"p1\", "
		"realm=\"asterisk\", nonce=\"%024llx\", uri=\"sip:127.0.0.1\", algorithm=MD5, qop=auth, nc=00000001, "
		"cnonce=\"1\", response=\"00000000000000000000000000000000\"\r\nContent-Length: 0\r\n\r\n",
		ip, ntohs(s->own.sin_port), (unsigned long long)now, (unsigned long long)serial,
		serial % 2 ? "p1" : "nobody", (unsigned long long)serial, serial % 2 ? "p1" : "nobody",
		(unsigned long long)serial, ip, (unsigned long long)serial);
}

static void send_batch(unsigned n, int64_t now)
{
	static char text[BATCH][MESSAGE];
	static unsigned turn;
	const struct source *s = &sources[turn++ % options.sources];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	int got;

	memset(m, 0, sizeof(m));
	for (unsigned i = 0; i < n; i++) {
		int len = options.failures ? make_failure(s, text[i], now) : make_options(s, text[i], now);

		iov[i] = (struct iovec){text[i], (size_t)len};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	got = sendmmsg(s->fd, m, n, MSG_DONTWAIT);
	sent += got > 0 ? (uint64_t)got : 0;
	unsent += n - (got > 0 ? (unsigned)got : 0);
}

static void flood_run(int64_t begun, int64_t now)
{
	uint64_t due = (uint64_t)((double)(now - begun) * options.rate / 1e6);

	for (int i = 0; i < 64 && sent + unsent < due; i++) {
		uint64_t n = due - sent - unsent;

		send_batch(n < BATCH ? (unsigned)n : BATCH, now);
	}
}

static void flood_receive(uint32_t id, int64_t now)
{
	char buf[MESSAGE];
	ssize_t n;

	for (int i = 0; i < BATCH && (n = recv(sources[id].fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) > 0; i++) {
		unsigned long long at = 0;
		int status = 0;
		const char *branch;

		buf[n] = '\0';
		branch = strstr(buf, "branch=z9hG4bKf");
		if (sscanf(buf, "SIP/2.0 %3d", &status) != 1 || status < 100 || status > 699 || !branch ||
		    sscanf(branch + 15, "%llx", &at) != 1)
			continue;
		answered[status / 100]++;
		if (status == 200)
			ages_add(&ages, now - (int64_t)at);
		else if (now - (int64_t)at > (int64_t)ages_other_max)
			ages_other_max = (uint64_t)(now - (int64_t)at);
	}
}

/* ---- the loop ---- */

static void turn(int64_t until)
{
	struct epoll_event ev[EVENTS];
	int64_t left = until - now_us();
	struct timespec ts = {.tv_nsec = left > 0 ? (left < 1000000 ? (long)left * 1000 : 999999999) : 0};
	int n = epoll_pwait2(epoll_fd, ev, EVENTS, &ts, NULL);
	int64_t now = now_us();

	for (int i = 0; i < n; i++) {
		if (ev[i].data.u32 < SOURCE)
			phones_receive(ev[i].data.u32, now);
		else
			flood_receive(ev[i].data.u32 - SOURCE, now);
	}
}

/* Phones alone when flooding is not wanted. */
static void run(double seconds, bool flooding)
{
	int64_t begun = now_us(), end = begun + (int64_t)(seconds * 1e6), now;

	while ((now = now_us()) < end) {
		int64_t next = phones_run(now);

		if (flooding) {
			flood_run(begun, now);
			next = now + 1000;
		}
		turn(next < end ? next : end);
	}
}

static void say(const char *phase)
{
	printf("{\"phase\": \"%s\", \"bound\": %u}\n", phase, phones_bound());
	fflush(stdout);
}

static void print(void)
{
	const struct phone_figures *f = &phone_figures;

	printf("{\"phase\": \"end\", \"bound\": %u, \"sent\": %llu, \"unsent\": %llu, \"ok\": %llu, \"refused\": %llu, "
	       "\"failed\": %llu, \"ok_median_ms\": %.0f, \"ok_99_ms\": %.0f, \"ok_max_ms\": %.1f, \"other_max_ms\": "
	       "%.1f",
	       phones_bound(), (unsigned long long)sent, (unsigned long long)unsent, (unsigned long long)answered[2],
	       (unsigned long long)answered[5], (unsigned long long)answered[4], ages_share(&ages, 0.5),
	       ages_share(&ages, 0.99), (double)ages.max_us / 1000, (double)ages_other_max / 1000);
	printf(", \"phones\": {\"sent\": %llu, \"retransmitted\": %llu, \"refreshed\": %llu, \"challenged\": %llu, "
	       "\"refused\": %llu, \"timeouts\": %llu, \"expired\": %llu, \"late\": %llu, \"median_ms\": %.0f, "
	       "\"age_99_ms\": %.0f, \"max_ms\": %.1f, \"wait_99_ms\": %.0f, \"wait_max_ms\": %.1f}}\n",
	       (unsigned long long)f->sent, (unsigned long long)f->retransmitted, (unsigned long long)f->refreshed,
	       (unsigned long long)f->challenged, (unsigned long long)f->answered[5], (unsigned long long)f->timeouts,
	       (unsigned long long)f->expired, (unsigned long long)f->late, ages_share(&f->ages, 0.5),
	       ages_share(&f->ages, 0.99), (double)f->ages.max_us / 1000, ages_share(&f->waits, 0.99),
	       (double)f->waits.max_us / 1000);
}

static int usage(void)
{
	fprintf(stderr, "usage: flood -a ADDRESS -p PORT [-s SECONDS] [-t SETTLE] [-r RATE] [-n PHONES] [-m SOURCES]\n"
			"             [-e EXPIRES] [-f]\n");
	return 2;
}

static int read_options(int argc, char **argv)
{
	int c;

	options.server.sin_family = AF_INET;
	while ((c = getopt(argc, argv, "a:p:s:t:r:n:m:e:f")) >= 0) {
		switch (c) {
		case 'a':
			if (inet_pton(AF_INET, optarg, &options.server.sin_addr) != 1)
				return -1;
			break;
		case 'p':
			options.server.sin_port = htons((uint16_t)atoi(optarg));
			break;
		case 's':
			options.seconds = atof(optarg);
			break;
		case 't':
			options.settle = atof(optarg);
			break;
		case 'r':
			options.rate = atof(optarg);
			break;
		case 'n':
			options.phones = (unsigned)atoi(optarg);
			break;
		case 'm':
			options.sources = (unsigned)atoi(optarg);
			break;
		case 'e':
			options.expires = (unsigned)atoi(optarg);
			break;
		case 'f':
			options.failures = true;
			break;
		default:
			return -1;
		}
	}
	/* Loopback only: this must never hit somebody else. */
	return ntohl(options.server.sin_addr.s_addr) >> 24 == 127 && options.server.sin_port && options.sources ? 0
														: -1;
}

int main(int argc, char **argv)
{
	if (read_options(argc, argv))
		return usage();
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || sources_open() || phones_open())
		return 1;
	phones_begin();
	run(options.settle, false);
	say("flood");
	run(options.seconds, true);
	say("calm");
	run(options.settle, false);
	print();
	return 0;
}
