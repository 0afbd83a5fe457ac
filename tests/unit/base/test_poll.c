#include "base_test.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 5000

struct reader {
	struct rs_poll p;
	struct rs_serializer *s;
	_Atomic int inside, overlaps;
	uint32_t next;
	int disorder;
	sem_t done, removed;
};

struct message {
	struct rs_task task;
	struct reader *r;
	uint32_t number;
};

static void message_run(struct rs_task *task)
{
	struct message *m = rs_container_of(task, struct message, task);
	struct reader *r = m->r;

	if (m->number != r->next++)
		r->disorder++;
	if (r->next == MESSAGES)
		sem_post(&r->done);
	free(m);
}

/* As a transport reads: the whole batch is pushed, the fd armed again, and only then anything runs. */
static void read_batch(struct rs_poll *p, uint32_t events)
{
	struct reader *r = rs_container_of(p, struct reader, p);
	uint32_t number;

	(void)events;
	if (atomic_fetch_add(&r->inside, 1))
		atomic_fetch_add(&r->overlaps, 1);
	for (int i = 0; i < 16 && recv(p->fd, &number, sizeof(number), MSG_DONTWAIT) == sizeof(number); i++) {
		struct message *m = calloc(1, sizeof(*m));

		m->task.run = message_run;
		m->task.name = "message";
		m->r = r;
		m->number = number;
		rs_push_batched(r->s, &m->task);
	}
	atomic_fetch_sub(&r->inside, 1);
	rs_poll_arm(p, EPOLLIN);
	rs_push_flush();
}

static void removed(struct rs_poll *p)
{
	struct reader *r = rs_container_of(p, struct reader, p);

	close(p->fd);
	sem_post(&r->removed);
}

static void reader_init(struct reader *r, int *peer)
{
	int fds[2];

	memset(r, 0, sizeof(*r));
	sem_init(&r->done, 0, 0);
	sem_init(&r->removed, 0, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	*peer = fds[0];
	r->s = rs_serializer_new("reader");
	assert_int_equal(rs_poll_add(&r->p, fds[1], read_batch, EPOLLIN), 0);
}

static void what_is_read_runs_in_order_whoever_reads(void **state)
{
	struct reader r;
	int peer;

	(void)state;
	assert_int_equal(rs_taskpool_start(NULL), 0);
	reader_init(&r, &peer);
	for (uint32_t i = 0; i < MESSAGES; i++)
		assert_int_equal(send(peer, &i, sizeof(i), 0), sizeof(i));
	wait_sem(&r.done);
	rs_poll_remove(&r.p, removed);
	wait_sem(&r.removed);
	rs_taskpool_stop();
	assert_int_equal(r.disorder, 0);
	assert_int_equal(r.overlaps, 0);
	close(peer);
	rs_serializer_unref(r.s);
}

struct slow {
	struct rs_poll p;
	sem_t inside, go, removed;
	_Atomic int left;
	int removed_while_inside;
};

static void slow_ready(struct rs_poll *p, uint32_t events)
{
	struct slow *s = rs_container_of(p, struct slow, p);

	(void)events;
	sem_post(&s->inside);
	wait_sem(&s->go);
	atomic_store(&s->left, 1);
}

static void slow_removed(struct rs_poll *p)
{
	struct slow *s = rs_container_of(p, struct slow, p);

	s->removed_while_inside = !atomic_load(&s->left);
	sem_post(&s->removed);
}

static void removal_ends_after_the_callback(void **state)
{
	struct slow s = {0};
	sem_t other;
	int fds[2];

	(void)state;
	sem_init(&s.inside, 0, 0);
	sem_init(&s.go, 0, 0);
	sem_init(&s.removed, 0, 0);
	sem_init(&other, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(rs_poll_add(&s.p, fds[0], slow_ready, EPOLLIN), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	wait_sem(&s.inside);
	rs_poll_remove(&s.p, slow_removed);
	push_fn(NULL, post_sem, &other);
	wait_sem(&other);
	assert_int_equal(sem_trywait(&s.removed), -1);
	sem_post(&s.go);
	wait_sem(&s.removed);
	assert_int_equal(s.removed_while_inside, 0);
	rs_taskpool_stop();
	close(fds[0]);
	close(fds[1]);
}

/* Connections come and go while they are written to; each is freed in done, so a late callback would be seen. */
struct passing {
	struct rs_poll p;
	int fds[2];
};

static _Atomic int passing_left;

static void passing_ready(struct rs_poll *p, uint32_t events)
{
	char c;

	(void)events;
	if (read(p->fd, &c, 1) == 1)
		rs_poll_arm(p, EPOLLIN);
}

static void passing_removed(struct rs_poll *p)
{
	struct passing *x = rs_container_of(p, struct passing, p);

	close(x->fds[0]);
	close(x->fds[1]);
	free(x);
	atomic_fetch_sub(&passing_left, 1);
}

static void removals_race_with_events(void **state)
{
	enum { N = 3000 };

	(void)state;
	assert_int_equal(rs_taskpool_start(NULL), 0);
	atomic_store(&passing_left, N);
	for (int i = 0; i < N; i++) {
		struct passing *x = calloc(1, sizeof(*x));

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->fds), 0);
		assert_int_equal(rs_poll_add(&x->p, x->fds[0], passing_ready, EPOLLIN), 0);
		for (int k = 0; k < 3; k++)
			assert_int_equal(write(x->fds[1], "x", 1), 1);
		rs_poll_remove(&x->p, passing_removed);
		/* Bounded, so that the test needs few descriptors. */
		while (passing_left > N - i + 100)
			sched_yield();
	}
	assert_true(EVENTUALLY(passing_left == 0));
	rs_taskpool_stop();
}

/* Reads one byte and does not arm the fd again. */
static sem_t read_once;

static void ready_once(struct rs_poll *p, uint32_t events)
{
	char c;

	(void)events;
	if (read(p->fd, &c, 1) == 1)
		sem_post(&read_once);
}

static void gone(struct rs_poll *p)
{
	(void)p;
}

static void an_fd_is_silent_until_it_is_armed_again(void **state)
{
	struct rs_poll p = {0};
	sem_t other;
	int fds[2];

	(void)state;
	sem_init(&read_once, 0, 0);
	sem_init(&other, 0, 0);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(rs_poll_add(&p, fds[0], ready_once, EPOLLIN), 0);
	assert_int_equal(write(fds[1], "xy", 2), 2);
	wait_sem(&read_once);
	for (int i = 0; i < 100; i++) {
		push_fn(NULL, post_sem, &other);
		wait_sem(&other);
	}
	assert_int_equal(sem_trywait(&read_once), -1);
	assert_int_equal(rs_poll_arm(&p, EPOLLIN), 0);
	wait_sem(&read_once);
	rs_poll_remove(&p, gone);
	assert_true(rs_taskpool_drain(30000));
	rs_taskpool_stop();
	close(fds[0]);
	close(fds[1]);
}

static void a_bad_fd_is_refused(void **state)
{
	struct rs_poll p = {0};

	(void)state;
	assert_int_equal(rs_poll_add(&p, 0, ready_once, EPOLLIN), ENOTSUP);
	assert_int_equal(rs_taskpool_start(NULL), 0);
	assert_int_equal(rs_poll_add(&p, -1, ready_once, EPOLLIN), EBADF);
	rs_taskpool_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_runs_in_order_whoever_reads),
		cmocka_unit_test(removal_ends_after_the_callback),
		cmocka_unit_test(removals_race_with_events),
		cmocka_unit_test(an_fd_is_silent_until_it_is_armed_again),
		cmocka_unit_test(a_bad_fd_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
