/*
 * Dialogs with the core above them: a phone at 10.0.0.2, endpoints of a configuration, and the core's sender, of which
 * everything that it tells is written down.
 */
#ifndef TEST_WITH_CORE_H
#define TEST_WITH_CORE_H

#include "core/core_test.h"

#include "res_sip/dialog.h"

#define BOB_CONTACT "Contact: <sip:bob@10.0.0.2:5060>\n"

struct dc {
	struct ct_phone *phone;
	struct sip_dialog *dlg; /* referenced */
	struct ast_sip_request *req;
	struct sip_rx_data *rx; /* the last request inside, referenced */
	unsigned answer;        /* to requests inside; 0: none takes them */
	void (*on_provisional)(struct ast_sip_request *req);
};
extern struct dc dc;

void dc_start(const char *pjsip, const char *own);
void dc_stop(void);
struct ast_sip_endpoint *dc_endpoint(const char *id);

/* A UAC dialog for that endpoint to uri (or its contact), with a usage. */
void dc_calls(const char *endpoint, const char *uri);
/* Sends a request in dc.dlg; what it tells is heard: "1xx 180", "final 200", "final timeout", "final error", "more
 * 200", "gone". */
void dc_sends(const char *method);
void dc_sends_for(const char *method, int timeout_ms);
/* 0 or the errno. */
int dc_cancels(void);
void dc_hears(const char *what);
void dc_hears_nothing(void);
void dc_note(const char *fmt, ...) RS_PRINTF(1, 2);
int dc_on(int (*fn)(void *data), void *data);
/* The INVITE was answered 200 by the phone, and acknowledged. */
void dc_establishes(const char *endpoint, const char *uri);
/* A request of the phone in dc.dlg. */
void dc_asked(struct ct_phone *p, const char *method, unsigned cseq, const char *more);
/* What the phone got next begins with that; it is returned. */
const char *dc_got(struct ct_phone *p, const char *what);
extern const struct sip_dialog_usage dc_usage;

#endif
