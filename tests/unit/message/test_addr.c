/* Addresses and transports. */
#include "message_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const char *round_trip(const char *text, bool port)
{
	static char buf[SIP_ADDR_TEXT];
	struct sip_addr a;

	return sip_addr_parse(rs_str_c(text), &a) ? "bad" : sip_addr_text(&a, port, buf);
}

static void numeric_addresses_parse_and_print(void **state)
{
	(void)state;
	assert_string_equal(round_trip("1.2.3.4", true), "1.2.3.4");
	assert_string_equal(round_trip("1.2.3.4:5060", true), "1.2.3.4:5060");
	assert_string_equal(round_trip("1.2.3.4:5060", false), "1.2.3.4");
	assert_string_equal(round_trip("::1", true), "::1");
	assert_string_equal(round_trip("[::1]", true), "::1");
	assert_string_equal(round_trip("[2001:DB8::1]:5060", true), "[2001:db8::1]:5060");
	assert_string_equal(round_trip("[fe80::1%3]:5060", true), "[fe80::1%3]:5060");
	assert_string_equal(round_trip("255.255.255.255:65535", true), "255.255.255.255:65535");
}

/* Every pattern of zero groups, with groups of every width, and what embeds an IPv4 address. */
static void addresses_print_as_the_system_prints_them(void **state)
{
	static const uint16_t groups[] = {0x1, 0xffff, 0xab, 0x102, 0x2f00};
	char ours[SIP_ADDR_TEXT], theirs[INET6_ADDRSTRLEN];
	struct sip_addr a = {.family = 6};

	(void)state;
	for (unsigned i = 0; i < 256 * RS_ARRAY_SIZE(groups); i++) {
		for (unsigned g = 0; g < 8; g++) {
			unsigned v = i >> g & 1 ? groups[(i / 256 + (i & 1 ? g : 0)) % RS_ARRAY_SIZE(groups)] : 0;

			a.ip[2 * g] = (uint8_t)(v >> 8);
			a.ip[2 * g + 1] = (uint8_t)v;
		}
		inet_ntop(AF_INET6, a.ip, theirs, sizeof(theirs));
		assert_string_equal(sip_addr_text(&a, false, ours), theirs);
	}
	a = (struct sip_addr){.family = 4};
	for (unsigned i = 0; i < 256; i++) {
		a.ip[0] = a.ip[3] = (uint8_t)i;
		inet_ntop(AF_INET, a.ip, theirs, sizeof(theirs));
		assert_string_equal(sip_addr_text(&a, false, ours), theirs);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"",         "a",        "1.2.3",     "1.2.3.4.5", "256.1.1.1", "1.2.3.4:",  "1.2.3.4:65536",
		"01.2.3.4", "1.2.3.4 ", "[::1",      "[::1]5060", "[]",        "[1.2.3.4]", "::g",
		"1:2",      "1..2.3",   "fe80::1%x", ":"};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++)
		assert_string_equal(round_trip(bad[i], true), "bad");
}

static void addresses_compare_and_convert(void **state)
{
	struct sockaddr_storage ss;
	struct sip_addr a, b;
	char buf[SIP_ADDR_TEXT];

	(void)state;
	assert_int_equal(sip_addr_parse(RS_STR("[2001:db8::1]:5060"), &a), 0);
	assert_int_equal(sip_addr_to_sockaddr(&a, &ss), sizeof(struct sockaddr_in6));
	sip_addr_from_sockaddr((struct sockaddr *)&ss, &b);
	assert_true(sip_addr_eq(&a, &b));
	assert_string_equal(sip_addr_host(&a, buf), "[2001:db8::1]");
	b.port = 1;
	assert_false(sip_addr_eq(&a, &b));
	assert_true(sip_addr_same_ip(&a, &b));
	assert_int_equal(sip_addr_parse(RS_STR("::ffff:192.0.2.1"), &a), 0);
	sip_addr_unmap(&a);
	assert_int_equal(sip_addr_parse(RS_STR("192.0.2.1"), &b), 0);
	assert_true(sip_addr_eq(&a, &b));
	assert_int_equal(sip_addr_to_sockaddr(&b, &ss), sizeof(struct sockaddr_in));
	sip_addr_from_sockaddr((struct sockaddr *)&ss, &a);
	assert_true(sip_addr_eq(&a, &b));
	assert_false(sip_addr_is_any(&a));
	assert_int_equal(sip_addr_parse(RS_STR("0.0.0.0:5"), &a), 0);
	assert_true(sip_addr_is_any(&a));
	assert_int_equal(sip_addr_parse(RS_STR("::"), &a), 0);
	assert_true(sip_addr_is_any(&a));
	assert_false(sip_addr_is_any(&(struct sip_addr){0}));
}

static void transports_know_their_names_and_ports(void **state)
{
	(void)state;
	for (unsigned t = SIP_TRANSPORT_UDP; t < SIP_TRANSPORT_N; t++) {
		struct rs_str name = rs_str_c(sip_transport_name((enum sip_transport_type)t));

		assert_int_equal(sip_transport_from_name(name), t);
	}
	assert_int_equal(sip_transport_from_name(RS_STR("wSs")), SIP_TRANSPORT_WSS);
	assert_int_equal(sip_transport_from_name(RS_STR("sctp")), SIP_TRANSPORT_NONE);
	assert_int_equal(sip_transport_from_name(RS_STR("")), SIP_TRANSPORT_NONE);
	assert_int_equal(sip_transport_default_port(SIP_TRANSPORT_TLS), 5061);
	assert_false(sip_transport_is_reliable(SIP_TRANSPORT_UDP));
	assert_true(sip_transport_is_reliable(SIP_TRANSPORT_WS));
	assert_true(sip_transport_is_secure(SIP_TRANSPORT_WSS));
	assert_false(sip_transport_is_secure(SIP_TRANSPORT_TCP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_addresses_parse_and_print),
		cmocka_unit_test(addresses_print_as_the_system_prints_them),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(addresses_compare_and_convert),
		cmocka_unit_test(transports_know_their_names_and_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
