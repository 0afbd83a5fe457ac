/* The simulated network: addresses, links, who is where. See sim_net.h. */
#include "sim_net_private.h"
#include "sim_clock.h"
#include "sim_flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct sim_net sim_net;
const struct sim_net_watch *net_watch;

#define FIRST_PORT 32768

/* Settings between two addresses; family 0 stands for everyone. */
struct link_entry {
	struct sip_addr a, b;
	struct sim_link link;
	struct link_entry *next;
};
static struct sim_link default_link;
static struct link_entry *links;

void *net_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

struct sip_addr net_addr(const char *text)
{
	struct sip_addr a;

	if (sip_addr_parse(rs_str_c(text), &a) != 0) {
		fprintf(stderr, "simulated network: '%s' is no address\n", text);
		abort();
	}
	return a;
}

void sim_net_start(uint64_t seed)
{
	sim_net = (struct sim_net){.next_port = FIRST_PORT};
	net_watch = NULL;
	sim_rng_init(&sim_net.rng, seed, SIM_STREAM_NET);
	default_link = (struct sim_link){.delay_min = 100, .delay_max = 2000, .reorder_us = 50000};
}

void sim_net_stop(void)
{
	peers_stop();
	tcp_stop();
	while (links) {
		struct link_entry *e = links;

		links = e->next;
		free(e);
	}
}

void sim_net_set_watch(const struct sim_net_watch *watch)
{
	net_watch = watch;
}

unsigned sim_net_open_sockets(void)
{
	unsigned n = 0;

	for (struct net_sock *s = sim_net.socks; s; s = s->next)
		n += !s->closing;
	return n;
}

/* ---- addresses ---- */

bool net_is_own(const struct sip_addr *ip)
{
	for (unsigned i = 0; i < sim_net.n_own; i++) {
		if (sip_addr_same_ip(&sim_net.own[i], ip))
			return true;
	}
	return false;
}

void sim_net_add_address(const char *ip)
{
	struct sip_addr a = net_addr(ip);

	if (net_is_own(&a))
		return;
	if (sim_net.n_own == RS_ARRAY_SIZE(sim_net.own))
		abort();
	a.port = 0;
	sim_net.own[sim_net.n_own++] = a;
}

void sim_net_remove_address(const char *ip)
{
	struct sip_addr a = net_addr(ip);

	for (unsigned i = 0; i < sim_net.n_own; i++) {
		if (sip_addr_same_ip(&sim_net.own[i], &a)) {
			for (unsigned j = i + 1; j < sim_net.n_own; j++)
				sim_net.own[j - 1] = sim_net.own[j];
			sim_net.n_own--;
			tcp_link_cut();
			return;
		}
	}
}

int net_source_for(void *net, const struct sip_addr *peer, struct sip_addr *out)
{
	(void)net;
	for (unsigned i = 0; i < sim_net.n_own; i++) {
		if (sim_net.own[i].family == peer->family) {
			*out = sim_net.own[i];
			return 0;
		}
	}
	return ENETUNREACH;
}

bool net_host_exists(const struct sip_addr *ip)
{
	if (net_is_own(ip))
		return true;
	for (struct sim_peer *p = sim_net.peers; p; p = p->next) {
		if (sip_addr_same_ip(&p->addr, ip))
			return true;
	}
	return false;
}

struct sim_peer *net_find_peer(enum peer_kind kind, const struct sip_addr *addr)
{
	for (struct sim_peer *p = sim_net.peers; p; p = p->next) {
		if (p->kind == kind && sip_addr_eq(&p->addr, addr))
			return p;
	}
	return NULL;
}

static bool sock_matches(const struct net_sock *s, enum sock_kind kind, const struct sip_addr *addr)
{
	return s->kind == kind && !s->closing && s->addr.family == addr->family && s->addr.port == addr->port &&
	       (sip_addr_is_any(&s->addr) || sip_addr_same_ip(&s->addr, addr));
}

