/* The answer budget, and shedding under load. */
#include "core_test.h"

#include "core/pipeline.h"

static struct sip_addr address(const char *text)
{
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(rs_str_c(text), &a), 0);
	return a;
}

static bool allows(const char *peer, size_t question, size_t answer)
{
	struct sip_addr a = address(peer);

	return ast_sip_budget_allows(&a, question, answer);
}

static void failures(const char *peer, unsigned n)
{
	struct sip_addr a = address(peer);

	while (n--)
		ast_sip_budget_failed(&a, rs_now_us());
}

static void verified(const char *peer)
{
	struct sip_addr a = address(peer);

	ast_sip_budget_verified(&a, rs_now_us());
}

static void an_answer_is_at_most_three_times_its_question(void **state)
{
	(void)state;
	ct_start("", NULL);
	assert_true(allows("10.0.0.2:5060", 100, 300));
	assert_false(allows("10.0.0.2:5060", 100, 301));
	verified("10.0.0.2:4000");
	assert_true(allows("10.0.0.2:5060", 100, 3000));
	assert_false(allows("10.0.0.3:5060", 100, 3000));
}

static void ipv6_counts_by_64(void **state)
{
	(void)state;
	ct_start("", NULL);
	verified("[2001:db8::1]:5060");
	assert_true(allows("[2001:db8::ffff]:5060", 100, 3000));
	assert_false(allows("[2001:db8:0:1::1]:5060", 100, 3000));
}

static void failures_spend_the_budget_and_time_wins_it_back(void **state)
{
	(void)state;
	ct_start("", "[security]\nudp_answer_budget=10\nudp_answer_burst=20\n");
	failures("10.0.0.2", 20);
	assert_true(allows("10.0.0.2", 100, 100));
	failures("10.0.0.2", 20);
	sim_run_for(200 * SIM_MS); /* what a thread remembers of a source is that old at most */
	failures("10.0.0.2", 20);
	assert_false(allows("10.0.0.2", 100, 100));
	assert_true(allows("10.0.0.3", 100, 100));
	sim_run_for(SIM_SECOND);
	assert_true(allows("10.0.0.2", 100, 100));
}

static void a_verified_source_is_exempt_and_so_is_a_trusted_one(void **state)
{
	(void)state;
	ct_start("", "[security]\nudp_answer_budget=1\nudp_answer_burst=1\nverified_s=100\ntrusted=10.9.0.0/16\n");
	verified("10.0.0.2");
	failures("10.0.0.2", 100);
	assert_true(allows("10.0.0.2", 100, 1000));
	assert_true(allows("10.9.8.7", 100, 100000));
	failures("10.9.8.7", 100);
	assert_true(allows("10.9.8.7", 100, 100000));
	sim_run_for(101 * SIM_SECOND);
	assert_false(allows("10.0.0.2", 100, 1000));
}

static void a_flood_of_strangers_does_not_push_a_verified_source_out(void **state)
{
	(void)state;
	ct_start("", "[security]\nbudget_sources=512\n");
	verified("10.0.0.2");
	for (unsigned i = 0; i < 20000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "172.16.%u.%u", i / 250, i % 250);
		failures(text, 1);
	}
	sim_run_for(SIM_SECOND);
	assert_true(allows("10.0.0.2", 100, 1000));
}

static void the_budget_can_be_turned_off(void **state)
{
	(void)state;
	ct_start("", "[security]\nudp_answer_budget=0\n");
	assert_true(allows("10.0.0.2", 1, 100000));
}

/* ---- through the pipeline ---- */

static void a_wrong_guess_too_many_is_not_answered_any_more(void **state)
{
	struct ct_phone *p;
	unsigned answers = 0;
	char word[16];

	(void)state;
	ct_start("[bob]\ntype=endpoint\n", "[security]\nudp_answer_budget=1\nudp_answer_burst=5\n");
	p = ct_phone("10.0.0.2:5060");
	failures("10.0.0.2", 5);
	sim_run_for(200 * SIM_MS);
	for (unsigned i = 0; i < 3; i++)
		failures("10.0.0.2", 1);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(word, sizeof(word), "g%u", i);
		ct_request(p, "FOO", "sip:10.0.0.1", word, "");
		answers += ct_receive_within(p, 10 * SIM_MS) != NULL;
	}
	assert_int_equal(answers, 0);
}

