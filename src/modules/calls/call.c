/* Calls: what is known of an attempt, in a table of those that are not over. */
#include "calls.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define SHARDS   64
#define MAX_LEGS 4    /* caller, callee, and those of a transfer */
#define MAX_TEXT 1024 /* bytes of one text that are kept */

/* Several texts in one block. */
struct texts {
	char *block;
	uint16_t len[CALL_TEXTS];
};

struct call {
	_Atomic uint32_t refs;
	uint32_t live; /* legs that have not ended */
	uint64_t id;
	struct call *next, **prev; /* in its shard; under that lock */
	struct call *record_next;
	pthread_mutex_t lock; /* for what follows */
	enum call_state state;
	enum call_by by;
	unsigned status, branches, transfers;
	const char *cause;
	int64_t start_us, ring_us, answer_us, end_us;
	struct leg *legs[MAX_LEGS]; /* referenced */
	struct texts caller, callee, transfer;
};

static struct shard {
	pthread_mutex_t lock;
	struct call *first;
} shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};
static _Atomic uint64_t last_id, now_count;

/* ---- texts ---- */

static struct rs_str cut(struct rs_str s)
{
	return rs_str_n(s.p, s.len < MAX_TEXT ? s.len : MAX_TEXT);
}

/* Replaces what t has. Without memory it has nothing: a record lacks a text then. */
static void texts_set(struct texts *t, const struct rs_str *v, unsigned n)
{
	size_t size = 0;
	char *at;

	free(t->block);
	memset(t, 0, sizeof(*t));
	for (unsigned i = 0; i < n; i++)
		size += cut(v[i]).len;
	at = t->block = malloc(size ? size : 1);
	for (unsigned i = 0; at && i < n; i++) {
		struct rs_str s = cut(v[i]);

		memcpy(at, s.p ? s.p : "", s.len);
		t->len[i] = (uint16_t)s.len;
		at += s.len;
	}
}

/* Appends them to out; to block what they are made of. */
static char *texts_copy(const struct texts *t, unsigned n, char *block, struct rs_str *out)
{
	const char *from = t->block;

	for (unsigned i = 0; i < n; i++) {
		out[i] = rs_str_n(block, t->len[i]);
		if (from)
			memcpy(block, from, t->len[i]);
		from = from ? from + t->len[i] : NULL;
		block += t->len[i];
	}
	return block;
}

static size_t texts_size(const struct texts *t)
{
	size_t size = 0;

	for (unsigned i = 0; i < CALL_TEXTS; i++)
		size += t->len[i];
	return size;
}

/* ---- life ---- */

static bool count_in(uint32_t most)
{
	uint64_t n = atomic_fetch_add_explicit(&now_count, 1, memory_order_relaxed);

	if (!most || n < most)
		return true;
	atomic_fetch_sub_explicit(&now_count, 1, memory_order_relaxed);
	errno = EAGAIN;
	return false;
}

static void table_add(struct call *c)
{
	struct shard *shard = &shards[c->id % SHARDS];

	pthread_mutex_lock(&shard->lock);
	c->next = shard->first;
	c->prev = &shard->first;
	if (c->next)
		c->next->prev = &c->next;
	shard->first = c;
	pthread_mutex_unlock(&shard->lock);
}

static void table_remove(struct call *c)
{
	struct shard *shard = &shards[c->id % SHARDS];

	pthread_mutex_lock(&shard->lock);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	pthread_mutex_unlock(&shard->lock);
	atomic_fetch_sub_explicit(&now_count, 1, memory_order_relaxed);
}

