/* What the stages of the request pipeline share (section 5 of the reference). */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/registered.h"

/* What the pipeline knows of a request; lives with it. Written on the request's serializer. */
struct ast_sip_rx_state {
	struct ast_sip_snapshot *snapshot; /* pinned */
	struct ast_sip_endpoint *endpoint; /* referenced */
	struct rs_str auth_username;       /* in the message's arena */
	bool authenticated;
	/* An answer on its way from another serializer. */
	_Atomic(struct sip_tx_data *) late;
	struct sip_tsx *late_tsx;
};

int ast_sip_rx_state_start(void); /* takes the slot; 0 or -1 */
void ast_sip_rx_state_stop(void);
/* Made when first asked for; NULL without memory. */
struct ast_sip_rx_state *ast_sip_rx_state_get(struct sip_rx_data *rx);
void ast_sip_rx_set_authenticated(struct sip_rx_data *rx);

/* filter.c: what is refused before anybody is asked who he is. true: answered. */
bool ast_sip_filter_request(const struct ast_sip_registered *r, struct sip_rx_data *rx);
/* strip.c: the Contacts of rx lose URI parameters that are the server's own. */
void ast_sip_strip_own_params(struct sip_rx_data *rx);
/* identify.c: afterwards rx has its endpoint, the artificial one for a stranger. -1: no memory. */
int ast_sip_identify_request(struct sip_rx_data *rx);
/* The same in a dialog of endpoint, which nobody needs to look for. */
int ast_sip_identify_in_dialog(struct sip_rx_data *rx, struct ast_sip_endpoint *endpoint);
/* authenticate.c: true: answered. */
bool ast_sip_authenticate_stage(const struct ast_sip_registered *r, struct sip_rx_data *rx);

/* dialog.c: a request inside, authenticated as far as it has to be. */
void ast_sip_dialog_request(struct sip_rx_data *rx);

/* unidentified.c (section 10 of the reference). */
void ast_sip_unidentified_seen(struct sip_rx_data *rx);          /* counts, and logs when it is time */
void ast_sip_unidentified_forget(const struct sip_addr *source); /* it identified or authenticated */
void ast_sip_unidentified_clear(void);
/* Drops entries that are older than four times the period. */
void ast_sip_unidentified_prune(void);

/* security.c: NOTICE with an addition to the reason. */
void ast_sip_request_failed_notice_more(struct sip_rx_data *rx, const char *reason, const char *more);

/* budget.c */
struct ast_sip_snapshot;
void ast_sip_budget_configure(struct ast_sip_snapshot *s);
/* An answer that is no success goes to peer, for a request read at now_us. */
void ast_sip_budget_failed(const struct sip_addr *peer, int64_t now_us);
int ast_sip_budget_start(struct ast_sip_snapshot *s); /* 0, or -1 without memory */
void ast_sip_budget_stop(void);
enum ast_sip_standing {
	AST_SIP_STANDING_CLEAN,
	AST_SIP_STANDING_VERIFIED, /* authenticated lately, identified by address, or trusted */
	AST_SIP_STANDING_SPENT     /* failed more often than its budget allows */
};
enum ast_sip_standing ast_sip_budget_standing(const struct sip_addr *peer);
/* overload.c */
void ast_sip_overload_configure(struct ast_sip_snapshot *s);
/* New requests get 503 from now on, until the next configure. */
void ast_sip_overload_stop(void);
/* A new request whose turn has come when its sender has sent again or given up: true: it has been refused. */
bool ast_sip_overload_late(struct sip_tsx *tsx, struct sip_rx_data *rx);

/* digest.c: makes what digests need. 0, or -1 without memory: then the next digest tries again. */
int ast_sip_digest_start(void);
/* Before the first load of a configuration: has HA1 kept with auth objects. */
void ast_sip_digest_prepare(void);
/* nonce.c: the core's own. 0 or -1. */
int ast_sip_nonce_start(void);
int ast_sip_nonce_make(struct sip_rx_data *rx, struct rs_str realm, char *buf, size_t size);

/* work.c: whether tasks are taken (between start and stop). */
void ast_sip_work_open(bool open);

#endif
