/* Messages to be sent: what is written, edits, the seal. */
#include "call.h"

#include "sip/tx_private.h"

#include <errno.h>
#include <stdio.h>

static const struct sip_addr *address(const char *text)
{
	static struct sip_addr a;

	assert_int_equal(sip_addr_parse(rs_str_c(text), &a), 0);
	return &a;
}

static const char *text_of(struct sip_tx_data *tx)
{
	static char text[70000];

	snprintf(text, sizeof(text), "%.*s", RS_FMT(sip_tx_bytes(tx)));
	return text;
}

static struct sip_rx_data *received(const char *text)
{
	struct sip_rx_data *rx = sip_rx_new(rs_str_c(text));

	assert_non_null(rx);
	assert_int_equal(sip_msg_parse(sip_rx_msg(rx), sip_rx_msg(rx)->arena, sip_rx_msg(rx)->bytes, false, NULL),
			 SIP_PARSE_DONE);
	return rx;
}

static const struct sip_tx_request_params params = {
	.method = RS_STR_INIT("MESSAGE"),
	.uri = RS_STR_INIT("sip:bob@example.com"),
	.from = RS_STR_INIT("\"Alice\" <sip:alice@example.com>"),
	.call_id = RS_STR_INIT("id-1"),
	.from_tag = RS_STR_INIT("f1"),
	.cseq = 7,
	.max_forwards = -1,
};

static struct sip_tx_data *message(void)
{
	struct sip_tx_data *tx = sip_tx_request(&params);

	assert_non_null(tx);
	sip_tx_set_branch(tx, RS_STR("z9hG4bKone"));
	return tx;
}

static int start(void **state)
{
	(void)state;
	call.config.server_name = RS_STR("res_sip");
	call_start(UDP);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	call_end();
	return 0;
}

static void sealed_request_has_its_parts_in_order(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	assert_int_equal(sip_tx_set_body(tx, RS_STR("text/plain"), RS_STR("hello")), 0);
	assert_int_equal(sip_tx_bytes(tx).len, 0);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_string_equal(text_of(tx), "MESSAGE sip:bob@example.com SIP/2.0\r\n"
					 "Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKone\r\n"
					 "Max-Forwards: 70\r\n"
					 "From: \"Alice\" <sip:alice@example.com>;tag=f1\r\n"
					 "To: <sip:bob@example.com>\r\n"
					 "Call-ID: id-1\r\n"
					 "CSeq: 7 MESSAGE\r\n"
					 "User-Agent: res_sip\r\n"
					 "Content-Type: text/plain\r\n"
					 "Content-Length: 5\r\n\r\nhello");
	sip_tx_unref(tx);
}

static void what_is_known_of_a_request_is_what_was_given(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(sip_tx_is_request(tx));
		assert_int_equal(sip_tx_method(tx), SIP_METHOD_MESSAGE);
		assert_true(rs_str_eqz(sip_tx_method_text(tx), "MESSAGE"));
		assert_true(rs_str_eqz(sip_tx_uri(tx), "sip:bob@example.com"));
		assert_true(rs_str_eqz(sip_tx_call_id(tx), "id-1"));
		assert_true(rs_str_eqz(sip_tx_from_tag(tx), "f1"));
		assert_int_equal(sip_tx_to_tag(tx).len, 0);
		assert_int_equal(sip_tx_cseq(tx), 7);
		assert_true(rs_str_eqz(sip_tx_branch(tx), "z9hG4bKone"));
		assert_int_equal(sip_tx_status(tx), 0);
		assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	}
	sip_tx_unref(tx);
}

