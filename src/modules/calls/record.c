/*
 * The file of records. Calls that are over queue in the order in which they ended; a work of its own prints and writes
 * them, so that a slow disk delays nobody. The file is opened again when SIGUSR1 says that it was moved away.
 */
#include "calls.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* What waits for a slow disk is memory; what comes on top is left out, and said to be. */
#define MAX_QUEUED 100000
#define MAX_LINE   32768
#define CHUNK      65536

static struct {
	pthread_mutex_t lock;
	struct call *first, *last;
	unsigned queued;
	bool flushing; /* a task is on its way */
	bool reopen;
	bool stopping; /* with the last call */
	uint64_t left_out;
	char *path; /* NULL: no records */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct ast_sip_work *work;
static int fd = -1;  /* on the work only, as is the next */
static bool failing; /* that was said */

/* ---- on the work ---- */

static void say_failed(const char *path, const char *what)
{
	if (!failing)
		rs_event(RS_LOG_ERROR, "calls.records", RS_FZ("file", path), RS_FZ("failed", what),
			 RS_FZ("error", strerror(errno)));
	failing = true;
}

static int write_all(const char *path, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			say_failed(path, "write");
			return -1;
		}
		p += done;
		n -= (size_t)done;
	}
	failing = false;
	return 0;
}

static void open_file(const char *path, bool again)
{
	if (fd >= 0 && again) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0 || !path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		say_failed(path, "open");
}

/* All of them, each given back; how many are in no file. */
static uint64_t write_calls(struct call *first, const char *path)
{
	char room[MAX_LINE];
	struct sip_writer w;
	uint64_t lost = 0, in_buffer = 0;

	sip_writer_init(&w, room, sizeof(room));
	w.max = CHUNK + MAX_LINE;
	for (struct call *c = first, *next; c; c = next) {
		struct call_facts f;
		size_t before = w.len;

		next = *call_record_link(c);
		if (fd >= 0 && !call_facts(c, &f)) {
			record_print(&w, &f);
			call_facts_fini(&f);
			in_buffer++;
		} else {
			lost++;
		}
		call_unref(c);
		if (!sip_writer_ok(&w)) {
			w.len = before;
			w.failed = false;
			in_buffer--;
			lost++;
		}
		if ((w.len >= CHUNK || !next) && w.len) {
			if (write_all(path, w.buf, w.len))
				lost += in_buffer;
			w.len = 0;
			in_buffer = 0;
		}
	}
	sip_writer_fini(&w);
	return lost;
}

static int flush(void *data)
{
	struct call *first;
	uint64_t left_out;
	bool again;
	char *path;

	(void)data;
	pthread_mutex_lock(&queue.lock);
	first = queue.first;
	queue.first = queue.last = NULL;
	queue.queued = 0;
	queue.flushing = false;
	again = queue.reopen;
	queue.reopen = false;
	left_out = queue.left_out;
	queue.left_out = 0;
	path = queue.path ? strdup(queue.path) : NULL;
	pthread_mutex_unlock(&queue.lock);
	open_file(path, again);
	left_out += write_calls(first, path ? path : "");
	if (left_out && path)
		rs_event(RS_LOG_WARNING, "calls.records_left_out", RS_FI("records", left_out), RS_FZ("file", path));
	free(path);
	return 0;
}

/* ---- from elsewhere ---- */

/* Under the lock. The work on which a task is to be pushed; NULL: none. */
static struct ast_sip_work *wants_flush(void)
{
	if (queue.flushing || !work)
		return NULL;
	queue.flushing = true;
	return work;
}

static void push_flush(struct ast_sip_work *on)
{
	if (!on || !ast_sip_push_task(on, flush, NULL))
		return;
	pthread_mutex_lock(&queue.lock);
	queue.flushing = false; /* the next one tries again */
	pthread_mutex_unlock(&queue.lock);
}

void record_write(struct call *c)
{
	struct ast_sip_work *push = NULL;

	pthread_mutex_lock(&queue.lock);
	if (queue.path && queue.queued < MAX_QUEUED) {
		*call_record_link(call_ref(c)) = NULL;
		if (queue.last)
			*call_record_link(queue.last) = c;
		else
			queue.first = c;
		queue.last = c;
		queue.queued++;
		push = wants_flush();
	} else if (queue.path) {
		queue.left_out++;
	}
	pthread_mutex_unlock(&queue.lock);
	push_flush(push);
}

void record_reopen(void)
{
	struct ast_sip_work *push;

	pthread_mutex_lock(&queue.lock);
	queue.reopen = true;
	push = wants_flush();
	pthread_mutex_unlock(&queue.lock);
	push_flush(push);
}

void record_configure(struct ast_sip_snapshot *s)
{
	struct rs_str name = calls_general_str(s, GENERAL_RECORDS);
	char *path = NULL;

	if (name.len && name.p[0] != '/') {
		if (asprintf(&path, "%s/%.*s", ast_sip_state_dir(), RS_FMT(name)) < 0)
			path = NULL;
	} else if (name.len) {
		path = rs_str_dup(name);
	}
	pthread_mutex_lock(&queue.lock);
	free(queue.path);
	queue.path = path;
	pthread_mutex_unlock(&queue.lock);
	record_reopen();
}

int record_start(void)
{
	struct ast_sip_work *w = ast_sip_create_work();

	if (!w)
		return -1;
	pthread_mutex_lock(&queue.lock);
	queue.stopping = false;
	work = w;
	pthread_mutex_unlock(&queue.lock);
	return 0;
}

/* The last task of the work: what is queued, then the file. */
static int finish(void *data)
{
	flush(data);
	if (fd >= 0)
		close(fd);
	fd = -1;
	failing = false;
	pthread_mutex_lock(&queue.lock);
	free(queue.path);
	queue.path = NULL;
	pthread_mutex_unlock(&queue.lock);
	return 0;
}

void record_last(void)
{
	struct ast_sip_work *w;

	pthread_mutex_lock(&queue.lock);
	w = queue.stopping && !call_count() ? work : NULL;
	if (w)
		work = NULL;
	pthread_mutex_unlock(&queue.lock);
	if (!w)
		return;
	if (ast_sip_push_task(w, finish, NULL))
		finish(NULL); /* the pool has stopped: nobody else is there */
	ast_sip_destroy_work(w);
}

void record_stop(void)
{
	pthread_mutex_lock(&queue.lock);
	queue.stopping = true;
	pthread_mutex_unlock(&queue.lock);
	record_last();
}
