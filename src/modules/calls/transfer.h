/*
 * A transfer: the referrer (who sent REFER) moves its peer, the transferee, to somebody else. refer.c is the referrer's
 * side, its answers and notifications; transfer.c is that of all others.
 */
#ifndef MODULES_CALLS_TRANSFER_H
#define MODULES_CALLS_TRANSFER_H

#include "calls.h"

/* To whom a step is told. */
enum transfer_step {
	TRANSFER_BLIND,    /* transferee: call the target */
	TRANSFER_ATTENDED, /* transferee: take the peer of the referrer's other call */
	TRANSFER_TAKE,     /* that peer: your new one is leg */
	TRANSFER_TAKEN,    /* transferee: it came (from) */
	TRANSFER_REFUSED,  /* transferee: it did not, status says why */
	TRANSFER_PROGRESS, /* referrer: a provisional answer */
	TRANSFER_FAILED,   /* referrer: a final one, the call goes on as it was */
	TRANSFER_DONE,     /* referrer: its part is over */
};

struct transfer {
	struct shared shared;
	/* These never change. */
	struct leg *referrer, *transferee; /* referenced */
	struct ast_sip_session *replaced;  /* referenced: the referrer's other call; NULL: a blind transfer */
	struct sip_rx_data *rx;            /* referenced: the REFER */
	char *target;                      /* the Refer-To URI without its headers */
	bool tells_progress;               /* refer_blind_progress */
	/* On the referrer's serializer. */
	struct sip_dialog *dialog; /* referenced: of the subscription; NULL: there is none (any more) */
	char event[32];            /* value of Event */
	bool over;                 /* the last notification is out */
	bool hangup;               /* behind it the referrer is ended */
	/* On the transferee's serializer. */
	struct invite invite;
	struct leg *callee; /* referenced: who answered */
	/* Set before the transferee's last step. */
	struct leg *second; /* referenced: the referrer's other leg */
	struct call *call;  /* referenced: the transferee's */
};

void transfer_tell(struct transfer *t, struct leg *to, enum transfer_step step, unsigned status, struct leg *from);
/* refer.c: a step for the referrer. */
void refer_event(struct leg *leg, struct transfer *t, const struct leg_event *e);

#endif
