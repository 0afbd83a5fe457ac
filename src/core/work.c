/* The design's works and tasks over the taskpool. */
#include "core/work.h"
#include "core/pipeline.h"
#include "base/slab.h"

#include <errno.h>
#include <stdlib.h>

/* A work that a module made: it is counted as the module's until it goes. */
struct made_work {
	struct ast_sip_work work;
	struct ast_sip_module *owner;
};

struct pushed {
	struct rs_task task;
	int (*fn)(void *data);
	void *data;
	struct ast_sip_module *owner;
};

static struct rs_slab pushed_slab = {.name = "tasks", .size = sizeof(struct pushed), .keep = 256};
static _Atomic bool is_open = true;

void ast_sip_work_prepare(void)
{
	static bool done;

	if (!done)
		rs_slab_register(&pushed_slab);
	done = true;
}

void ast_sip_work_open(bool open)
{
	atomic_store_explicit(&is_open, open, memory_order_release);
}

static void hold(struct ast_sip_module *owner, int delta, const char *what)
{
	if (owner)
		ast_sip_module_hold_for(owner, delta, what);
}

/* ---- works ---- */

static void release(struct rs_serializer *s)
{
	struct made_work *w = (struct made_work *)(void *)s;
	struct ast_sip_module *owner = w->owner;

	free(w);
	hold(owner, -1, "work");
}

struct ast_sip_work *ast_sip_create_work_for(struct ast_sip_module *owner, const char *name)
{
	struct made_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->owner = owner;
	rs_serializer_init(&w->work.serializer, name ? name : "work", release);
	hold(owner, 1, "work");
	return &w->work;
}

void ast_sip_destroy_work(struct ast_sip_work *work)
{
	/* The queue holds a reference as long as tasks wait. */
	if (work)
		rs_serializer_unref(&work->serializer);
}

struct ast_sip_work *ast_sip_current_work(void)
{
	return ast_sip_work_of(rs_serializer_current());
}

struct rs_serializer *ast_sip_work_serializer(struct ast_sip_work *work)
{
	return work ? &work->serializer : NULL;
}

struct ast_sip_work *ast_sip_serializer_work(struct rs_serializer *serializer)
{
	return ast_sip_work_of(serializer);
}

struct rs_serializer *ast_sip_callers_serializer(void)
{
	struct rs_serializer *s = rs_serializer_current();

	return s ? rs_serializer_ref(s) : rs_serializer_new("request");
}

/* ---- tasks ---- */

static void run_pushed(struct rs_task *task)
{
	struct pushed *p = rs_container_of(task, struct pushed, task);
	struct ast_sip_module *owner = p->owner;

	p->fn(p->data);
	rs_slab_free(&pushed_slab, p);
	hold(owner, -1, "task");
}

static bool refused(void)
{
	if (atomic_load_explicit(&is_open, memory_order_acquire))
		return false;
	errno = ESHUTDOWN;
	return true;
}

int ast_sip_push_task_for(struct ast_sip_module *owner, const char *name, struct ast_sip_work *work,
			  int (*task)(void *data), void *data)
{
	struct pushed *p;

	if (refused())
		return -1;
	p = rs_slab_alloc(&pushed_slab);
	if (!p) {
		errno = ENOMEM;
		return -1;
	}
	*p = (struct pushed){
		.task = {.run = run_pushed, .name = name, .module = owner}, .fn = task, .data = data, .owner = owner};
	hold(owner, 1, "task");
	rs_push(ast_sip_work_serializer(work), &p->task);
	return 0;
}

static int call_on(struct rs_serializer *s, const char *name, struct ast_sip_module *owner, int (*task)(void *data),
		   void *data, int *result)
{
	int ignored, error;

	hold(owner, 1, "task");
	error = rs_call(s, task, data, result ? result : &ignored, name, owner);
	hold(owner, -1, "task");
	if (!error)
		return 0;
	errno = error;
	return -1;
}

int ast_sip_push_task_wait_for(struct ast_sip_module *owner, const char *name, struct ast_sip_work *work,
			       int (*task)(void *data), void *data, int *result)
{
	struct rs_serializer *s;
	int rc;

	if (refused())
		return -1;
	if (work)
		return call_on(&work->serializer, name, owner, task, data, result);
	/* On no work: a thread of the pool is as good as any other. */
	if (rs_on_pool_thread()) {
		rc = task(data);
		if (result)
			*result = rc;
		return 0;
	}
	s = rs_serializer_new("call");
	if (!s) {
		errno = ENOMEM;
		return -1;
	}
	rc = call_on(s, name, owner, task, data, result);
	rs_serializer_unref(s);
	return rc;
}
