/*
 * The core under test: the whole server (configuration, pool, stack, pipeline, location) in one thread over the
 * simulated network at 10.0.0.1, and phones that tests play. Text is written with "\n" and sent with CRLF.
 *
 *   ct_start("[phone]\ntype=endpoint\n", NULL);
 *   struct ct_phone *p = ct_phone("10.0.0.2:5060");
 *   ct_send(p, OPTIONS);
 *   assert_int_equal(ct_status(ct_receive(p)), 200);
 *   ct_stop();
 */
#ifndef CORE_TEST_H
#define CORE_TEST_H

#include "core/core.h"
#include "res_sip/res_sip.h"
#include "sim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CT_SERVER "10.0.0.1:5060"
/* The transports that every configuration of these tests begins with. */
#define CT_TRANSPORTS                                                                                                  \
	"[udp]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5060\n"                                                    \
	"[tcp]\ntype=transport\nprotocol=tcp\nbind=10.0.0.1:5060\n"
/* Everybody is let in as `anonymous` when the identifier of these tests is registered (ct_let_all_in). */
#define CT_ANONYMOUS "[anonymous]\ntype=endpoint\naors=anonymous\n[anonymous]\ntype=aor\nmax_contacts=4\n"

/* Starts the core with CT_TRANSPORTS and pjsip (own: res_sip.conf, may be NULL), and listens. */
void ct_start(const char *pjsip, const char *own);
/* Stops it and fails when a socket, a line of the log at ERROR, or a phone's unread answer that matters is left. */
void ct_stop(void);
/* The same as a teardown; nothing when the test has stopped it itself. */
int ct_teardown(void **state);
/* Another pjsip.conf for a reload. */
void ct_write(const char *name, const char *text);
const char *ct_dir(void);
/* An identifier that gives the endpoint "anonymous". */
void ct_let_all_in(void);

struct ct_phone;
struct ct_phone *ct_phone(const char *address); /* UDP */
void ct_phone_close(struct ct_phone *p);        /* else ct_stop does */
void ct_send(struct ct_phone *p, const char *fmt, ...) RS_PRINTF(2, 3);
void ct_send_bytes(struct ct_phone *p, struct rs_str bytes);
/* The next message that came, waiting up to a second of the virtual clock; NULL: none. Valid until the phone's next. */
const char *ct_receive(struct ct_phone *p);
/* Waits longer. */
const char *ct_receive_within(struct ct_phone *p, int64_t us);
/* The status of an answer; 0: NULL or no answer. */
int ct_status(const char *message);
/* The value of the nth line of a header, in a static buffer; NULL: none. */
const char *ct_header(const char *message, const char *name, unsigned n);
/* Answers a request that p received: its Via, From, To (with a tag), Call-ID and CSeq, and more lines. */
void ct_answer(struct ct_phone *p, const char *request, unsigned status, const char *more);

/* A request with what every one needs. method, Request-URI, unique word, more header lines ("" or each with "\n"). */
void ct_request(struct ct_phone *p, const char *method, const char *uri, const char *word, const char *more);

/* Lines that were logged since the start (or the last ct_log_clear) and contain text. */
unsigned ct_logged(const char *text);
/* The last of them, or NULL. */
const char *ct_log_line(const char *text);
/* The nth (from 0, oldest first), or NULL. */
const char *ct_log_line_nth(const char *text, unsigned n);
void ct_log_clear(void);

/* Runs what can run now. */
void ct_run(void);

#endif
