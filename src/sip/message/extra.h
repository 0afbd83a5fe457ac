/* What sip_msg.typed_extra points to. Private. */
#ifndef SIP_MESSAGE_EXTRA_H
#define SIP_MESSAGE_EXTRA_H

#include "sip/message/store.h"
#include "sip/msg.h"

struct sip_msg_parts {
	int n; /* -1: malformed */
	struct sip_body_part v[];
};

struct sip_msg_extra {
	struct sip_uri uri;
	bool uri_ok;
	_Atomic(struct sip_msg_parts *) parts;
};

/* Made at the first call; NULL: no memory. */
struct sip_msg_extra *sip_msg_extra(struct sip_msg *msg);
/* The same while the message is its maker's alone; store is the rest of its arena. */
struct sip_msg_extra *sip_msg_extra_own(struct sip_msg *msg, struct sip_store *store);

#endif
