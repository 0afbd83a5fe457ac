/* Calls as scripts, see session_test.h. */
#include "session_test.h"

#include "base/taskpool.h"

#define PHONE     "10.0.0.2:5060"
#define MAX_HEARD 64
#define TEXT      4096

extern const struct ast_sip_module_info ast_sip_module_info;

struct st st;

static struct {
	struct ct_phone *phone;
	bool up;
	char heard[MAX_HEARD][48];
	unsigned n, next;
	char local[512], remote[512], call_id[64]; /* From and To of the phone's requests in the dialog */
	char request[SIP_METHOD_N][TEXT];          /* the last one of each method that the phone got */
	char invite[TEXT], invite_to[512];         /* the phone's own last one */
	char last[TEXT];
	char ruri[256];
	unsigned branches, calls;
	bool phone_called; /* the phone made the call */
} t;

/* ---- the user ---- */

static void hear(const char *fmt, ...) RS_PRINTF(1, 2);
static void hear(const char *fmt, ...)
{
	va_list ap;

	assert_true(t.n < MAX_HEARD);
	va_start(ap, fmt);
	vsnprintf(t.heard[t.n++], sizeof(t.heard[0]), fmt, ap);
	va_end(ap);
}

static void note_rx(struct sip_rx_data *rx)
{
	sip_rx_unref(st.rx);
	st.rx = rx ? sip_rx_ref(rx) : NULL;
}

static void on_progress(struct ast_sip_session *s, struct sip_rx_data *rx, bool offers, void *token)
{
	assert_ptr_equal(token, &st);
	assert_ptr_equal(rs_serializer_current(), ast_sip_session_serializer(s));
	hear("%s %u", offers ? "offer" : "progress", sip_rx_msg(rx)->status);
	if (offers && !st.manual_prack)
		ast_sip_session_prack(s, RS_STR("application/sdp"), RS_STR("v=0"), NULL, NULL);
}

static void on_answer(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	(void)token;
	hear("answer %u", sip_rx_msg(rx)->status);
	if (!st.manual_ack)
		assert_int_equal(ast_sip_session_ack(s, RS_STR_NULL, RS_STR_NULL), 0);
}

static void on_ack(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	(void)s, (void)rx, (void)token;
	hear("ack");
}

static bool on_request(struct ast_sip_session *s, struct sip_rx_data *rx, void *token)
{
	(void)s, (void)token;
	hear("request %.*s", RS_FMT(sip_rx_msg(rx)->method_text));
	note_rx(rx);
	return st.take;
}

static void on_end(struct ast_sip_session *s, enum ast_sip_session_end why, struct sip_rx_data *rx, void *token)
{
	(void)rx, (void)token;
	assert_int_equal(ast_sip_session_state(s), AST_SIP_SESSION_DISCONNECTED);
	hear("end %s", ast_sip_session_end_name(why));
}

static const struct ast_sip_session_user user = {
	.size = sizeof(struct ast_sip_session_user),
	.name = "test",
	.on_progress = on_progress,
	.on_answer = on_answer,
	.on_ack = on_ack,
	.on_request = on_request,
	.on_end = on_end,
};

static void set_session(struct ast_sip_session *s)
{
	ast_sip_session_unref(st.s);
	st.s = s;
}

static bool on_invite(struct ast_sip_session *s, struct sip_rx_data *rx)
{
	if (st.no_handler)
		return false;
	hear("invite");
	set_session(ast_sip_session_ref(s));
	note_rx(rx);
	if (!st.no_user)
		ast_sip_session_set_user(s, &user, &st);
	return true;
}

static struct ast_sip_session_handler handler = {
	.size = sizeof(struct ast_sip_session_handler), .name = "test", .on_invite = on_invite};

static bool something(void *token)
{
	(void)token;
	return t.next < t.n;
}

void user_hears(const char *what)
{
	/* An end of the user's own doing comes with the next tick. */
	sim_run_until(something, NULL, 20 * SIM_MS);
	if (t.next == t.n)
		fail_msg("the user heard nothing instead of %s", what);
	if (strcmp(t.heard[t.next], what) != 0)
		fail_msg("the user heard %s instead of %s", t.heard[t.next], what);
	if (++t.next == t.n)
		t.next = t.n = 0;
}

