/* The proxy helper: RFC 3261 section 16, RFC 4320, RFC 5393. */
#include "core_test.h"

#include "res_sip/proxy.h"

#define MAX_TARGETS 4

static struct ct_phone *caller, *callees[MAX_TARGETS];

static struct {
	unsigned n;
	const char *uri[MAX_TARGETS], *route[MAX_TARGETS];
	uint16_t q[MAX_TARGETS];
	bool serial, record_route, with_endpoint;
	int timeout_ms;
	unsigned no_answer_status;
} plan;
static unsigned finals, final_status;
static bool final_had_best;
static int forward_rc;

static void on_final(void *token, unsigned status, struct sip_rx_data *best)
{
	assert_ptr_equal(token, &finals);
	finals++;
	final_status = status;
	final_had_best = best != NULL;
}

static bool forward(struct sip_rx_data *rx)
{
	struct ast_sip_proxy_branch branches[MAX_TARGETS] = {0};
	struct ast_sip_proxy_params p = {
		.size = sizeof(p),
		.branches = branches,
		.n = plan.n,
		.serial_by_q = plan.serial,
		.record_route = plan.record_route,
		.timeout_ms = plan.timeout_ms,
		.no_answer_status = plan.no_answer_status,
		.endpoint = plan.with_endpoint ? ast_sip_rx_endpoint(rx) : NULL,
		.on_final = on_final,
		.token = &finals,
	};

	for (unsigned i = 0; i < plan.n; i++) {
		branches[i].uri = rs_str_c(plan.uri[i]);
		branches[i].route = rs_str_c(plan.route[i]);
		branches[i].q_thousandths = plan.q[i];
	}
	forward_rc = ast_sip_proxy_forward(rx, &p);
	return true;
}
static struct sip_module proxy = {.size = sizeof(struct sip_module),
				  .name = "proxy",
				  .priority = SIP_PRIORITY_APPLICATION,
				  .on_rx_request = forward,
				  .methods = "MESSAGE, INVITE, ACK, CANCEL"};

static int setup(void **state)
{
	static const char *const uris[] = {"sip:a@10.0.0.11:5060", "sip:b@10.0.0.12:5060", "sip:c@10.0.0.13:5060",
					   "sip:d@10.0.0.14:5060"};
	char address[32];

	(void)state;
	memset(&plan, 0, sizeof(plan));
	plan.n = 1;
	plan.timeout_ms = 20000;
	plan.no_answer_status = 480;
	finals = 0;
	ct_start("[anonymous]\ntype=endpoint\nauth=x\nallow_unauthenticated_options=yes\n[x]\ntype=auth\nusername=x\n"
		 "password=y\nrealm=ours\n",
		 "[identify]\nallow_without_authenticator=yes\n");
	ct_let_all_in();
	assert_int_equal(ast_sip_register_service(&proxy), 0);
	caller = ct_phone("10.0.0.2:5060");
	for (unsigned i = 0; i < MAX_TARGETS; i++) {
		plan.uri[i] = uris[i];
		snprintf(address, sizeof(address), "10.0.0.%u:5060", 11 + i);
		callees[i] = ct_phone(address);
	}
	return 0;
}

static void call(const char *method, const char *more)
{
	static unsigned n;
	char word[16];

	snprintf(word, sizeof(word), "p%u", n++);
	ct_request(caller, method, "sip:bob@10.0.0.1", word, more);
}

static void message(const char *more)
{
	call("MESSAGE", more);
}

static void invite(const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "Contact: <sip:caller@10.0.0.2>\n%s", more);
	call("INVITE", text);
}

/* The final answer that the caller gets; 100 is passed over. */
static const char *final_answer(int64_t within)
{
	int64_t end = sim_now() + within;
	const char *m;

	do
		m = ct_receive_within(caller, end - sim_now());
	while (ct_status(m) == 100);
	return m;
}

/* ---- the request ---- */

