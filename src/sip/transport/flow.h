/*
 * Flow ids. The top two bits say what the rest is:
 *   0  a stream connection: generation (30 bits), index (32 bits) of the connection table
 *   1  a path: a UDP listener and one local address of it; the remote address is the target's
 *   2  UDP over IPv4: path (12 bits, from bit 48), address (32), port (16)
 *   3  UDP over IPv6: the index of an interned (path, address and port)
 * So a UDP flow needs no state that a peer could fill, except over IPv6, where it is made only when somebody asks.
 */
#ifndef SIP_TRANSPORT_FLOW_H
#define SIP_TRANSPORT_FLOW_H

#include "sip/transport.h"

enum sip_flow_kind { SIP_FLOW_STREAM, SIP_FLOW_PATH, SIP_FLOW_UDP4, SIP_FLOW_UDP6 };

/* Listeners times local addresses of a wildcard listener: a peer that may ask all of 127.0.0.0/8 makes no more. */
#define SIP_MAX_PATHS 4096
/* Interned IPv6 flows: memory, when an authenticated user registers from ever new addresses. */
#define SIP_MAX_UDP6_FLOWS 262144

static inline enum sip_flow_kind sip_flow_kind(sip_flow_id id)
{
	return (enum sip_flow_kind)(id >> 62);
}

/* The path of a UDP flow (kinds 1 to 3) and its remote address (family 0 for a path); false: there is no such. */
bool sip_flow_udp_split(sip_flow_id id, uint16_t *path, struct sip_addr *remote);
sip_flow_id sip_flow_path(uint16_t path);
/* 0: the table of IPv6 flows is full. */
sip_flow_id sip_flow_udp(uint16_t path, const struct sip_addr *remote);
void sip_flow_udp6_clear(void);

#endif
