/* The limits in force. Private to the message layer; written before the stack starts only. */
#ifndef SIP_MESSAGE_LIMITS_H
#define SIP_MESSAGE_LIMITS_H

#include "sip/msg.h"

extern struct sip_msg_limits sip_limits;

#endif
