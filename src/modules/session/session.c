/* The session's life: reference, place in the table, end. */
#include "session_private.h"

#include <pthread.h>

/* Sessions by Call-ID: chains stay short at 100,000 calls, and two INVITEs of one call meet under one lock. */
#define SHARDS 4096

static struct shard {
	pthread_mutex_t lock;
	struct ast_sip_session *first;
} shards[SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t counts[COUNTS], now;

static const char *const state_names[] = {"new",        "calling",   "incoming",    "early",
					  "connecting", "confirmed", "disconnected"};
static const char *const end_names[] = {"local",  "bye",      "cancel",  "refused", "timeout", "transport",
					"no ack", "no prack", "expired", "lost",    "shutdown"};

const char *ast_sip_session_state_name(enum ast_sip_session_state s)
{
	return (unsigned)s < RS_ARRAY_SIZE(state_names) ? state_names[s] : "?";
}

const char *ast_sip_session_end_name(enum ast_sip_session_end e)
{
	return (unsigned)e < RS_ARRAY_SIZE(end_names) ? end_names[e] : "?";
}

/* ---- the table ---- */

static void prepare(void)
{
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_mutex_init(&shards[i].lock, NULL);
}

/* FNV-1a: a peer that makes Call-IDs collide makes its own calls' chain long, and that of one shard in 4096. */
static uint16_t shard_of(struct rs_str call_id)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < call_id.len; i++)
		h = (h ^ (unsigned char)call_id.p[i]) * 16777619u;
	return (uint16_t)((h ^ (h >> 16)) % SHARDS);
}

static struct shard *lock_shard(unsigned i)
{
	pthread_once(&once, prepare);
	pthread_mutex_lock(&shards[i].lock);
	return &shards[i];
}

/* RFC 3261 section 8.2.2.2: the same request by another way. */
static bool is_merged(const struct ast_sip_session *other, struct sip_msg *invite)
{
	return !other->outgoing && other->invite_cseq == invite->cseq &&
	       rs_str_eq(sip_dialog_call_id(other->dlg), invite->call_id) &&
	       rs_str_eq(sip_dialog_remote_tag(other->dlg), invite->from_tag);
}

/* 0 or EEXIST. */
static int table_add(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	struct shard *shard;
	int error = 0;

	s->shard = shard_of(sip_dialog_call_id(s->dlg));
	shard = lock_shard(s->shard);
	for (struct ast_sip_session *o = shard->first; rx && o && !error; o = o->next)
		error = is_merged(o, sip_rx_msg(rx)) ? EEXIST : 0;
	if (!error) {
		s->next = shard->first;
		s->prev = &shard->first;
		if (s->next)
			s->next->prev = &s->next;
		shard->first = ast_sip_session_ref(s);
		s->counted = true;
		atomic_fetch_add_explicit(&now, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&shard->lock);
	return error;
}

static void table_remove(struct ast_sip_session *s)
{
	struct shard *shard;

	if (!s->counted)
		return;
	s->counted = false;
	shard = lock_shard(s->shard);
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->next = NULL;
	pthread_mutex_unlock(&shard->lock);
	atomic_fetch_sub_explicit(&now, 1, memory_order_relaxed);
	ast_sip_session_unref(s);
}

struct ast_sip_session *ast_sip_session_find_replaced(struct rs_str call_id, struct rs_str to_tag,
						      struct rs_str from_tag)
{
	struct shard *shard = lock_shard(shard_of(call_id));
	struct ast_sip_session *s;

	for (s = shard->first; s; s = s->next) {
		if (rs_str_eq(sip_dialog_call_id(s->dlg), call_id) && rs_str_eq(sip_dialog_local_tag(s->dlg), to_tag) &&
		    rs_str_eq(sip_dialog_remote_tag(s->dlg), from_tag))
			break;
	}
	if (s)
		ast_sip_session_ref(s);
	pthread_mutex_unlock(&shard->lock);
	return s;
}

void session_each(void (*each)(struct ast_sip_session *s))
{
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = lock_shard(i);
		struct ast_sip_session **v = NULL;
		size_t n = 0;

		for (struct ast_sip_session *s = shard->first; s; s = s->next)
			n++;
		v = n ? malloc(n * sizeof(struct ast_sip_session *)) : NULL;
		n = 0;
		for (struct ast_sip_session *s = shard->first; v && s; s = s->next)
			v[n++] = ast_sip_session_ref(s);
		pthread_mutex_unlock(&shard->lock);
		for (size_t k = 0; k < n && v; k++) {
			each(v[k]);
			ast_sip_session_unref(v[k]);
		}
		free(v);
	}
}

