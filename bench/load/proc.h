/* What /proc says about a server: a process and all that descend from it. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdint.h>
#include <sys/types.h>

struct proc_usage {
	double cpu_s;        /* user and system time of all */
	uint64_t memory_kib; /* resident; what several share is counted once (Pss) */
	unsigned processes;
};

/* with_memory: reading it costs the kernel a walk through the page tables. */
void proc_read(pid_t pid, int with_memory, struct proc_usage *out);

#endif
