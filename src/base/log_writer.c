/*
 * The way of a line out of the process. With a writer thread, lines go through a bounded ring (each cell has a sequence
 * number that says whose turn it is), so that a producer neither locks nor waits. Whoever takes lines out of the ring
 * holds out_lock.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* Lines that may wait for a slow reader of the log (2 MiB); more are dropped and counted rather than delay a call. */
#define RING_CELLS 1024

struct cell {
	_Atomic size_t turn; /* position that may write here; +1: that may read here */
	enum rs_log_level level;
	size_t len;
	char line[RS_LOG_LINE_MAX];
};

static struct cell *ring; /* made at the first start, kept: a late producer may still look */
static _Atomic size_t ring_in;
static _Atomic size_t ring_out; /* moved under out_lock */
static _Atomic uint64_t dropped;

static _Atomic bool running;
static _Atomic bool writer_sleeps;
static sem_t writer_sem;
static pthread_t writer;

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*sink)(void *token, enum rs_log_level level, struct rs_str line);
static void *sink_token;
static _Thread_local bool in_sink; /* a sink that logs would wait for itself */

void rs_log_set_sink(void (*catch)(void *token, enum rs_log_level level, struct rs_str line), void *token)
{
	pthread_mutex_lock(&out_lock);
	sink = catch;
	sink_token = token;
	pthread_mutex_unlock(&out_lock);
}

static void write_all(const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(STDERR_FILENO, p, n);

		if (done < 0 && errno == EAGAIN) {
			struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

			poll(&pfd, 1, -1);
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return;
		p += done;
		n -= (size_t)done;
	}
}

/* Under out_lock. */
static void put_out(enum rs_log_level level, struct rs_str line)
{
	char buf[RS_LOG_LINE_MAX];

	if (sink) {
		in_sink = true;
		sink(sink_token, level, line);
		in_sink = false;
		return;
	}
	memcpy(buf, line.p, line.len);
	buf[line.len] = '\n';
	write_all(buf, line.len + 1);
}

/* Under out_lock: what waits in the ring, in order. Lines that go to fd 2 are gathered into large writes. */
static void ring_drain(void)
{
	static char gather[32 * RS_LOG_LINE_MAX];
	size_t n = 0, pos = atomic_load(&ring_out);

	for (;; pos++) {
		struct cell *c = &ring[pos % RING_CELLS];

		if (atomic_load(&c->turn) != pos + 1)
			break;
		if (sink) {
			put_out(c->level, rs_str_n(c->line, c->len));
		} else {
			memcpy(gather + n, c->line, c->len);
			n += c->len;
			gather[n++] = '\n';
		}
		atomic_store(&c->turn, pos + RING_CELLS);
		if (n > sizeof(gather) - RS_LOG_LINE_MAX) {
			write_all(gather, n);
			n = 0;
		}
	}
	atomic_store(&ring_out, pos);
	write_all(gather, n);
}

static bool ring_has_line(void)
{
	size_t pos = atomic_load(&ring_out);

	return atomic_load(&ring[pos % RING_CELLS].turn) == pos + 1;
}

static void drain_and_report(void)
{
	uint64_t lost;

	pthread_mutex_lock(&out_lock);
	ring_drain();
	pthread_mutex_unlock(&out_lock);
	lost = atomic_exchange_explicit(&dropped, 0, memory_order_relaxed);
	if (lost)
		rs_event(RS_LOG_WARNING, "log.dropped", RS_FI("lines", lost));
}

static bool ring_put(enum rs_log_level level, struct rs_str line)
{
	size_t pos = atomic_load_explicit(&ring_in, memory_order_relaxed);
	struct cell *c;

	for (;;) {
		size_t turn;

		c = &ring[pos % RING_CELLS];
		turn = atomic_load(&c->turn);
		if (turn == pos) {
			if (atomic_compare_exchange_weak_explicit(&ring_in, &pos, pos + 1, memory_order_relaxed,
								  memory_order_relaxed))
				break;
		} else if ((ptrdiff_t)(turn - pos) < 0) {
			return false;
		} else {
			pos = atomic_load_explicit(&ring_in, memory_order_relaxed);
		}
	}
	c->level = level;
	c->len = line.len;
	memcpy(c->line, line.p, line.len);
	atomic_store(&c->turn, pos + 1);
	return true;
}

void rs_log_write(enum rs_log_level level, struct rs_str line)
{
	if (in_sink)
		return;
	if (!atomic_load(&running)) {
		pthread_mutex_lock(&out_lock);
		put_out(level, line);
		pthread_mutex_unlock(&out_lock);
		return;
	}
	if (!ring_put(level, line))
		atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
	if (atomic_exchange(&writer_sleeps, false))
		sem_post(&writer_sem);
	/* Stopped in between: nobody else would come for this line. */
	if (!atomic_load(&running))
		drain_and_report();
}

static void *writer_main(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "log");
	while (atomic_load(&running)) {
		drain_and_report();
		atomic_store(&writer_sleeps, true);
		/* Looked at once more after the flag is up: a producer that missed the flag has put its line in. */
		if ((ring_has_line() || !atomic_load(&running)) && atomic_exchange(&writer_sleeps, false))
			continue;
		while (sem_wait(&writer_sem) < 0)
			;
	}
	return NULL;
}

int rs_log_start(void)
{
	sigset_t all, old;
	int err;

	if (atomic_load(&running))
		return EALREADY;
	if (!ring) {
		ring = calloc(RING_CELLS, sizeof(*ring));
		if (!ring)
			return ENOMEM;
		for (size_t i = 0; i < RING_CELLS; i++)
			atomic_init(&ring[i].turn, i);
	}
	sem_init(&writer_sem, 0, 0);
	atomic_store(&writer_sleeps, false);
	atomic_store(&running, true);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&writer, NULL, writer_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		atomic_store(&running, false);
	return err;
}

void rs_log_stop(void)
{
	if (!atomic_exchange(&running, false))
		return;
	if (atomic_exchange(&writer_sleeps, false))
		sem_post(&writer_sem);
	pthread_join(writer, NULL);
	drain_and_report();
}
