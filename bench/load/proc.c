#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROCESSES 256

struct stat_line {
	pid_t pid, parent;
	unsigned long long ticks;
};

static int read_stat(pid_t pid, struct stat_line *out)
{
	char path[64], line[1024];
	unsigned long long user, system;
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL; /* the name before it may hold anything */
	fclose(f);
	if (!p ||
	    sscanf(p + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &out->parent, &user, &system) != 3)
		return -1;
	out->pid = pid;
	out->ticks = user + system;
	return 0;
}

static uint64_t read_memory(pid_t pid)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Pss: %llu", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

/* All processes below pid, and pid itself, which stands first. */
static unsigned family(pid_t pid, struct stat_line *out)
{
	static struct stat_line all[8192];
	unsigned n_all = 0, n = 0;
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir)) && n_all < sizeof(all) / sizeof(all[0])) {
		if (isdigit((unsigned char)e->d_name[0]) && !read_stat((pid_t)strtol(e->d_name, NULL, 10), &all[n_all]))
			n_all++;
	}
	if (dir)
		closedir(dir);
	if (read_stat(pid, &out[0]))
		return 0;
	n = 1;
	for (unsigned done = 0; done < n; done++) {
		for (unsigned i = 0; i < n_all && n < MAX_PROCESSES; i++) {
			if (all[i].parent == out[done].pid && all[i].pid != pid)
				out[n++] = all[i];
		}
	}
	return n;
}

void proc_read(pid_t pid, int with_memory, struct proc_usage *out)
{
	struct stat_line lines[MAX_PROCESSES] = {0};

	*out = (struct proc_usage){.processes = pid ? family(pid, lines) : 0};
	for (unsigned i = 0; i < out->processes; i++) {
		out->cpu_s += (double)lines[i].ticks / (double)sysconf(_SC_CLK_TCK);
		if (with_memory)
			out->memory_kib += read_memory(lines[i].pid);
	}
}
