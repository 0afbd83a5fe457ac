/* What the files of the calling phones share. */
#ifndef SIM_CALL_PRIVATE_H
#define SIM_CALL_PRIVATE_H

#include "sim_call.h"
#include "sim_call_msg.h"
#include "sim_digest.h"

#define T1         (500 * SIM_MS)
#define T2         (4 * SIM_SECOND)
#define T64        (64 * T1)
#define CALL_BYTES 2500

struct call;

/* A client transaction. Kept until the phone ends. */
struct call_out {
	struct call_out *next;
	struct call *call;
	struct sim_event timer;
	bool invite, over, proceeding, cancel, cancelled; /* cancel: as soon as a provisional response is there */
	bool offered;                                     /* has SDP */
	char method[16], branch[64], uri[200], hop[40], to_tag[80];
	uint32_t cseq;
	unsigned tries;                        /* with credentials */
	char lines[700], body[400], auth[600]; /* what it is made of again when it is challenged */
	int64_t interval, gives_up;
	char bytes[CALL_BYTES], ack[CALL_BYTES]; /* ack: to a final response of 300 and more */
	size_t len, ack_len;
	/* The final response; NULL: none came. Of an INVITE: none with 2xx, those are call_2xx's. */
	void (*done)(struct call_out *o, const struct sim_call_msg *m);
};

/* A server transaction. Kept until the phone ends. */
struct call_in {
	struct call_in *next;
	struct sim_call_phone *phone;
	struct call *call;      /* NULL: of none */
	struct sim_event timer; /* Timer G */
	char method[16], branch[100], from[SIP_ADDR_TEXT];
	uint32_t cseq;
	bool invite, acked, mute; /* mute: never to be answered */
	unsigned status;          /* last sent, 0: none */
	int64_t interval, until;
	char request[CALL_BYTES], bytes[CALL_BYTES];
	size_t request_len, len;
};

/* What is sent again and again until the other side says that it has it. */
struct call_repeat {
	struct sim_event event;
	struct call *call;
	char bytes[CALL_BYTES];
	size_t len;
	uint32_t number; /* CSeq, or RSeq */
	int64_t interval, most, until;
	bool waits;
	void (*over)(struct call *c); /* nothing was heard in 64*T1 */
};

enum call_state {
	CALL_EARLY,
	CALL_UP, /* a 2xx was sent or received */
	CALL_OVER,
};

/* A dialog of the phone's. Kept until the phone ends. */
struct call {
	struct call *next;
	struct sim_call_phone *phone;
	enum call_state state;
	bool caller;
	bool timer, rel; /* knows session timers; reliable provisional responses with this peer */
	bool leaves;     /* hangs up as soon as it may */
	bool bye_sent, bye_came;
	bool quiet; /* sends nothing but what it must */
	bool peer_timer;
	char subject[64], call_id[128], local_tag[40], remote_tag[80], local[200], remote[200], target[200], hop[40];
	char uri[160]; /* caller: who was called */
	uint32_t cseq, remote_cseq;
	/* caller: the call that the INVITE was sent in, and which of its forks was taken */
	struct call *base, *winner;
	struct call_out *invite, *update; /* ours under way, the first INVITE too */
	struct call_in *asked, *first;    /* the peer's INVITE not yet answered; the one that began the call */
	struct call *twin;                /* the second dialog of one INVITE, as if a proxy had forked it */
	uint32_t invite_cseq;
	char ack[CALL_BYTES];
	size_t ack_len;
	uint32_t ack_cseq;
	struct call_repeat answer, provisional;
	uint32_t rseq, peer_rseq;
	bool sdp_offered, sdp_done; /* of the first INVITE: it offers; its answer (or ours) has gone */
	struct sim_event session;   /* refreshes, or ends it */
	unsigned expires, min_se;   /* seconds; 0: no session timer */
	bool refresher;
	int64_t refreshed_at;
	struct sim_event life; /* what it does next */
	unsigned steps, reliably,
		final; /* who is called: provisional responses to come, some of them reliably, then this */
	int64_t step_us;
	int64_t ends_at;
};

