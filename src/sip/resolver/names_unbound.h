/* What sip_names_unbound can be told: its token, or NULL for the system's files. */
#ifndef SIP_RESOLVER_NAMES_UNBOUND_H
#define SIP_RESOLVER_NAMES_UNBOUND_H

struct sip_names_unbound_config {
	const char *resolv_conf; /* NULL: /etc/resolv.conf */
	const char *hosts;       /* NULL: /etc/hosts */
	const char *forward;     /* "address@port": ask that server, and do not read resolv.conf */
};

#endif
