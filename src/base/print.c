/* See print.h. */
#include "base/print.h"

size_t rs_print_decimal(char *out, uint64_t v)
{
	char digits[RS_DECIMAL];
	size_t n = 0;

	do {
		digits[RS_DECIMAL - ++n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memcpy(out, digits + RS_DECIMAL - n, n);
	return n;
}

void rs_print_hex(char *out, uint64_t v, unsigned n)
{
	static const char digits[] = "0123456789abcdef";

	for (; n; v >>= 4)
		out[--n] = digits[v & 15];
}
