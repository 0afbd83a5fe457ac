#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli.h"

static void expect(const char *line, bool open_end, int n, const char *const *words)
{
	struct words w;

	assert_int_equal(words_split(&w, line), 0);
	assert_int_equal(w.n, n);
	for (int i = 0; i < n; i++)
		assert_string_equal(w.v[i], words[i]);
	assert_int_equal(w.open_end, open_end);
	words_free(&w);
}
#define EXPECT(line, open_end, ...)                                                                                    \
	expect(line, open_end, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                            \
	       (const char *const[]){__VA_ARGS__})

static void blanks_separate_words(void **state)
{
	(void)state;
	EXPECT("pjsip  show\tendpoints\n", true, "pjsip", "show", "endpoints");
	EXPECT("pjsip show end", false, "pjsip", "show", "end");
	expect("", true, 0, NULL);
	expect("  \n", true, 0, NULL);
}

static void quotes_keep_blanks_and_a_backslash_keeps_a_character(void **state)
{
	(void)state;
	EXPECT("show endpoint \"front desk\"", false, "show", "endpoint", "front desk");
	EXPECT("like '^a\\.b c$' x\\ y", false, "like", "^a\\.b c$", "x y");
	EXPECT("a\"b\"c ''", false, "abc", "");
	EXPECT("\"open", false, "open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blanks_separate_words),
		cmocka_unit_test(quotes_keep_blanks_and_a_backslash_keeps_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
