/* What the writer's files share. Private. */
#ifndef SIP_MESSAGE_WRITE_H
#define SIP_MESSAGE_WRITE_H

#include "sip/writer.h"

static inline void write_bytes(struct sip_writer *w, const char *bytes, size_t n)
{
	sip_write(w, rs_str_n(bytes, n));
}
#define WRITE_LITERAL(w, lit) write_bytes((w), (lit), sizeof(lit) - 1)

static inline void write_between(struct sip_writer *w, const char *p, const char *end)
{
	write_bytes(w, p, (size_t)(end - p));
}

/* s in one line: a fold becomes a blank, a lone CR or LF, too, so that nothing written here can start a header. */
void sip_write_one_line(struct sip_writer *w, struct rs_str s);

#endif
