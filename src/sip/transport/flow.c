/* Flow ids of datagrams, and what a flow id tells. */
#include "sip/transport/flow.h"

#include "base/hash.h"
#include "sip/transport/listener.h"
#include "sip/transport/conn.h"

#include <pthread.h>
#include <stdlib.h>

struct udp6_flow {
	struct sip_addr remote;
	uint32_t next; /* of the bucket, index + 1 */
	uint16_t path;
};

static struct {
	pthread_mutex_t lock;
	struct udp6_flow *v;
	uint32_t *buckets; /* index + 1 */
	uint32_t n, cap;   /* cap: of both, a power of two */
} udp6 = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t udp6_hash(uint16_t path, const struct sip_addr *a)
{
	return rs_hash_mix(rs_hash(rs_str_n((const char *)a, sizeof(*a))), path);
}

static bool udp6_grow(void)
{
	uint32_t cap = udp6.cap ? udp6.cap * 2 : 64;
	struct udp6_flow *v = realloc(udp6.v, cap * sizeof(*v));
	uint32_t *buckets;

	if (!v)
		return false;
	udp6.v = v;
	buckets = calloc(cap, sizeof(*buckets));
	if (!buckets)
		return false;
	for (uint32_t i = 0; i < udp6.n; i++) {
		uint32_t *b = &buckets[udp6_hash(v[i].path, &v[i].remote) & (cap - 1)];

		v[i].next = *b;
		*b = i + 1;
	}
	free(udp6.buckets);
	udp6.buckets = buckets;
	udp6.cap = cap;
	return true;
}

static uint32_t udp6_intern_locked(uint16_t path, const struct sip_addr *remote)
{
	uint64_t h = udp6_hash(path, remote);
	uint32_t *b;

	if (udp6.cap)
		for (uint32_t i = udp6.buckets[h & (udp6.cap - 1)]; i; i = udp6.v[i - 1].next)
			if (udp6.v[i - 1].path == path && sip_addr_eq(&udp6.v[i - 1].remote, remote))
				return i;
	if (udp6.n == SIP_MAX_UDP6_FLOWS || (udp6.n == udp6.cap && !udp6_grow()))
		return 0;
	b = &udp6.buckets[h & (udp6.cap - 1)];
	udp6.v[udp6.n] = (struct udp6_flow){.remote = *remote, .next = *b, .path = path};
	*b = ++udp6.n;
	return udp6.n;
}

static uint32_t udp6_intern(uint16_t path, const struct sip_addr *remote)
{
	uint32_t i;

	pthread_mutex_lock(&udp6.lock);
	i = udp6_intern_locked(path, remote);
	pthread_mutex_unlock(&udp6.lock);
	return i;
}

void sip_flow_udp6_clear(void)
{
	pthread_mutex_lock(&udp6.lock);
	free(udp6.v);
	free(udp6.buckets);
	udp6.v = NULL;
	udp6.buckets = NULL;
	udp6.n = udp6.cap = 0;
	pthread_mutex_unlock(&udp6.lock);
}

sip_flow_id sip_flow_path(uint16_t path)
{
	return (uint64_t)SIP_FLOW_PATH << 62 | path;
}

sip_flow_id sip_flow_udp(uint16_t path, const struct sip_addr *remote)
{
	if (remote->family == 4) {
		uint32_t ip;

		memcpy(&ip, remote->ip, sizeof(ip));
		return (uint64_t)SIP_FLOW_UDP4 << 62 | (uint64_t)path << 48 | (uint64_t)ip << 16 | remote->port;
	}
	uint32_t i = udp6_intern(path, remote);

	return i ? (uint64_t)SIP_FLOW_UDP6 << 62 | i : 0;
}

bool sip_flow_udp_split(sip_flow_id id, uint16_t *path, struct sip_addr *remote)
{
	bool found = true;

	*remote = (struct sip_addr){0};
	*path = 0;
	switch (sip_flow_kind(id)) {
	case SIP_FLOW_STREAM:
		return false;
	case SIP_FLOW_PATH:
		*path = (uint16_t)(id & (SIP_MAX_PATHS - 1));
		return true;
	case SIP_FLOW_UDP4: {
		uint32_t ip = (uint32_t)(id >> 16);

		*path = (uint16_t)(id >> 48 & (SIP_MAX_PATHS - 1));
		remote->family = 4;
		remote->port = (uint16_t)id;
		memcpy(remote->ip, &ip, sizeof(ip));
		return true;
	}
	case SIP_FLOW_UDP6:
		pthread_mutex_lock(&udp6.lock);
		found = (uint32_t)id && (uint32_t)id <= udp6.n;
		if (found) {
			*remote = udp6.v[(uint32_t)id - 1].remote;
			*path = udp6.v[(uint32_t)id - 1].path;
		}
		pthread_mutex_unlock(&udp6.lock);
		return found;
	}
	return false;
}

bool sip_flow_info(sip_flow_id flow, struct sip_flow_info *out)
{
	struct sip_addr remote;
	struct sip_listener *l;
	struct sip_path *p;
	uint16_t path;

	if (sip_flow_kind(flow) == SIP_FLOW_STREAM) {
		struct sip_conn *c = sip_conn_get(flow);

		if (!c)
			return false;
		sip_conn_info(c, out);
		sip_conn_unref(c);
		return true;
	}
	if (!sip_flow_udp_split(flow, &path, &remote))
		return false;
	p = sip_path_get(path);
	l = p ? sip_path_listener(p) : NULL;
	if (!l)
		return false;
	*out = (struct sip_flow_info){
		.type = SIP_TRANSPORT_UDP, .local = p->local, .remote = remote, .listener = p->name, .inbound = true};
	return true;
}