static void a_request_goes_on_with_what_a_proxy_changes(void **state)
{
	const char *m;

	(void)state;
	plan.uri[0] = "sip:a@10.0.0.11:5060;x-ast-orig-host=1.2.3.4;keep=1";
	message("Max-Forwards: 12\nX-Other: kept\nSubject: s\n");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	assert_memory_equal(m, "MESSAGE sip:a@10.0.0.11:5060;keep=1 SIP/2.0\r\n", 45);
	assert_string_equal(ct_header(m, "Max-Forwards", 0), "11");
	assert_string_equal(ct_header(m, "Max-Breadth", 0), "60");
	assert_string_equal(ct_header(m, "X-Other", 0), "kept");
	assert_non_null(strstr(ct_header(m, "Via", 0), "10.0.0.1:5060"));
	assert_non_null(strstr(ct_header(m, "Via", 1), "10.0.0.2:5060"));
	assert_non_null(strstr(ct_header(m, "Via", 1), ";received=10.0.0.2;rport=5060")); /* RFC 3581 section 4 */
	assert_null(ct_header(m, "Via", 2));
	assert_null(ct_header(m, "Record-Route", 0));
	ct_answer(callees[0], m, 200, "");
	m = final_answer(SIM_SECOND);
	assert_int_equal(ct_status(m), 200);
	assert_null(ct_header(m, "Via", 1));
	assert_non_null(strstr(ct_header(m, "Via", 0), "10.0.0.2:5060"));
	assert_non_null(strstr(ct_header(m, "To", 0), "tag=callee"));
	assert_int_equal(finals, 1);
	assert_int_equal(final_status, 200);
	assert_int_equal(forward_rc, 0);
}

static void a_path_is_the_route_and_the_next_hop(void **state)
{
	const char *m;

	(void)state;
	plan.uri[0] = "sip:a@far.example";
	plan.route[0] = "<sip:10.0.0.12:5060;lr>,<sip:edge.example;lr>";
	plan.record_route = true;
	message("");
	m = ct_receive(callees[1]);
	assert_non_null(m);
	assert_memory_equal(m, "MESSAGE sip:a@far.example SIP/2.0\r\n", 35);
	assert_string_equal(ct_header(m, "Route", 0), "<sip:10.0.0.12:5060;lr>,<sip:edge.example;lr>");
	assert_string_equal(ct_header(m, "Record-Route", 0), "<sip:10.0.0.1:5060;lr>");
}

static void a_route_that_names_this_server_is_taken_off(void **state)
{
	const char *m;

	(void)state;
	message("Route: <sip:10.0.0.1:5060;lr>, <sip:other.example;lr>\n");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	assert_string_equal(ct_header(m, "Route", 0), "<sip:other.example;lr>");
}

static void credentials_for_this_server_go_no_further(void **state)
{
	const char *m;

	(void)state;
	plan.with_endpoint = true;
	message("Authorization: Digest username=\"x\",realm=\"ours\",nonce=\"n\",response=\"r\"\n"
		"Authorization: Digest username=\"x\",realm=\"theirs\",nonce=\"n\",response=\"r\"\n");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	assert_non_null(strstr(ct_header(m, "Authorization", 0), "theirs"));
	assert_null(ct_header(m, "Authorization", 1));
}

/* ---- what is refused ---- */

static void a_request_without_hops_is_483(void **state)
{
	(void)state;
	message("Max-Forwards: 0\n");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 483);
	assert_null(ct_receive(callees[0]));
	assert_int_equal(forward_rc, -1);
	assert_int_equal(finals, 0);
}

/* A neighbour sends the request back to where it came in: another Via on top, one hop less, the same Request-URI. */
static void send_back(const char *request, const char *uri)
{
	const char *rest = strstr(request, "\r\nVia:");
	char text[4096];
	int n = snprintf(text, sizeof(text),
			 "MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKback;rport%s", uri, rest);

	assert_true(n > 0 && (size_t)n < sizeof(text));
	ct_send_bytes(callees[0], rs_str_n(text, (size_t)n));
}

static void a_request_that_comes_back_unchanged_is_482(void **state)
{
	const char *m;

	(void)state;
	message("");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	send_back(m, "sip:bob@10.0.0.1");
	assert_int_equal(ct_status(ct_receive(callees[0])), 482);
}

static void a_spiral_with_another_uri_goes_on(void **state)
{
	const char *m;

	(void)state;
	message("");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	plan.uri[0] = plan.uri[1];
	send_back(m, "sip:carol@10.0.0.1");
	m = ct_receive(callees[1]);
	assert_non_null(m);
	assert_non_null(ct_header(m, "Via", 3));
}

static void forks_share_the_breadth_and_too_many_are_440(void **state)
{
	(void)state;
	plan.n = 4;
	message("Max-Breadth: 6\n");
	assert_string_equal(ct_header(ct_receive(callees[0]), "Max-Breadth", 0), "2");
	assert_string_equal(ct_header(ct_receive(callees[1]), "Max-Breadth", 0), "2");
	assert_string_equal(ct_header(ct_receive(callees[2]), "Max-Breadth", 0), "1");
	assert_string_equal(ct_header(ct_receive(callees[3]), "Max-Breadth", 0), "1");
	message("Max-Breadth: 3\n");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 440);
	message("Max-Breadth: 0\n");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 440);
}