/* ---- shedding ---- */

static enum sip_admission admit_from(const char *from, enum sip_method method, bool request, bool in_dialog)
{
	struct sip_addr peer = address(from);

	return ast_sip_overload_admit(
		(struct sip_msg_class){.is_request = request, .in_dialog = in_dialog, .method = method},
		SIP_TRANSPORT_UDP, &peer);
}

static enum sip_admission admit(enum sip_method method, bool request, bool in_dialog)
{
	return admit_from("10.0.0.2", method, request, in_dialog);
}

static int nothing(void *data)
{
	(void)data;
	return 0;
}

static struct ast_sip_work *busy;

static void queue(unsigned n)
{
	if (!busy)
		busy = ast_sip_create_work();
	while (n--)
		assert_int_equal(ast_sip_push_task(busy, nothing, NULL), 0);
}

static void end_queue(void)
{
	ct_run();
	ast_sip_destroy_work(busy);
	busy = NULL;
}

/* The next sample is due. */
static void resample(void)
{
	sim_clock_set(sim_now() + 20 * SIM_MS);
}

static void new_requests_are_refused_past_the_mark_the_rest_passes(void **state)
{
	(void)state;
	ct_start("", "[limits]\nqueue_high_water=50\nqueue_wait_ms=60000\nshed_answers=2\n");
	assert_int_equal(admit(SIP_METHOD_INVITE, true, false), SIP_ADMIT);
	assert_true(ast_sip_overload_admits_all());
	queue(60);
	resample();
	assert_false(ast_sip_overload_admits_all());
	assert_int_equal(admit(SIP_METHOD_INVITE, true, false), SIP_REFUSE_503);
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_REFUSE_503);
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_REFUSE_DROP);
	assert_int_equal(admit(SIP_METHOD_INVITE, true, true), SIP_ADMIT);
	assert_int_equal(admit(SIP_METHOD_ACK, true, false), SIP_ADMIT);
	assert_int_equal(admit(SIP_METHOD_BYE, true, false), SIP_ADMIT);
	assert_int_equal(admit(SIP_METHOD_CANCEL, true, false), SIP_ADMIT);
	assert_int_equal(admit(SIP_METHOD_OTHER, false, false), SIP_ADMIT);
	assert_int_equal(ct_logged("overload.began"), 1);
	end_queue();
	resample();
	assert_int_equal(admit(SIP_METHOD_INVITE, true, false), SIP_ADMIT);
	assert_int_equal(ct_logged("overload.ended"), 1);
}

static void what_belongs_to_a_dialog_has_a_bound_of_its_own(void **state)
{
	(void)state;
	ct_start("", "[limits]\nqueue_high_water=10\nqueue_wait_ms=60000\nqueue_in_dialog_factor=3\n");
	queue(35);
	resample();
	assert_int_equal(admit(SIP_METHOD_INVITE, true, true), SIP_REFUSE_DROP);
	assert_int_equal(admit(SIP_METHOD_OTHER, false, false), SIP_REFUSE_DROP);
	end_queue();
}

static void a_verified_source_passes_longer_than_a_stranger(void **state)
{
	(void)state;
	ct_start("", "[limits]\nqueue_high_water=50\nqueue_wait_ms=60000\n");
	verified("10.0.0.2");
	queue(60);
	resample();
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_ADMIT);
	assert_int_equal(admit_from("10.0.0.3", SIP_METHOD_REGISTER, true, false), SIP_REFUSE_503);
	queue(45); /* twice the mark: half of what dialogs are allowed */
	resample();
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_REFUSE_503);
	assert_int_equal(admit(SIP_METHOD_INVITE, true, true), SIP_ADMIT);
	end_queue();
}

