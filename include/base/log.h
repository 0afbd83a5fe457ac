/*
 * The log: one line an event, key=value fields. Values are escaped where they are written (quotes, backslash, control
 * bytes), so no field from the network can forge a line or a field. Never pass a secret.
 *
 *   rs_event(RS_LOG_INFO, "contact.added", RS_FS("aor", aor), RS_FI("expires", 3600));
 *
 * Any thread may log; a line is handed to a writer thread through a bounded queue once rs_log_start was called, so
 * that a slow reader of the log never delays a call; lines that did not fit are counted and reported.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum rs_log_level {
	RS_LOG_ERROR,
	RS_LOG_WARNING,
	RS_LOG_NOTICE,
	RS_LOG_SECURITY, /* the stream of section 17 of the reference; on whenever NOTICE is */
	RS_LOG_INFO,
	RS_LOG_VERBOSE,
	RS_LOG_DEBUG,
};

struct rs_field {
	const char *key;
	struct rs_str str; /* when is_int is false */
	int64_t num;
	bool is_int;
};

#define RS_FS(k, s) ((struct rs_field){.key = (k), .str = (s)})
#define RS_FZ(k, z) ((struct rs_field){.key = (k), .str = rs_str_c(z)})
#define RS_FI(k, i) ((struct rs_field){.key = (k), .num = (int64_t)(i), .is_int = true})

/* Whether a line of that level would be written. Cheap (one relaxed load). */
RS_API bool rs_log_enabled(enum rs_log_level level);
/* The most detailed level written. Default RS_LOG_INFO. */
RS_API void rs_log_set_level(enum rs_log_level level);

RS_API void rs_event_emit(enum rs_log_level level, const char *file, int line, const char *event,
			  const struct rs_field *fields, size_t n);

/* event is a dotted word ("contact.added"); the rest are RS_F* fields, at least one. */
#define rs_event(level, event, ...)                                                                                    \
	do {                                                                                                           \
		if (rs_log_enabled(level)) {                                                                           \
			const struct rs_field rs_fields_[] = {__VA_ARGS__};                                            \
			rs_event_emit(level, __FILE_NAME__, __LINE__, event, rs_fields_, RS_ARRAY_SIZE(rs_fields_));   \
		}                                                                                                      \
	} while (0)

/*
 * A line in a format that other programs match on (section 17 of the reference). file is the source name that the
 * reader expects in the line. Fields from the network must have gone through rs_log_escape. The line is cut at 2047
 * bytes.
 */
RS_API void rs_log_line(enum rs_log_level level, const char *file, const char *fmt, ...) RS_PRINTF(3, 4);

/* s with quotes (both), backslash and control bytes as \xHH, NUL-terminated, cut to size; returns buf. */
RS_API const char *rs_log_escape(char *buf, size_t size, struct rs_str s);
/*
 * The bytes of the character at the start of s (1 for ASCII, 2 to 4 for UTF-8) when it shows as what it is; 0 for what
 * a log or a terminal must not be given as it came: control characters (C1 too), invisible and direction marks, bytes
 * that are no UTF-8. s is not empty. Any thread.
 */
RS_API size_t rs_log_printable(struct rs_str s);

/* Where lines go: fd 2 by default. A test may catch them instead (catch is called with the line, without its LF). */
RS_API void rs_log_set_sink(void (*catch)(void *token, enum rs_log_level level, struct rs_str line), void *token);
/* Starts / stops the writer thread; stop writes out what is queued. Without it lines are written by the caller. */
RS_API int rs_log_start(void);
RS_API void rs_log_stop(void);

#endif
