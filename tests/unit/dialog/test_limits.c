/* How many dialogs there may be, and what one costs while nothing happens in it. */
#include "talk.h"

#include "sip/dialog/dialog.h"
#include "sip/transaction/tsx.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#define CONTACT "<sip:alice@192.168.100.200:15060;transport=udp;ob>"

static struct sip_dialog *uac(void)
{
	const struct sip_dialog_uac_params p = {
		.size = sizeof(p), .uri = RS_STR("sip:bob@10.0.0.2"), .from = RS_STR("<sip:us@example.com>")};

	return sip_dialog_uac(&p);
}

static void at_the_limit_one_is_made_and_past_it_none(void **state)
{
	struct sip_dialog *d[3];
	struct sip_dialog_stats stats;

	(void)state;
	call.config.max_dialogs = 3;
	talk_start(UDP);
	for (int i = 0; i < 3; i++) {
		d[i] = uac();
		assert_non_null(d[i]);
	}
	assert_null(uac());
	assert_int_equal(errno, EAGAIN);
	phone_invites(CONTACT, "");
	assert_null(talk.dlg);
	assert_int_equal(talk.error, EAGAIN);
	sip_dialog_stats(&stats);
	assert_int_equal(stats.now, 3);
	assert_int_equal(stats.created, 3);
	assert_int_equal(stats.refused, 2);
	sip_dialog_unref(d[1]);
	d[1] = uac();
	assert_non_null(d[1]);
	for (int i = 0; i < 3; i++)
		sip_dialog_unref(d[i]);
	call_stop();
	talk_drop();
}

/* All blocks that a dialog has while it waits: its own, what the peer said, its usage, the serializer that it keeps. */
static void an_idle_dialog_takes_at_most_2_kib(void **state)
{
	size_t size, serializer = sizeof(struct tsx_server) + 16;

	(void)state;
	talk_start(UDP);
	call.call_id = "84ce2d1b5f7a4f0a9d3e6c8b7a615243@192.168.100.200";
	call.from_tag = "7a5ef8b9c1d2e3f47a5ef8b9c1d2e3f4";
	phone_invites(CONTACT, "Record-Route: <sip:192.168.100.201:5060;lr;ftag=7a5ef8b9c1d2e3f47a5ef8b9c1d2e3f4>\r\n"
			       "Record-Route: <sip:192.168.100.202:5060;lr;ftag=7a5ef8b9c1d2e3f47a5ef8b9c1d2e3f4>\r\n");
	talk_answers(200);
	phone_gets("200");
	size = malloc_usable_size(talk.dlg) + malloc_usable_size(talk.dlg->peer) +
	       malloc_usable_size(talk.dlg->usages) + 3 * 8 + sizeof(struct tsx_place) * 2 + serializer;
	print_message("an idle dialog: %zu bytes, its struct %zu, the block of its serializer %zu\n", size,
		      sizeof(struct sip_dialog), serializer);
	assert_true(size > 600 && size <= 2048);
	talk_end();
}

static void an_idle_dialog_holds_no_message(void **state)
{
	struct sip_tsx *tsx;

	(void)state;
	talk_start(UDP);
	phone_invites(CONTACT, "");
	talk_answers(200);
	phone_gets("200");
	tsx = talk.tsx;
	talk.tsx = NULL;
	call_wait(33000); /* Timer L: the transaction has ended, and its serializer lives on */
	assert_int_equal(sip_tsx_state(tsx), SIP_TSX_TERMINATED);
	assert_null(tsx->tx);
	assert_null(tsx_server(tsx)->rx);
	assert_int_equal(call_stats().server_now, 0);
	sip_tsx_unref(tsx);
	talk.answer = 200;
	phone_asks("INFO", 2);
	talk_hears("INFO 2");
	phone_gets("200");
	talk_end();
}

static void count_one(void *token, struct sip_dialog *dlg)
{
	assert_non_null(dlg);
	++*(unsigned *)token;
}

static void ten_thousand_are_found_and_gone(void **state)
{
	static struct sip_dialog *d[10000];
	unsigned n = 0;

	(void)state;
	talk_start(UDP);
	for (size_t i = 0; i < RS_ARRAY_SIZE(d); i++)
		assert_non_null(d[i] = uac());
	for (size_t i = 0; i < RS_ARRAY_SIZE(d); i++) {
		struct sip_dialog *found =
			sip_dialog_find(sip_dialog_call_id(d[i]), sip_dialog_local_tag(d[i]), RS_STR_NULL);

		assert_ptr_equal(found, d[i]);
		sip_dialog_unref(found);
	}
	sip_dialog_each(count_one, &n);
	assert_int_equal(n, RS_ARRAY_SIZE(d));
	for (size_t i = 0; i < RS_ARRAY_SIZE(d); i++)
		sip_dialog_unref(d[i]);
	n = 0;
	sip_dialog_each(count_one, &n);
	assert_int_equal(n, 0);
	talk_end();
}

static void the_same_request_makes_no_second(void **state)
{
	struct sip_dialog *first;

	(void)state;
	talk_start(UDP);
	phone_invites("<sip:alice@10.0.0.2:5060>", "");
	first = talk.dlg;
	errno = 0;
	assert_null(sip_dialog_uas(talk.invite, RS_STR_NULL));
	assert_int_equal(errno, EEXIST);
	assert_ptr_equal(first, talk.dlg);
	talk_answers(486);
	phone_gets("486");
	talk_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_the_limit_one_is_made_and_past_it_none),
		cmocka_unit_test(an_idle_dialog_takes_at_most_2_kib),
		cmocka_unit_test(an_idle_dialog_holds_no_message),
		cmocka_unit_test(ten_thousand_are_found_and_gone),
		cmocka_unit_test(the_same_request_makes_no_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
