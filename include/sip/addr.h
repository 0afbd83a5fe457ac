/* Socket addresses, small enough to copy. Any thread; nothing here blocks or resolves names. */
#ifndef SIP_ADDR_H
#define SIP_ADDR_H

#include "base/str.h"

#include <sys/socket.h>

struct sip_addr {
	uint8_t family; /* 0 (none), 4 or 6 */
	uint8_t pad;
	uint16_t port;     /* host order; 0: none */
	uint32_t scope_id; /* IPv6 link-local */
	uint8_t ip[16];    /* network order; IPv4 in the first four, the rest zero */
};

#define SIP_ADDR_TEXT 64 /* enough for "[v6%scope]:port" and its NUL */

/*
 * "1.2.3.4", "1.2.3.4:5060", "::1", "[::1]", "[::1]:5060". 0, or -1 when it is no numeric address. Without a port,
 * port is 0.
 */
RS_API int sip_addr_parse(struct rs_str text, struct sip_addr *out);
/* Writes the address, in brackets with ":port" when with_port and the port is not 0; returns buf (NUL-terminated). */
RS_API const char *sip_addr_text(const struct sip_addr *a, bool with_port, char buf[SIP_ADDR_TEXT]);
/* The host as it stands in a URI or a Via: IPv6 in brackets, no port. */
RS_API const char *sip_addr_host(const struct sip_addr *a, char buf[SIP_ADDR_TEXT]);
RS_API bool sip_addr_eq(const struct sip_addr *a, const struct sip_addr *b);      /* address and port */
RS_API bool sip_addr_same_ip(const struct sip_addr *a, const struct sip_addr *b); /* address only */
RS_API bool sip_addr_is_any(const struct sip_addr *a);                            /* 0.0.0.0 or :: */
/* IPv4-mapped IPv6 becomes IPv4; everything else stays. */
RS_API void sip_addr_unmap(struct sip_addr *a);
RS_API void sip_addr_from_sockaddr(const struct sockaddr *sa, struct sip_addr *out);
/* Returns the length to hand to the kernel. */
RS_API socklen_t sip_addr_to_sockaddr(const struct sip_addr *a, struct sockaddr_storage *out);

/* The transport protocols, as they stand in Via and ;transport=. */
enum sip_transport_type {
	SIP_TRANSPORT_NONE,
	SIP_TRANSPORT_UDP,
	SIP_TRANSPORT_TCP,
	SIP_TRANSPORT_TLS,
	SIP_TRANSPORT_WS,
	SIP_TRANSPORT_WSS,
	SIP_TRANSPORT_N,
};
RS_API const char *sip_transport_name(enum sip_transport_type t);           /* "UDP", … upper case; "" for none */
RS_API enum sip_transport_type sip_transport_from_name(struct rs_str name); /* any case; NONE when unknown */
RS_API bool sip_transport_is_reliable(enum sip_transport_type t);
RS_API bool sip_transport_is_secure(enum sip_transport_type t);
RS_API uint16_t sip_transport_default_port(enum sip_transport_type t); /* 5060, 5061, 80, 443 */

#endif
