/* What the tests of the base layer share. */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/taskpool.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A task that calls a function: for tests only, the real ones are embedded in their owners. */
struct job_task {
	struct rs_task task;
	void (*fn)(void *data);
	void *data;
};

static inline void job_task_run(struct rs_task *task)
{
	struct job_task *j = rs_container_of(task, struct job_task, task);
	void (*fn)(void *) = j->fn;
	void *data = j->data;

	free(j);
	fn(data);
}

static inline void push_fn(struct rs_serializer *s, void (*fn)(void *data), void *data)
{
	struct job_task *j = calloc(1, sizeof(*j));

	assert_non_null(j);
	j->task.run = job_task_run;
	j->task.name = "test";
	j->fn = fn;
	j->data = data;
	rs_push(s, &j->task);
}

/* True as soon as cond is; false when it has not come true within half a minute. */
#define EVENTUALLY(cond)                                                                                               \
	({                                                                                                             \
		int tries_ = 0;                                                                                        \
		while (!(cond) && tries_ < 30000) {                                                                    \
			poll(NULL, 0, 1);                                                                              \
			tries_++;                                                                                      \
		}                                                                                                      \
		tries_ < 30000;                                                                                        \
	})

/* Fails the test when nobody posts within half a minute. */
static inline void wait_sem(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 30;
	while (sem_timedwait(sem, &until) < 0) {
		if (errno != EINTR)
			fail_msg("nobody posted");
	}
}

static inline void post_sem(void *sem)
{
	sem_post(sem);
}

#endif
