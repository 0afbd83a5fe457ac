/* Services: registered, asked in order, taken out and put back; what is answered when nobody takes a request. */
#include "core_test.h"

static char order[64];

static bool note(const char *name)
{
	strncat(order, name, sizeof(order) - strlen(order) - 1);
	return false;
}

static bool a_request(struct sip_rx_data *rx)
{
	(void)rx;
	return note("a");
}
static bool b_request(struct sip_rx_data *rx)
{
	(void)rx;
	return note("b");
}
static bool c_request(struct sip_rx_data *rx)
{
	(void)rx;
	return note("c");
}
static bool early_request(struct sip_rx_data *rx)
{
	assert_null(ast_sip_rx_endpoint(rx));
	return note("e");
}
static bool taker_request(struct sip_rx_data *rx)
{
	if (sip_rx_msg(rx)->method != SIP_METHOD_OPTIONS)
		return false;
	assert_non_null(ast_sip_rx_endpoint(rx));
	note("t");
	ast_sip_respond(rx, 200, RS_STR_NULL);
	return true;
}

#define SERVICE(var, prio, fn, ...)                                                                                    \
	static struct sip_module var = {                                                                               \
		.size = sizeof(struct sip_module), .name = #var, .priority = prio, .on_rx_request = fn, __VA_ARGS__}
SERVICE(a, SIP_PRIORITY_APPLICATION, a_request, .methods = "FOO, OPTIONS", .supported = "path,gruu");
SERVICE(b, SIP_PRIORITY_APPLICATION, b_request, .methods = "OPTIONS,BAR", .supported = "Path");
SERVICE(c, SIP_PRIORITY_NAT, c_request);
SERVICE(early, SIP_PRIORITY_ACL, early_request);
SERVICE(taker, SIP_PRIORITY_APPLICATION + 1, taker_request);

static int setup(void **state)
{
	(void)state;
	order[0] = '\0';
	ct_start(CT_ANONYMOUS, NULL);
	ct_let_all_in();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ct_stop();
	return 0;
}

static void register_all(void)
{
	assert_int_equal(ast_sip_register_service(&taker), 0);
	assert_int_equal(ast_sip_register_service(&b), 0);
	assert_int_equal(ast_sip_register_service(&a), 0);
	assert_int_equal(ast_sip_register_service(&c), 0);
	assert_int_equal(ast_sip_register_service(&early), 0);
}

static int options(struct ct_phone *p, const char *word)
{
	ct_request(p, "OPTIONS", "sip:10.0.0.1", word, "");
	return ct_status(ct_receive(p));
}

static void services_hear_in_order_of_priority_then_registration(void **state)
{
	(void)state;
	register_all();
	assert_int_equal(options(ct_phone("10.0.0.2:5060"), "1"), 200);
	assert_string_equal(order, "ecbat");
}

static void a_name_is_taken_once(void **state)
{
	struct sip_module twin = a, nameless = a, old = a;

	(void)state;
	nameless.name = NULL;
	old.size--;
	assert_int_equal(ast_sip_register_service(&a), 0);
	assert_int_equal(ast_sip_register_service(&twin), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(ast_sip_register_service(&nameless), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_register_service(&old), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ast_sip_unregister_service(&twin), -1);
	assert_int_equal(errno, ENOENT);
}

static void what_was_unregistered_hears_nothing(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");

	(void)state;
	register_all();
	assert_int_equal(ast_sip_unregister_service(&b), 0);
	assert_int_equal(options(p, "1"), 200);
	assert_string_equal(order, "ecat");
	assert_int_equal(ast_sip_unregister_service(&taker), 0);
	assert_int_equal(options(p, "2"), 501);
}

static void nobody_takes_a_method_is_501_with_allow(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	const char *m;

	(void)state;
	register_all();
	ct_request(p, "FOO", "sip:10.0.0.1", "1", "");
	m = ct_receive(p);
	assert_int_equal(ct_status(m), 501);
	assert_string_equal(ct_header(m, "Allow", 0), "OPTIONS, BAR, FOO");
}

static void a_module_s_services_can_be_taken_out_and_put_back_in_their_place(void **state)
{
	struct ct_phone *p = ct_phone("10.0.0.2:5060");

	(void)state;
	register_all();
	/* All belong to the core here: the owner NULL. */
	assert_int_equal(ast_sip_services_remove_owned(NULL), 6);
	assert_int_equal(options(p, "1"), 500); /* nobody is identified any more, and nobody can authenticate */
	ast_sip_services_restore_owned(NULL);
	assert_int_equal(options(p, "2"), 200);
	assert_string_equal(order, "ecbat");
	assert_int_equal(ast_sip_services_remove_owned(NULL), 6);
	ast_sip_services_forget_owned(NULL);
	ast_sip_services_restore_owned(NULL);
	assert_int_equal(ast_sip_unregister_service(&a), -1);
	assert_int_equal(options(p, "3"), 500);
}

static void collect(void *token, const struct sip_module *service)
{
	strcat(token, service->name);
}

static void services_are_listed_in_chain_order(void **state)
{
	char names[64] = "";

	(void)state;
	register_all();
	ast_sip_services_each(collect, names);
	assert_string_equal(names, "earlycbataker");
}

static void allow_and_supported_are_the_union(void **state)
{
	struct sip_tx_request_params params = {
		.method = RS_STR("OPTIONS"), .uri = RS_STR("sip:x"), .from = RS_STR("<sip:y>"), .max_forwards = -1};
	struct sip_tx_data *tx;

	(void)state;
	register_all();
	tx = sip_tx_request(&params);
	assert_non_null(tx);
	ast_sip_add_allow(tx);
	ast_sip_add_supported(tx);
	assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_ALLOW), "OPTIONS, BAR, FOO"));
	assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_SUPPORTED), "Path, gruu"));
	sip_tx_unref(tx);
}

