/*
 * Handlers and supplements: lists in the order of priority that are walked without a lock. What was taken out keeps its
 * link, so that whoever stands on it walks on; the loader waits for them before it unmaps the owner's code.
 */
#include "session_private.h"

#include <pthread.h>

static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;
static struct ast_sip_session_handler *handlers;
static struct ast_sip_session_supplement *supplements;

#define FIRST(list)     __atomic_load_n(&(list), __ATOMIC_ACQUIRE)
#define LINK(at, value) __atomic_store_n((at), (value), __ATOMIC_RELEASE)

static void hold(struct ast_sip_module *owner, int delta, const char *what)
{
	if (owner)
		ast_sip_module_hold_for(owner, delta, what);
}

int ast_sip_session_register_handler_for(struct ast_sip_module *owner, struct ast_sip_session_handler *h)
{
	struct ast_sip_session_handler **at = &handlers;

	if (h->size != sizeof(*h) || !h->name || !h->on_invite) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&writers);
	while (*at && (*at)->priority <= h->priority)
		at = &(*at)->next;
	h->owner = owner;
	LINK(&h->next, *at);
	LINK(at, h);
	pthread_mutex_unlock(&writers);
	hold(owner, 1, "session handler");
	return 0;
}

void ast_sip_session_unregister_handler(struct ast_sip_session_handler *h)
{
	struct ast_sip_session_handler **at = &handlers;
	bool found;

	pthread_mutex_lock(&writers);
	while (*at && *at != h)
		at = &(*at)->next;
	found = *at;
	if (found)
		LINK(at, h->next);
	pthread_mutex_unlock(&writers);
	if (found)
		hold(h->owner, -1, "session handler");
}

int ast_sip_session_register_supplement_for(struct ast_sip_module *owner, struct ast_sip_session_supplement *p)
{
	struct ast_sip_session_supplement **at = &supplements;

	if (p->size != sizeof(*p) || !p->name) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&writers);
	while (*at && (*at)->priority <= p->priority)
		at = &(*at)->next;
	p->owner = owner;
	LINK(&p->next, *at);
	LINK(at, p);
	pthread_mutex_unlock(&writers);
	hold(owner, 1, "session supplement");
	return 0;
}

void ast_sip_session_unregister_supplement(struct ast_sip_session_supplement *p)
{
	struct ast_sip_session_supplement **at = &supplements;
	bool found;

	pthread_mutex_lock(&writers);
	while (*at && *at != p)
		at = &(*at)->next;
	found = *at;
	if (found)
		LINK(at, p->next);
	pthread_mutex_unlock(&writers);
	if (found)
		hold(p->owner, -1, "session supplement");
}

bool session_offer_to_handlers(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	for (struct ast_sip_session_handler *h = FIRST(handlers); h; h = FIRST(h->next)) {
		if (h->on_invite(s, rx))
			return true;
	}
	return false;
}

/* Whether a comma-separated list names method; NULL names all. */
static bool concerns(const char *list, struct rs_str method)
{
	for (const char *p = list; p && *p;) {
		const char *end = strchr(p, ',');
		size_t n = end ? (size_t)(end - p) : strlen(p);

		if (rs_str_ieq(rs_str_trim(rs_str_n(p, n)), method))
			return true;
		p += n + (end != NULL);
	}
	return !list;
}

#define EACH_SUPPLEMENT(p) for (struct ast_sip_session_supplement *p = FIRST(supplements); p; p = FIRST(p->next))

void session_supplements_begin(struct ast_sip_session *s)
{
	s->begun = true;
	EACH_SUPPLEMENT(p)
	{
		if (p->session_begin)
			p->session_begin(s);
	}
}

void session_supplements_end(struct ast_sip_session *s)
{
	EACH_SUPPLEMENT(p)
	{
		if (p->session_end)
			p->session_end(s);
	}
}

bool session_supplements_request_in(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	EACH_SUPPLEMENT(p)
	{
		if (p->incoming_request && concerns(p->method, sip_rx_msg(rx)->method_text) &&
		    p->incoming_request(s, rx))
			return true;
	}
	return false;
}

void session_supplements_response_in(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	EACH_SUPPLEMENT(p)
	{
		if (p->incoming_response && concerns(p->method, sip_rx_msg(rx)->cseq_method))
			p->incoming_response(s, rx);
	}
}

void session_supplements_out(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct rs_str method = sip_tx_is_request(tx) || sip_tx_method(tx) == SIP_METHOD_OTHER
				       ? sip_tx_method_text(tx)
				       : sip_method_name(sip_tx_method(tx));

	EACH_SUPPLEMENT(p)
	{
		void (*see)(struct ast_sip_session *, struct sip_tx_data *) =
			sip_tx_is_request(tx) ? p->outgoing_request : p->outgoing_response;

		if (see && concerns(p->method, method))
			see(s, tx);
	}
}
