/*
 * What a request of our own, or a dialog, is made from: who it is for, where it goes, who it is from (section 19 of the
 * reference).
 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "res_sip/location.h"
#include "sip/msg.h"

/* Texts of headers that are made here; what does not fit is refused. */
#define PLAN_TEXT 1024

struct plan {
	struct ast_sip_snapshot *snapshot;
	struct ast_sip_endpoint *endpoint; /* NULL: none */
	struct rs_str uri;                 /* Request-URI */
	struct rs_str route;               /* Route values before it */
	struct sip_target target;
	bool has_target;
	struct sip_addr registered;        /* where the binding's REGISTER came from; family 0: no binding */
	struct ast_sip_contacts *contacts; /* holds what uri and route point into */
	char uri_text[SIP_MAX_URI];        /* request_plan_new leaves it as it is */
};
/* A clear one, to be freed; NULL without memory. */
struct plan *request_plan_new(void);

/* What stands in the Request-URI: a binding, a URI, or (both NULL or empty) the first contact of the endpoint. */
struct plan_aim {
	struct rs_str uri;
	const struct ast_sip_contact *contact;
	struct rs_str user; /* replaces the URI's; may be empty */
	bool phone;         /* the endpoint's user_eq_phone counts */
};
/* 0 or -1 (ENOENT, EINVAL); request_plan_end in both cases. endpoint NULL: the default outbound one. p is clear. */
int request_plan_make(struct plan *p, struct ast_sip_endpoint *endpoint, const struct plan_aim *aim);
void request_plan_end(struct plan *p);

/* Texts, into buf; the length, or -1 (EINVAL: it does not fit). The From's user is from_user, else the endpoint's name,
 * or in a dialog default_from_user. */
int request_plan_from(const struct plan *p, bool dialog, char *buf, size_t size);
int request_plan_contact(const struct ast_sip_endpoint *endpoint, char *buf, size_t size);
/* The endpoint's outbound_proxy; empty: none. */
struct rs_str request_plan_proxy(const struct plan *p);
/* A URI as a Route value. */
int request_plan_route(struct rs_str uri, char *buf, size_t size);
/* The target that is known, and what is wanted of one that is not. false: nothing is. */
bool request_plan_target(const struct plan *p, struct sip_target *out);

#endif
