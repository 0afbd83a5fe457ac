/*
 * The rules of RFC 3261 (with 6026 and 4320) as seen from outside: every message that the server's sockets send and
 * receive is held against them, and what the server told its services besides. The first rule that is broken ends the
 * simulation with the call flow. It reads messages by its own few lines, not by the parser that it watches.
 *
 * Of a server transaction: an answer follows a request, and never an ACK; one final answer, the same bytes to each
 * retransmission until Timer J or H has ended; no provisional one behind it; a request is handed to services once.
 * Of a client transaction: the same bytes each time, at the times of Timers A and E and no later than B and F, never
 * over a stream twice, nothing once a final response was read; an ACK for each final response to an INVITE.
 *
 * sim_server_start begins it, sim_server_stop ends it.
 */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "sim_run.h"

void sim_watch_start(void);
/* When traffic has ended: every request was answered, and every retransmission that came in time. */
void sim_watch_stop(void);

/* Shows next what passes as well; NULL: nobody. Until sim_watch_stop. */
void sim_watch_pass_on(const struct sim_net_watch *next);
/* The server crashes: it owes nobody anything any more, and nothing is looked at until it is there again. */
void sim_watch_forget(void);
void sim_watch_again(void);

/* A peer that sends what no phone would: its messages are not taken for requests that must be answered in order. */
void sim_watch_strange(const char *ip);
/* The server hands a request to its services. */
void sim_watch_delivered(struct rs_str bytes);

/* What passed, to see that a simulation did anything. */
struct sim_watch_stats {
	unsigned long requests, answers, again; /* of server transactions; retransmissions that were absorbed */
	unsigned long sent, responses;          /* of client transactions */
};
const struct sim_watch_stats *sim_watch_stats(void);

#endif
