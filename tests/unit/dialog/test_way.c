/* Which way requests take to the peer: the flow that it was heard by while that is right, else what its URI says. */
#include "talk.h"

static struct sip_target way_of(const char *method)
{
	struct sip_tx_data *tx = talk_request(method);
	struct sip_target target;

	assert_non_null(tx);
	target = *sip_tx_target(tx);
	sip_tx_unref(tx);
	return target;
}

static struct sip_target way(void)
{
	return way_of("INFO");
}

static void goes_to(const struct sip_target *t, enum sip_transport_type type, const char *addr)
{
	char text[SIP_ADDR_TEXT];

	assert_int_equal(t->flow, 0);
	assert_int_equal(t->type, type);
	assert_string_equal(sip_addr_text(&t->addr, true, text), addr);
}

static void begin(enum call_transport transport, const char *contact, const char *more)
{
	talk_start(transport);
	phone_invites(contact, more);
	assert_non_null(talk.dlg);
	talk_answers(200);
	phone_gets("200");
}

static void a_contact_where_it_was_heard_goes_by_its_flow(void **state)
{
	struct sip_target t;

	(void)state;
	begin(UDP, "<sip:alice@10.0.0.2:5060>", "");
	t = way();
	assert_true(t.flow != 0);
	assert_int_equal(t.type, SIP_TRANSPORT_UDP);
	assert_false(t.flow_only);
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.2>", ""); /* 5060 is the default */
	assert_true(way().flow != 0);
	talk_end();
}

static void a_contact_elsewhere_is_gone_to(void **state)
{
	struct sip_target t;

	(void)state;
	begin(UDP, "<sip:alice@10.0.0.2:5070>", "");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.2:5070");
	/* By the listener that it came to. */
	assert_true(str_is(t.listener, "UDP"));
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.3>", "");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.3:5060");
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.2:5060;transport=tcp>", "");
	t = way();
	goes_to(&t, SIP_TRANSPORT_TCP, "10.0.0.2:5060");
	assert_int_equal(t.listener.len, 0);
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.2:5060;maddr=10.0.0.9>", "");
	assert_int_equal(way().flow, 0);
	talk_end();
}

static void a_name_is_looked_up_when_it_is_sent(void **state)
{
	struct sip_target t;

	(void)state;
	begin(UDP, "<sip:alice@phone.example>", "");
	t = way();
	assert_int_equal(t.flow, 0);
	assert_int_equal(t.addr.family, 0);
	talk_end();
}

static void a_connection_is_used_while_it_is_the_peer_s(void **state)
{
	char text[SIP_ADDR_TEXT];
	struct sip_target t;

	(void)state;
	begin(TCP, "<sip:alice@10.0.0.2:5060;transport=tcp>", "");
	t = way();
	assert_true(t.flow != 0);
	assert_false(t.flow_only);
	/* When it has gone, to where the phone listens. */
	assert_string_equal(sip_addr_text(&t.addr, true, text), "10.0.0.2:5060");
	talk_end();
	begin(TCP, "<sip:alice@10.0.0.2>", "");
	assert_true(way().flow != 0);
	talk_end();
	begin(TCP, "<sip:alice@10.0.0.3;transport=tcp>", "");
	t = way();
	goes_to(&t, SIP_TRANSPORT_TCP, "10.0.0.3:5060");
	talk_end();
	begin(TCP, "<sip:alice@10.0.0.2;transport=udp>", "");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.2:5060");
	talk_end();
}

static void behind_nat_it_is_always_where_it_was_heard(void **state)
{
	struct sip_target t;

	(void)state;
	talk_start(UDP);
	talk.rewrite = "<sip:alice@10.0.0.2:5060>";
	phone_invites("<sip:alice@192.168.0.2:9999>", "");
	talk_answers(200);
	phone_gets("200");
	assert_true(str_is(sip_dialog_remote_target(talk.dlg), "sip:alice@10.0.0.2:5060"));
	assert_true(way().flow != 0);
	talk_end();
	talk_start(TCP);
	talk.rewrite = "<sip:alice@10.0.0.2:40000;transport=tcp>";
	phone_invites("<sip:alice@192.168.0.2>", "");
	talk_answers(200);
	phone_gets("200");
	t = way();
	assert_true(t.flow != 0);
	assert_true(t.flow_only); /* nobody listens on that port */
	talk_end();
}