struct call *call_new(struct ast_sip_snapshot *s, struct ast_sip_session *caller, struct sip_rx_data *invite)
{
	const struct sip_name_addr *from = sip_msg_name_addr(sip_rx_msg(invite), SIP_HDR_FROM, 0);
	const struct rs_str v[CALL_CALLER_TEXTS] = {
		[CALL_CALLER] = from ? from->uri.text : RS_STR_NULL,
		[CALL_CALLER_NAME] = from ? from->display : RS_STR_NULL,
		[CALL_DIALED] = sip_rx_msg(invite)->uri_text,
		[CALL_CALLER_ENDPOINT] = ast_sip_endpoint_id(ast_sip_session_endpoint(caller)),
		[CALL_CALLER_ID] = sip_rx_msg(invite)->call_id,
	};
	struct call *c;

	if (!count_in(calls_general_uint(s, GENERAL_MAX_CALLS)))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c) {
		atomic_fetch_sub_explicit(&now_count, 1, memory_order_relaxed);
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&c->refs, 1);
	pthread_mutex_init(&c->lock, NULL);
	c->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	c->start_us = rs_wall_us();
	texts_set(&c->caller, v, RS_ARRAY_SIZE(v));
	table_add(c);
	return c;
}

struct call *call_ref(struct call *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void call_unref(struct call *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c->caller.block);
	free(c->callee.block);
	free(c->transfer.block);
	free(c);
}

uint64_t call_id(const struct call *c)
{
	return c->id;
}

struct call **call_record_link(struct call *c)
{
	return &c->record_next;
}

/* ---- what happens to it ---- */

/* Under the lock. */
static void set_callee(struct call *c, struct ast_sip_session *s, struct rs_str endpoint)
{
	struct sip_dialog *dlg = ast_sip_session_dialog(s);
	const struct rs_str v[] = {sip_dialog_remote_target(dlg), endpoint, sip_dialog_call_id(dlg)};

	texts_set(&c->callee, v, RS_ARRAY_SIZE(v));
}

void call_tries(struct call *c, struct ast_sip_session *callee, struct rs_str endpoint)
{
	pthread_mutex_lock(&c->lock);
	c->branches++;
	if (!c->answer_us)
		set_callee(c, callee, endpoint);
	pthread_mutex_unlock(&c->lock);
}

void call_rings(struct call *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->state == CALL_DIALING) {
		c->state = CALL_RINGING;
		c->ring_us = rs_wall_us();
	}
	pthread_mutex_unlock(&c->lock);
}

void call_answered(struct call *c, struct ast_sip_session *callee, struct rs_str endpoint)
{
	pthread_mutex_lock(&c->lock);
	if (c->state < CALL_UP) {
		c->state = CALL_UP;
		c->status = 200;
		c->answer_us = rs_wall_us();
	}
	if (callee)
		set_callee(c, callee, endpoint);
	pthread_mutex_unlock(&c->lock);
}

/* Under the lock. */
static void set_by(struct call *c, enum call_by by, const char *cause)
{
	if (by == CALL_BY_NOBODY || c->by != CALL_BY_NOBODY)
		return;
	c->by = by;
	c->cause = cause;
}

void call_refused(struct call *c, unsigned status, enum call_by by, const char *cause)
{
	pthread_mutex_lock(&c->lock);
	if (!c->status)
		c->status = status;
	set_by(c, by, cause);
	pthread_mutex_unlock(&c->lock);
}

void call_transferred(struct call *c, struct ast_sip_session *to)
{
	struct sip_dialog *dlg = ast_sip_session_dialog(to);
	const struct rs_str v[] = {sip_dialog_remote_target(dlg), sip_dialog_call_id(dlg)};

	pthread_mutex_lock(&c->lock);
	c->transfers++;
	texts_set(&c->transfer, v, RS_ARRAY_SIZE(v));
	pthread_mutex_unlock(&c->lock);
}

void call_add_leg(struct call *c, struct leg *leg)
{
	leg->counted = true;
	pthread_mutex_lock(&c->lock);
	c->live++;
	for (unsigned i = 0; i < MAX_LEGS; i++) {
		if (c->legs[i])
			continue;
		c->legs[i] = leg_ref(leg);
		break;
	}
	pthread_mutex_unlock(&c->lock);
}

