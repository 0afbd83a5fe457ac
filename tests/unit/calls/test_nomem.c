/*
 * Parties and diversions with each of their allocations failing in turn: what could not be made is empty, what was
 * there stays usable, nothing leaks. Their sources are compiled in with the allocations renamed to those below.
 */
#include "calls_test.h"

static long countdown = -1; /* allocations until one fails; negative: none does */
static bool failed;

static bool fails(void)
{
	if (countdown < 0 || countdown--)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

void *nomem_malloc(size_t n);
void *nomem_calloc(size_t n, size_t size);

void *nomem_malloc(size_t n)
{
	return fails() ? NULL : malloc(n);
}

void *nomem_calloc(size_t n, size_t size)
{
	return fails() ? NULL : calloc(n, size);
}

static int start(void **state)
{
	(void)state;
	ct_start("", NULL);
	return 0;
}

#define HISTORY "Diversion: <sip:a@x>;counter=2, <sip:b@x>\r\nHistory-Info: <sip:a@x>;index=1, <sip:b@x>;index=1.1\r\n"

/* What happens once without a failure, then with the first allocation failing, the second, and so on. */
static unsigned with_each_failing(void (*once)(bool fail))
{
	unsigned n = 0;

	countdown = -1;
	once(false);
	for (;; n++) {
		countdown = (long)n;
		failed = false;
		once(true);
		countdown = -1;
		if (!failed)
			return n;
	}
}

static void make_party(bool fail)
{
	static struct parsed_msg m;
	const struct ast_sip_endpoint_settings e = {0};
	struct call_party p, q;
	unsigned status = call_party_from_request(invite(&m, FROM_LEA), &e, &p);

	(void)fail;
	assert_int_equal(status, failed ? 500 : 0);
	assert_int_equal(p.number.len, failed ? 0 : 3);
	if (!status && call_party_copy(&q, &p)) {
		assert_true(failed);
		assert_null(q.block);
		assert_int_equal(p.number.len, 3);
	} else if (!status) {
		call_party_fini(&q);
	}
	call_party_fini(&p);
	if (!call_party_from_response(&m.msg, &e, RS_STR("200"), &p))
		assert_int_equal(p.number.len, 3);
	else
		assert_null(p.block);
	call_party_fini(&p);
	msg_end(&m);
}

static void a_party_is_whole_or_empty(void **state)
{
	(void)state;
	assert_int_equal(with_each_failing(make_party), 3);
}

static void make_diversion(bool fail)
{
	static struct parsed_msg m;
	const struct ast_sip_endpoint_settings e = {.send_diversion = true, .send_history_info = true};
	const struct call_hop hop = {.from = RS_STR("sip:desk@example.net"), .to = RS_STR("sip:c@x"), .status = 302};
	struct call_diversion d;
	struct sip_tx_data *tx = outgoing("sip:bob@h");
	int rc;

	rc = call_diversion_from_request(invite(&m, FROM_LEA HISTORY), &e, &d);
	assert_int_equal(rc, failed ? -1 : 0);
	if (rc) {
		assert_int_equal(errno, ENOMEM);
		assert_false(call_diversion_any(&d));
		assert_int_equal(call_diversion_count(&d), 0);
	}
	rc = call_diversion_add(&d, &hop);
	assert_true(rc == 0 || (fail && failed && errno == ENOMEM));
	/* What is there can be told. */
	assert_int_equal(call_diversion_add_headers(&d, &e, tx), 0);
	assert_true(sip_tx_hdr(tx, SIP_HDR_HISTORY_INFO).len > 0);
	call_diversion_fini(&d);
	sip_tx_unref(tx);
	msg_end(&m);
}

static void a_diversion_survives_what_it_could_not_keep(void **state)
{
	(void)state;
	assert_true(with_each_failing(make_diversion) >= 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_party_is_whole_or_empty),
		cmocka_unit_test(a_diversion_survives_what_it_could_not_keep),
	};

	return cmocka_run_group_tests(tests, start, ct_teardown);
}
