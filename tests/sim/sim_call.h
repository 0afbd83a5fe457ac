/*
 * Simulated phones that call each other: user agents by RFC 3261, 3262, 3311 and 4028 of their own, over UDP, through a
 * server or from one to the other. What each does next is drawn from the seed: whom it calls and when, whether it
 * rings, answers, refuses, redirects or says nothing, reliably or not, early or late; when it gives up, holds,
 * refreshes, sends, and hangs up; and it answers by the rules whatever comes. Every call ends by itself.
 *
 * A phone that crashes forgets all and is silent; started again it is at its old address, and knows nothing.
 */
#ifndef SIM_CALL_H
#define SIM_CALL_H

#include "sim_run.h"

struct sim_call_phone;
struct sim_call_watch;

struct sim_call_plan {
	/* Whom phone n calls: the Request-URI, and the address that it is sent to. */
	void (*whom)(unsigned n, char *uri, size_t uri_size, char *hop, size_t hop_size);
	unsigned phones;
	int64_t pause_us;  /* between two calls of a phone, at most */
	int64_t length_us; /* of most calls, at most */
};

/* Phone n at 10.0.1.n+1:5060, user un; it begins to call after a while. The plan must stay. */
struct sim_call_phone *sim_call_phone_new(unsigned n, const struct sim_call_plan *plan);
void sim_call_phone_free(struct sim_call_phone *p);
/* What is sent and received by it is shown to w (NULL: nobody any more). */
void sim_call_phone_watch(struct sim_call_phone *p, struct sim_call_watch *w);
void sim_call_phone_crash(struct sim_call_phone *p);
void sim_call_phone_restart(struct sim_call_phone *p);
/* It calls nobody any more; what is under way goes on. */
void sim_call_phone_calm(struct sim_call_phone *p);
/* No call and no transaction is under way. */
bool sim_call_phone_idle(const struct sim_call_phone *p);

/* What happened, to see that a simulation did anything. */
struct sim_call_stats {
	unsigned long called, connected, refused, unanswered, cancelled, late_2xx, forks; /* of callers */
	unsigned long answered, no_ack, reliable;                                         /* of who was called */
	unsigned long inside, reinvites, updates, glares, byes, expired, lost, strays;
};
extern struct sim_call_stats sim_call_stats;

#endif
