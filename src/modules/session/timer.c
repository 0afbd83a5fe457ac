/* Session timers (RFC 4028): who refreshes, how long the session lasts without. */
#include "base/print.h"
#include "session_private.h"

/* Section 10: whoever has not heard of a refresh says BYE so long before the end. */
#define EARLY_BYE_S 32
/* A refresh that may not leave now (another request is on its way) is tried again. */
#define BUSY_US   1000000
#define SECOND_US 1000000

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static bool wants_timers(const struct ast_sip_session *s)
{
	return session_settings(s->endpoint)->timers != AST_SIP_TIMERS_NO;
}

/* Session-Expires of a message; *refresher is empty without one. */
static bool interval_of(struct sip_rx_data *rx, uint32_t *seconds, struct rs_str *refresher)
{
	const struct sip_hdr_values *v;
	const struct sip_param *p;

	*refresher = RS_STR_NULL;
	if (!sip_msg_first(sip_rx_msg(rx), SIP_HDR_SESSION_EXPIRES))
		return false;
	v = sip_msg_values(sip_rx_msg(rx), SIP_HDR_SESSION_EXPIRES, NULL);
	if (!v || !v->n)
		return false;
	*seconds = v->v.number[0].value;
	p = sip_params_get(&v->v.number[0].params, RS_STR("refresher"));
	if (p)
		*refresher = p->value;
	return true;
}

unsigned session_timer_check(const struct ast_sip_endpoint *endpoint, struct sip_rx_data *rx)
{
	const struct ast_sip_endpoint_settings *set = session_settings(endpoint);
	struct rs_str refresher;
	uint32_t seconds;

	if (set->timers == AST_SIP_TIMERS_NO)
		return session_requires(rx, "timer") ? 420 : 0;
	if (!session_supports(rx, "timer"))
		return set->timers == AST_SIP_TIMERS_REQUIRED ? 421 : 0;
	return interval_of(rx, &seconds, &refresher) && seconds < set->timers_min_se ? 422 : 0;
}

void session_timer_min_se(struct sip_tx_data *tx, uint32_t seconds)
{
	char text[RS_DECIMAL];

	sip_tx_add_hdr(tx, SIP_HDR_MIN_SE, rs_str_n(text, rs_print_decimal(text, seconds)));
}

void session_timer_heard(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	uint32_t min_se;

	if (sip_msg_number(sip_rx_msg(rx), SIP_HDR_MIN_SE, &min_se, NULL))
		s->peer_min = larger(s->peer_min, min_se);
}

/* ---- what we say ---- */

/* refresher: "uac", "uas" or empty. */
static void add_interval(struct sip_tx_data *tx, uint32_t seconds, const char *refresher)
{
	static const char param[] = ";refresher=";
	char text[RS_DECIMAL + sizeof(param) + 4];
	size_t n = rs_print_decimal(text, seconds);

	if (refresher[0]) {
		memcpy(text + n, param, sizeof(param) - 1);
		n += sizeof(param) - 1;
		memcpy(text + n, refresher, 3);
		n += 3;
	}
	sip_tx_add_hdr(tx, SIP_HDR_SESSION_EXPIRES, rs_str_n(text, n));
}

uint32_t session_timer_add_request(struct ast_sip_session *s, struct sip_tx_data *tx, uint32_t interval)
{
	const struct ast_sip_endpoint_settings *set = session_settings(s->endpoint);
	uint32_t min_se = larger(set->timers_min_se, s->peer_min);

	if (!interval)
		interval = s->interval ? s->interval : set->timers_sess_expires;
	interval = larger(interval, min_se);
	/* Section 7.4: the roles stay. The first INVITE leaves the choice to the peer. */
	add_interval(tx, interval, !s->interval ? "" : s->we_refresh ? "uac" : "uas");
	session_timer_min_se(tx, min_se);
	return interval;
}

/* Section 9 and its table 2: whether the peer of this request refreshes. */
static bool peer_refreshes(const struct ast_sip_session *s, struct sip_rx_data *rx, struct rs_str refresher)
{
	if (!session_supports(rx, "timer"))
		return false;
	if (refresher.len)
		return !rs_str_ieqz(refresher, "uas");
	return !s->interval || !s->we_refresh;
}

void session_timer_add_response(struct ast_sip_session *s, struct sip_rx_data *rx, struct sip_tx_data *tx)
{
	const struct ast_sip_endpoint_settings *set = session_settings(s->endpoint);
	uint32_t seconds = 0, min_se = SESSION_MIN_SE;
	struct rs_str refresher;
	bool has = interval_of(rx, &seconds, &refresher), peer;

	if (!wants_timers(s) || (!has && !session_supports(rx, "timer") && set->timers == AST_SIP_TIMERS_YES))
		return;
	if (sip_msg_number(sip_rx_msg(rx), SIP_HDR_MIN_SE, &min_se, NULL))
		min_se = larger(min_se, SESSION_MIN_SE);
	/* It may be made shorter, down to what the sender and the proxies between want at least, and never longer. */
	if (!has)
		seconds = larger(set->timers_sess_expires, min_se);
	else if (seconds > set->timers_sess_expires)
		seconds = larger(set->timers_sess_expires, min_se < seconds ? min_se : seconds);
	peer = peer_refreshes(s, rx, refresher);
	if (peer)
		sip_tx_add_hdr(tx, SIP_HDR_REQUIRE, RS_STR("timer"));
	add_interval(tx, seconds, peer ? "uac" : "uas");
}

