/* How the tables of options are written. A row: name, class, flags, default as text, field. */
#ifndef CORE_CONFIG_ROWS_H
#define CORE_CONFIG_ROWS_H

#include "core/config/setter.h"

#define NA     CONF_F_NA
#define ACC    CONF_F_ACCUMULATE
#define SECRET CONF_F_SECRET
#define OWN    CONF_F_OWN

#define ROW(n, k, c, fl, d, off) .name = n, .kind = CONF_##k, .class_ = #c[0], .flags = (fl), .def = d, .offset = (off)

/* With a field of the draft (DRAFT and FIELD are set by each table). */
#define BOOL(n, c, fl, d, f)                                                                                           \
	{                                                                                                              \
		ROW(n, BOOL, c, fl, d, FIELD(f))                                                                       \
	}
#define UINT(n, c, fl, d, f)                                                                                           \
	{                                                                                                              \
		ROW(n, UINT, c, fl, d, FIELD(f))                                                                       \
	}
#define RANGE(n, c, fl, d, f, lo, hi)                                                                                  \
	{                                                                                                              \
		ROW(n, UINT, c, fl, d, FIELD(f)), .min = (lo), .max = (hi)                                             \
	}
#define INT(n, c, fl, d, f)                                                                                            \
	{                                                                                                              \
		ROW(n, INT, c, fl, d, FIELD(f))                                                                        \
	}
#define SECONDS(n, c, fl, d, f)                                                                                        \
	{                                                                                                              \
		ROW(n, SECONDS, c, fl, d, FIELD(f))                                                                    \
	}
#define STR(n, c, fl, d, f)                                                                                            \
	{                                                                                                              \
		ROW(n, STR, c, fl, d, FIELD(f))                                                                        \
	}
#define URI(n, c, fl, d, f)                                                                                            \
	{                                                                                                              \
		ROW(n, URI, c, fl, d, FIELD(f))                                                                        \
	}
#define HOST(n, c, fl, d, f)                                                                                           \
	{                                                                                                              \
		ROW(n, HOST, c, fl, d, FIELD(f))                                                                       \
	}
#define LIST(n, c, fl, d, f)                                                                                           \
	{                                                                                                              \
		ROW(n, LIST, c, fl, d, FIELD(f))                                                                       \
	}
#define ENUM(n, c, fl, d, f, nm)                                                                                       \
	{                                                                                                              \
		ROW(n, ENUM, c, fl, d, FIELD(f)), .names = (nm)                                                        \
	}
#define FLAGS(n, c, fl, d, f, nm)                                                                                      \
	{                                                                                                              \
		ROW(n, FLAGS, c, fl, d, FIELD(f)), .names = (nm)                                                       \
	}
#define ALGS(n, c, fl, d, f)                                                                                           \
	{                                                                                                              \
		ROW(n, ALGS, c, fl, d, FIELD(f))                                                                       \
	}
#define ACL_RULE(n, c, f, a)                                                                                           \
	{                                                                                                              \
		ROW(n, ACL_RULE, c, ACC, NULL, FIELD(f)), .arg = (a)                                                   \
	}
#define ACL_NAME(n, c, f, a)                                                                                           \
	{                                                                                                              \
		ROW(n, ACL_NAME, c, ACC, NULL, FIELD(f)), .arg = (a)                                                   \
	}
/* The same with a reader of its own. */
#define STR_BY(n, c, fl, d, f, s)                                                                                      \
	{                                                                                                              \
		ROW(n, STR, c, fl, d, FIELD(f)), .set = (s)                                                            \
	}

/* Without a field: the syntax is checked, the text is kept for show commands. */
#define X_BOOL(n, c, d)                                                                                                \
	{                                                                                                              \
		ROW(n, BOOL, c, NA, d, CONF_NO_FIELD)                                                                  \
	}
#define X_UINT(n, c, d)                                                                                                \
	{                                                                                                              \
		ROW(n, UINT, c, NA, d, CONF_NO_FIELD)                                                                  \
	}
#define X_INT(n, c, d)                                                                                                 \
	{                                                                                                              \
		ROW(n, INT, c, NA, d, CONF_NO_FIELD)                                                                   \
	}
#define X_STR(n, c, d)                                                                                                 \
	{                                                                                                              \
		ROW(n, STR, c, NA, d, CONF_NO_FIELD)                                                                   \
	}
#define X_HOST(n, c, d)                                                                                                \
	{                                                                                                              \
		ROW(n, HOST, c, NA, d, CONF_NO_FIELD)                                                                  \
	}
#define X_TOS(n, c, d)                                                                                                 \
	{                                                                                                              \
		ROW(n, TOS, c, NA, d, CONF_NO_FIELD)                                                                   \
	}
#define X_LIST(n, c, d)                                                                                                \
	{                                                                                                              \
		ROW(n, LIST, c, NA, d, CONF_NO_FIELD)                                                                  \
	}
#define X_LIST_ADD(n, c, d)                                                                                            \
	{                                                                                                              \
		ROW(n, LIST, c, NA | ACC, d, CONF_NO_FIELD)                                                            \
	}
#define X_SETTING(n, c)                                                                                                \
	{                                                                                                              \
		ROW(n, SETTING, c, NA | ACC, NULL, CONF_NO_FIELD)                                                      \
	}
#define X_ENUM(n, c, d, nm)                                                                                            \
	{                                                                                                              \
		ROW(n, ENUM, c, NA, d, CONF_NO_FIELD), .names = (nm)                                                   \
	}
#define X_SECRET(n, c)                                                                                                 \
	{                                                                                                              \
		ROW(n, STR, c, NA | SECRET, NULL, CONF_NO_FIELD)                                                       \
	}

/* An enum that is only checked: its words in order. */
#define WORDS(...) ((const struct conf_name[]){__VA_ARGS__, {NULL, 0}})
#define W(s)                                                                                                           \
	{                                                                                                              \
		s, 0                                                                                                   \
	}

#define TYPE(word, rows, draft, shared)                                                                                \
	{                                                                                                              \
		.name = word, .options = rows, .n = RS_ARRAY_SIZE(rows), .draft_size = sizeof(draft),                  \
		.settings_size = shared                                                                                \
	}

#endif
