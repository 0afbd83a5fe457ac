/* A configuration directory that a test writes, and what loading it says. */
#ifndef TESTS_CONFIG_CONF_DIR_H
#define TESTS_CONFIG_CONF_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/config/load.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf_dir {
	char path[64];
	struct ast_sip_conf_errors errors;
};

static inline int conf_dir_setup(void **state)
{
	struct conf_dir *d = calloc(1, sizeof(*d));

	snprintf(d->path, sizeof(d->path), "%s/res_sip-conf-XXXXXX", P_tmpdir);
	if (!mkdtemp(d->path))
		return -1;
	*state = d;
	return 0;
}

static inline int conf_dir_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int conf_dir_teardown(void **state)
{
	struct conf_dir *d = *state;

	ast_sip_snapshot_install(NULL);
	ast_sip_conf_errors_free(&d->errors);
	nftw(d->path, conf_dir_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(d);
	return 0;
}

static inline void conf_write_n(struct conf_dir *d, const char *name, const char *text, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static inline void conf_write(struct conf_dir *d, const char *name, const char *text)
{
	conf_write_n(d, name, text, strlen(text));
}

/* Loads what is in the directory; the errors of the load before are forgotten. */
static inline struct ast_sip_snapshot *conf_load_again(struct conf_dir *d, struct ast_sip_snapshot *previous)
{
	ast_sip_conf_errors_free(&d->errors);
	return ast_sip_snapshot_load(d->path, previous, &d->errors);
}

static inline void conf_errors_dump(const struct conf_dir *d)
{
	for (size_t i = 0; i < d->errors.n; i++)
		print_message("%s:%u: %s%s\n", d->errors.v[i].file, d->errors.v[i].line,
			      d->errors.v[i].warning ? "warning: " : "", d->errors.v[i].text);
}

/* pjsip.conf is text; it must load. */
static inline struct ast_sip_snapshot *conf_good(struct conf_dir *d, const char *text)
{
	struct ast_sip_snapshot *s;

	conf_write(d, "pjsip.conf", text);
	s = conf_load_again(d, NULL);
	if (!s)
		conf_errors_dump(d);
	assert_non_null(s);
	return s;
}

/* Whether an error or a warning stands at that place and says that. */
static inline bool conf_said(const struct conf_dir *d, bool warning, const char *file, unsigned line, const char *text)
{
	for (size_t i = 0; i < d->errors.n; i++)
		if (d->errors.v[i].warning == warning && d->errors.v[i].line == line &&
		    strcmp(d->errors.v[i].file, file) == 0 && strstr(d->errors.v[i].text, text))
			return true;
	return false;
}

static inline void conf_assert_said(const struct conf_dir *d, bool warning, unsigned line, const char *text)
{
	if (conf_said(d, warning, "pjsip.conf", line, text))
		return;
	conf_errors_dump(d);
	fail_msg("pjsip.conf:%u does not say: %s", line, text);
}

/* pjsip.conf is text; it must be refused with an error at line that contains what. */
static inline void conf_bad(struct conf_dir *d, const char *text, unsigned line, const char *what)
{
	struct ast_sip_snapshot *s;

	conf_write(d, "pjsip.conf", text);
	s = conf_load_again(d, NULL);
	if (s)
		print_message("loaded: %s\n", text);
	assert_null(s);
	conf_assert_said(d, false, line, what);
}

/* It loads, with a warning at line that contains what. */
static inline void conf_warns(struct conf_dir *d, const char *text, unsigned line, const char *what)
{
	ast_sip_snapshot_unref(conf_good(d, text));
	conf_assert_said(d, true, line, what);
}

#define conf_test(f) cmocka_unit_test_setup_teardown(f, conf_dir_setup, conf_dir_teardown)

#endif
