/*
 * The location store: which contacts an AOR is bound to. The memory index answers lookups at once; changes are
 * committed to the store behind it (SQLite, WAL, synchronous=FULL, in group commits) before they are seen by others or
 * confirmed. All changes of an AOR run on its serializer.
 *
 *   struct ast_sip_contacts *c = ast_sip_location_contacts(RS_STR("alice"));
 *   for (uint32_t i = 0; c && i < c->n; i++) … c->v[i]->uri …;
 *   ast_sip_contacts_unref(c);
 */
#ifndef RES_SIP_LOCATION_H
#define RES_SIP_LOCATION_H

#include "res_sip/config.h"
#include "res_sip/module.h"
#include "sip/transport.h"

struct rs_serializer;

/* section 7 of the reference, Qualify */
enum ast_sip_contact_status {
	AST_SIP_CONTACT_NONQUALIFIED,
	AST_SIP_CONTACT_REACHABLE,
	AST_SIP_CONTACT_UNREACHABLE,
};

/* The texts of a binding. */
enum ast_sip_contact_text {
	AST_SIP_CONTACT_AOR,
	AST_SIP_CONTACT_URI,      /* as stored (after rewriting) */
	AST_SIP_CONTACT_PATH,     /* name-addrs, comma-joined */
	AST_SIP_CONTACT_INSTANCE, /* +sip.instance, with its <> */
	AST_SIP_CONTACT_CALL_ID,
	AST_SIP_CONTACT_USER_AGENT,
	AST_SIP_CONTACT_ENDPOINT, /* that registered it */
	AST_SIP_CONTACT_LISTENER, /* the transport section it came in by */
	AST_SIP_CONTACT_NODE,
	AST_SIP_CONTACT_VIA_HOST,
	AST_SIP_CONTACT_PARAMS, /* contact header parameters other than expires, q, +sip.instance and reg-id, kept for
				   the answer */
	AST_SIP_CONTACT_TEXTS
};

/*
 * The clock of expiries: the system's time when the server started, going on evenly from there. No step of the system's
 * time ends a binding early or keeps it. Microseconds since 1970. Any thread; after the location store has started.
 */
RS_API int64_t ast_sip_location_now_us(void);

/* What a binding is made of (section 5 of the architecture). */
struct ast_sip_contact_data {
	bool permanent;         /* from the aor's contact option */
	bool bound_to_flow;     /* ends with its connection; not loaded again after a restart */
	uint16_t q_thousandths; /* 0..1000; 1000 when the request gave none */
	uint16_t via_port;
	uint8_t transport; /* enum sip_transport_type of the REGISTER */
	uint32_t reg_id;   /* 0: none */
	uint32_t cseq;
	int64_t expires_us;       /* absolute, by ast_sip_location_now_us; 0: permanent */
	sip_flow_id flow;         /* 0: none, or from an earlier run */
	struct sip_addr received; /* source of the REGISTER; family 0: none */
};

/* One binding; immutable and reference-counted, except for status and rtt. */
struct ast_sip_contact {
	_Atomic uint32_t refs;
	_Atomic int status;     /* enum ast_sip_contact_status */
	_Atomic int64_t rtt_us; /* negative: unknown */
	struct ast_sip_contact_data data;
	void *watch; /* the store's, as the next is */
	struct ast_sip_contact_stored {
		struct ast_sip_contact *before, *after;
		int64_t row; /* 0: there is none that would be loaded */
	} stored;
	uint16_t text_len[AST_SIP_CONTACT_TEXTS];
	char text[]; /* one behind the other, each with a NUL */
};
/* A text of c, NUL-terminated; lives as long as c. */
RS_API struct rs_str ast_sip_contact_text(const struct ast_sip_contact *c, enum ast_sip_contact_text which);

/* The contacts of one AOR as they were at one moment, immutable: permanent and bound ones not yet expired. */
struct ast_sip_contacts {
	_Atomic uint32_t refs;
	uint32_t n;
	struct ast_sip_contact *v[];
};
/* NULL: none at all. Any thread, no lock shared by all AORs, never blocks. */
RS_API struct ast_sip_contacts *ast_sip_location_contacts(struct rs_str aor);
RS_API void ast_sip_contacts_unref(struct ast_sip_contacts *c); /* NULL is allowed */
RS_API struct ast_sip_contact *ast_sip_contact_ref(struct ast_sip_contact *c);
RS_API void ast_sip_contact_unref(struct ast_sip_contact *c);

