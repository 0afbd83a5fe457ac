/* What the writer's files share. Private. */
#ifndef SIP_MESSAGE_WRITE_H
#define SIP_MESSAGE_WRITE_H

#include "sip/writer.h"

/* Makes room for more bytes where there is none yet. false: the writer has failed, now or before. */
bool sip_writer_more(struct sip_writer *w, size_t more);

/* Where more bytes may be written, and count as written; or NULL. */
static inline char *write_room(struct sip_writer *w, size_t more)
{
	char *p;

	if ((w->failed || more > w->cap - w->len || w->len > w->max || more > w->max - w->len) &&
	    !sip_writer_more(w, more))
		return NULL;
	p = w->buf + w->len;
	w->len += more;
	return p;
}

/* sip_write for the files of the writer: a literal becomes a store or two. */
static inline void write_bytes(struct sip_writer *w, const char *bytes, size_t n)
{
	char *p = n ? write_room(w, n) : NULL;

	if (p)
		memcpy(p, bytes, n);
}
#define WRITE_LITERAL(w, lit) write_bytes((w), (lit), sizeof(lit) - 1)

static inline void write_between(struct sip_writer *w, const char *p, const char *end)
{
	write_bytes(w, p, (size_t)(end - p));
}

/* s in one line: a fold becomes a blank, a lone CR or LF, too, so that nothing written here can start a header. */
void sip_write_one_line(struct sip_writer *w, struct rs_str s);

#endif
