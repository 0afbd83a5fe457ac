/*
 * Conversations as scripts: the stack on the simulated network, one phone, and a transaction user that writes down
 * what it hears. Time moves only where a script says so, and packets take none.
 *
 *   call_start(UDP);
 *   phone_sends("INVITE");
 *   user_hears("request INVITE");
 *   call_wait(200);
 *   phone_gets("100");
 *   user_answers(486);
 *   phone_gets("486");
 *   call_end();
 */
#ifndef TEST_CALL_H
#define TEST_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sim_run.h"

enum call_transport { UDP, TCP };

/* What is set before call_start holds for that call; call_end clears all. */
struct call {
	struct sip_stack_config config;
	enum call_transport transport;

	/* What the phone's next requests are made of. */
	const char *branch, *via, *call_id, *to_tag, *from_tag, *more, *uri, *body;
	unsigned cseq;
	bool no_rport;

	/* What the user does by itself. */
	unsigned answer_at_once; /* each request gets this status */
	bool stateless;          /* by sip_tsx_respond_stateless */
	bool no_user;            /* sets none on server transactions */
	void (*on_response)(struct sip_tsx *tsx, unsigned status);
	/* Asked first; true: the user hears nothing of it. */
	bool (*on_request)(struct sip_tsx *tsx, struct sip_rx_data *rx);

	struct sip_tsx *server;      /* of the last request that the user heard, referenced */
	struct sip_rx_data *request; /* it */
	struct sip_tsx *client;      /* of the last user_sends, referenced */
	int result, error;           /* of the last thing that the user did */
	int holds;                   /* module handles taken and not given back */
	struct rs_str last;          /* what the phone got last */
};
extern struct call call;

void call_start(enum call_transport transport);
/* All transactions must have gone: time goes by until they have. */
void call_end(void);
/* The same without waiting: the stack is stopped in the middle. */
void call_stop(void);
void call_wait(int64_t ms);

/* "INVITE", "ACK", …: a request made of the fields above. */
void phone_sends(const char *method);
void phone_sends_text(const char *text);
/* A response to the last request that the phone got: status, To tag ("" : none). */
void phone_answers(unsigned status, const char *to_tag);
void phone_answers_invite(unsigned status, const char *to_tag); /* to the last INVITE, whatever came after it */
/* The next message that the phone got by now begins with "SIP/2.0 486" for "486", else with the text. It is call.last.
 */
void phone_gets(const char *what);
/* The same, and it has the same bytes as the one before. */
void phone_gets_again(void);
/* The same, so many milliseconds after the one before (and at most two ticks of the wheel more). Time goes by. */
void phone_gets_again_after(int64_t ms);
void phone_gets_nothing(void);
/* Whether call.last contains text. */
void phone_saw(const char *text);
void phone_did_not_see(const char *text);
/* The value of a header of call.last; static. */
const char *phone_header(const char *name);

/* The oldest thing heard and not yet asked for: "request INVITE", "cancel", "ack", "response 180 tag", "end TIMEOUT",
 * "terminated", "stray 200", "stray ack". */
void user_hears(const char *what);
void user_hears_nothing(void);
/* Answers call.server; result in call.result and call.error. */
void user_answers(unsigned status);
/* A request to the phone in a client transaction. */
void user_sends(const char *method);
void user_sends_for(const char *method, int64_t timeout_ms);
void user_cancels(const char *reason);
void user_terminates(struct sip_tsx *tsx);
extern const struct sip_tsx_user call_user;
/* Runs fn on the serializer of tsx. */
int call_on(struct sip_tsx *tsx, int (*fn)(void *data), void *data);
struct sip_tx_data *call_request_to_phone(const char *method);
struct sip_tsx_stats call_stats(void);

#endif
