/*
 * Calls as scripts: the whole core with the session module over the simulated network, one phone (a second for forks),
 * and a user of sessions that writes down what it hears. Time moves only where a script waits.
 *
 *   st_start("100rel=required\n");
 *   phone_invites("Supported: 100rel\n", "v=0");
 *   phone_gets("100");
 *   user_hears("invite");
 *   user_answers(180, NULL);
 *   phone_gets("180");
 *   st_end();
 *
 * Bodies are SDP; NULL: none. More header lines end with "\n".
 */
#ifndef SESSION_TEST_H
#define SESSION_TEST_H

#include "../core/core_test.h"
#include "res_sip/session.h"

struct st {
	struct ast_sip_session *s; /* the last one, referenced */
	struct sip_rx_data *rx;    /* of the last thing heard that has one, referenced */
	bool take;                 /* on_request says true */
	bool no_handler, no_user;
	bool manual_prack, manual_ack;
	int result, error;            /* of the last thing that the user did */
	const char *branch, *call_id; /* NULL: new ones */
	const char *last;             /* what the phone got last */
	int64_t last_at;
	const char *tag; /* the phone's */
	unsigned cseq;   /* of the phone's next request in the dialog */
	unsigned invite_cseq;
};
extern struct st st;

/* options: lines of the endpoint; own: res_sip.conf. */
void st_start(const char *options);
void st_start_with(const char *options, const char *own);
/* Everything has to be gone when time goes by. */
void st_end(void);
int st_teardown(void **state);
/* The server stops in the midst of it, without the module's unload. */
void st_stop(void);
void st_wait(int64_t ms);
struct ast_sip_session_stats st_stats(void);

/* ---- the phone calls ---- */
void phone_invites(const char *more, const char *sdp);
void phone_invites_again(void); /* the same bytes */
/* The same INVITE with another branch. */
void phone_invites_merged(void);
void phone_cancels(void);
/* A request in the dialog, CSeq counted up. */
void phone_sends(const char *method, const char *more, const char *sdp);
/* ACK of the refusal of its last INVITE, as a part of that transaction. */
void phone_acks_refusal(void);
/* ACK of the last 2xx that the phone got. */
void phone_acks(const char *sdp);
/* ACK with that CSeq number. */
void phone_acks_cseq(unsigned cseq, const char *sdp);

/* ---- the phone is called ---- */
/* An answer to the last request of that method that the phone got. */
void phone_answers(const char *method, unsigned status, const char *more, const char *sdp);
/* The same with another To tag. */
void phone_answers_as(const char *tag, const char *method, unsigned status, const char *more, const char *sdp);

/* The next message within a second: "200" or "BYE". It is st.last. */
void phone_gets(const char *what);
/* The next message comes ms after the last one (and at most 15 ms later). */
void phone_gets_after(const char *what, int64_t ms);
/* The next message, when it comes within ms. */
void phone_gets_within(const char *what, int64_t ms);
void phone_gets_nothing(int64_t ms);
void phone_saw(const char *text);
void phone_did_not_see(const char *text);
/* The value of a header of st.last; "" when it is not there. Static. */
const char *phone_header(const char *name);
/* The same of st.last's header as a number. */
unsigned phone_number(const char *name);

/* ---- the user ---- */

/*
 * The oldest thing heard and not yet asked for: "invite", "progress 180", "offer 183", "answer 200", "ack", "request
 * INFO", "reply 200" (to a request of the user's), "reply timeout", "reply error", "end bye".
 */
void user_hears(const char *what);
/* The same, when no time goes by any more; what begins with it will do. */
void user_heard(const char *what);
void user_hears_nothing(void);
void user_calls(const char *sdp, int timeout_ms);
void user_answers(unsigned status, const char *sdp);
void user_acks(const char *sdp);
void user_pracks(const char *sdp);
void user_sends(const char *method, const char *sdp, bool retry);
void user_responds(unsigned status, const char *sdp); /* to the last request heard */
void user_hangs_up(unsigned status, const char *reason);
void user_says_bye(const char *more); /* hangup_with */
enum ast_sip_session_state user_state(void);
/* A confirmed call from the phone: INVITE (with SDP), 200, ACK. */
void st_call_in(const char *more);
/* A confirmed call to the phone; more: header lines of its 200. */
void st_call_out(const char *more);
/* Runs fn on the session's serializer. */
void st_do(int (*fn)(void *data), void *data);

#define T(f) cmocka_unit_test_teardown(f, st_teardown)

#endif
