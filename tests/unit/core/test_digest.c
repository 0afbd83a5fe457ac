/* Digests, MACs, and what is read and compared with them. */
#include "core_test.h"

#include "res_sip/digest.h"

static const char alphabet[] = "0123456789abcdef";

static void hex_of_any_bytes_comes_back(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513] = "";

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	for (size_t n = 0; n <= 256; n++) {
		memset(text, 'x', sizeof(text));
		ast_sip_to_hex(bytes, n, text);
		assert_int_equal(text[2 * n], 'x');
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(text[2 * i], alphabet[bytes[i] >> 4]);
			assert_int_equal(text[2 * i + 1], alphabet[bytes[i] & 15]);
		}
		memset(back, 0xee, sizeof(back));
		assert_int_equal(ast_sip_from_hex(rs_str_n(text, 2 * n), back, n), n % 4 == 0);
		if (n % 4 == 0)
			assert_memory_equal(back, bytes, n);
	}
}

static void what_is_no_hex_of_ours_is_not_taken(void **state)
{
	char text[17] = "0123456789abcdef";
	uint8_t bytes[8];

	(void)state;
	for (unsigned at = 0; at < 16; at++) {
		char was = text[at];

		for (unsigned c = 0; c < 256; c++) {
			text[at] = (char)c;
			assert_int_equal(ast_sip_from_hex(rs_str_n(text, 16), bytes, 8),
					 c && strchr(alphabet, (int)c) != NULL);
		}
		text[at] = was;
	}
	assert_false(ast_sip_from_hex(rs_str_n(text, 15), bytes, 8));
	assert_false(ast_sip_from_hex(rs_str_n(text, 16), bytes, 4));
	assert_false(ast_sip_from_hex(RS_STR_NULL, bytes, 8));
}

static void digests_are_equal_in_any_case_and_nothing_else(void **state)
{
	char a[64], b[64];

	(void)state;
	for (size_t n = 1; n < sizeof(a); n++) {
		memset(a, 'm', n);
		for (size_t at = 0; at < n; at++) {
			memset(b, 'M', n);
			for (unsigned c = 0; c < 256; c++) {
				a[at] = 'm';
				b[at] = (char)c;
				assert_int_equal(ast_sip_digest_equal(rs_str_n(a, n), rs_str_n(b, n)),
						 c == 'm' || c == 'M');
				assert_int_equal(ast_sip_bytes_equal(a + at, b + at, 1), c == 'm');
			}
		}
	}
	for (unsigned x = 0; x < 256; x++) {
		for (unsigned y = 0; y < 256; y++) {
			memset(a, (int)x, 9);
			memset(b, (int)x, 9);
			b[3] = (char)y;
			assert_int_equal(ast_sip_digest_equal(rs_str_n(a, 9), rs_str_n(b, 9)),
					 x == y || (x < 128 && y < 128 && tolower((int)x) == tolower((int)y)));
			assert_int_equal(ast_sip_bytes_equal(a, b, 9), x == y);
		}
	}
	assert_true(ast_sip_digest_equal(RS_STR_NULL, RS_STR("")));
	assert_false(ast_sip_digest_equal(RS_STR("a"), RS_STR("ab")));
}

/* RFC 1321, appendix A.5, and FIPS 180-2. */
static void digests_are_those_of_the_standards(void **state)
{
	char out[AST_SIP_DIGEST_HEX];

	(void)state;
	assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, (struct rs_str[]){RS_STR("abc")}, 1, out), 0);
	assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");
	assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, NULL, 0, out), 0);
	assert_string_equal(out, "d41d8cd98f00b204e9800998ecf8427e");
	assert_int_equal(ast_sip_digest_join(AST_SIP_SHA_256, (struct rs_str[]){RS_STR("abc")}, 1, out), 0);
	assert_string_equal(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(ast_sip_digest_join(AST_SIP_SHA_512_256, (struct rs_str[]){RS_STR("abc")}, 1, out), 0);
	assert_string_equal(out, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

static void parts_of_any_length_are_joined(void **state)
{
	char whole[1400], a[AST_SIP_DIGEST_HEX], b[AST_SIP_DIGEST_HEX];

	(void)state;
	memset(whole, 'p', sizeof(whole));
	for (size_t n = 0; n < 700; n++) {
		struct rs_str parts[] = {rs_str_n(whole, n), RS_STR_NULL, rs_str_n(whole, 700 - n)};

		whole[n] = whole[n + 1] = ':';
		assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, &(struct rs_str){whole, 702}, 1, a), 0);
		whole[n] = whole[n + 1] = 'p';
		assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, parts, 3, b), 0);
		assert_string_equal(a, b);
		/* Around the place where it does not fit on the stack any more. */
		parts[0].len = 300;
		parts[2].len = n;
		whole[300] = whole[301] = ':';
		assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, &(struct rs_str){whole, 302 + n}, 1, a), 0);
		whole[300] = whole[301] = 'p';
		assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, parts, 3, b), 0);
		assert_string_equal(a, b);
	}
}

