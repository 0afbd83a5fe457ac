/* Between the formatting of log lines (log.c) and their way out (log_writer.c). */
#ifndef BASE_LOG_WRITER_H
#define BASE_LOG_WRITER_H

#include "base/log.h"

/* Bytes of one line with its LF, or with a NUL in its place. A longer one is cut: no peer fills the disk with one
 * event. */
#define RS_LOG_LINE_MAX 2048

/* line has no LF and is shorter than RS_LOG_LINE_MAX; it is copied. Any thread. */
void rs_log_write(enum rs_log_level level, struct rs_str line);

#endif
