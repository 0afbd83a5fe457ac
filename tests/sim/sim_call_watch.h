/*
 * The rules of calls as seen from outside: every message that one party (the server, or a phone) sends and receives is
 * held against them. The first rule that is broken ends the simulation with the call flow. Messages are read by the few
 * lines of sim_call_msg.h.
 *
 * In each dialog of the party:
 *  - the CSeq of what it sends only grows; a retransmission has the same bytes;
 *  - each 2xx to an INVITE gets its ACK, the first one in 64*T1 and those that follow at once, always the same one; no
 *    ACK without a 2xx;
 *  - its own 2xx goes out again at the times of RFC 3261 section 13.3.1.4 until the ACK is there, always the same one,
 *    and BYE follows when none came; no BYE before that;
 *  - a dialog that a CANCEL or another branch of the fork made needless ends at once;
 *  - each reliable provisional response gets its PRACK, with its RAck;
 *  - nothing new is sent behind a BYE; CANCEL only once a provisional response came;
 *  - when the session timer has run out the dialog has ended; and each one ends.
 *
 * Between the legs of a call, when the party is the server (which leg belongs to which is told by Subject):
 *  - no leg outlives the others; no To tag but one for a caller;
 *  - Call-ID, tags and addresses of a leg are in no header of another.
 */
#ifndef SIM_CALL_WATCH_H
#define SIM_CALL_WATCH_H

#include "sim_run.h"

struct sim_call_watch;

struct sim_call_rules {
	bool between;     /* the party is the server */
	unsigned expires; /* seconds after which it notices a dead session that nobody set a timer for; 0: never */
};

struct sim_call_watch *sim_call_watch_new(const char *name, const struct sim_call_rules *rules);
void sim_call_watch_sent(struct sim_call_watch *w, const struct sip_addr *peer, struct rs_str bytes);
void sim_call_watch_received(struct sim_call_watch *w, const struct sip_addr *peer, struct rs_str bytes);
/* The party has crashed: it owes nobody anything any more. */
void sim_call_watch_forget(struct sim_call_watch *w);
/* What was answered so far must be all. Traffic has ended, the rules that speak of ends are held. Frees w. */
void sim_call_watch_end(struct sim_call_watch *w);

/* Each call that came to the party since it was last forgotten; sure: one that was passed on, or rang. */
void sim_call_watch_each(const struct sim_call_watch *w,
			 void (*each)(void *token, const char *call_id, unsigned status, bool sure), void *token);

struct sim_call_watch_stats {
	unsigned long legs, dialogs, accepted, acks, pracks, repeated; /* repeated: 2xx that came again */
};
extern struct sim_call_watch_stats sim_call_watch_stats;

#endif