static void the_flow_follows_the_peer(void **state)
{
	sip_flow_id first;

	(void)state;
	begin(TCP, "<sip:alice@10.0.0.2:5060;transport=tcp>", "");
	first = way().flow;
	talk.answer = 200;
	/* The same dialog, heard over UDP now. */
	call.transport = UDP;
	phone_asks_with("UPDATE", 2, "Contact: <sip:alice@10.0.0.2:5060>\r\n");
	talk_hears("UPDATE 2");
	assert_true(way().flow != 0 && way().flow != first);
	assert_int_equal(way().type, SIP_TRANSPORT_UDP);
	talk_end();
}

static void the_first_hop_counts_not_the_target(void **state)
{
	struct sip_target t;

	(void)state;
	begin(UDP, "<sip:alice@10.0.0.9>", "Record-Route: <sip:10.0.0.2;lr>\r\n");
	assert_true(way().flow != 0);
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.2:5060>", "Record-Route: <sip:10.0.0.3:5099;lr>\r\n");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.3:5099");
	talk_end();
	begin(UDP, "<sip:alice@10.0.0.2:5060>",
	      "Record-Route: <sip:10.0.0.3:5099>\r\nRecord-Route: <sip:10.0.0.4;lr>\r\n");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.3:5099"); /* a strict one is a hop as any */
	talk_end();
}

static void the_first_request_of_a_client_goes_where_it_was_told(void **state)
{
	struct sip_dialog_uac_params p = {
		.size = sizeof(p), .uri = RS_STR("sip:bob@far.example"), .from = RS_STR("<sip:us@example.com>")};
	struct sip_target t;

	(void)state;
	talk_start(UDP);
	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.2:5060"), &p.target.addr), 0);
	p.target.type = SIP_TRANSPORT_UDP;
	talk.dlg = sip_dialog_uac(&p);
	assert_non_null(talk.dlg);
	t = way_of("INVITE");
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.2:5060");
	talk_sends("INVITE");
	phone_gets("INVITE sip:bob@far.example");
	phone_replies(200, "b", "Contact: <sip:bob@10.0.0.7>\r\n");
	talk_hears("response INVITE 200 mine");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.7:5060");
	assert_true(sip_dialog_source(talk.dlg)->port == 5060);
	talk_end();
}

static void a_chosen_protocol_counts_where_the_uri_leaves_it_open(void **state)
{
	struct sip_target t;

	(void)state;
	begin(UDP, "<sip:alice@10.0.0.3>", "");
	sip_dialog_set_way(talk.dlg, SIP_TRANSPORT_TCP, RS_STR("TCP"));
	t = way();
	goes_to(&t, SIP_TRANSPORT_TCP, "10.0.0.3:5060");
	assert_true(str_is(t.listener, "TCP"));
	talk.answer = 200;
	phone_asks_with("UPDATE", 2, "Contact: <sip:alice@10.0.0.3;transport=udp>\r\n");
	talk_hears("UPDATE 2");
	t = way();
	goes_to(&t, SIP_TRANSPORT_UDP, "10.0.0.3:5060");
	assert_true(str_is(t.listener, "UDP"));
	talk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_contact_where_it_was_heard_goes_by_its_flow),
		cmocka_unit_test(a_contact_elsewhere_is_gone_to),
		cmocka_unit_test(a_name_is_looked_up_when_it_is_sent),
		cmocka_unit_test(a_connection_is_used_while_it_is_the_peer_s),
		cmocka_unit_test(behind_nat_it_is_always_where_it_was_heard),
		cmocka_unit_test(the_flow_follows_the_peer),
		cmocka_unit_test(the_first_hop_counts_not_the_target),
		cmocka_unit_test(the_first_request_of_a_client_goes_where_it_was_told),
		cmocka_unit_test(a_chosen_protocol_counts_where_the_uri_leaves_it_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