static void defaults_are_random_and_well_formed(void **state)
{
	struct sip_tx_request_params p = {
		.method = RS_STR("OPTIONS"), .uri = RS_STR("sip:b@c"), .from = RS_STR("<sip:a@c>")};
	struct sip_tx_data *a = sip_tx_request(&p), *b = sip_tx_request(&p);

	(void)state;
	assert_int_equal(sip_tx_call_id(a).len, 32);
	assert_int_equal(sip_tx_from_tag(a).len, 16);
	assert_false(rs_str_eq(sip_tx_call_id(a), sip_tx_call_id(b)));
	assert_false(rs_str_eq(sip_tx_from_tag(a), sip_tx_from_tag(b)));
	assert_true(sip_tx_cseq(a) > 0 && sip_tx_cseq(a) < 1u << 31);
	assert_int_equal(sip_tx_seal(a, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_int_equal(sip_tx_branch(a).len, 7 + 16);
	assert_true(strstr(text_of(a), "Max-Forwards: 0\r\n"));
	sip_tx_unref(a);
	sip_tx_unref(b);
}

static void line_breaks_in_parameters_are_refused(void **state)
{
	struct sip_tx_request_params p = params;

	(void)state;
	p.uri = RS_STR("sip:b@c SIP/2.0\r\nEvil: yes");
	assert_null(sip_tx_request(&p));
	assert_int_equal(errno, EINVAL);
	p = params;
	p.call_id = RS_STR("a\nb");
	assert_null(sip_tx_request(&p));
	p = params;
	p.method = RS_STR_NULL;
	assert_null(sip_tx_request(&p));
}

static void headers_are_added_and_removed_until_the_seal(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	assert_int_equal(sip_tx_add_header(tx, RS_STR("X-One"), RS_STR("1")), 0);
	assert_int_equal(sip_tx_add_hdr(tx, SIP_HDR_ROUTE, RS_STR("<sip:p1;lr>")), 0);
	assert_int_equal(sip_tx_add_header(tx, RS_STR("Subject"), RS_STR("a\r\nEvil: b")), 0);
	assert_int_equal(sip_tx_add_hdr(tx, SIP_HDR_ROUTE, RS_STR("<sip:p2;lr>")), 0);
	assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_ROUTE), "<sip:p1;lr>"));
	assert_int_equal(sip_tx_remove_hdr(tx, SIP_HDR_ROUTE), 0);
	assert_int_equal(sip_tx_hdr(tx, SIP_HDR_ROUTE).len, 0);
	assert_int_equal(sip_tx_add_header(tx, RS_STR("bad name"), RS_STR("1")), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_non_null(strstr(text_of(tx), "\r\nX-One: 1\r\n"));
	assert_null(strstr(text_of(tx), "Route"));
	assert_null(strstr(text_of(tx), "\nEvil"));
	assert_int_equal(sip_tx_add_header(tx, RS_STR("X-Two"), RS_STR("2")), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(sip_tx_remove_hdr(tx, SIP_HDR_TO), -1);
	assert_int_equal(sip_tx_set_body(tx, RS_STR_NULL, RS_STR_NULL), -1);
	sip_tx_set_branch(tx, RS_STR("z9hG4bKtwo")); /* another target may follow, other headers may not */
	assert_int_equal(sip_tx_add_header(tx, RS_STR("X-Two"), RS_STR("2")), -1);
	sip_tx_unref(tx);
}

static void second_body_replaces_the_first(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	sip_tx_set_body(tx, RS_STR("text/plain"), RS_STR("one"));
	sip_tx_set_body(tx, RS_STR("text/html"), RS_STR("three"));
	assert_true(rs_str_eqz(sip_tx_body(tx), "three"));
	assert_true(rs_str_eqz(sip_tx_content_type(tx), "text/html"));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_true(rs_str_eqz(sip_tx_body(tx), "three"));
	assert_null(strstr(text_of(tx), "text/plain"));
	assert_non_null(strstr(text_of(tx), "Content-Length: 5\r\n\r\nthree"));
	sip_tx_unref(tx);
}

static void another_target_gets_another_head_only(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	sip_tx_set_body(tx, RS_STR("text/plain"), RS_STR("hello"));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	sip_tx_set_branch(tx, RS_STR("z9hG4bKanother-and-longer-branch"));
	assert_false(sip_tx_sealed(tx));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_TCP, address("[fd00::1]:5061")), 0);
	assert_non_null(strstr(
		text_of(tx), "SIP/2.0\r\nVia: SIP/2.0/TCP [fd00::1]:5061;rport;branch=z9hG4bKanother-and-longer-branch"
			     "\r\nMax-Forwards: 70\r\n"));
	assert_null(strstr(text_of(tx), "z9hG4bKone"));
	assert_non_null(strstr(text_of(tx), "Content-Length: 5\r\n\r\nhello"));
	sip_tx_unref(tx);
}

