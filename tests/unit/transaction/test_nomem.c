/* Without memory: each allocation of a call fails in turn, and the call fails cleanly or does without. */
#include "call.h"

#include "sip/tx_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static long countdown = -1; /* allocations until one fails; negative: none does */
static unsigned failed;

static bool fails(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	failed++;
	return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? (errno = ENOMEM, NULL) : __real_realloc(p, n);
}

/* Runs work with the first, second, … allocation failing until none is left to fail; each run is undone by work itself.
 */
static void each_fails(bool (*work)(void))
{
	for (long n = 0;; n++) {
		unsigned before = failed;
		bool ok;

		countdown = n;
		errno = 0;
		ok = work();
		countdown = -1;
		sim_run_for(0);
		if (failed == before) {
			assert_true(ok);
			return;
		}
		assert_true(n < 100);
	}
}

static char body[5000];

static bool build_request(void)
{
	struct sip_tx_request_params p = {
		.method = RS_STR("FROBNICATE"),
		.uri = rs_str_n(body, 1000),
		.from = RS_STR("<sip:a@b>"),
		.contact = RS_STR("<sip:@>"),
	};
	struct sip_addr local;
	struct sip_tx_data *tx, *copy = NULL;
	bool ok = false;

	assert_int_equal(sip_addr_parse(RS_STR("10.0.0.1:5060"), &local), 0);
	tx = sip_tx_request(&p);
	if (tx && sip_tx_set_body(tx, RS_STR("text/plain"), rs_str_n(body, sizeof(body))) == 0)
		copy = sip_tx_clone(tx, 9);
	if (copy && sip_tx_seal(copy, SIP_TRANSPORT_UDP, &local) == 0) {
		sip_tx_ref(copy);
		sip_tx_set_branch(copy, RS_STR("z9hG4bKtwo"));
		ok = sip_tx_seal(copy, SIP_TRANSPORT_UDP, &local) == 0 &&
		     rs_str_starts(sip_tx_bytes(copy), RS_STR("FROBNICATE xxx"));
		sip_tx_unref(copy);
	}
	if (!ok)
		assert_int_equal(errno, ENOMEM);
	sip_tx_unref(copy);
	sip_tx_unref(tx);
	return ok;
}

static void request_fails_cleanly(void **state)
{
	(void)state;
	memset(body, 'x', sizeof(body));
	call_start(UDP);
	each_fails(build_request);
	assert_true(failed > 3);
	call_end();
}

static bool begin_client(void)
{
	/* Out of the wheel and the peers' way: only the call itself runs while allocations fail. */
	long n = countdown;
	struct sip_tx_data *tx;
	struct sip_tsx *tsx = NULL;
	int result;

	countdown = -1;
	tx = call_request_to_phone("OPTIONS");
	countdown = n;
	result = sip_tsx_send_for(&call, tx, NULL, &call_user, &call, 0, &tsx);
	countdown = -1;
	if (result) {
		assert_int_equal(errno, ENOMEM);
		assert_null(tsx);
		assert_int_equal(call.holds, 0);
		assert_int_equal(call_stats().client_now, 0);
		user_hears_nothing();
		return false;
	}
	phone_gets("OPTIONS");
	phone_answers(200, "a");
	user_hears("response 200 a");
	user_hears("terminated");
	user_terminates(tsx);
	sip_tsx_unref(tsx);
	return true;
}

static void client_fails_cleanly(void **state)
{
	unsigned before = failed;

	(void)state;
	call_start(UDP);
	each_fails(begin_client);
	assert_true(failed > before);
	call_end();
}

static struct sip_tx_data *answer;

static int respond(void *data)
{
	countdown = *(long *)data;
	call.result = sip_tsx_respond(call.server, answer);
	call.error = errno;
	countdown = -1;
	return 0;
}

static bool answer_one(void)
{
	static unsigned number;
	char branch[40];
	long n = countdown;

	countdown = -1;
	snprintf(branch, sizeof(branch), "z9hG4bK-%u", number++);
	call.branch = branch;
	phone_sends("OPTIONS");
	user_hears("request OPTIONS");
	answer = sip_tx_response(call.request, 200, RS_STR_NULL);
	assert_non_null(answer);
	call_on(call.server, respond, &n);
	if (call.result) {
		/* It could not leave (the error is the transport's); the next retransmission gets it. */
		assert_int_not_equal(call.error, 0);
		phone_gets_nothing();
		phone_sends("OPTIONS");
	}
	/* Without memory for the record the answer went out all the same. */
	phone_gets("200");
	user_hears("terminated");
	return true;
}

static void answer_is_not_lost(void **state)
{
	unsigned before = failed;

	(void)state;
	call_start(UDP);
	each_fails(answer_one);
	assert_true(failed > before);
	call_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_fails_cleanly),
		cmocka_unit_test(client_fails_cleanly),
		cmocka_unit_test(answer_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
