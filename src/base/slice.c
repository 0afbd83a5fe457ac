/* sched_setattr(2), for which not every C library has a function yet. */
#include "base/slice.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct sched_attr as it was first; it knows the version by the size. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int get(struct attributes *a)
{
	return syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0) ? errno : 0;
}

int rs_slice_shorten(void)
{
	struct attributes a = {.size = sizeof(a)};
	int err = get(&a);

	if (err || a.policy != SCHED_OTHER)
		return err;
	/* Of an ordinary thread the runtime is the slice. What is not changed keeps its value: nice is in there. */
	a.flags = 0;
	a.runtime = RS_SLICE_NS;
	return syscall(SYS_sched_setattr, 0, &a, 0) ? errno : 0;
}

uint64_t rs_slice_ns(void)
{
	struct attributes a = {.size = sizeof(a)};

	return get(&a) || a.policy != SCHED_OTHER ? 0 : a.runtime;
}
