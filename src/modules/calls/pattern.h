/*
 * Patterns of dial plans. Without an underscore in front the text must be equal; behind one, X is a digit, Z one from 1
 * to 9, N one from 2 to 9, [15-7a] one of these, "." one character or more, "!" any number of them; a "-" between means
 * nothing. Both of the last may stand at the end only. Any thread.
 */
#ifndef MODULES_CALLS_PATTERN_H
#define MODULES_CALLS_PATTERN_H

#include "base/str.h"

/* NULL, or what is wrong with it. */
const char *pattern_check(struct rs_str pattern);
/* pattern has passed the check. */
bool pattern_matches(struct rs_str pattern, struct rs_str number);

#endif
