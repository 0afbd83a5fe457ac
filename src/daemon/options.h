/* The daemon's command line. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *conf_dir;   /* -c */
	const char *state_dir;  /* -d */
	const char *module_dir; /* -m */
	const char *socket;     /* -s */
	int verbose;            /* -v, as often as given */
	bool check;             /* --check */
	char module_room[4096], socket_room[4096];
};

/* -1: go on; else the exit status: help or version was printed, or the line is wrong. */
int options_read(struct options *o, int argc, char **argv);

#endif
