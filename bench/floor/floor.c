/*
 * floor PORT: answers every datagram with itself, its first line rewritten to "SIP/2.0 200 OK". One thread, one socket,
 * batches: what the kernel costs and nothing else.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32 /* as res_sip reads */
#define ROOM  4096
#define FRONT 64 /* the new first line may be longer than the old one */

static char buf[BATCH][FRONT + ROOM];
static struct sockaddr_in peers[BATCH];
static struct iovec iov[BATCH];
static struct mmsghdr m[BATCH];

/* In place: the new line ends where the old one ended. */
static void rewrite(unsigned i)
{
	static const char line[] = "SIP/2.0 200 OK\r";
	char *start = buf[i] + FRONT, *end = memchr(start, '\n', m[i].msg_len), *first;

	if (!end || end - buf[i] < (long)sizeof(line) - 1)
		end = start;
	first = end == start ? start : end - (sizeof(line) - 1);
	if (first != start)
		memcpy(first, line, sizeof(line) - 1);
	iov[i] = (struct iovec){first, m[i].msg_len - (size_t)(first - start)};
}

static void serve(int fd)
{
	for (;;) {
		int n, sent = 0;

		for (unsigned i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){buf[i] + FRONT, ROOM};
			m[i].msg_hdr = (struct msghdr){&peers[i], sizeof(peers[i]), &iov[i], 1, NULL, 0, 0};
		}
		n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < n; i++)
			rewrite((unsigned)i);
		while (sent < n) {
			int r = sendmmsg(fd, m + sent, (unsigned)(n - sent), 0);

			sent += r > 0 ? r : 1; /* one that cannot be sent is left out */
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	a.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	if (argc < 2 || fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		fputs("usage: floor PORT (one that is free on 127.0.0.1)\n", stderr);
		return 2;
	}
	puts("ready");
	fflush(stdout);
	serve(fd);
	return 0;
}