/* ---- what holds from now on ---- */

static void start(struct ast_sip_session *s, uint32_t seconds, bool we_refresh)
{
	int64_t length = (int64_t)seconds * SECOND_US, early = length / 3;

	session_clock_stop(s, CLOCK_REFRESH);
	session_clock_stop(s, CLOCK_EXPIRE);
	s->interval = seconds;
	s->we_refresh = we_refresh;
	if (!seconds || s->ended || s->closing)
		return;
	if (early > (int64_t)EARLY_BYE_S * SECOND_US)
		early = (int64_t)EARLY_BYE_S * SECOND_US;
	session_clock_set(s, CLOCK_EXPIRE, length - early);
	if (we_refresh)
		session_clock_set(s, CLOCK_REFRESH, length / 2);
}

void session_timer_sent(struct ast_sip_session *s, struct sip_tx_data *tx)
{
	struct rs_str v = sip_tx_hdr(tx, SIP_HDR_SESSION_EXPIRES), digits;
	uint64_t seconds = 0;

	digits = rs_str_n(v.p, 0);
	while (digits.len < v.len && v.p[digits.len] >= '0' && v.p[digits.len] <= '9')
		digits.len++;
	if (!v.len || rs_str_to_u64(digits, UINT32_MAX, &seconds))
		start(s, 0, false);
	else
		start(s, (uint32_t)seconds, v.len > 3 && rs_str_ieqz(rs_str_n(v.p + v.len - 3, 3), "uas"));
}

void session_timer_received(struct ast_sip_session *s, struct sip_rx_data *rx, uint32_t asked)
{
	enum ast_sip_timers timers = session_settings(s->endpoint)->timers;
	struct rs_str refresher;
	uint32_t seconds;

	if (timers == AST_SIP_TIMERS_NO)
		return;
	if (interval_of(rx, &seconds, &refresher) && seconds)
		start(s, larger(seconds, SESSION_MIN_SE), !rs_str_ieqz(refresher, "uas"));
	else if (asked && timers != AST_SIP_TIMERS_YES)
		start(s, asked, true); /* the peer has none, and is asked all the same whether it is there */
	else
		start(s, 0, false);
}

/* ---- clocks ---- */

static int send_refresh(struct ast_sip_session *s, bool update)
{
	struct sip_tx_data *tx = ast_sip_session_create_request(s, update ? RS_STR("UPDATE") : RS_STR("INVITE"));
	struct session_request how = {.retry = true, .refresh = true, .interval = s->interval};

	if (!tx)
		return -1;
	if (!update && s->sdp &&
	    sip_tx_set_body(tx, rs_str_c(s->sdp), rs_str_n(s->sdp + strlen(s->sdp) + 1, s->sdp_len))) {
		sip_tx_unref(tx);
		return -1;
	}
	if (!update) {
		session_oa_begin(&s->oa);
		if (s->sdp)
			session_oa_sent(&s->oa);
	}
	if (session_request_send(s, s->dlg, tx, update ? REQUEST_UPDATE : REQUEST_INVITE, &how))
		return 0;
	session_oa_abandon(&s->oa, AST_SIP_SESSION_OA_LOCAL);
	return -1;
}

void session_timer_refresh_fire(struct ast_sip_session *s)
{
	bool update = ast_sip_session_peer_allows(s, SIP_METHOD_UPDATE);

	if (s->ended || s->closing || !s->interval || !s->we_refresh)
		return;
	if (!session_may_send(s, update ? SIP_METHOD_UPDATE : SIP_METHOD_INVITE, false) || send_refresh(s, update))
		session_clock_set(s, CLOCK_REFRESH, BUSY_US);
}

void session_timer_refresh_failed(struct ast_sip_session *s)
{
	int64_t left = s->due_us[CLOCK_EXPIRE] - rs_now_us();

	if (!s->ended && !s->closing && s->due_us[CLOCK_EXPIRE])
		session_clock_set(s, CLOCK_REFRESH, left > 2 * BUSY_US ? left / 2 : BUSY_US);
}

void session_timer_expire_fire(struct ast_sip_session *s)
{
	if (s->ended || s->closing)
		return;
	session_count(COUNT_EXPIRED);
	session_give_up(s, AST_SIP_SESSION_END_EXPIRED, NULL, 0);
}
