/* What the files of the watch of calls share. */
#ifndef SIM_CALL_WATCH_PRIVATE_H
#define SIM_CALL_WATCH_PRIVATE_H

#include "sim_call_msg.h"
#include "sim_call_watch.h"

#define T1  (500 * SIM_MS)
#define T2  (4 * SIM_SECOND)
#define T64 (64 * T1)
/* Work on a slow machine; and how much before its time a thing may come. */
#define SLACK (1500 * SIM_MS)
#define EARLY (150 * SIM_MS)
#define NEVER (INT64_MAX / 2)

/* An INVITE that was answered 2xx. */
struct accepted {
	struct accepted *next;
	uint32_t cseq;
	bool ours; /* the 2xx is the party's */
	uint64_t bytes, ack_bytes;
	unsigned finals, acks, owed; /* owed: 2xx that came since the last ACK went, the first ACK gone */
	int64_t first_at, last_at, acked_at, interval, owed_at;
};

struct reliable {
	struct reliable *next;
	uint32_t rseq, cseq;
	int64_t came_at, pracked_at;
	bool offers; /* has SDP */
};

/* A request that was sent inside. */
struct told {
	struct told *next;
	uint64_t branch, bytes;
};

struct dialog {
	struct dialog *next;
	char own_tag[80], peer_tag[80];
	int64_t confirmed_at, bye_sent_at, bye_came_at,
		gone_at; /* 0: not; came: and was accepted; gone: a request was answered 481 or 408 */
	uint32_t cseq;
	uint32_t last_rseq;
	unsigned expires;
	int64_t refreshed_at;
	struct accepted *accepted;
	struct reliable *reliable;
	struct told *told;
};

struct leg {
	struct leg *next;
	char call_id[128], subject[64], own_tag[80], caller_tag[80], peer[SIP_ADDR_TEXT];
	bool out, timer; /* out: the party sent the INVITE; timer: it says that it knows session timers */
	bool offered;    /* the INVITE had SDP */
	bool dialogs_confirmed;
	bool late, vague; /* answers came when the INVITE had, or may have, been given up */
	uint32_t cseq;    /* of the last INVITE that began it */
	unsigned status;  /* of the final response of 300 and more */
	int64_t invited_at, provisional_at, cancelled_at, refused_at;
	struct dialog *dialogs;
};

struct sim_call_watch {
	const char *name;
	struct sim_call_rules rules;
	struct leg *legs;
};

#define broken(w, leg, ...) watch_broken((w), (leg), __LINE__, __FILE_NAME__, __VA_ARGS__)
_Noreturn void watch_broken(const struct sim_call_watch *w, const struct leg *leg, int line, const char *file,
			    const char *fmt, ...) RS_PRINTF(5, 6);

/* sim_call_rules.c */
/* When the party began to end that dialog, or it ended; NEVER. */
int64_t watched_end(const struct dialog *d);
/* Nothing of another leg's in the headers. */
void rules_of_privacy(const struct sim_call_watch *w, const struct leg *leg, const struct sim_call_msg *m);
/* When traffic has ended. */
void rules_of_the_end(const struct sim_call_watch *w);
void check_session(const struct sim_call_watch *w, const struct leg *leg, const struct dialog *d);

#endif