/* ---- what goes out ---- */

static int stamp(struct sip_tx_data *tx)
{
	return sip_tx_add_header(tx, RS_STR("X-Stamp"), RS_STR("core"));
}
static int veto(struct sip_tx_data *tx)
{
	(void)tx;
	return -1;
}

static void services_see_and_may_stop_what_is_sent(void **state)
{
	static struct sip_module out = {.size = sizeof(struct sip_module), .name = "out", .on_tx_response = stamp};
	struct ct_phone *p = ct_phone("10.0.0.2:5060");
	const char *m;

	(void)state;
	assert_int_equal(ast_sip_register_service(&taker), 0);
	assert_int_equal(ast_sip_register_service(&out), 0);
	ct_request(p, "OPTIONS", "sip:10.0.0.1", "1", "");
	m = ct_receive(p);
	assert_int_equal(ct_status(m), 200);
	assert_string_equal(ct_header(m, "X-Stamp", 0), "core");
	out.on_tx_response = veto;
	ct_request(p, "OPTIONS", "sip:10.0.0.1", "2", "");
	assert_null(ct_receive(p));
}

static unsigned strays;

static bool stray(struct sip_rx_data *rx)
{
	strays += sip_rx_msg(rx)->status == 200;
	return true;
}

static void a_stray_response_is_offered_to_services(void **state)
{
	static struct sip_module in = {.size = sizeof(struct sip_module), .name = "in", .on_rx_response = stray};
	struct ct_phone *p = ct_phone("10.0.0.2:5060");

	(void)state;
	assert_int_equal(ast_sip_register_service(&in), 0);
	ct_send(p, "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKnone\nFrom: <sip:a@b>;tag=1\n"
		   "To: <sip:c@d>;tag=2\nCall-ID: stray\nCSeq: 1 MESSAGE\nContent-Length: 0\n\n");
	sim_run_for(SIM_SECOND);
	assert_int_equal(strays, 1);
}

/* ---- answers from elsewhere ---- */

static struct ast_sip_work *elsewhere;
static struct sip_rx_data *kept;

static int answer_later(void *data)
{
	(void)data;
	assert_ptr_equal(ast_sip_current_work(), elsewhere);
	/* The second before the first has arrived. */
	assert_int_equal(ast_sip_respond(kept, 182, RS_STR_NULL), 0);
	assert_int_equal(ast_sip_respond(kept, 202, RS_STR_NULL), 0);
	sip_rx_unref(kept);
	return 0;
}

static bool keep(struct sip_rx_data *rx)
{
	kept = sip_rx_ref(rx);
	assert_int_equal(ast_sip_push_task(elsewhere, answer_later, NULL), 0);
	return true;
}

static void an_answer_may_be_given_later_from_another_work(void **state)
{
	static struct sip_module late = {
		.size = sizeof(struct sip_module), .name = "late", .on_rx_request = keep, .methods = "INVITE"};
	struct ct_phone *p = ct_phone("10.0.0.2:5060");

	(void)state;
	elsewhere = ast_sip_create_work();
	sim_net_link(NULL, NULL)->delay_max = sim_net_link(NULL, NULL)->delay_min; /* packets keep their order */
	assert_int_equal(ast_sip_register_service(&late), 0);
	ct_request(p, "INVITE", "sip:10.0.0.1", "late", "Contact: <sip:a@10.0.0.2>\n");
	assert_int_equal(ct_status(ct_receive(p)), 182);
	assert_int_equal(ct_status(ct_receive(p)), 202);
	ast_sip_destroy_work(elsewhere);
}

static void format(const struct ast_sip_endpoint *endpoint, void (*line)(void *, struct rs_str, struct rs_str),
		   void *token)
{
	(void)endpoint;
	line(token, RS_STR("Key"), RS_STR("value"));
}

static void count_formatter(void *token, const struct ast_sip_endpoint_formatter *f)
{
	assert_string_equal(f->name, "test");
	(*(unsigned *)token)++;
}

static void formatters_are_listed_for_who_shows_endpoints(void **state)
{
	static struct ast_sip_endpoint_formatter formatter = {
		.size = sizeof(struct ast_sip_endpoint_formatter), .name = "test", .format_endpoint = format};
	unsigned n = 0;

	(void)state;
	assert_int_equal(ast_sip_register_endpoint_formatter(&formatter), 0);
	ast_sip_formatters_each(count_formatter, &n);
	assert_int_equal(n, 1);
	assert_int_equal(ast_sip_unregister_endpoint_formatter(&formatter), 0);
	ast_sip_formatters_each(count_formatter, &n);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		T(services_hear_in_order_of_priority_then_registration),
		T(a_name_is_taken_once),
		T(what_was_unregistered_hears_nothing),
		T(nobody_takes_a_method_is_501_with_allow),
		T(a_module_s_services_can_be_taken_out_and_put_back_in_their_place),
		T(services_are_listed_in_chain_order),
		T(allow_and_supported_are_the_union),
		T(services_see_and_may_stop_what_is_sent),
		T(a_stray_response_is_offered_to_services),
		T(an_answer_may_be_given_later_from_another_work),
		T(formatters_are_listed_for_who_shows_endpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