static void bytes_on_their_way_do_not_change(void **state)
{
	struct sip_tx_data *tx = message();
	struct rs_str first, second;
	char copy[2000];

	(void)state;
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	first = sip_tx_bytes(tx);
	memcpy(copy, first.p, first.len);
	sip_tx_ref(tx); /* the transport's */
	for (int i = 0; i < 3; i++) {
		sip_tx_set_branch(tx, i % 2 ? RS_STR("z9hG4bKtwo") : RS_STR("z9hG4bKthree"));
		assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.9:5060")), 0);
		second = sip_tx_bytes(tx);
		assert_ptr_not_equal(first.p, second.p);
		assert_memory_equal(first.p, copy, first.len);
	}
	sip_tx_unref(tx);
	sip_tx_unref(tx);
}

static void long_uri_moves_the_message_to_a_larger_buffer(void **state)
{
	struct sip_tx_request_params p = params;
	char uri[3000] = "sip:";
	struct sip_tx_data *tx;

	(void)state;
	memset(uri + 4, 'x', 2900);
	p.uri = rs_str_c(uri);
	p.to = RS_STR("<sip:bob@example.com>");
	tx = sip_tx_request(&p);
	assert_non_null(tx);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_int_equal(strncmp(text_of(tx) + 8, uri, strlen(uri)), 0);
	assert_non_null(strstr(text_of(tx), "CSeq: 7 MESSAGE\r\n"));
	sip_tx_unref(tx);
}

static void too_long_a_message_is_not_sealed(void **state)
{
	static char body[SIP_MAX_MSG];
	struct sip_tx_data *tx = message();

	(void)state;
	memset(body, 'x', sizeof(body));
	sip_tx_set_body(tx, RS_STR("text/plain"), rs_str_n(body, sizeof(body)));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_TCP, address("10.0.0.1:5060")), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_false(sip_tx_sealed(tx));
	assert_int_equal(sip_tx_bytes(tx).len, 0);
	sip_tx_unref(tx);
}

static void contact_mark_becomes_the_local_address(void **state)
{
	static const struct {
		const char *contact, *udp, *tcp;
	} cases[] = {
		{"<sip:@>", "Contact: <sip:10.0.0.1:5060>\r\n", "Contact: <sip:10.0.0.1:5060;transport=tcp>\r\n"},
		{"<sip:alice@@;ob>;x=y", "Contact: <sip:alice@10.0.0.1:5060;ob>;x=y\r\n",
		 "Contact: <sip:alice@10.0.0.1:5060;transport=tcp;ob>;x=y\r\n"},
		{"<sips:alice@@;transport=tls>", "Contact: <sips:alice@10.0.0.1:5060;transport=tls>\r\n",
		 "Contact: <sips:alice@10.0.0.1:5060;transport=tls>\r\n"},
		{"<sip:alice@example.com>", "Contact: <sip:alice@example.com>\r\n",
		 "Contact: <sip:alice@example.com>\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		struct sip_tx_request_params p = params;
		struct sip_tx_data *tx;

		p.contact = rs_str_c(cases[i].contact);
		tx = sip_tx_request(&p);
		assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_CONTACT), cases[i].contact));
		assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
		assert_non_null(strstr(text_of(tx), cases[i].udp));
		assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_TCP, address("10.0.0.1:5060")), 0);
		assert_non_null(strstr(text_of(tx), cases[i].tcp));
		sip_tx_unref(tx);
	}
}