/* ---- the best response ---- */

static const char *fork_and_answer(const unsigned *statuses, const char *const *more)
{
	/* What was sent again of an earlier request. */
	for (unsigned i = 0; i < plan.n; i++) {
		while (ct_receive_within(callees[i], 0))
			;
	}
	message("");
	for (unsigned i = 0; i < plan.n; i++) {
		const char *m = ct_receive(callees[i]);

		assert_non_null(m);
		ct_answer(callees[i], m, statuses[i], more ? more[i] : "");
		ct_run();
	}
	return final_answer(SIM_SECOND);
}

static void the_first_2xx_goes_back_at_once(void **state)
{
	const char *m;

	(void)state;
	plan.n = 2;
	message("");
	assert_non_null(m = ct_receive(callees[1]));
	ct_answer(callees[1], m, 200, "");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 200);
	assert_non_null(m = ct_receive(callees[0]));
	ct_answer(callees[0], m, 404, "");
	sim_run_for(SIM_SECOND);
	assert_null(final_answer(SIM_SECOND));
	assert_int_equal(finals, 1);
}

static void a_6xx_wins_then_the_lowest_class(void **state)
{
	(void)state;
	plan.n = 3;
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){404, 603, 302}, NULL)), 603);
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){500, 404, 302}, NULL)), 302);
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){500, 404, 484}, NULL)), 484);
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){503, 500, 502}, NULL)), 500);
	assert_int_equal(finals, 4);
}

static void a_lone_503_becomes_500(void **state)
{
	(void)state;
	plan.n = 2;
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){503, 503}, NULL)), 500);
	assert_int_equal(final_status, 500);
}

static void challenges_of_all_branches_are_gathered(void **state)
{
	const char *const more[] = {"WWW-Authenticate: Digest realm=\"a\",nonce=\"1\"\n",
				    "Proxy-Authenticate: Digest realm=\"b\",nonce=\"2\"\n", ""};
	const char *m;

	(void)state;
	plan.n = 3;
	m = fork_and_answer((unsigned[]){401, 407, 404}, more);
	assert_int_equal(ct_status(m), 401);
	assert_non_null(strstr(ct_header(m, "WWW-Authenticate", 0), "realm=\"a\""));
	assert_non_null(strstr(ct_header(m, "Proxy-Authenticate", 0), "realm=\"b\""));
}

static void nobody_answers_is_the_caller_s_choice_never_408(void **state)
{
	(void)state;
	plan.n = 2;
	message("");
	assert_null(final_answer(19 * SIM_SECOND));
	assert_int_equal(ct_status(final_answer(2 * SIM_SECOND)), 480);
	assert_false(final_had_best);
	plan.no_answer_status = 408;
	message("");
	assert_int_equal(ct_status(final_answer(30 * SIM_SECOND)), 480);
	plan.n = 1;
	assert_int_equal(ct_status(fork_and_answer((unsigned[]){408}, NULL)), 480);
	assert_int_equal(finals, 3);
}

static void groups_of_q_are_tried_one_after_another(void **state)
{
	const char *m;

	(void)state;
	plan.n = 3;
	plan.serial = true;
	plan.q[0] = 100;
	plan.q[1] = 900;
	plan.q[2] = 100;
	message("");
	m = ct_receive(callees[1]);
	assert_non_null(m);
	assert_string_equal(ct_header(m, "Max-Breadth", 0), "60");
	assert_null(ct_receive(callees[0]));
	ct_answer(callees[1], m, 486, "");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	assert_string_equal(ct_header(m, "Max-Breadth", 0), "30");
	ct_answer(callees[0], m, 200, "");
	assert_non_null(ct_receive(callees[2]));
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 200);
}

static void the_next_address_of_a_name_is_tried_on_503(void **state)
{
	const char *m;

	(void)state;
	sim_names_add("two.example", "10.0.0.11");
	sim_names_add("two.example", "10.0.0.12");
	plan.uri[0] = "sip:x@two.example";
	message("");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	ct_answer(callees[0], m, 503, "");
	m = ct_receive(callees[1]);
	assert_non_null(m);
	ct_answer(callees[1], m, 202, "");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 202);
}

static void a_name_that_does_not_exist_is_no_answer(void **state)
{
	(void)state;
	sim_names_fail("nowhere.example", ENOENT);
	plan.uri[0] = "sip:x@nowhere.example";
	message("");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 480);
	assert_int_equal(finals, 1);
}

/* ---- INVITE ---- */