void user_heard(const char *what)
{
	if (t.next == t.n)
		fail_msg("the user heard nothing instead of %s", what);
	if (strncmp(t.heard[t.next], what, strlen(what)) != 0)
		fail_msg("the user heard %s instead of %s", t.heard[t.next], what);
	t.next++;
}

void user_hears_nothing(void)
{
	ct_run();
	if (t.next != t.n)
		fail_msg("the user heard %s", t.heard[t.next]);
}

/* ---- what the user does ---- */

struct action {
	const char *method, *sdp, *more;
	unsigned status;
	int timeout_ms;
	bool retry;
};

void st_do(int (*fn)(void *data), void *data)
{
	assert_non_null(st.s);
	errno = 0;
	assert_int_equal(rs_call(ast_sip_session_serializer(st.s), fn, data, &st.result, "test", NULL), 0);
	ct_run();
}

static int done(int result)
{
	st.error = result ? errno : 0;
	return result;
}

static int add_sdp(struct sip_tx_data *tx, const char *sdp)
{
	return sdp ? sip_tx_set_body(tx, RS_STR("application/sdp"), rs_str_c(sdp)) : 0;
}

static int do_call(void *data)
{
	struct action *a = data;
	struct sip_tx_data *tx = ast_sip_session_create_invite(st.s);

	assert_non_null(tx);
	add_sdp(tx, a->sdp);
	return done(ast_sip_session_send_invite(st.s, tx, a->timeout_ms));
}

void user_calls(const char *sdp, int timeout_ms)
{
	struct action a = {.sdp = sdp, .timeout_ms = timeout_ms};
	struct ast_sip_dialog_uac_params p = {.size = sizeof(p), .uri = RS_STR("sip:bob@10.0.0.2:5060")};
	struct ast_sip_endpoint *e = ast_sip_endpoint_get(RS_STR("anonymous"));

	t.phone_called = false;
	st.cseq = 1;
	set_session(ast_sip_session_create_outgoing(e, &p, &user, &st));
	ast_sip_endpoint_unref(e);
	assert_non_null(st.s);
	assert_int_equal(user_state(), AST_SIP_SESSION_NEW);
	st_do(do_call, &a);
}

static int do_answer(void *data)
{
	struct action *a = data;
	struct sip_tx_data *tx = ast_sip_session_create_answer(st.s, a->status, RS_STR_NULL);

	if (!tx)
		return done(-1);
	add_sdp(tx, a->sdp);
	return done(ast_sip_session_send_answer(st.s, tx));
}

void user_answers(unsigned status, const char *sdp)
{
	st_do(do_answer, &(struct action){.status = status, .sdp = sdp});
}

static int do_ack(void *data)
{
	struct action *a = data;

	return done(ast_sip_session_ack(st.s, a->sdp ? RS_STR("application/sdp") : RS_STR_NULL, rs_str_c(a->sdp)));
}

void user_acks(const char *sdp)
{
	st_do(do_ack, &(struct action){.sdp = sdp});
}

static void reply(void *token, enum ast_sip_request_end why, struct sip_rx_data *rx)
{
	assert_ptr_equal(token, &st);
	if (why == AST_SIP_REQUEST_RESPONSE)
		hear("reply %u", sip_rx_msg(rx)->status);
	else
		hear("reply %s", why == AST_SIP_REQUEST_TIMEOUT ? "timeout" : "error");
}

static int do_prack(void *data)
{
	struct action *a = data;

	return done(ast_sip_session_prack(st.s, RS_STR("application/sdp"), rs_str_c(a->sdp), reply, &st));
}

void user_pracks(const char *sdp)
{
	st_do(do_prack, &(struct action){.sdp = sdp});
}

static int do_send(void *data)
{
	struct action *a = data;
	struct sip_tx_data *tx = ast_sip_session_create_request(st.s, rs_str_c(a->method));

	if (!tx)
		return done(-1);
	add_sdp(tx, a->sdp);
	return done(ast_sip_session_send_request(st.s, tx, a->retry, reply, &st));
}

void user_sends(const char *method, const char *sdp, bool retry)
{
	st_do(do_send, &(struct action){.method = method, .sdp = sdp, .retry = retry});
}

