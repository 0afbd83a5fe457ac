#include "options.h"
#include "exit.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *to)
{
	fputs("usage: res_sipd -c CONFDIR [-d STATEDIR] [-m MODULEDIR] [-s CONTROLSOCKET] [-v]\n"
	      "       res_sipd --check -c CONFDIR [-m MODULEDIR]\n"
	      "\n"
	      "  -c CONFDIR        where pjsip.conf, modules.conf and res_sip.conf are\n"
	      "  -d STATEDIR       where bindings are kept; made when missing (" STATE_DIR ")\n"
	      "  -m MODULEDIR      where the modules are\n"
	      "  -s CONTROLSOCKET  where res_sip connects to (STATEDIR/res_sip.ctl)\n"
	      "  -v                more lines in the log; twice: all\n"
	      "  --check           only says whether the configuration is right\n"
	      "  --version, --help\n",
	      to);
}

/* In a build folder the modules lie beside the program. */
static const char *default_module_dir(struct options *o)
{
	char self[3072], beside[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return MODULE_DIR;
	self[n] = '\0';
	snprintf(beside, sizeof(beside), "%s", dirname(self));
	if (strcmp(beside, BINARY_DIR) == 0)
		return MODULE_DIR;
	if (snprintf(o->module_room, sizeof(o->module_room), "%s/modules", beside) >= (int)sizeof(o->module_room) ||
	    access(o->module_room, X_OK))
		return MODULE_DIR;
	return o->module_room;
}

static int wrong(const char *what)
{
	fprintf(stderr, "res_sipd: %s\n", what);
	usage(stderr);
	return EXIT_USAGE;
}

static int fill_in(struct options *o)
{
	if (!o->conf_dir)
		return wrong("-c CONFDIR is missing");
	if (!o->state_dir)
		o->state_dir = STATE_DIR;
	if (!o->module_dir)
		o->module_dir = default_module_dir(o);
	if (o->socket)
		return -1;
	if (snprintf(o->socket_room, sizeof(o->socket_room), "%s/res_sip.ctl", o->state_dir) >=
	    (int)sizeof(o->socket_room))
		return wrong("the name of the state folder is too long");
	o->socket = o->socket_room;
	return -1;
}

int options_read(struct options *o, int argc, char **argv)
{
	enum { CHECK = 256, HELP, VERSION };
	static const struct option names[] = {
		{"check", no_argument, NULL, CHECK},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	int c;

	memset(o, 0, sizeof(*o));
	while ((c = getopt_long(argc, argv, "c:d:m:s:vh", names, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf_dir = optarg;
			break;
		case 'd':
			o->state_dir = optarg;
			break;
		case 'm':
			o->module_dir = optarg;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'v':
			o->verbose++;
			break;
		case CHECK:
			o->check = true;
			break;
		case 'h':
		case HELP:
			usage(stdout);
			return EXIT_CLEAN;
		case VERSION:
			printf("res_sipd %s\n", RES_SIP_VERSION);
			return EXIT_CLEAN;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	return optind < argc ? wrong("there is a word too many") : fill_in(o);
}