/* The AOR's serializer: where its changes must run. Made when first asked for; referenced. NULL without memory. */
RS_API struct rs_serializer *ast_sip_location_serializer(struct rs_str aor);

/* What happens to a binding. */
enum ast_sip_contact_event {
	AST_SIP_CONTACT_ADDED,
	AST_SIP_CONTACT_REFRESHED,
	AST_SIP_CONTACT_REMOVED, /* by request */
	AST_SIP_CONTACT_EXPIRED,
	AST_SIP_CONTACT_FLOW_ENDED,
	AST_SIP_CONTACT_GAVE_WAY,    /* to a newer one (remove_existing) */
	AST_SIP_CONTACT_UNAVAILABLE, /* the same, being unreachable (remove_unavailable) */
	AST_SIP_CONTACT_EVENTS
};

/*
 * What a change wants of one binding. Which binding it means: with an instance and a reg_id the one that has both, else
 * the one whose URI is equal (RFC 3261 section 19.1.4). A new URI under the same instance and reg_id takes the old
 * one's place, and that of a binding that had this URI.
 */
struct ast_sip_contact_change {
	bool remove; /* only text[AST_SIP_CONTACT_URI] and event are looked at; permanent contacts are never removed */
	enum ast_sip_contact_event
		event; /* what observers are told of a removal; REMOVED for ADDED (0) and REFRESHED */
	struct ast_sip_contact_data data;
	struct rs_str
		text[AST_SIP_CONTACT_TEXTS]; /* copied; the AOR is filled in by the store. At most 65,535 bytes each */
};
/* The contact that uri (or instance and reg_id, when those are given) means among c; NULL: none. */
RS_API struct ast_sip_contact *ast_sip_contacts_find(const struct ast_sip_contacts *c, struct rs_str uri,
						     struct rs_str instance, uint32_t reg_id);

/*
 * Commits changes for aor and calls done on the AOR's serializer: error 0 and contacts = what the AOR has now
 * (referenced for the callee), or an errno (ENOSPC: option max_bindings; EIO: the store failed; nothing changed, nobody
 * saw anything). One commit of an AOR at a time: a second call before done is queued behind it, so a caller decides on
 * what ast_sip_location_contacts gives only inside begin: it is called on the serializer when all earlier changes are
 * done, looks at now, and fills changes.
 */
struct ast_sip_location_update {
	uint32_t size;
	/* Fills *changes / *n (memory kept by the caller until done). 0: commit them (n may be 0: done follows at
	 * once), -1: call done with error ECANCELED. */
	int (*begin)(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		     size_t *n);
	void (*done)(void *token, int error, struct ast_sip_contacts *contacts);
};
RS_API int ast_sip_location_update_for(struct ast_sip_module *owner, struct rs_str aor,
				       const struct ast_sip_location_update *update, void *token);
#define ast_sip_location_update(aor, update, token) ast_sip_location_update_for(AST_SIP_SELF, (aor), (update), (token))

/* Qualify's result. Any thread. */
RS_API void ast_sip_contact_set_status(struct ast_sip_contact *c, enum ast_sip_contact_status status, int64_t rtt_us);

/* Told of bindings that came, changed or went (after the commit), on the AOR's serializer. */
/* At most 16 observers (ENOSPC), each once (EEXIST). */
struct ast_sip_contact_observer {
	uint32_t size;
	void (*changed)(const struct ast_sip_contact *contact, enum ast_sip_contact_event event);
	struct ast_sip_module *owner;
	struct ast_sip_contact_observer *next;
};
RS_API int ast_sip_contact_observer_register_for(struct ast_sip_module *owner, struct ast_sip_contact_observer *o);
#define ast_sip_contact_observer_register(o) ast_sip_contact_observer_register_for(AST_SIP_SELF, (o))
RS_API void ast_sip_contact_observer_unregister(struct ast_sip_contact_observer *o);

/* Walks all AORs that have contacts, in no order (a snapshot of each). Any thread but the pool's. */
RS_API void ast_sip_location_each(void (*each)(void *token, struct rs_str aor, const struct ast_sip_contacts *contacts),
				  void *token);

struct ast_sip_location_stats {
	uint64_t aors, bindings, commits, changes, failed, pending;
};
RS_API void ast_sip_location_stats(struct ast_sip_location_stats *out);

#endif
