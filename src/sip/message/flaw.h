/* Recording what is wrong with a message. Private. */
#ifndef SIP_MESSAGE_FLAW_H
#define SIP_MESSAGE_FLAW_H

#include "sip/msg.h"

/*
 * Notes a flaw unless one was noted before. status is the answer that fits; it becomes 0 (drop) for responses and ACK,
 * which nobody may answer.
 */
void sip_msg_flaw(struct sip_msg *msg, enum sip_msg_flaw flaw, enum sip_hdr_id id, unsigned status);

#endif