static int do_respond(void *data)
{
	struct action *a = data;
	struct sip_tx_data *tx = ast_sip_session_create_response(st.s, st.rx, a->status, RS_STR_NULL);

	assert_non_null(tx);
	add_sdp(tx, a->sdp);
	return done(ast_sip_session_respond(st.s, st.rx, tx));
}

void user_responds(unsigned status, const char *sdp)
{
	st_do(do_respond, &(struct action){.status = status, .sdp = sdp});
}

static int do_hangup(void *data)
{
	struct action *a = data;
	unsigned heard = t.n;

	ast_sip_session_hangup(st.s, a->status, rs_str_c(a->more));
	assert_int_equal(t.n, heard); /* never before it returned */
	return done(0);
}

void user_hangs_up(unsigned status, const char *reason)
{
	st_do(do_hangup, &(struct action){.status = status, .more = reason});
}

static int do_bye(void *data)
{
	struct action *a = data;
	struct sip_tx_data *tx = ast_sip_session_create_request(st.s, RS_STR("BYE"));

	assert_non_null(tx);
	assert_int_equal(ast_sip_add_header(tx, "X-Why", a->more), 0);
	ast_sip_session_hangup_with(st.s, tx);
	return done(0);
}

void user_says_bye(const char *more)
{
	st_do(do_bye, &(struct action){.more = more});
}

enum ast_sip_session_state user_state(void)
{
	return ast_sip_session_state(st.s);
}

/* ---- the phone sends ---- */

static void send_request(const char *method, const char *branch, unsigned cseq, const char *more, const char *sdp)
{
	char text[TEXT];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\nVia: SIP/2.0/UDP " PHONE ";branch=z9hG4bK%s;rport\nFrom: %s\nTo: %s\nCall-ID: %s\n"
		 "CSeq: %u %s\nMax-Forwards: 70\nContact: <sip:alice@" PHONE ">\n%s%sContent-Length: %zu\n\n%s",
		 method, t.ruri, branch, t.local, t.remote, t.call_id, cseq, method, more ? more : "",
		 sdp ? "Content-Type: application/sdp\n" : "", sdp ? strlen(sdp) : 0, sdp ? sdp : "");
	if (strcmp(method, "INVITE") == 0) {
		snprintf(t.invite, sizeof(t.invite), "%s", text);
		snprintf(t.invite_to, sizeof(t.invite_to), "%s", t.remote);
	}
	ct_send(t.phone, "%s", text);
	ct_run();
}

static const char *new_branch(void)
{
	static char branch[32];

	if (st.branch)
		return st.branch;
	snprintf(branch, sizeof(branch), "b%u", ++t.branches);
	return branch;
}

void phone_invites(const char *more, const char *sdp)
{
	t.phone_called = true;
	snprintf(t.local, sizeof(t.local), "<sip:alice@10.0.0.1>;tag=%s", st.tag);
	snprintf(t.remote, sizeof(t.remote), "<sip:bob@10.0.0.1>");
	snprintf(t.call_id, sizeof(t.call_id), "call%u@phone", ++t.calls);
	snprintf(t.ruri, sizeof(t.ruri), "sip:bob@10.0.0.1");
	st.cseq = 2;
	st.invite_cseq = 1;
	send_request("INVITE", new_branch(), 1, more, sdp);
}

void phone_invites_again(void)
{
	char text[TEXT];

	snprintf(text, sizeof(text), "%s", t.invite);
	ct_send(t.phone, "%s", text);
	ct_run();
}

void phone_invites_merged(void)
{
	char text[TEXT], *at;

	snprintf(text, sizeof(text), "%s", t.invite);
	at = strstr(text, "branch=z9hG4bK");
	assert_non_null(at);
	at[strlen("branch=z9hG4bK")] = 'M';
	ct_send(t.phone, "%s", text);
	ct_run();
}

/* With the branch and the number of the last INVITE. */
static void send_for_invite(const char *method, const char *more)
{
	char branch[64];
	const char *at = strstr(t.invite, "branch=z9hG4bK") + strlen("branch=z9hG4bK");

	snprintf(branch, sizeof(branch), "%.*s", (int)strcspn(at, ";\r\n"), at);
	send_request(method, branch, st.invite_cseq, more, NULL);
}

