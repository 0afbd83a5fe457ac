#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int connection_open(struct connection *c, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int error;

	c->fd = -1;
	c->path = path;
	if (strlen(path) >= sizeof(un.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(un.sun_path, path, strlen(path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -1;
	if (connect(c->fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return 0;
	error = errno;
	connection_close(c);
	errno = error;
	return -1;
}

void connection_close(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* One line, without its end; NULL when the server went away first. */
static char *receive_line(int fd, size_t *len)
{
	size_t size = 65536, n = 0;
	char *line = malloc(size), *end;

	while (line) {
		ssize_t got = read(fd, line + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		end = memchr(line + n, '\n', (size_t)got);
		n += (size_t)got;
		if (end) {
			*len = (size_t)(end - line);
			return line;
		}
		if (n == size) {
			char *bigger = realloc(line, size * 2);

			if (!bigger)
				break;
			line = bigger;
			size *= 2;
		}
	}
	free(line);
	return NULL;
}

json_t *connection_ask(struct connection *c, json_t *request)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL, *line = NULL;
	json_t *reply = NULL;
	size_t len = 0;

	json_decref(request);
	if (text && send_all(c->fd, text, strlen(text)) == 0 && send_all(c->fd, "\n", 1) == 0)
		line = receive_line(c->fd, &len);
	if (line)
		reply = json_loadb(line, len, 0, NULL);
	free(text);
	free(line);
	if (!reply)
		connection_close(c);
	return reply;
}
