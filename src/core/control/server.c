/* The thread that serves the control socket: several clients at once, one command at a time. */
#include "base/log.h"
#include "core/control/commands.h"
#include "core/control/control.h"
#include "core/control/protocol.h"
#include "core/control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Clients at once: descriptors that a looping script could hold. */
#define MAX_CLIENTS 32
/* How long stop waits for clients to take their replies. */
#define STOP_FLUSH_MS 1000
/* How long what the system refused (a descriptor, memory) is not asked for again. */
#define PAUSE_MS 100

struct client {
	int fd; /* -1: free */
	char in[CONTROL_MAX_LINE];
	size_t in_len;
	char *out; /* not yet sent: out[out_sent..out_len-1] */
	size_t out_len, out_sent;
};

static struct {
	bool running;
	struct ast_sip_control_config config;
	char *path;
	int listener, wake;
	pthread_t thread;
	struct client *clients;
} server = {.listener = -1, .wake = -1};

const struct ast_sip_control_config *ast_sip_control_config(void)
{
	return &server.config;
}

static void client_close(struct client *c)
{
	close(c->fd);
	free(c->out);
	c->fd = -1;
	c->out = NULL;
}

static void client_send(struct client *c)
{
	while (c->out_sent < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			client_close(c);
			return;
		}
		c->out_sent += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = c->out_sent = 0;
}

/* Runs the first whole line, if there is one and the last reply is on its way. */
static bool client_run(struct client *c)
{
	char *end = c->fd >= 0 && !c->out ? memchr(c->in, '\n', c->in_len) : NULL;
	size_t line;

	if (!end)
		return false;
	line = (size_t)(end - c->in);
	c->out = control_answer(rs_str_n(c->in, line), &c->out_len);
	c->in_len -= line + 1;
	memmove(c->in, end + 1, c->in_len);
	if (!c->out) {
		client_close(c);
		return false;
	}
	client_send(c);
	return true;
}

static void client_read(struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->in_len += (size_t)n;
	while (client_run(c))
		;
	if (c->fd >= 0 && c->in_len == sizeof(c->in) && !memchr(c->in, '\n', c->in_len)) {
		rs_event(RS_LOG_WARNING, "control.line_too_long", RS_FI("limit", CONTROL_MAX_LINE));
		client_close(c);
	}
}

/* false: not now. The client waits in the kernel, which would wake us at once again. */
static bool client_accept(void)
{
	int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &server.clients[i];

		if (c->fd >= 0)
			continue;
		c->fd = fd;
		c->in_len = c->out_len = c->out_sent = 0;
		return true;
	}
	close(fd);
	return true;
}

static void client_serve(struct client *c, short events)
{
	if (c->fd >= 0 && (events & POLLOUT)) {
		client_send(c);
		while (client_run(c))
			;
	}
	if (c->fd >= 0 && (events & (POLLIN | POLLHUP | POLLERR)))
		client_read(c);
}

static bool full(void)
{
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (server.clients[i].fd < 0)
			return false;
	}
	return true;
}

/* Without memory for poll there is only the clock. */
static void pause_on(int error)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

	if (error == EINTR)
		return;
	rs_event(RS_LOG_WARNING, "control.paused", RS_FZ("error", strerror(error)));
	nanosleep(&pause, NULL);
}

/* One round of poll; false: it is time to stop. *paused: nobody is let in for a moment. */
static bool serve(bool *paused)
{
	struct pollfd v[MAX_CLIENTS + 2];

	v[0] = (struct pollfd){.fd = server.wake, .events = POLLIN};
	v[1] = (struct pollfd){.fd = full() || *paused ? -1 : server.listener, .events = POLLIN};
	for (int i = 0; i < MAX_CLIENTS; i++) {
		const struct client *c = &server.clients[i];

		v[i + 2] = (struct pollfd){.fd = c->fd, .events = c->out ? POLLOUT : POLLIN};
	}
	if (poll(v, MAX_CLIENTS + 2, *paused ? PAUSE_MS : -1) < 0) {
		pause_on(errno);
		return true;
	}
	*paused = false;
	if (v[0].revents)
		return false;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		if (v[i + 2].revents)
			client_serve(&server.clients[i], v[i + 2].revents);
	}
	if (v[1].revents && !client_accept()) {
		rs_event(RS_LOG_WARNING, "control.paused", RS_FZ("error", strerror(errno)));
		*paused = true;
	}
	return true;
}

/* The client that asked for the stop shall still read its answer. */
static void flush(void)
{
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &server.clients[i];
		struct pollfd p = {.fd = c->fd, .events = POLLOUT};

		while (c->fd >= 0 && c->out && poll(&p, 1, STOP_FLUSH_MS) > 0)
			client_send(c);
		if (c->fd >= 0)
			client_close(c);
	}
}

static void *control_thread(void *arg)
{
	bool paused = false;

	(void)arg;
	while (serve(&paused))
		;
	flush();
	return NULL;
}

static int clients_new(void)
{
	server.clients = calloc(MAX_CLIENTS, sizeof(*server.clients));
	for (int i = 0; server.clients && i < MAX_CLIENTS; i++)
		server.clients[i].fd = -1;
	return server.clients ? 0 : -1;
}

static void close_all(void)
{
	if (server.listener >= 0) {
		unlink(server.path);
		close(server.listener);
	}
	if (server.wake >= 0)
		close(server.wake);
	free(server.clients);
	free(server.path);
	server.clients = NULL;
	server.path = NULL;
	server.listener = server.wake = -1;
}

static int failed(const char *what, int error)
{
	rs_event(RS_LOG_ERROR, "control.failed", RS_FZ("socket", server.path ? server.path : ""), RS_FZ("at", what),
		 RS_FZ("error", strerror(error)));
	close_all();
	return -1;
}

int ast_sip_control_start(const struct ast_sip_control_config *config)
{
	server.config = *config;
	server.path = strdup(config->socket_path);
	server.config.socket_path = server.path;
	if (!server.path || clients_new())
		return failed("memory", ENOMEM);
	server.listener = control_socket_open(server.path);
	if (server.listener < 0)
		return failed("listen", errno);
	server.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server.wake < 0)
		return failed("eventfd", errno);
	control_commands_register();
	if (pthread_create(&server.thread, NULL, control_thread, NULL)) {
		control_commands_unregister();
		return failed("thread", EAGAIN);
	}
	server.running = true;
	return 0;
}

void ast_sip_control_stop(void)
{
	uint64_t one = 1;

	if (!server.running)
		return;
	if (write(server.wake, &one, sizeof(one)) != sizeof(one))
		return;
	pthread_join(server.thread, NULL);
	server.running = false;
	control_commands_unregister();
	close_all();
}
