/* What the files of the location store share. */
#ifndef CORE_LOCATION_PRIVATE_H
#define CORE_LOCATION_PRIVATE_H

#include "base/hash.h"
#include "base/taskpool.h"
#include "res_sip/location.h"
#include "sip/uri.h"

#include <pthread.h>

/*
 * An AOR that has contacts, an update on its way, or somebody who holds its serializer. Its references are its
 * serializer's: contacts keep one (linked), each queued update one, an armed timer one.
 */
struct aor {
	struct rs_serializer serializer;
	struct aor *next; /* in its bucket */
	uint64_t hash;
	struct ast_sip_contacts
		*contacts;            /* with the shard's lock; NULL: none. May hold expired ones: readers filter */
	struct update *first, **last; /* on the serializer: waiting updates; the first is in work when busy */
	struct rs_timer expiry;       /* at the earliest expiry */
	bool busy, linked;
	bool again; /* on the serializer: something was not done for want of memory and is tried again soon */
	uint16_t len;
	char name[];
};

/* A row to be written or deleted. */
struct row {
	struct ast_sip_contact *contact;  /* referenced */
	struct ast_sip_contact *old;      /* the one whose place it takes; referenced; NULL: none */
	enum ast_sip_contact_event event; /* ADDED and REFRESHED write the row, the others delete it */
	int64_t stored;                   /* the store's */
};

enum update_kind { UPDATE_CHANGES, UPDATE_EXPIRED, UPDATE_FLOW_ENDED, UPDATE_PERMANENT };

/* One change of one AOR, from the request for it to its end. */
struct update {
	struct update *next;       /* in the AOR's queue */
	struct update *next_group; /* in the group that is committed together */
	enum update_kind kind;
	struct aor *aor; /* referenced */
	struct ast_sip_module *owner;
	const struct ast_sip_location_update *ops; /* UPDATE_CHANGES */
	void *token;
	sip_flow_id flow;                /* UPDATE_FLOW_ENDED */
	uint64_t watch;                  /* the same, waiting for its flow to end */
	struct ast_sip_aor *permanent;   /* UPDATE_PERMANENT: whose contact option; referenced; NULL: none any more */
	struct ast_sip_contacts *result; /* what will be seen once it is committed; NULL: none */
	struct ast_sip_contacts *before; /* what was there when it began; referenced */
	struct row *rows;
	size_t n_rows;
	uint64_t reserved; /* bindings that this update has counted already */
	int error;
	struct rs_task task; /* start, and later the continuation */
};

/* ---- index.c ---- */
int index_start(void);
/* So many AORs will come; before anybody else uses it. */
void index_expect(uint64_t n);
void index_free(void);
/* The entry of name, made when create; referenced. */
struct aor *aor_get(struct rs_str name, bool create);
void aor_unref(struct aor *a);
/* Puts contacts (taken over; NULL: none) in sight; gives what was there (the caller's now). */
struct ast_sip_contacts *aor_swap(struct aor *a, struct ast_sip_contacts *contacts);
/* What is there now, expired ones included; referenced. */
struct ast_sip_contacts *aor_contacts(struct aor *a);
void index_each(void (*each)(void *token, struct aor *a), void *token);

/* ---- contact.c ---- */
struct ast_sip_contact *contact_new(struct rs_str aor, const struct ast_sip_contact_data *data,
				    const struct rs_str *text);
struct ast_sip_contacts *contacts_new(uint32_t n);
struct ast_sip_contacts *contacts_ref(struct ast_sip_contacts *c);
/*
 * A copy without what has expired by now; c itself (referenced) when nothing has, or when there is no memory for a
 * copy: what has just expired is seen a little longer then. NULL when nothing is left.
 */
struct ast_sip_contacts *contacts_current(struct ast_sip_contacts *c, int64_t now_us);
/* The earliest expiry, or 0. */
int64_t contacts_earliest(const struct ast_sip_contacts *c);

/* ---- change.c ---- */
/* Works out result and rows of u from before and what it asks for. 0 or an errno. */
int change_apply(struct update *u, const struct ast_sip_contact_change *changes, size_t n);
int change_drop(struct update *u, int64_t now_us); /* UPDATE_EXPIRED, UPDATE_FLOW_ENDED */
int change_permanent(struct update *u);
void change_clear(struct update *u); /* forgets the result and the rows */
void change_fini(struct update *u);

/* ---- update.c ---- */
struct update *update_new(enum update_kind kind, struct aor *a);
void update_free(struct update *u);     /* one that was not pushed, or is through */
void update_push(struct update *u);     /* to its AOR's serializer */
void update_continue(struct update *u); /* any thread: committed (u->error tells) */
void expiry_fire(struct rs_timer *t);
void expiry_hold(struct rs_timer *t, bool on);

/* ---- watch.c: bindings that end with their connection. On the AOR's serializer. ---- */
void watch_start(struct ast_sip_contact *c, struct aor *a); /* sets a->again when there is no memory for it */
void watch_stop(struct ast_sip_contact *c);

/* ---- observer.c ---- */
void observers_tell(const struct ast_sip_contact *c, enum ast_sip_contact_event event);

/* ---- group.c, store.c ---- */
void group_open(void);
void group_commit(struct update *u); /* takes u; update_continue follows */
void group_close(void);              /* waits for what is being written; later updates fail */

/* The store behind the index. All but open from the executor's store lane. */
/* EUCLEAN (all are logged): the file is damaged. */
int store_open(const char *state_dir);
/* After that: keeps a copy of it; when may_salvage, opens a new one with what can be read of it. 0 or an errno. */
int store_open_damaged(const char *state_dir, bool may_salvage);
void store_close(void);
bool store_is_open(void);
/*
 * What is stored, in the order in which it was written: for one URI of one AOR the last one counts. contact: NULL, or a
 * binding that is still good; the callee's. It gives the binding that was there before (still referenced for the
 * caller), or NULL. 0 or an errno.
 */
typedef int store_loaded(void *token, struct rs_str aor, struct rs_str uri, struct ast_sip_contact *contact,
			 struct ast_sip_contact **before);
int store_load(store_loaded *each, void *token);
uint64_t store_rows(void); /* that it has to look at for that: about */
/* Writes all rows of all updates from first on (by next_group) in one transaction. 0, or an errno with nothing written.
 */
int store_write(struct update *first, bool only_one);
/* u could not be written, but its bindings have ended all the same: their rows are of those that no start takes. */
void store_forget(const struct update *u);

/* location.c: the system's time less the clock of expiries: what steps of the system's time made of it. */
int64_t location_shift_us(void);

struct location_counters {
	_Atomic uint64_t aors, bindings, commits, changes, failed, pending;
};
extern struct location_counters location_counters;
extern bool location_durable;
extern _Atomic uint64_t location_max_bindings;

#endif