void call_remove_leg(struct call *c, struct leg *leg, enum call_by by, const char *cause)
{
	struct leg *found = NULL;
	bool over;

	leg->counted = false;
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < MAX_LEGS && !found; i++) {
		if (c->legs[i] != leg)
			continue;
		found = leg;
		c->legs[i] = NULL;
	}
	set_by(c, by, cause);
	over = --c->live == 0;
	if (over) {
		c->state = CALL_OVER;
		c->end_us = rs_wall_us();
	}
	pthread_mutex_unlock(&c->lock);
	leg_unref(found);
	if (over) {
		record_write(c);
		table_remove(c);
		record_last();
	}
}

void call_hangup(struct call *c, struct rs_str reason, const char *cause)
{
	struct leg *legs[MAX_LEGS];

	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < MAX_LEGS; i++)
		legs[i] = c->legs[i] ? leg_ref(c->legs[i]) : NULL;
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 0; i < MAX_LEGS; i++) {
		if (legs[i])
			leg_tell(legs[i], &(struct leg_event){.type = LEG_HANGUP, .text = reason, .cause = cause});
		leg_unref(legs[i]);
	}
}

/* ---- what others ask ---- */

int call_facts(struct call *c, struct call_facts *out)
{
	char *at;

	pthread_mutex_lock(&c->lock);
	*out = (struct call_facts){
		.id = c->id,
		.state = c->state,
		.start_us = c->start_us,
		.ring_us = c->ring_us,
		.answer_us = c->answer_us,
		.end_us = c->end_us,
		.status = c->status,
		.by = c->by,
		.cause = c->cause,
		.branches = c->branches,
		.transfers = c->transfers,
	};
	at = out->block = malloc(texts_size(&c->caller) + texts_size(&c->callee) + texts_size(&c->transfer) + 1);
	if (at) {
		at = texts_copy(&c->caller, CALL_CALLER_TEXTS, at, out->text);
		at = texts_copy(&c->callee, CALL_CALLEE_TEXTS - CALL_CALLER_TEXTS, at, out->text + CALL_CALLER_TEXTS);
		texts_copy(&c->transfer, CALL_TEXTS - CALL_CALLEE_TEXTS, at, out->text + CALL_CALLEE_TEXTS);
	}
	pthread_mutex_unlock(&c->lock);
	return out->block ? 0 : -1;
}

void call_facts_fini(struct call_facts *f)
{
	free(f->block);
	f->block = NULL;
}

struct call *call_find(uint64_t id)
{
	struct shard *shard = &shards[id % SHARDS];
	struct call *c;

	pthread_mutex_lock(&shard->lock);
	for (c = shard->first; c && c->id != id; c = c->next)
		;
	if (c)
		call_ref(c);
	pthread_mutex_unlock(&shard->lock);
	return c;
}

static int by_id(const void *x, const void *y)
{
	const struct call *a = *(struct call *const *)x, *b = *(struct call *const *)y;

	return a->id < b->id ? -1 : a->id > b->id;
}

struct call **call_list(size_t *n)
{
	size_t room = (size_t)call_count() + 64; /* those that come meanwhile may be left out */
	struct call **v = malloc(room * sizeof(struct call *));

	*n = 0;
	for (unsigned i = 0; v && i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		for (struct call *c = shards[i].first; c && *n < room; c = c->next)
			v[(*n)++] = call_ref(c);
		pthread_mutex_unlock(&shards[i].lock);
	}
	if (v)
		qsort(v, *n, sizeof(struct call *), by_id);
	return v;
}

void call_hangup_all(struct rs_str reason, const char *cause)
{
	size_t n;
	struct call **v = call_list(&n);

	for (size_t i = 0; i < n; i++) {
		call_hangup(v[i], reason, cause);
		call_unref(v[i]);
	}
	free(v);
}

uint64_t call_count(void)
{
	return atomic_load_explicit(&now_count, memory_order_relaxed);
}