struct sim_call_phone {
	unsigned index, life;
	const struct sim_call_plan *plan;
	struct sim_peer *peer; /* NULL: it has crashed */
	struct sim_call_watch *watch;
	char address[32], user[16];
	struct sim_event next; /* when it calls somebody */
	bool calm;
	struct sim_digest digest;
	unsigned long ids;
	struct call *calls;
	struct call_out *outs;
	struct call_in *ins;
};

/* ---- sim_call.c ---- */
void *call_alloc(size_t size);
void call_send(struct sim_call_phone *p, const char *hop, const char *bytes, size_t len);
struct call *call_new(struct sim_call_phone *p, bool caller);
/* The address that a URI leads to. */
void call_hop(const char *uri, char *out, size_t size);
bool call_chance(unsigned percent);
int64_t call_draw(int64_t low, int64_t high);
/* Of both ends of a call the same, from what they both know; below bound. */
int64_t call_shared_draw(const struct call *c, int64_t bound);
/* SDP, or nothing. hold: sendonly. */
const char *call_sdp(const struct call *c, bool hold);

/* ---- sim_call_tsx.c ---- */
/* Sends a request of the call's; lines: more headers, body "": none. Counts its CSeq up. done may be NULL. */
struct call_out *call_request(struct call *c, const char *method, const char *lines, const char *body,
			      void (*done)(struct call_out *o, const struct sim_call_msg *m));
/* A request in bytes, sent by nobody yet. */
size_t call_build(const struct call *c, const char *method, uint32_t cseq, const char *branch, const char *lines,
		  const char *body, char *bytes);
void call_branch(struct sim_call_phone *p, char *out, size_t size);
/* CANCEL, at once or when it is allowed. */
void call_cancel(struct call_out *o);
void call_response_came(struct sim_call_phone *p, const struct sim_call_msg *m);
struct call_in *call_in_find(struct sim_call_phone *p, const char *branch, const char *method);
struct call_in *call_in_new(struct sim_call_phone *p, const struct sim_call_msg *m, const struct sip_addr *from);
void call_in_again(struct call_in *in);
void call_in_acked(struct call_in *in);
/* Answers it; tag: for To when it has none yet. A 2xx to an INVITE is repeated by the call's answer. */
void call_answer(struct call_in *in, unsigned status, const char *tag, const char *lines, const char *body);
void call_repeat_start(struct call_repeat *r, struct call *c, const struct call_in *in, uint32_t number, int64_t most,
		       void (*over)(struct call *c));
void call_repeat_stop(struct call_repeat *r);

/* ---- sim_call_out.c: who calls ---- */
void call_somebody(struct sim_call_phone *p);
void call_1xx(struct call_out *o, const struct sim_call_msg *m);
void call_2xx(struct call_out *o, const struct sim_call_msg *m);
/* The forks of one INVITE: the call with that remote tag, made if there is none. */
struct call *call_fork(struct call_out *o, const struct sim_call_msg *m);

/* ---- sim_call_in.c: who is called ---- */
void call_offered(struct call_in *in, const struct sim_call_msg *m);
void call_cancelled(struct call_in *in, const struct sim_call_msg *m);

/* ---- sim_call_inside.c: both, in a dialog ---- */
void call_asked(struct call *c, struct call_in *in, const struct sim_call_msg *m);
void call_acked(struct call *c, const struct sim_call_msg *m);
/* The 2xx of an INVITE, ours or the peer's, or of a refresh. */
void call_is_up(struct call *c);
void call_hangup(struct call *c);
void call_over(struct call *c);
/* Sends ours (in its transaction) and repeats it until its ACK. */
void call_answer_2xx(struct call *c, struct call_in *in, const char *lines, const char *body);
/* The lines about the session timer for our 2xx to m, which takes it on. */
void call_timer_answer(struct call *c, const struct sim_call_msg *m, char *lines, size_t size);
/* A 2xx to our INVITE or UPDATE. */
void call_timer_answered(struct call *c, const struct sim_call_msg *m);
/* What our INVITE or UPDATE says of it. */
void call_timer_ask(const struct call *c, char *lines, size_t size);
#define CALL_ALLOW "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, MESSAGE, OPTIONS\r\n"

#endif
