/* Received messages by themselves: the overlay, the slots, references, big ones. */
#include "sip/stack.h"
#include "sip/transport/rx_private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char request[] = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n"
			      "From: <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\nCall-ID: a\r\n"
			      "CSeq: 1 REGISTER\r\nContact: <sip:a@10.0.0.1>, <sip:b@10.0.0.1>;q=0.5\r\n"
			      "Content-Length: 0\r\n\r\n";

static struct sip_rx_data *parsed(void)
{
	struct sip_rx_data *rx = sip_rx_new(rs_str_c(request));

	assert_non_null(rx);
	assert_int_equal(sip_rx_parse(rx, rx->msg.bytes), SIP_PARSE_DONE);
	return rx;
}

static void the_overlay_is_seen_through_it_only(void **state)
{
	struct sip_rx_data *rx = parsed();
	const struct sip_name_addr *na;
	char value[] = "<sip:a@192.0.2.1:1234>;expires=60";

	(void)state;
	na = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	assert_true(rs_str_eqz(na->uri.host, "10.0.0.1"));
	assert_int_equal(sip_rx_override(rx, SIP_HDR_CONTACT, 0, rs_str_c(value)), 0);
	memset(value, 'x', sizeof(value) - 1); /* it was copied */
	na = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	assert_true(rs_str_eqz(na->uri.host, "192.0.2.1"));
	assert_int_equal(na->uri.port, 1234);
	assert_true(rs_str_eqz(sip_params_get(&na->params, RS_STR("expires"))->value, "60"));
	/* The other value, and what was received, are as they were. */
	assert_true(rs_str_eqz(sip_rx_name_addr(rx, SIP_HDR_CONTACT, 1)->uri.user, "b"));
	assert_true(rs_str_eqz(sip_msg_name_addr(sip_rx_msg(rx), SIP_HDR_CONTACT, 0)->uri.host, "10.0.0.1"));
	/* The last word counts. */
	assert_int_equal(sip_rx_override(rx, SIP_HDR_CONTACT, 0, RS_STR("<sip:a@192.0.2.2>")), 0);
	assert_true(rs_str_eqz(sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0)->uri.host, "192.0.2.2"));
	assert_null(sip_rx_name_addr(rx, SIP_HDR_CONTACT, 2));
	assert_null(sip_rx_name_addr(rx, SIP_HDR_ROUTE, 0));
	sip_rx_unref(rx);
}

static void what_does_not_parse_overrides_nothing(void **state)
{
	static const char *const bad[] = {"", "<sip:a@", "<sip:a@b>, <sip:c@d>", "\"unclosed <sip:a@b>"};
	struct sip_rx_data *rx = parsed();

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		errno = 0;
		assert_int_equal(sip_rx_override(rx, SIP_HDR_CONTACT, 0, rs_str_c(bad[i])), -1);
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_int_equal(sip_rx_override(rx, SIP_HDR_CSEQ, 0, RS_STR("1 REGISTER")), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(rs_str_eqz(sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0)->uri.host, "10.0.0.1"));
	sip_rx_unref(rx);
}

static void overrides_are_bounded_by_the_arena(void **state)
{
	struct sip_rx_data *rx = parsed();
	int n = 0;

	(void)state;
	while (sip_rx_override(rx, SIP_HDR_CONTACT, 0, RS_STR("<sip:a@192.0.2.2>")) == 0)
		assert_true(++n < 100000);
	assert_true(n > 10);
	sip_rx_unref(rx);
}

static int released;

static void release(void *value)
{
	released += *(int *)value;
}

static void a_slot_is_given_back_when_the_message_dies(void **state)
{
	struct sip_rx_data *rx = parsed();
	int slots[SIP_RX_SLOTS], value = 5;

	(void)state;
	for (int i = 0; i < SIP_RX_SLOTS; i++) {
		slots[i] = sip_rx_slot_new(i ? NULL : release);
		assert_true(slots[i] >= 0);
	}
	assert_int_equal(sip_rx_slot_new(NULL), -1);
	sip_rx_set(rx, slots[0], &value);
	sip_rx_set(rx, slots[1], &value);
	assert_ptr_equal(sip_rx_get(rx, slots[0]), &value);
	assert_null(sip_rx_get(rx, slots[2]));
	assert_ptr_equal(sip_rx_ref(rx), rx);
	sip_rx_unref(rx);
	assert_int_equal(released, 0);
	sip_rx_unref(rx);
	assert_int_equal(released, 5);
	for (int i = 0; i < SIP_RX_SLOTS; i++)
		sip_rx_slot_free(slots[i]);
	assert_int_equal(sip_rx_slot_new(NULL), slots[0]);
	sip_rx_slot_free(slots[0]);
	sip_rx_unref(NULL);
}

static void a_block_holds_what_it_says_and_more_comes_from_malloc(void **state)
{
	static const size_t sizes[] = {0, 1, SIP_RX_BUFFER, SIP_RX_BUFFER + 1, 65535};

	(void)state;
	for (unsigned i = 0; i < RS_ARRAY_SIZE(sizes); i++) {
		struct sip_rx_data *rx = sip_rx_alloc(sizes[i]);
		void *p;

		assert_non_null(rx);
		assert_int_equal(rx->slab, sizes[i] <= SIP_RX_BUFFER);
		assert_true(rx->buf_cap >= sizes[i]);
		memset(rx->buf, 'x', rx->buf_cap);
		/* The arena's own block takes a usual message's index and typed values. */
		p = rs_arena_zalloc(&rx->arena, 1500);
		assert_true((char *)p >= (char *)rx->mem && (char *)p + 1500 <= rx->buf);
		assert_int_equal(rx->magic, SIP_RX_MAGIC);
		sip_rx_unref(rx);
	}
}

static void force_rport_is_remembered(void **state)
{
	struct sip_rx_data *rx = parsed();

	(void)state;
	assert_false(sip_rx_force_rport(rx));
	sip_rx_set_force_rport(rx);
	assert_true(sip_rx_force_rport(rx));
	assert_null(sip_rx_tsx(rx));
	sip_rx_unref(rx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_overlay_is_seen_through_it_only),
		cmocka_unit_test(what_does_not_parse_overrides_nothing),
		cmocka_unit_test(overrides_are_bounded_by_the_arena),
		cmocka_unit_test(a_slot_is_given_back_when_the_message_dies),
		cmocka_unit_test(a_block_holds_what_it_says_and_more_comes_from_malloc),
		cmocka_unit_test(force_rport_is_remembered),
	};

	return cmocka_run_group_tests_name("rx_data", tests, NULL, NULL);
}
