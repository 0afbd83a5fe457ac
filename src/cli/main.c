/* res_sip: runs a command on the server, or asks for commands. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a server runs that was started with `make run`, seen from the source folder. */
#define BUILD_SOCKET  "build/state/res_sip.ctl"
#define SYSTEM_SOCKET STATE_DIR "/res_sip.ctl"

static void usage(FILE *to)
{
	fputs("usage: res_sip [-s CONTROLSOCKET] [--json] [COMMAND...]\n"
	      "\n"
	      "  -s CONTROLSOCKET  of the server; else $RES_SIP_SOCKET, " SYSTEM_SOCKET ",\n"
	      "                    " BUILD_SOCKET "\n"
	      "  --json            show commands print JSON\n"
	      "  --version, --help\n"
	      "\n"
	      "Without a command it asks for one after the other. `res_sip help` lists the commands.\n",
	      to);
}

static const char *find_socket(const char *given)
{
	const char *env = getenv("RES_SIP_SOCKET");

	if (given)
		return given;
	if (env && env[0])
		return env;
	if (access(SYSTEM_SOCKET, F_OK) && access(BUILD_SOCKET, F_OK) == 0)
		return BUILD_SOCKET;
	return SYSTEM_SOCKET;
}

int main(int argc, char **argv)
{
	enum { JSON = 256, HELP, VERSION };
	static const struct option names[] = {
		{"json", no_argument, NULL, JSON},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	struct connection c;
	const char *path = NULL;
	bool json = false;
	int option, status;

	while ((option = getopt_long(argc, argv, "s:h", names, NULL)) != -1) {
		if (option == 's') {
			path = optarg;
		} else if (option == JSON) {
			json = true;
		} else if (option == VERSION) {
			printf("res_sip %s\n", RES_SIP_VERSION);
			return 0;
		} else {
			usage(option == 'h' || option == HELP ? stdout : stderr);
			return option == 'h' || option == HELP ? 0 : 64;
		}
	}
	path = find_socket(path);
	if (connection_open(&c, path)) {
		fprintf(stderr, "res_sip: no server at %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (optind < argc)
		status = command_run(&c, argc - optind, argv + optind, json);
	else
		status = interactive_run(&c, json);
	connection_close(&c);
	return status;
}
