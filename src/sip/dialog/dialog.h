/* The inside of the dialog layer: dialogs, their table, what the peer said. */
#ifndef SIP_DIALOG_PRIVATE_H
#define SIP_DIALOG_PRIVATE_H

#include "sip/dialog.h"
#include "sip/stack.h"
#include "sip/transaction/index.h"

#define DIALOG_MAGIC    0x444c4732u
#define DIALOG_TAG_ROOM 40 /* a remote tag that comes with the first response; a longer one gets memory of its own */

/* One use of a dialog. While usages are asked, one that left stays where it is. */
struct dialog_usage {
	struct dialog_usage *next;
	const struct sip_dialog_usage *usage;
	void *token, *module;
	bool gone;
};

/* What the peer's last word makes of the way to it: replaced as a whole, on the serializer. */
struct dialog_peer {
	struct rs_str target; /* URI */
	struct rs_str route;  /* the route set, comma-joined; empty: none */
	struct rs_str hop;    /* the URI of its first value */
	struct rs_str rest;   /* the values behind it */
	bool strict;          /* hop has no lr (RFC 3261 section 12.2.1.1) */
	bool rewritten;       /* the first hop is not where it said it is, but where it was heard (NAT) */
	char text[];
};

struct sip_dialog {
	struct tsx_entry entry; /* only its hash counts: of Call-ID and local tag */
	uint32_t magic;
	_Atomic uint32_t refs;
	_Atomic uint8_t state;
	bool uac, secure;
	bool listed;    /* in the table; under the shard's lock */
	uint8_t asking; /* depth of walks through the usages */
	uint8_t max_forwards;
	struct dialog_usage *usages;
	struct rs_serializer *serializer;

	struct rs_str call_id, local_tag, local, remote, contact; /* in text */
	/* Written once, before its length. Any thread may read. */
	const char *remote_tag;
	_Atomic uint32_t remote_tag_len;

	uint32_t local_cseq, remote_cseq;
	uint32_t invite_cseq;   /* of our last INVITE */
	uint32_t answered_cseq; /* of our last refresh that was answered 2xx: an older one repeated changes nothing */
	struct dialog_peer *peer;
	struct sip_target first; /* UAC: where the first request goes; else only protocol and listener count */
	struct sip_target heard; /* where the peer was heard: its address and flow; family 0: not yet */

	struct sip_dialog *origin; /* of a fork: the one it came from, referenced */
	void *owner;
	void (*release)(void *owner);
	struct sip_addr verified;
	void *waiting;
	char text[];
};

/* ---- dialog.c ---- */

void dialog_set_state(struct sip_dialog *d, enum sip_dialog_state state);
/* TERMINATED, and out of the table; nobody is told. */
void dialog_end(struct sip_dialog *d);
/* false: it is on its way out. */
bool dialog_try_ref(struct sip_dialog *d);
bool dialog_stopping(void);
struct dialog_counters {
	_Atomic uint64_t now, early, created, refused, stray_acks;
};
extern struct dialog_counters dialog_counters;
void dialog_count(_Atomic uint64_t *counter, int by);

/* ---- table.c ---- */

int dialog_table_start(void);
void dialog_table_stop(void);
uint64_t dialog_hash(struct rs_str call_id, struct rs_str local_tag);
void dialog_table_expect(uint64_t hash);
/* 0 or an errno: ENOMEM, EEXIST. */
int dialog_table_insert(struct sip_dialog *d);
void dialog_table_remove(struct sip_dialog *d);
struct sip_dialog *dialog_table_find(uint64_t hash, struct rs_str call_id, struct rs_str local_tag,
				     struct rs_str remote_tag);
/* One of those that are left in some shard, referenced; *shard goes on from 0. NULL: none. */
struct sip_dialog *dialog_table_any(unsigned *shard);

/* ---- make.c ---- */

/* The peer's tag, once. 0 or ENOMEM. */
int dialog_set_remote_tag(struct sip_dialog *d, struct rs_str tag);
void dialog_free(struct sip_dialog *d);

/* ---- learn.c: route set and remote target ---- */

/* From texts: 0 or an errno (EINVAL: route is no list of routes). */
int dialog_peer_set(struct sip_dialog *d, struct rs_str target, struct rs_str route, bool rewritten);
/* The remote target from the Contact of rx (without one it stays); with_route: the route set, too. 0 or an errno
 * (EINVAL: a bad Record-Route in a request). */
int dialog_learn(struct sip_dialog *d, struct sip_rx_data *rx, bool with_route);
/* The peer was heard from there. */
void dialog_heard(struct sip_dialog *d, const struct sip_rx_data *rx);
/* Methods whose Contact is the new remote target (RFC 3261 section 12.2, RFC 3311, RFC 6665). */
bool dialog_refreshes(enum sip_method m);
/* Methods whose answer makes a dialog. */
bool dialog_creates(enum sip_method m);

/* ---- way.c ---- */

/* Where the next request goes. */
void dialog_way(const struct sip_dialog *d, struct sip_target *out);

/* ---- receive.c, usage.c ---- */

int dialog_receive_start(void);
void dialog_receive_stop(void);
/* Frees usages that left while others were asked. */
void dialog_usages_tidy(struct sip_dialog *d);

#endif
