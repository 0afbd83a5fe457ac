/* What the writer's files share. Private. */
#ifndef SIP_MESSAGE_WRITE_H
#define SIP_MESSAGE_WRITE_H

#include "sip/writer.h"

/* s in one line: a fold becomes a blank, a lone CR or LF, too, so that nothing written here can start a header. */
void sip_write_one_line(struct sip_writer *w, struct rs_str s);

#endif
