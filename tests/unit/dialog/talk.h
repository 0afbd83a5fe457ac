/*
 * Dialogs as scripts, over those of calls (call.h): the phone speaks, a usage writes down what it hears.
 *
 *   talk_start(UDP);
 *   phone_invites("<sip:alice@10.0.0.2:5060>", "");
 *   talk_answers(200);
 *   phone_gets("200");
 *   phone_asks("ACK", 1);
 *   talk_hears("ack 1");
 *   talk_end();
 */
#ifndef TEST_TALK_H
#define TEST_TALK_H

#include "transaction/call.h"

#include "sip/dialog.h"

struct talk {
	struct sip_dialog *dlg;     /* the last made, referenced */
	struct sip_rx_data *invite; /* what it grew from, or the last request inside; referenced */
	struct sip_tsx *tsx;        /* its transaction, referenced */
	unsigned answer;            /* requests inside get this at once; 0: nothing */
	bool refuse;                /* the usage takes nothing */
	bool no_usage;              /* of the next dialog */
	bool let_go_at_bye;
	const char *rewrite; /* what a service puts in the place of each Contact */
	void (*on_response)(struct sip_rx_data *rx);
	int result, error;
};
extern struct talk talk;

void talk_start(enum call_transport transport);
/* Time goes by until all is gone, and nothing may be left. */
void talk_end(void);

/* Gives everything up, in the middle: after call_stop. */
void talk_drop(void);

/* An INVITE outside of any dialog with that Contact and more lines ("Name: value\r\n"); a dialog is made for it. */
void phone_invites(const char *contact, const char *more);
/* A request in talk.dlg, as the phone writes it: its own branch each time. */
void phone_asks(const char *method, unsigned cseq);
void phone_asks_with(const char *method, unsigned cseq, const char *more);
/* A response to the last request that the phone got, with To tag and lines. */
void phone_replies(unsigned status, const char *to_tag, const char *more);

/* By sip_dialog_respond to talk.invite. */
void talk_answers(unsigned status);
/* A UAC dialog to sip:bob@10.0.0.2 and, with send, its INVITE. */
void talk_calls(const char *uri, const char *route);
/* A request in talk.dlg, sent in a client transaction whose responses are "response INVITE 180 mine|other". */
void talk_sends(const char *method);
/* The request that talk_sends would send; the caller's. */
struct sip_tx_data *talk_request(const char *method);
/* Runs fn on the dialog's serializer. */
int talk_on(int (*fn)(void *data), void *data);

/* "INFO 2", "ack 1", "ended", "response INVITE 200 mine". */
void talk_hears(const char *what);
void talk_hears_nothing(void);
void talk_note(const char *fmt, ...) RS_PRINTF(1, 2);
void talk_lets_go(void); /* removes the usage */
extern const struct sip_dialog_usage talk_usage;
bool str_is(struct rs_str s, const char *z);

#endif