void phone_cancels(void)
{
	char remote[512];

	snprintf(remote, sizeof(remote), "%s", t.remote);
	snprintf(t.remote, sizeof(t.remote), "%s", t.invite_to);
	send_for_invite("CANCEL", "Reason: SIP;cause=200;text=\"elsewhere\"\n");
	snprintf(t.remote, sizeof(t.remote), "%s", remote);
}

void phone_acks_refusal(void)
{
	send_for_invite("ACK", NULL);
}

void phone_sends(const char *method, const char *more, const char *sdp)
{
	if (strcmp(method, "INVITE") == 0)
		st.invite_cseq = st.cseq;
	send_request(method, new_branch(), st.cseq++, more, sdp);
}

void phone_acks_cseq(unsigned cseq, const char *sdp)
{
	send_request("ACK", new_branch(), cseq, NULL, sdp);
}

void phone_acks(const char *sdp)
{
	phone_acks_cseq(st.invite_cseq, sdp);
}

/* ---- the phone answers ---- */

static size_t copy_headers(char *out, size_t size, const char *request, const char *name, const char *tag)
{
	const char *value;
	size_t len = 0;

	for (unsigned n = 0; (value = ct_header(request, name, n)); n++) {
		bool to = strcmp(name, "To") == 0 && !strstr(value, "tag=");

		len += (size_t)snprintf(out + len, size - len, "%s: %s%s%s\n", name, value, to ? ";tag=" : "",
					to ? tag : "");
	}
	return len;
}

void phone_answers_as(const char *tag, const char *method, unsigned status, const char *more, const char *sdp)
{
	static const char *const names[] = {"Via", "From", "To", "Call-ID", "CSeq"};
	const char *request = t.request[sip_method_from_name(rs_str_c(method))];
	char text[TEXT];
	size_t len = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %u Answer\n", status);

	assert_true(request[0]);
	for (unsigned i = 0; i < RS_ARRAY_SIZE(names); i++)
		len += copy_headers(text + len, sizeof(text) - len, request, names[i], tag);
	snprintf(text + len, sizeof(text) - len, "Contact: <sip:bob@" PHONE ">\n%s%sContent-Length: %zu\n\n%s",
		 more ? more : "", sdp ? "Content-Type: application/sdp\n" : "", sdp ? strlen(sdp) : 0, sdp ? sdp : "");
	ct_send(t.phone, "%s", text);
	ct_run();
}

void phone_answers(const char *method, unsigned status, const char *more, const char *sdp)
{
	phone_answers_as(st.tag, method, status, more, sdp);
}

/* ---- the phone receives ---- */

/* From and To for the phone's own requests, from what it got. */
static void learn(const char *m)
{
	const char *value;

	if (ct_status(m) && t.phone_called) {
		value = ct_header(m, "To", 0);
		if (value && strstr(value, "tag="))
			snprintf(t.remote, sizeof(t.remote), "%s", value);
		return;
	}
	if (strncmp(m, "INVITE ", 7) != 0 || t.phone_called)
		return;
	value = ct_header(m, "From", 0);
	snprintf(t.remote, sizeof(t.remote), "%s", value);
	value = ct_header(m, "To", 0);
	snprintf(t.local, sizeof(t.local), "%s%s%s", value,
		 strstr(value, "tag=") ? "" : ";tag=", strstr(value, "tag=") ? "" : st.tag);
	value = ct_header(m, "Call-ID", 0);
	snprintf(t.call_id, sizeof(t.call_id), "%s", value);
	snprintf(t.ruri, sizeof(t.ruri), "sip:10.0.0.1");
}

static bool receive(int64_t us)
{
	const char *m = ct_receive_within(t.phone, us), *space;

	if (!m)
		return false;
	snprintf(t.last, sizeof(t.last), "%s", m);
	st.last = t.last;
	learn(t.last);
	space = strchr(t.last, ' ');
	if (!ct_status(t.last) && space)
		snprintf(t.request[sip_method_from_name(rs_str_n(t.last, (size_t)(space - t.last)))], TEXT, "%s",
			 t.last);
	return true;
}

static void check(const char *what)
{
	char start[64];

	snprintf(start, sizeof(start), what[0] >= '0' && what[0] <= '9' ? "SIP/2.0 %s " : "%s ", what);
	if (strncmp(t.last, start, strlen(start)) != 0)
		fail_msg("the phone got %.60s instead of %s", t.last, what);
}