/* The reference's vectors: the key is 00 01 …, the text is 00 01 … of that length. */
static void macs_are_those_of_siphash_with_128_bits(void **state)
{
	static const char *const expected[] = {"a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45"};
	uint8_t key[16], text[16], out[AST_SIP_MAC_LEN], other[AST_SIP_MAC_LEN];
	char hex[33] = "";

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		key[i] = text[i] = (uint8_t)i;
	for (size_t n = 0; n < RS_ARRAY_SIZE(expected); n++) {
		assert_int_equal(ast_sip_keyed_mac(key, text, n, out), 0);
		ast_sip_to_hex(out, sizeof(out), hex);
		assert_string_equal(hex, expected[n]);
	}
	/* Another key in between leaves nothing behind. */
	key[0] = 1;
	assert_int_equal(ast_sip_keyed_mac(key, text, 1, other), 0);
	assert_memory_not_equal(out, other, sizeof(out));
	key[0] = 0;
	assert_int_equal(ast_sip_keyed_mac(key, text, 1, other), 0);
	assert_memory_equal(out, other, sizeof(out));
}

static int read_params(const char *const *names, size_t n, struct ast_sip_digest *d)
{
	struct sip_param v[16] = {0};
	struct sip_auth auth = {.scheme = RS_STR("digest"), .v = v, .n = (uint32_t)n};

	for (size_t i = 0; i < n; i++)
		v[i] = (struct sip_param){.name = rs_str_c(names[i]), .value = RS_STR("MD5")};
	return ast_sip_digest_read(&auth, d);
}

static void parameters_are_read_by_name_in_any_case(void **state)
{
	static const char *const names[] = {"USERNAME", "realm", "Nonce",  "uri",    "response",  "cnonce",
					    "NC",       "Qop",   "opaque", "domain", "ALGORITHM", "nope"};
	struct ast_sip_digest d;

	(void)state;
	assert_int_equal(read_params(names, RS_ARRAY_SIZE(names), &d), 0);
	for (size_t i = 0; i < 10; i++)
		assert_string_equal((&d.username)[i].p, "MD5");
	assert_true(d.algorithm_known);
	for (size_t i = 0; i < 11; i++) {
		const char *twice[] = {names[i], "xxx", names[i]};

		assert_int_equal(read_params(twice, 3, &d), -1);
	}
	assert_int_equal(
		read_params((const char *[]){"nd", "urn", "reals", "nonde", "cnoncf", "opaqui", "usernamf"}, 7, &d), 0);
	for (size_t i = 0; i < 10; i++)
		assert_null((&d.username)[i].p);
}

/* By hand, without anything that is kept from one to the next. */
static void assert_response(enum ast_sip_algorithm algorithm, struct rs_str method, struct rs_str uri)
{
	struct ast_sip_digest d = {.algorithm = algorithm, .nonce = RS_STR("n"), .uri = uri};
	struct rs_str ha1 = RS_STR("0123456789abcdef0123456789abcdef");
	char ha2[AST_SIP_DIGEST_HEX], expected[AST_SIP_DIGEST_HEX], got[AST_SIP_DIGEST_HEX];

	assert_int_equal(ast_sip_digest_join(algorithm, (struct rs_str[]){method, uri}, 2, ha2), 0);
	assert_int_equal(ast_sip_digest_join(algorithm, (struct rs_str[]){ha1, d.nonce, rs_str_c(ha2)}, 3, expected),
			 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ast_sip_digest_response(&d, ha1, method, got), 0);
		assert_string_equal(got, expected);
	}
	d.qop = RS_STR("auth");
	d.nc = RS_STR("00000001");
	d.cnonce = RS_STR("c");
	assert_int_equal(ast_sip_digest_join(algorithm,
					     (struct rs_str[]){ha1, d.nonce, d.nc, d.cnonce, d.qop, rs_str_c(ha2)}, 6,
					     expected),
			 0);
	assert_int_equal(ast_sip_digest_response(&d, ha1, method, got), 0);
	assert_string_equal(got, expected);
}

static void a_response_is_of_its_method_and_uri(void **state)
{
	char uri[300];

	(void)state;
	memset(uri, 'u', sizeof(uri));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned a = 0; a < AST_SIP_ALGORITHMS; a++) {
			assert_response((enum ast_sip_algorithm)a, RS_STR("REGISTER"), RS_STR("sip:a"));
			assert_response((enum ast_sip_algorithm)a, RS_STR("REGISTER"), RS_STR("sip:b"));
			assert_response((enum ast_sip_algorithm)a, RS_STR("REGISTERs"), RS_STR("ip:b"));
			assert_response((enum ast_sip_algorithm)a, RS_STR("MESSAGE"), RS_STR("sip:b"));
			assert_response((enum ast_sip_algorithm)a, RS_STR("MESSAGE"), RS_STR(""));
		}
		for (unsigned n = 150; n < sizeof(uri); n++) /* longer than what is kept */
			assert_response(AST_SIP_MD5, RS_STR("REGISTER"), rs_str_n(uri, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_of_any_bytes_comes_back),
		cmocka_unit_test(what_is_no_hex_of_ours_is_not_taken),
		cmocka_unit_test(digests_are_equal_in_any_case_and_nothing_else),
		cmocka_unit_test(digests_are_those_of_the_standards),
		cmocka_unit_test(parts_of_any_length_are_joined),
		cmocka_unit_test(a_response_is_of_its_method_and_uri),
		cmocka_unit_test(macs_are_those_of_siphash_with_128_bits),
		cmocka_unit_test(parameters_are_read_by_name_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