static void provisional_responses_go_back_and_losers_are_cancelled(void **state)
{
	const char *m;
	char first[4096];

	(void)state;
	plan.n = 2;
	invite("");
	m = ct_receive(callees[0]);
	assert_non_null(m);
	snprintf(first, sizeof(first), "%s", m);
	ct_answer(callees[0], first, 180, "");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 180);
	m = ct_receive(callees[1]);
	assert_non_null(m);
	ct_answer(callees[1], m, 200, "Contact: <sip:b@10.0.0.12>\n");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 200);
	m = ct_receive(callees[0]);
	while (m && memcmp(m, "INVITE", 6) == 0)
		m = ct_receive(callees[0]);
	assert_non_null(m);
	assert_memory_equal(m, "CANCEL sip:a@10.0.0.11:5060 SIP/2.0\r\n", 37);
	ct_answer(callees[0], m, 200, "");
	ct_answer(callees[0], first, 487, "");
	sim_run_for(SIM_SECOND);
	assert_int_equal(finals, 1);
}

static void the_caller_s_cancel_reaches_all_branches(void **state)
{
	char invites[2][4096], word[16];
	const char *m;

	(void)state;
	plan.n = 2;
	snprintf(word, sizeof(word), "cancelled");
	ct_request(caller, "INVITE", "sip:bob@10.0.0.1", word, "Contact: <sip:caller@10.0.0.2>\n");
	for (unsigned i = 0; i < 2; i++) {
		m = ct_receive(callees[i]);
		assert_non_null(m);
		snprintf(invites[i], sizeof(invites[i]), "%s", m);
		ct_answer(callees[i], m, 180, "");
	}
	sim_run_for(SIM_SECOND);
	while (final_answer(10 * SIM_MS))
		;
	ct_send(caller,
		"CANCEL sip:bob@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKcancelledINVITE;rport\n"
		"From: <sip:alice@10.0.0.1>;tag=fcancelled\nTo: <sip:bob@10.0.0.1>\nCall-ID: cancelled@phone\nCSeq: 1 "
		"CANCEL\n"
		"Max-Forwards: 70\nContent-Length: 0\n\n");
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 200); /* of the CANCEL */
	for (unsigned i = 0; i < 2; i++) {
		do
			m = ct_receive(callees[i]);
		while (m && memcmp(m, "INVITE", 6) == 0);
		assert_non_null(m);
		assert_memory_equal(m, "CANCEL ", 7);
		ct_answer(callees[i], m, 200, "");
		ct_answer(callees[i], invites[i], 487, "");
	}
	assert_int_equal(ct_status(final_answer(SIM_SECOND)), 487);
	assert_int_equal(finals, 1);
}

/* ---- bindings ---- */

static void a_binding_gives_its_flow_first(void **state)
{
	struct ast_sip_proxy_branch b;
	struct ast_sip_contacts *c = ast_sip_location_contacts(RS_STR("perm"));

	(void)state;
	assert_null(c);
	ct_stop();
	ct_start("[perm]\ntype=aor\ncontact=sip:p@10.0.0.11:5062\\;transport=tcp\n", NULL);
	c = ast_sip_location_contacts(RS_STR("perm"));
	assert_non_null(c);
	ast_sip_proxy_branch_for_contact(c->v[0], &b);
	assert_true(rs_str_eqz(b.uri, "sip:p@10.0.0.11:5062;transport=tcp"));
	assert_int_equal(b.target.type, SIP_TRANSPORT_TCP);
	assert_int_equal(b.target.addr.port, 5062);
	assert_int_equal(b.target.flow, 0);
	assert_false(b.target.flow_only);
	assert_int_equal(b.q_thousandths, 1000);
	ast_sip_contacts_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(a_request_goes_on_with_what_a_proxy_changes),
		T(a_path_is_the_route_and_the_next_hop),
		T(a_route_that_names_this_server_is_taken_off),
		T(credentials_for_this_server_go_no_further),
		T(a_request_without_hops_is_483),
		T(a_request_that_comes_back_unchanged_is_482),
		T(a_spiral_with_another_uri_goes_on),
		T(forks_share_the_breadth_and_too_many_are_440),
		T(the_first_2xx_goes_back_at_once),
		T(a_6xx_wins_then_the_lowest_class),
		T(a_lone_503_becomes_500),
		T(challenges_of_all_branches_are_gathered),
		T(nobody_answers_is_the_caller_s_choice_never_408),
		T(groups_of_q_are_tried_one_after_another),
		T(the_next_address_of_a_name_is_tried_on_503),
		T(a_name_that_does_not_exist_is_no_answer),
		T(provisional_responses_go_back_and_losers_are_cancelled),
		T(the_caller_s_cancel_reaches_all_branches),
		T(a_binding_gives_its_flow_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