void session_count(enum session_count what)
{
	atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
}

void ast_sip_session_stats(struct ast_sip_session_stats *out)
{
	uint64_t v[COUNTS];

	for (unsigned i = 0; i < COUNTS; i++)
		v[i] = atomic_load_explicit(&counts[i], memory_order_relaxed);
	*out = (struct ast_sip_session_stats){
		.now = atomic_load_explicit(&now, memory_order_relaxed),
		.incoming = v[COUNT_INCOMING],
		.outgoing = v[COUNT_OUTGOING],
		.confirmed = v[COUNT_CONFIRMED],
		.glares = v[COUNT_GLARES],
		.expired = v[COUNT_EXPIRED],
		.no_ack = v[COUNT_NO_ACK],
	};
}

/* ---- life ---- */

struct ast_sip_session *session_new(struct sip_dialog *dlg, struct ast_sip_endpoint *endpoint, bool outgoing)
{
	struct ast_sip_session *s = calloc(1, sizeof(*s));

	if (s)
		s->setup = calloc(1, sizeof(*s->setup));
	if (!s || !s->setup) {
		free(s);
		sip_dialog_unref(dlg);
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&s->refs, 1);
	atomic_init(&s->state, outgoing ? AST_SIP_SESSION_NEW : AST_SIP_SESSION_INCOMING);
	s->dlg = dlg;
	s->serializer = sip_dialog_serializer(dlg);
	s->endpoint = endpoint ? ast_sip_endpoint_ref(endpoint) : NULL;
	s->outgoing = outgoing;
	return s;
}

