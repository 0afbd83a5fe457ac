/* How the daemon ends. */
#ifndef DAEMON_EXIT_H
#define DAEMON_EXIT_H

enum {
	EXIT_CLEAN = 0,
	EXIT_RUNTIME = 1, /* a listener, the state folder, memory */
	EXIT_CONFIG = 2,  /* the configuration is wrong, or a required module failed */
	EXIT_USAGE = 64,  /* the command line is wrong */
};

#endif
