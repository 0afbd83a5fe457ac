/* A message as the watch reads it: lines, no grammar. */
#ifndef SIM_WATCH_MSG_H
#define SIM_WATCH_MSG_H

#include "base/str.h"

struct sim_watch_msg {
	bool request;
	unsigned status;
	uint32_t cseq;
	struct rs_str method; /* a response: of its CSeq */
	struct rs_str sent_by, branch, call_id;
	size_t length; /* with the body */
};

/* false: it has not come whole, or is none that this reads. */
bool sim_watch_read(struct sim_watch_msg *m, struct rs_str bytes);

#endif
