/* Typed values asked for by several threads at once, and with too little memory. */
#include "message_test.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS  20

static struct parsed p;
static pthread_barrier_t barrier;

struct seen {
	const struct sip_hdr_values *v[SIP_HDR_N];
	const struct sip_uri *uri;
	const struct sip_body_part *parts;
	int n_parts;
};

static void *ask(void *data)
{
	struct seen *s = data;

	pthread_barrier_wait(&barrier);
	for (unsigned id = 1; id < SIP_HDR_N; id++)
		s->v[id] = sip_msg_values(&p.msg, (enum sip_hdr_id)id, NULL);
	s->uri = sip_msg_ruri(&p.msg);
	s->n_parts = sip_msg_parts(&p.msg, &s->parts);
	return NULL;
}

static void together(const struct message_row *row, void *data)
{
	(void)data;
	for (int round = 0; round < ROUNDS && is_flawless(row); round++) {
		struct seen seen[THREADS] = {0};
		pthread_t threads[THREADS];

		assert_int_equal(parse_into(&p, row->bytes, false), SIP_PARSE_DONE);
		assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, ask, &seen[i]), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		/* One result for all, whoever made it. */
		for (int i = 1; i < THREADS; i++)
			assert_memory_equal(&seen[0], &seen[i], sizeof(seen[0]));
		pthread_barrier_destroy(&barrier);
		done(&p);
	}
}

static void all_threads_see_one_result(void **state)
{
	(void)state;
	for_each_message(together, NULL);
}

/* With each amount of memory: what is there is whole. */
static void starve(const struct message_row *row, void *data)
{
	static char mem[16384];
	bool enough = false;

	(void)data;
	if (!is_flawless(row))
		return;
	for (size_t cap = 0; cap <= sizeof(mem); cap += 48) {
		const struct sip_body_part *parts;
		struct rs_arena arena;
		struct sip_msg msg;
		bool bad;

		rs_arena_init(&arena, mem, cap, 0);
		if (sip_msg_parse(&msg, &arena, row->bytes, false, NULL) != SIP_PARSE_DONE) {
			assert_false(enough);
			continue;
		}
		enough = true;
		for (unsigned id = 1; id < SIP_HDR_N; id++) {
			const struct sip_hdr_values *v = sip_msg_values(&msg, (enum sip_hdr_id)id, &bad);

			assert_true(v || bad || !msg.first[id]);
			assert_true(!(v && bad));
			assert_ptr_equal(v, sip_msg_values(&msg, (enum sip_hdr_id)id, NULL));
		}
		sip_msg_ruri(&msg);
		sip_msg_parts(&msg, &parts);
		touch_everything(&msg);
	}
	assert_true(enough);
}

static void little_memory_gives_less_but_nothing_wrong(void **state)
{
	(void)state;
	for_each_message(starve, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_see_one_result),
		cmocka_unit_test(little_memory_gives_less_but_nothing_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
