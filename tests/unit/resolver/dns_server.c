/* A DNS server for tests, see dns_server.h. */
#include "dns_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server {
	int fd;
	uint16_t port;
	pthread_t thread;
} server;

#define DNS_HEADER 12

size_t (*dns_server_lie)(unsigned char *packet, size_t end, uint16_t type, const char *label);

static size_t lie(unsigned char *p, size_t end, uint16_t type)
{
	char label[64] = "";

	for (size_t i = 0; i < p[DNS_HEADER] && i < sizeof(label) - 1; i++)
		label[i] = (char)tolower(p[DNS_HEADER + 1 + i]);
	return dns_server_lie ? dns_server_lie(p, end, type, label) : 0;
}

static size_t add_record(unsigned char *p, uint16_t type, const void *data, uint16_t len)
{
	const unsigned char head[] = {0xc0, DNS_HEADER, 0, (unsigned char)type, 0, 1, 0, 0,
				      0,    60,         0, (unsigned char)len};

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), data, len);
	return sizeof(head) + len;
}

/* Turns the question in p into its answer; returns the length, 0: stay silent. */
static size_t answer(unsigned char *p, size_t n)
{
	size_t label = p[DNS_HEADER], end = DNS_HEADER, lied;
	const char *name = (const char *)p + DNS_HEADER + 1;
	uint16_t type;
	unsigned char records = 0;
	struct in6_addr v6;

	while (end < n && p[end])
		end += p[end] + 1u;
	if (end + 5 > n)
		return 0;
	type = p[end + 2];
	end += 5;
	p[2] = 0x81; /* an answer, recursion wanted */
	p[3] = 0x80; /* and available */
	memset(p + 6, 0, 6);
	lied = lie(p, end, type);
	if (lied)
		return lied;
	if (label == 6 && memcmp(name, "silent", 6) == 0)
		return 0;
	if (label == 6 && memcmp(name, "broken", 6) == 0)
		p[3] |= 2;
	else if (label == 7 && memcmp(name, "missing", 7) == 0)
		p[3] |= 3;
	else if (type == 1) {
		end += add_record(p + end, 1, "\x7f\x00\x00\x02", 4);
		records = 1;
	} else if (type == 28 && label == 4 && memcmp(name, "both", 4) == 0) {
		inet_pton(AF_INET6, "2001:db8::7", &v6);
		end += add_record(p + end, 28, &v6, 16);
		records = 1;
	}
	p[7] = records;
	return end;
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		unsigned char buf[DNS_PACKET];
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(server.fd, buf, 512, 0, (struct sockaddr *)&from, &from_len);
		size_t len;

		if (n <= 0)
			return NULL;
		if (n == 1)
			return NULL; /* the end */
		len = n > DNS_HEADER ? answer(buf, (size_t)n) : 0;
		if (len)
			sendto(server.fd, buf, len, 0, (struct sockaddr *)&from, from_len);
	}
}

void dns_server_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);

	server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(server.fd >= 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&a, &len), 0);
	server.port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

void dns_server_stop(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(server.port)};

	sendto(server.fd, "", 1, 0, (struct sockaddr *)&a, sizeof(a));
	pthread_join(server.thread, NULL);
	close(server.fd);
}

const char *dns_server_forward(void)
{
	static char forward[40];

	snprintf(forward, sizeof(forward), "127.0.0.1@%u", server.port);
	return forward;
}
