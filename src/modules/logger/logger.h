/* What the files of the packet trace share. */
#ifndef MODULES_LOGGER_H
#define MODULES_LOGGER_H

#include "sip/transport.h"

#include <stdio.h>

/* One traced message on its way to the log or the file: a copy, so that nobody waits. */
struct logger_packet {
	bool received;
	enum sip_transport_type type;
	struct sip_addr local, remote;
	int64_t wall_us;
	size_t len;
	char bytes[];
};

/* pcap.c: a capture file that Wireshark reads (raw IP, every message as UDP). NULL with errno. */
FILE *pcap_open(const char *path);
/* 0, or -1 when the file could not be written. */
int pcap_write(FILE *f, const struct logger_packet *p);

/* print.c: the message in the log, credentials masked. */
void logger_print(const struct logger_packet *p);

#endif