static void branch_suffix_joins_the_branch_or_follows_it(void **state)
{
	struct sip_tx_data *tx = sip_tx_request(&params);
	char expected[200];

	(void)state;
	assert_int_equal(sip_tx_set_branch_suffix(tx, RS_STR("-0123;x=y")), 0);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_int_equal(sip_tx_branch(tx).len, 7 + 16 + 5);
	snprintf(expected, sizeof(expected), ";branch=%.*s;x=y\r\n", RS_FMT(sip_tx_branch(tx)));
	assert_non_null(strstr(text_of(tx), expected));
	assert_non_null(strstr(expected, "-0123;"));
	sip_tx_unref(tx);
}

static void clone_differs_in_its_cseq(void **state)
{
	struct sip_tx_data *tx, *copy;
	struct sip_tx_request_params p = params;
	char expected[2000];

	(void)state;
	p.contact = RS_STR("<sip:@>");
	tx = sip_tx_request(&p);
	sip_tx_set_target(tx, &(struct sip_target){.type = SIP_TRANSPORT_UDP, .flow = 42});
	sip_tx_set_body(tx, RS_STR("text/plain"), RS_STR("hello"));
	for (int sealed = 0; sealed < 2; sealed++) {
		copy = sip_tx_clone(tx, 8);
		assert_non_null(copy);
		assert_int_equal(sip_tx_cseq(copy), 8);
		assert_false(sip_tx_sealed(copy));
		assert_int_equal(sip_tx_target(copy)->flow, 42);
		assert_int_equal(sip_tx_add_header(copy, RS_STR("X-New"), RS_STR("1")), 0);
		sip_tx_remove_hdr(copy, SIP_HDR_OTHER);
		sip_tx_set_branch(copy, RS_STR("z9hG4bKx"));
		assert_int_equal(sip_tx_seal(copy, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
		assert_non_null(strstr(text_of(copy), "CSeq: 8 MESSAGE\r\n"));
		assert_null(strstr(text_of(copy), "CSeq: 7"));
		assert_non_null(strstr(text_of(copy), "Contact: <sip:10.0.0.1:5060>\r\n"));
		assert_non_null(strstr(text_of(copy), "X-New: 1\r\n"));
		assert_non_null(strstr(text_of(copy), "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"));
		if (sealed)
			assert_string_equal(text_of(copy), expected);
		snprintf(expected, sizeof(expected), "%s", text_of(copy));
		sip_tx_unref(copy);
		assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	}
	sip_tx_unref(tx);
}

static unsigned released;

static void release(void *value)
{
	assert_ptr_equal(value, &released);
	released++;
}

static void owner_is_released_with_the_message(void **state)
{
	struct sip_tx_data *tx = message();

	(void)state;
	released = 0;
	sip_tx_set_owner(tx, &released, release);
	assert_ptr_equal(sip_tx_owner(tx), &released);
	sip_tx_ref(tx);
	sip_tx_unref(tx);
	assert_int_equal(released, 0);
	sip_tx_unref(tx);
	assert_int_equal(released, 1);
}

/* ---- responses ---- */

static const char options[] = "OPTIONS sip:bob@example.com SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx\r\n"
			      "Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKy\r\n"
			      "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
			      "Content-Length: 0\r\n\r\n";

static void response_takes_what_rfc_3261_says(void **state)
{
	struct sip_rx_data *rx = received(options);
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR("Fine"));
	char tag[100];

	(void)state;
	snprintf(tag, sizeof(tag), "%.*s", RS_FMT(sip_tx_to_tag(tx)));
	assert_int_equal(strlen(tag), 16);
	assert_false(sip_tx_is_request(tx));
	assert_int_equal(sip_tx_status(tx), 200);
	assert_int_equal(sip_tx_method(tx), SIP_METHOD_OPTIONS);
	assert_int_equal(sip_tx_question(tx), strlen(options));
	sip_tx_add_hdr(tx, SIP_HDR_ALLOW, RS_STR("OPTIONS"));
	sip_tx_add_hdr(tx, SIP_HDR_CONTACT, RS_STR("<sip:@>"));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_int_equal(strncmp(text_of(tx),
				 "SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx\r\n"
				 "Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKy\r\n",
				 90),
			 0);
	assert_non_null(strstr(text_of(tx), "Server: res_sip\r\nAllow: OPTIONS\r\nContact: <sip:10.0.0.1:5060>\r\n"
					    "Content-Length: 0\r\n\r\n"));
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.2:5060")), 0); /* once only */
	assert_non_null(strstr(text_of(tx), "<sip:10.0.0.1:5060>"));
	/* What the seal wrote is found as well. */
	assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_CONTENT_LENGTH), "0"));
	assert_true(rs_str_eqz(sip_tx_hdr_nth(tx, SIP_HDR_VIA, 1), "SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKy"));
	sip_tx_unref(tx);
	tx = sip_tx_response(rx, 200, RS_STR_NULL);
	assert_int_equal(sip_tx_hdr(tx, SIP_HDR_SUBJECT).len, 0);
	assert_int_equal(sip_tx_remove_hdr(tx, SIP_HDR_VIA), 0); /* both lines */
	assert_int_equal(sip_tx_hdr(tx, SIP_HDR_VIA).len, 0);
	assert_int_equal(sip_tx_remove_hdr(tx, SIP_HDR_SERVER), 0);
	assert_int_equal(sip_tx_add_hdr(tx, SIP_HDR_SERVER, RS_STR("one")), 0);
	assert_true(rs_str_eqz(sip_tx_hdr(tx, SIP_HDR_SERVER), "one"));
	assert_int_equal(sip_tx_add_header(tx, RS_STR("server"), RS_STR("two")), 0);
	assert_true(rs_str_eqz(sip_tx_hdr_nth(tx, SIP_HDR_SERVER, 1), "two"));
	assert_int_equal(sip_tx_remove_hdr(tx, SIP_HDR_SERVER), 0);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_null(strstr(text_of(tx), "Via"));
	assert_null(strstr(text_of(tx), "erver"));
	sip_tx_unref(tx);
	tx = sip_tx_response(rx, 100, RS_STR_NULL);
	assert_int_equal(sip_tx_to_tag(tx).len, 0);
	sip_tx_unref(tx);
	sip_rx_unref(rx);
}

