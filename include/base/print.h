/* Numbers as text, for the ways where printf costs more than what it prints. Any thread. */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "base/str.h"

#define RS_DECIMAL 20 /* digits of the largest number */

/* v in decimal digits to out (RS_DECIMAL bytes), without a NUL; how many. */
RS_API size_t rs_print_decimal(char *out, uint64_t v);
/* v as n hexadecimal digits in lower case, without a NUL. */
RS_API void rs_print_hex(char *out, uint64_t v, unsigned n);

#endif