/* A socket on the very address comes before one on the wildcard; among several it is chosen by the sender, as the
 * kernel does with SO_REUSEPORT. */
struct net_sock *net_find_sock(enum sock_kind kind, const struct sip_addr *addr, const struct sip_addr *from)
{
	uint64_t sender = 1469598103934665603ull ^ from->port;

	if (!net_is_own(addr))
		return NULL;
	for (size_t i = 0; i < sizeof(from->ip); i++)
		sender = (sender ^ from->ip[i]) * 1099511628211ull;
	for (int wildcard = 0; wildcard < 2; wildcard++) {
		unsigned n = 0, pick;

		for (struct net_sock *s = sim_net.socks; s; s = s->next)
			n += sock_matches(s, kind, addr) && sip_addr_is_any(&s->addr) == (bool)wildcard;
		if (n == 0)
			continue;
		pick = (unsigned)((sender >> 16) % n);
		for (struct net_sock *s = sim_net.socks; s; s = s->next) {
			if (sock_matches(s, kind, addr) && sip_addr_is_any(&s->addr) == (bool)wildcard && pick-- == 0)
				return s;
		}
	}
	return NULL;
}

uint16_t net_pick_port(void)
{
	if (sim_net.next_port == UINT16_MAX)
		sim_net.next_port = FIRST_PORT;
	return sim_net.next_port++;
}

int net_bind(enum sock_kind kind, const struct sip_sock_opts *opts, struct sip_addr *out)
{
	struct sip_addr a = opts->bind;

	if (a.family != 4 && a.family != 6)
		return EAFNOSUPPORT;
	if (!sip_addr_is_any(&a) && !net_is_own(&a))
		return EADDRNOTAVAIL;
	if (a.port == 0)
		a.port = net_pick_port();
	for (struct net_sock *s = sim_net.socks; s; s = s->next) {
		if (s->kind == kind && !s->closing && sip_addr_eq(&s->addr, &a) && !(s->reuse_port && opts->reuse_port))
			return EADDRINUSE;
	}
	*out = a;
	return 0;
}

/* ---- links ---- */

static bool link_fits(const struct link_entry *e, const struct sip_addr *a, const struct sip_addr *b)
{
	return sip_addr_same_ip(&e->a, a) && (e->b.family == 0 || sip_addr_same_ip(&e->b, b));
}

struct sim_link *net_link_of(const struct sip_addr *a, const struct sip_addr *b)
{
	struct link_entry *single = NULL;

	for (struct link_entry *e = links; e; e = e->next) {
		if (!link_fits(e, a, b) && !link_fits(e, b, a))
			continue;
		if (e->b.family)
			return &e->link;
		single = e;
	}
	return single ? &single->link : &default_link;
}

struct sim_link *sim_net_link(const char *a, const char *b)
{
	struct sip_addr from, to = {0};
	struct link_entry *e;

	if (!a)
		return &default_link;
	from = net_addr(a);
	if (b)
		to = net_addr(b);
	for (e = links; e; e = e->next) {
		bool same_pair = b ? e->b.family && (link_fits(e, &from, &to) || link_fits(e, &to, &from))
				   : !e->b.family && sip_addr_same_ip(&e->a, &from);

		if (same_pair)
			return &e->link;
	}
	e = net_alloc(sizeof(*e));
	e->link = b ? *net_link_of(&from, &to) : default_link;
	e->a = from;
	e->b = to;
	e->next = links;
	links = e;
	return &e->link;
}

void sim_net_cut(const char *a, const char *b, bool cut)
{
	sim_net_link(a, b)->cut = cut;
	sim_flow_note("link %s - %s %s", a ? a : "any", b ? b : "any", cut ? "cut" : "mended");
	if (cut)
		tcp_link_cut();
}

int64_t net_delay(const struct sim_link *link)
{
	return sim_rng_range(&sim_net.rng, link->delay_min, link->delay_max);
}