/* ---- forwarding ---- */

static const char relayed[] = "MESSAGE sip:bob@example.com SIP/2.0\r\n"
			      "Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx\r\n"
			      "Max-Forwards: 70\r\nRoute: <sip:us;lr>\r\n"
			      "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
			      "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

static void forwarded_request_gets_our_via_on_top(void **state)
{
	struct sip_rx_data *rx = received(relayed);
	const struct sip_edit edits[] = {
		{.op = SIP_EDIT_URI, .value = RS_STR("sip:bob@10.0.0.9")},
		{.op = SIP_EDIT_REPLACE, .id = SIP_HDR_MAX_FORWARDS, .value = RS_STR("69")},
		{.op = SIP_EDIT_REMOVE, .id = SIP_HDR_ROUTE},
	};
	struct sip_tx_data *tx = sip_tx_forward(rx, edits, RS_ARRAY_SIZE(edits));

	(void)state;
	assert_non_null(tx);
	sip_rx_unref(rx); /* the message keeps what it needs */
	assert_true(rs_str_eqz(sip_tx_uri(tx), "sip:bob@10.0.0.9"));
	assert_true(rs_str_eqz(sip_tx_body(tx), "hello"));
	sip_tx_set_branch(tx, RS_STR("z9hG4bKours"));
	assert_int_equal(sip_tx_add_header(tx, RS_STR("X-Late"), RS_STR("1")), 0);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_string_equal(text_of(tx), "MESSAGE sip:bob@10.0.0.9 SIP/2.0\r\n"
					 "Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKours\r\n"
					 "Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKx\r\n"
					 "Max-Forwards: 69\r\n"
					 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
					 "Content-Type: text/plain\r\nContent-Length: 5\r\nX-Late: 1\r\n\r\nhello");
	sip_tx_unref(tx);
}

