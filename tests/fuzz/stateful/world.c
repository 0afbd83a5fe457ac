/* The peers, see world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

struct world world;

static void receive(struct sim_peer *peer, void *token, const struct sip_addr *from, struct rs_str bytes)
{
	struct source *s = token;

	(void)peer;
	if (from)
		world_receive(s, bytes);
	else
		world_receive_stream(s, bytes);
}

void world_stream_gone(struct source *s)
{
	s->peer = NULL;
	free(s->rx);
	free(s->rest);
	s->rx = s->rest = NULL;
	s->rx_len = s->rest_len = 0;
	s->cut = 0;
	s->challenge.there = false;
}

static void connected(struct sim_peer *peer, void *token, int error)
{
	if (!error)
		return;
	world_stream_gone(token);
	sim_peer_close(peer);
}

static void ended(struct sim_peer *peer, void *token, int error)
{
	(void)error;
	world_stream_gone(token);
	sim_peer_close(peer);
}

static void accepted(struct sim_peer *listener, void *token, struct sim_peer *stream);

static const struct sim_peer_ops ops = {
	.receive = receive, .connected = connected, .ended = ended, .accepted = accepted};

static void accepted(struct sim_peer *listener, void *token, struct sim_peer *stream)
{
	struct source *s = token;

	(void)listener;
	for (unsigned i = 0; i < STREAMS; i++) {
		struct source *free_one = &world.sources[HOSTS + i];

		if (free_one->peer)
			continue;
		free_one->peer = stream;
		free_one->host = s->host;
		sim_peer_set(stream, &ops, free_one);
		return;
	}
	sim_peer_reset(stream);
}

struct source *world_stream(unsigned n)
{
	return &world.sources[HOSTS + n % STREAMS];
}

void world_connect(unsigned slot, unsigned host)
{
	struct source *s = world_stream(slot);
	char from[32];

	if (s->peer)
		return;
	s->host = host % HOSTS;
	s->spoiled = false;
	snprintf(from, sizeof(from), "10.0.1.%u:0", s->host + 1);
	s->peer = sim_peer_tcp_connect(from, SIM_SERVER, &ops, s);
}

/* A stream's message may be cut: the rest waits until it is asked for, or for the next message. */
static void write_stream(struct source *s, struct rs_str bytes)
{
	size_t cut = s->cut ? bytes.len * s->cut / 256 : bytes.len;

	if (s->rest_len) {
		sim_peer_write(s->peer, rs_str_n(s->rest, s->rest_len));
		free(s->rest);
		s->rest = NULL;
		s->rest_len = 0;
	}
	s->cut = 0;
	if (cut)
		sim_peer_write(s->peer, rs_str_n(bytes.p, cut));
	if (cut == bytes.len)
		return;
	s->rest_len = bytes.len - cut;
	s->rest = malloc(s->rest_len);
	if (!s->rest)
		abort();
	memcpy(s->rest, bytes.p + cut, s->rest_len);
}

void world_send(struct source *s, struct rs_str bytes)
{
	if (!s->peer || !bytes.len)
		return;
	if (s->stream) {
		write_stream(s, bytes);
		return;
	}
	if (bytes.len > world.hosts[s->host].longest)
		world.hosts[s->host].longest = bytes.len;
	sim_peer_send_to(s->peer, SIM_SERVER, bytes);
}

void world_start(struct sim_disk *disk)
{
	char address[32];

	memset(&world, 0, sizeof(world));
	world.disk = disk;
	world.life = 1;
	for (unsigned i = 0; i < SOURCES; i++) {
		struct source *s = &world.sources[i];

		s->stream = i >= HOSTS;
		s->host = i % HOSTS;
		if (s->stream)
			continue;
		snprintf(address, sizeof(address), "10.0.1.%u:5060", i + 1);
		s->peer = sim_peer_udp_open(address, &ops, s);
		sim_peer_tcp_listen(address, &ops, s);
	}
	world.hosts[4].known = true; /* the trunk's */
	world.hosts[5].known = true; /* trusted */
}

void world_forget_server(void)
{
	world.life++;
	world.born_us = sim_now();
	for (unsigned i = 0; i < SOURCES; i++)
		world.sources[i].challenge.there = false;
}

void world_end(void)
{
	for (unsigned i = 0; i < SOURCES; i++)
		world_stream_gone(&world.sources[i]);
	for (unsigned i = 0; i < world.n_exchanges; i++)
		free(world.exchanges[i].bytes);
	for (unsigned i = 0; i < world.n_asked && i < ASKED; i++)
		free(world.asked[i].bytes);
}
