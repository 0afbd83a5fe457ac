/*
 * What stands above the transports in these tests: it records what arrives, in the order in which tasks of one Call-ID
 * ran, and can answer. Messages to be sent are bytes that need no seal.
 */
#ifndef TEST_OBSERVER_H
#define TEST_OBSERVER_H

#include "sip/stack.h"
#include "sip/transport/rx_private.h"
#include "sip/transport/tp.h"

#define OBSERVER_WAIT_MS 10000

struct observer_options {
	unsigned threads; /* 0: 2 */
	bool answer;      /* 200 to every request but ACK */
};

/* Starts pool and transports; config may be NULL. Group set-up of a test is free to change sip_tp.limits after it. */
void observer_start(const struct sip_stack_config *config, struct observer_options options);
void observer_stop(void);

/* Every pool thread has ended what it did, its sends included. */
void observer_quiet(void);
/* Waits until n messages have come since the start, false after OBSERVER_WAIT_MS. */
bool observer_wait(unsigned n);
unsigned observer_count(void);
/* Message i, of the observer. */
struct sip_rx_data *observer_rx(unsigned i);
/* The bytes that were sealed, last: type and local address of the Via of our own. */
struct sip_addr observer_sealed_local(void);

struct sip_addr observer_listen(const char *name, enum sip_transport_type type, const char *bind);
struct sip_listener_stats observer_stats(const char *name);

/* A message to be sent. */
struct sip_tx_data *observer_tx(const struct sip_target *target, struct rs_str bytes, bool request);

/* A result that can be waited for. */
struct observer_result {
	struct sip_send_result r;
	int failed; /* how often */
	int held;
};
void observer_result_init(struct observer_result *r);
/* The errno of the failure; 0: none came in time. */
int observer_result_wait(struct observer_result *r);
int observer_result_held(struct observer_result *r);

/* ---- plain sockets of the other side ---- */

int peer_udp(const char *bind);          /* bound to port 0 */
int peer_tcp(const struct sip_addr *to); /* connected */
int peer_listen(const char *bind, struct sip_addr *bound);
struct sip_addr peer_addr(int fd); /* its own */
void peer_send_to(int fd, const struct sip_addr *to, struct rs_str bytes);
void peer_write(int fd, struct rs_str bytes);
/* One datagram / what a stream has; -1: nothing came in 5 s; 0: the end. */
ssize_t peer_read(int fd, char *buf, size_t n);
ssize_t peer_read_from(int fd, char *buf, size_t n, struct sip_addr *from);
/* Reads a stream until text has come; false: it ended or nothing came. */
bool peer_expect(int fd, const char *text);
/* The stream ends, whatever comes before. */
bool peer_expect_end(int fd);
struct sip_addr addr(const char *text);

/* An OPTIONS request; via: "UDP 127.0.0.1:5060;rport" and so on; buf is the caller's. */
struct rs_str options_request(char *buf, size_t n, const char *via, const char *call_id, unsigned cseq, size_t body);

#endif