static void body_of_a_forwarded_request_can_be_replaced(void **state)
{
	struct sip_rx_data *rx = received(relayed);
	struct sip_tx_data *tx = sip_tx_forward(rx, NULL, 0);

	(void)state;
	sip_rx_unref(rx);
	assert_int_equal(sip_tx_set_body(tx, RS_STR("text/html"), RS_STR("hi")), 0);
	assert_int_equal(sip_tx_seal(tx, SIP_TRANSPORT_UDP, address("10.0.0.1:5060")), 0);
	assert_null(strstr(text_of(tx), "text/plain"));
	assert_null(strstr(text_of(tx), "Content-Length: 5"));
	assert_non_null(strstr(text_of(tx), "Content-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"));
	sip_tx_unref(tx);
}

static void forwarded_response_goes_where_its_via_says(void **state)
{
	struct sip_rx_data *rx =
		received("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKours\r\n"
			 "Via: SIP/2.0/UDP 192.168.0.1:5070;branch=z9hG4bKx;received=10.0.0.2;rport=5060\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
			 "Content-Length: 0\r\n\r\n");
	const struct sip_edit edits[] = {{.op = SIP_EDIT_POP_VALUE, .id = SIP_HDR_VIA}};
	struct sip_tx_data *tx = sip_tx_forward(rx, edits, 1);

	(void)state;
	assert_non_null(tx);
	sip_rx_unref(rx);
	assert_int_equal(sip_tx_status(tx), 200);
	assert_true(rs_str_eqz(sip_tx_to_tag(tx), "2"));
	assert_int_equal(sip_stack_send(tx), 0);
	phone_gets("200 OK\r\nVia: SIP/2.0/UDP 192.168.0.1:5070;branch=z9hG4bKx");
	phone_did_not_see("z9hG4bKours");
}

static void send_without_a_target_is_refused(void **state)
{
	(void)state;
	assert_int_equal(sip_stack_send(message()), -1);
	assert_int_equal(errno, EINVAL);
}

static void ack_is_sent_without_a_transaction(void **state)
{
	struct sip_tx_data *tx = call_request_to_phone("ACK");

	(void)state;
	assert_int_equal(sip_stack_send(tx), 0);
	phone_gets("ACK");
	phone_saw(";branch=z9hG4bK");
	assert_int_equal(call_stats().created, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sealed_request_has_its_parts_in_order),
		TEST(what_is_known_of_a_request_is_what_was_given),
		TEST(defaults_are_random_and_well_formed),
		TEST(line_breaks_in_parameters_are_refused),
		TEST(headers_are_added_and_removed_until_the_seal),
		TEST(second_body_replaces_the_first),
		TEST(another_target_gets_another_head_only),
		TEST(bytes_on_their_way_do_not_change),
		TEST(long_uri_moves_the_message_to_a_larger_buffer),
		TEST(too_long_a_message_is_not_sealed),
		TEST(contact_mark_becomes_the_local_address),
		TEST(branch_suffix_joins_the_branch_or_follows_it),
		TEST(clone_differs_in_its_cseq),
		TEST(owner_is_released_with_the_message),
		TEST(response_takes_what_rfc_3261_says),
		TEST(forwarded_request_gets_our_via_on_top),
		TEST(body_of_a_forwarded_request_can_be_replaced),
		TEST(forwarded_response_goes_where_its_via_says),
		TEST(send_without_a_target_is_refused),
		TEST(ack_is_sent_without_a_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
