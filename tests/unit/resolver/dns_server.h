/*
 * A DNS server on the loopback, in a thread of the test. It answers by the first label of the name: "silent" not at
 * all, "broken" SERVFAIL, "missing" NXDOMAIN; everything else has the A record 127.0.0.2, and "both" the AAAA record
 * 2001:db8::7 too.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <stddef.h>
#include <stdint.h>

void dns_server_start(void);
/*
 * Answers that are none, before the others are thought of: packet has room for DNS_PACKET bytes and holds the header of
 * an answer without records and the question, which ends at end; label is the first of the name, in lower case. Returns
 * the length, 0: the usual answer. Set before the start.
 */
#define DNS_PACKET 4096
extern size_t (*dns_server_lie)(unsigned char *packet, size_t end, uint16_t type, const char *label);
void dns_server_stop(void);
/* "127.0.0.1@port" */
const char *dns_server_forward(void);

#endif
