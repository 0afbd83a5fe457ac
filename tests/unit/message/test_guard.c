/* Nothing reads past its input: every prefix of every message stands right before, and right behind, a page that may
 * not be read. */
#include "message_test.h"

#include <sys/mman.h>

#define AREA 65536

static char *behind; /* AREA bytes that end at a forbidden page */
static char *after;  /* AREA bytes that begin behind one */

static void map_pages(void)
{
	char *p = mmap(NULL, AREA * 3, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + AREA, AREA, PROT_READ | PROT_WRITE), 0);
	behind = after = p + AREA;
}

static void feed(struct rs_str bytes)
{
	static struct parsed p;
	size_t from = 0, length, need;

	if (parse_into(&p, bytes, false) == SIP_PARSE_DONE)
		touch_everything(&p.msg);
	done(&p);
	if (parse_into(&p, bytes, true) == SIP_PARSE_DONE)
		touch_everything(&p.msg);
	done(&p);
	sip_msg_frame(bytes, &from, &length, &need);
	sip_msg_classify(bytes);
}

static void every_prefix(const struct message_row *row, void *data)
{
	(void)data;
	/* One long line of one kind shows nothing new at each of its bytes. */
	size_t step = row->bytes.len > 2000 ? 37 : 1;

	for (size_t n = 0; n <= row->bytes.len; n += step) {
		char *p = behind + AREA - n;

		memcpy(p, row->bytes.p, n);
		feed(rs_str_n(p, n));
	}
	for (size_t n = 0; n <= row->bytes.len; n += step * 7) {
		memcpy(after, row->bytes.p + row->bytes.len - n, n);
		feed(rs_str_n(after, n));
	}
}

static void no_prefix_of_a_message_is_read_past_its_end(void **state)
{
	(void)state;
	map_pages();
	for_each_message(every_prefix, NULL);
	munmap(behind - AREA, AREA * 3);
}

static void every_prefix_of_a_uri(void **state)
{
	static const char *const uris[] = {
		"sip:a:b@[2001:db8::1]:5060;transport=tcp;lr?x=y&z=%20",
		"sips:%61@example.net;p",
		"tel:+1-2(3)4;ext=5",
		"urn:service:sos",
	};

	(void)state;
	map_pages();
	for (size_t i = 0; i < RS_ARRAY_SIZE(uris); i++) {
		for (size_t n = 0; n <= strlen(uris[i]); n++) {
			struct rs_str s = rs_str_n(behind + AREA - n, n);
			struct sip_uri u;
			struct sip_addr a;
			char buf[128];

			memcpy(behind + AREA - n, uris[i], n);
			sip_addr_parse(s, &a);
			sip_unescape(s, buf, sizeof(buf));
			sip_unquote(s, buf, sizeof(buf));
			if (sip_uri_parse(s, &u) == 0) {
				assert_true(sip_uri_equal(&u, &u));
				sip_uri_hash(&u);
				sip_uri_has_lr(&u);
				sip_uri_print_filtered(&u, NULL, true, buf, sizeof(buf));
			}
		}
	}
	munmap(behind - AREA, AREA * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_prefix_of_a_message_is_read_past_its_end),
		cmocka_unit_test(every_prefix_of_a_uri),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