void phone_gets_within(const char *what, int64_t ms)
{
	if (!receive(ms * SIM_MS))
		fail_msg("the phone got nothing instead of %s", what);
	st.last_at = sim_now();
	check(what);
}

void phone_gets(const char *what)
{
	phone_gets_within(what, 1000);
}

void phone_gets_after(const char *what, int64_t ms)
{
	int64_t late;

	if (!receive(ms * SIM_MS * 2 + SIM_SECOND))
		fail_msg("the phone got nothing instead of %s", what);
	check(what);
	late = sim_now() - st.last_at - ms * SIM_MS;
	if (late < -2 * SIM_MS || late > 15 * SIM_MS)
		fail_msg("%s came %lld us late", what, (long long)late);
	st.last_at = sim_now();
}

void phone_gets_nothing(int64_t ms)
{
	if (receive(ms * SIM_MS))
		fail_msg("the phone got %.60s", t.last);
}

void phone_saw(const char *text)
{
	if (!strstr(t.last, text))
		fail_msg("no %s in\n%s", text, t.last);
}

void phone_did_not_see(const char *text)
{
	if (strstr(t.last, text))
		fail_msg("%s in\n%s", text, t.last);
}

const char *phone_header(const char *name)
{
	const char *value = ct_header(t.last, name, 0);

	return value ? value : "";
}

unsigned phone_number(const char *name)
{
	return (unsigned)strtoul(phone_header(name), NULL, 10);
}

/* ---- the whole ---- */

void st_start_with(const char *options, const char *own)
{
	char text[2048];
	struct sim_link *link;

	memset(&st, 0, sizeof(st));
	memset(&t, 0, sizeof(t));
	st.tag = "phone";
	snprintf(text, sizeof(text), "[anonymous]\ntype=endpoint\naors=anonymous\n%s[anonymous]\ntype=aor\n", options);
	ct_start(text, own);
	link = sim_net_link(NULL, NULL);
	link->delay_min = link->delay_max = 0;
	ct_let_all_in();
	assert_int_equal(ast_sip_module_info.load(), AST_SIP_MODULE_OK);
	handler.owner = NULL;
	assert_int_equal(ast_sip_session_register_handler(&handler), 0);
	t.phone = ct_phone(PHONE);
	t.up = true;
}

void st_start(const char *options)
{
	st_start_with(options, NULL);
}

void st_wait(int64_t ms)
{
	sim_run_for(ms * SIM_MS);
}

struct ast_sip_session_stats st_stats(void)
{
	struct ast_sip_session_stats stats;

	ast_sip_session_stats(&stats);
	return stats;
}

static void let_go(bool unload)
{
	struct sip_dialog_stats dialogs;

	set_session(NULL);
	note_rx(NULL);
	ast_sip_session_unregister_handler(&handler);
	if (unload)
		ast_sip_module_info.unload();
	ct_run();
	ct_stop();
	t.up = false;
	assert_int_equal(st_stats().now, 0);
	sip_dialog_stats(&dialogs);
	assert_int_equal(dialogs.now, 0);
}

void st_end(void)
{
	struct sip_dialog_stats dialogs;
	struct sip_tsx_stats transactions;

	set_session(NULL);
	note_rx(NULL);
	sim_run_for(200 * SIM_SECOND);
	assert_int_equal(st_stats().now, 0);
	sip_dialog_stats(&dialogs);
	assert_int_equal(dialogs.now, 0);
	sip_tsx_stats(&transactions);
	assert_int_equal(transactions.server_now, 0);
	assert_int_equal(transactions.client_now, 0);
	let_go(true);
}

int st_teardown(void **state)
{
	(void)state;
	if (t.up)
		let_go(true);
	return 0;
}

void st_stop(void)
{
	let_go(false);
}

void st_call_in(const char *more)
{
	phone_invites(more, "v=0 phone");
	phone_gets("100");
	user_hears("invite");
	user_answers(200, "v=0 user");
	phone_gets("200");
	phone_acks(NULL);
	user_hears("ack");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
}

void st_call_out(const char *more)
{
	user_calls("v=0 user", 0);
	phone_gets("INVITE");
	phone_answers("INVITE", 200, more, "v=0 phone");
	user_hears("answer 200");
	phone_gets("ACK");
	assert_int_equal(user_state(), AST_SIP_SESSION_CONFIRMED);
}