static void a_source_that_spent_its_budget_is_refused_first(void **state)
{
	(void)state;
	ct_start("", "[limits]\nqueue_high_water=40\nqueue_wait_ms=60000\n"
		     "[security]\nudp_answer_budget=1\nudp_answer_burst=5\n");
	for (unsigned i = 0; i < 3; i++) {
		failures("10.0.0.2", 7);
		sim_run_for(200 * SIM_MS);
	}
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_ADMIT);
	queue(20);
	resample();
	assert_int_equal(admit(SIP_METHOD_REGISTER, true, false), SIP_REFUSE_503);
	assert_int_equal(admit_from("10.0.0.3", SIP_METHOD_REGISTER, true, false), SIP_ADMIT);
	assert_int_equal(admit(SIP_METHOD_INVITE, true, true), SIP_ADMIT);
	end_queue();
}

static int64_t wait_us;
static int refused_late;

/* What the distributor asks first, as if the request had waited. */
static bool wait_and_ask(struct sip_rx_data *rx)
{
	sim_clock_set(sim_now() + wait_us);
	refused_late = ast_sip_overload_late(sip_rx_tsx(rx), rx);
	return true;
}

static struct sip_module late_service = {
	.size = sizeof(struct sip_module), .name = "late", .priority = SIP_PRIORITY_ACL, .on_rx_request = wait_and_ask};

/* Whether it was refused; else the service has it. */
static bool refused_after(int64_t us, struct ct_phone *p, const char *method, const char *word)
{
	int status;

	wait_us = us;
	refused_late = -1;
	ct_request(p, method, "sip:10.0.0.1", word, "");
	status = ct_status(ct_receive_within(p, 3 * SIM_SECOND));
	assert_int_equal(refused_late, status == 503);
	return status == 503;
}

static void a_request_that_waited_too_long_is_no_work_any_more(void **state)
{
	struct ct_phone *p;

	(void)state;
	ct_start("", "[limits]\nqueue_wait_ms=500\nshed_answers=2\n");
	assert_int_equal(ast_sip_register_service(&late_service), 0);
	p = ct_phone("10.0.0.2:5060");
	assert_false(refused_after(490 * SIM_MS, p, "FOO", "intime")); /* it was read a moment ago */
	assert_true(refused_after(501 * SIM_MS, p, "FOO", "late"));
	/* A customer is worth twice as much; a dialog is not asked for the time. */
	verified("10.0.0.2");
	assert_false(refused_after(990 * SIM_MS, p, "FOO", "known"));
	assert_true(refused_after(1001 * SIM_MS, p, "FOO", "known-late"));
	assert_false(refused_after(1001 * SIM_MS, p, "BYE", "bye"));
	ast_sip_unregister_service(&late_service);
}

static void the_trigger_none_turns_it_off(void **state)
{
	(void)state;
	ct_start("[global]\ntype=global\ntaskprocessor_overload_trigger=none\n", "[limits]\nqueue_high_water=10\n");
	queue(50);
	resample();
	assert_int_equal(admit(SIP_METHOD_INVITE, true, false), SIP_ADMIT);
	end_queue();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_teardown(t, ct_teardown)
		T(an_answer_is_at_most_three_times_its_question),
		T(ipv6_counts_by_64),
		T(failures_spend_the_budget_and_time_wins_it_back),
		T(a_verified_source_is_exempt_and_so_is_a_trusted_one),
		T(a_flood_of_strangers_does_not_push_a_verified_source_out),
		T(the_budget_can_be_turned_off),
		T(a_wrong_guess_too_many_is_not_answered_any_more),
		T(new_requests_are_refused_past_the_mark_the_rest_passes),
		T(what_belongs_to_a_dialog_has_a_bound_of_its_own),
		T(a_verified_source_passes_longer_than_a_stranger),
		T(a_source_that_spent_its_budget_is_refused_first),
		T(a_request_that_waited_too_long_is_no_work_any_more),
		T(the_trigger_none_turns_it_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
