/*
 * A DNS server on the loopback, in a thread of the test. It answers by the first label of the name: "silent" not at
 * all, "broken" SERVFAIL, "missing" NXDOMAIN; everything else has the A record 127.0.0.2, and "both" the AAAA record
 * 2001:db8::7 too.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

void dns_server_start(void);
void dns_server_stop(void);
/* "127.0.0.1@port" */
const char *dns_server_forward(void);

#endif
