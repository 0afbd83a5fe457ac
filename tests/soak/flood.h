/* What the files of the flood share: an open-loop sender of new requests, and phones that keep their bindings alive. */
#ifndef SOAK_FLOOD_H
#define SOAK_FLOOD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE 2048

struct ages { /* of answers, from the request's first transmission; in steps of a millisecond */
	uint32_t count[40000];
	uint64_t n, max_us;
};

struct options {
	struct sockaddr_in server;
	double seconds, settle; /* of flood; of phones before and after it */
	double rate;            /* requests a second */
	unsigned phones, sources;
	unsigned expires; /* seconds that a phone asks for; it refreshes when half of them are over */
	bool failures;    /* wrong passwords, unknown users and noise from one source instead of new requests */
};
extern struct options options;

int64_t now_us(void);
/* A socket of its own on 127.a.b.c, a port that the system picks. */
int open_socket(uint8_t a, uint8_t b, uint8_t c, struct sockaddr_in *own);
void ages_add(struct ages *a, int64_t us);
double ages_share(const struct ages *a, double share); /* milliseconds */
/* The value of header "name: " in a message, up to the line's end; NULL: none. */
const char *header(const char *message, const char *name);
void watch(int fd, uint32_t id); /* tell epoll; phones have ids from 0 on, sources from SOURCE on */
#define SOURCE 0x10000u

/* ---- phones.c ---- */

struct phone_figures {
	uint64_t sent, retransmitted, answered[7], timeouts, refreshed, expired, late, challenged;
	struct ages ages;  /* of 200 to a refresh, from the first transmission of the request that was answered so */
	struct ages waits; /* the same from when the refresh was due */
};
extern struct phone_figures phone_figures;

int phones_open(void);
void phones_begin(void);         /* all register, over the first moments */
int64_t phones_run(int64_t now); /* sends what is due; when to call again */
void phones_receive(uint32_t id, int64_t now);
unsigned phones_bound(void); /* how many have a binding now */

#endif