struct ast_sip_session *ast_sip_session_ref(struct ast_sip_session *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void session_free_setup(struct ast_sip_session *s)
{
	struct session_setup *u = s->setup;

	if (!u)
		return;
	s->setup = NULL;
	while (u->queue) {
		struct session_queued *q = u->queue;

		u->queue = q->next;
		sip_tx_unref(q->tx);
		free(q);
	}
	if (u->reliable)
		sip_tx_unref(u->reliable);
	if (u->tsx)
		sip_tsx_unref(u->tsx);
	sip_rx_unref(u->rx);
	free(u);
}

void ast_sip_session_unref(struct ast_sip_session *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	session_free_setup(s);
	session_clock_fini(s);
	session_drop_sdp(s);
	if (s->bye)
		sip_tx_unref(s->bye);
	if (s->owner)
		ast_sip_module_hold_for(s->owner, -1, "session");
	sip_dialog_unref(s->dlg);
	ast_sip_endpoint_unref(s->endpoint);
	free(s);
}

int session_settle(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	int error;

	if (s->counted)
		return 0;
	s->work = ast_sip_current_work();
	if (session_clock_init(s))
		return -1;
	if (!s->usage && sip_dialog_add_usage(s->dlg, &session_usage, s))
		return -1;
	s->usage = true;
	error = table_add(s, rx);
	if (error) {
		sip_dialog_remove_usage(s->dlg, &session_usage, s);
		s->usage = false;
		errno = error;
		return -1;
	}
	session_count(s->outgoing ? COUNT_OUTGOING : COUNT_INCOMING);
	return 0;
}

struct ast_sip_session *ast_sip_session_create_outgoing_for(struct ast_sip_module *owner,
							    struct ast_sip_endpoint *endpoint,
							    const struct ast_sip_dialog_uac_params *p,
							    const struct ast_sip_session_user *user, void *token)
{
	struct sip_dialog *dlg = ast_sip_create_dialog_uac(endpoint, p);
	struct ast_sip_session *s;

	if (!dlg)
		return NULL;
	s = session_new(dlg, ast_sip_dialog_get_endpoint(dlg), true);
	if (s)
		ast_sip_session_set_user_for(owner, s, user, token);
	return s;
}

void ast_sip_session_set_user_for(struct ast_sip_module *owner, struct ast_sip_session *s,
				  const struct ast_sip_session_user *user, void *token)
{
	struct ast_sip_module *old = s->owner;

	if (s->ended)
		return;
	if (owner)
		ast_sip_module_hold_for(owner, 1, "session");
	s->owner = owner;
	s->user = user;
	s->token = token;
	if (old)
		ast_sip_module_hold_for(old, -1, "session");
}

void session_set_state(struct ast_sip_session *s, enum ast_sip_session_state state)
{
	atomic_store_explicit(&s->state, (uint8_t)state, memory_order_relaxed);
}

void session_set_dialog(struct ast_sip_session *s, struct sip_dialog *dlg)
{
	struct shard *shard = lock_shard(s->shard);
	struct sip_dialog *old = s->dlg;

	s->dlg = dlg;
	pthread_mutex_unlock(&shard->lock);
	sip_dialog_unref(old);
}

/* ---- the end ---- */

static void forget_user(struct ast_sip_session *s)
{
	struct ast_sip_module *owner = s->owner;

	s->user = NULL;
	s->owner = NULL;
	if (owner)
		ast_sip_module_hold_for(owner, -1, "session");
}

void session_end(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx)
{
	if (s->ended)
		return;
	ast_sip_session_ref(s);
	s->ended = true;
	session_set_state(s, AST_SIP_SESSION_DISCONNECTED);
	session_clock_stop_all(s);
	if (s->to_ack)
		session_ack_plain(s);
	session_pending_answer(s, 487);
	session_requests_end(s);
	if (s->begun)
		session_supplements_end(s);
	if (s->user && s->user->on_end)
		s->user->on_end(s, why, rx, s->token);
	forget_user(s);
	session_release(s);
	ast_sip_session_unref(s);
}

void session_end_later(struct ast_sip_session *s, enum ast_sip_session_end why)
{
	s->why = (uint8_t)why;
	s->closing = true;
	if (!s->counted && session_settle(s, NULL)) {
		session_end(s, why, NULL); /* without memory nothing can be put off */
		return;
	}
	session_clock_set(s, CLOCK_FINISH, 0);
}

void session_finish_fire(struct ast_sip_session *s)
{
	session_end(s, (enum ast_sip_session_end)s->why, NULL);
}

void session_release(struct ast_sip_session *s)
{
	if (!s->ended || s->released || s->requests || s->confirm || s->bye)
		return;
	s->released = true;
	session_free_setup(s);
	session_clock_fini(s);
	session_drop_sdp(s);
	if (s->usage) {
		s->usage = false;
		sip_dialog_remove_usage(s->dlg, &session_usage, s);
	}
	table_remove(s);
}

/* ---- what is known ---- */

enum ast_sip_session_state ast_sip_session_state(const struct ast_sip_session *s)
{
	return (enum ast_sip_session_state)atomic_load_explicit(&s->state, memory_order_relaxed);
}

struct sip_dialog *ast_sip_session_dialog(struct ast_sip_session *s)
{
	return s->dlg;
}

struct ast_sip_endpoint *ast_sip_session_endpoint(const struct ast_sip_session *s)
{
	return s->endpoint;
}

struct rs_serializer *ast_sip_session_serializer(const struct ast_sip_session *s)
{
	return s->serializer;
}

void *ast_sip_session_token(const struct ast_sip_session *s, const struct ast_sip_session_user *user)
{
	return s->user == user ? s->token : NULL;
}

bool ast_sip_session_is_outgoing(const struct ast_sip_session *s)
{
	return s->outgoing;
}

bool ast_sip_session_peer_allows(const struct ast_sip_session *s, enum sip_method method)
{
	return s->allows & (1u << method);
}

unsigned ast_sip_session_peer_supports(const struct ast_sip_session *s)
{
	return s->supports;
}

enum ast_sip_session_oa ast_sip_session_oa(const struct ast_sip_session *s)
{
	return (enum ast_sip_session_oa)s->oa.turn;
}
