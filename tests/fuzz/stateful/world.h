/*
 * The world around the server while one program runs: the peers, what was sent and what came back. All of it is made
 * anew for each program.
 */
#ifndef STATEFUL_WORLD_H
#define STATEFUL_WORLD_H

#include "program.h"
#include "sim_server.h"

#include "sip/msg.h"

#define HOSTS     6 /* 10.0.1.1 …, a UDP peer and a TCP listener each */
#define STREAMS   6
#define SOURCES   (HOSTS + STREAMS)
#define EXCHANGES 256 /* requests of ours with a branch of their own */
#define ASKED     64  /* requests of the server */
#define TEXT_MAX  24576

/* What the last 401 to this source asked for. */
struct challenge {
	bool there;
	char realm[64], nonce[128], opaque[64], algorithm[24];
	unsigned count;
};

/* Where messages of ours come from: a UDP peer, or one end of a stream. */
struct source {
	struct sim_peer *peer; /* NULL: a stream that is not there */
	bool stream;
	bool spoiled; /* raw text was written to the stream: what follows it may be part of something else */
	unsigned host;
	char *rx, *rest; /* read, not yet a message; cut off, not yet written */
	size_t rx_len, rest_len;
	uint8_t cut; /* of 256ths: where the next message is cut; 0: not at all */
	struct challenge challenge;
};

/* A request of ours by its branch and method, and everything that came back. */
struct exchange {
	struct source *source;
	unsigned life; /* of the server */
	bool clean;    /* well-formed, and nothing else was sent with this branch */
	bool by_udp, relayed, authenticated;
	char branch[48], method[16], call_id[32], from_tag[16], to_tag[64];
	char uri[96], from[96], to[96];
	uint32_t cseq;
	char *bytes;
	size_t len;
	unsigned sends, finals;
	int64_t sent_us, first_sent_us; /* the last and first time */
	uint64_t digest;                /* of the first final answer */
	unsigned status;
	int64_t final_us, acked_us; /* 0: not yet */
	int64_t ack_us;             /* the first ACK of any kind was sent: Timer I may run */
};

/* A request of the server's, by its branch. */
struct asked {
	struct source *source; /* that it came to first */
	unsigned life;
	char branch[80], method[16];
	char *bytes;
	size_t len;
	unsigned times;
	int64_t first_us, last_us, answered_us; /* answered_us: a sound final answer was sent; 0: none */
};

struct host {
	bool verified; /* credentials were sent from here, or may have been */
	bool known;    /* the configuration trusts it or identifies by it */
	bool cut;      /* at any time */
	bool cut_now;
	size_t longest; /* datagram that was sent from here */
};

struct world {
	struct source sources[SOURCES];
	struct host hosts[HOSTS];
	struct exchange exchanges[EXCHANGES];
	struct asked asked[ASKED];
	unsigned n_exchanges, n_asked;
	unsigned life;   /* of the server: the first is 1 */
	int64_t born_us; /* when it began */
	unsigned next_branch;
	bool forged; /* raw text names branches of ours: nothing is clean any more */
	int64_t stalled_us;
	uint32_t cseqs[16];   /* by Call-ID */
	unsigned last_status; /* of the last answer that came */
	unsigned responses;
	unsigned restarts, reloads, modules; /* so far */
	struct sim_disk *disk;
};
extern struct world world;

extern bool stateful_strict; /* EXPECT counts */

/* stateful.c: modules that stay mapped forget the server's last life */
void stateful_forget(void);

/* world.c */
void world_start(struct sim_disk *disk);
void world_end(void);
void world_forget_server(void); /* it was started anew */
/* Bytes from a source, along its rules for cutting. */
void world_send(struct source *s, struct rs_str bytes);
struct source *world_stream(unsigned n);
void world_connect(unsigned slot, unsigned host);
void world_stream_gone(struct source *s);

/* receive.c */
struct exchange *exchange_find(struct rs_str branch, struct rs_str method);
void world_receive(struct source *s, struct rs_str bytes);
void world_receive_stream(struct source *s, struct rs_str bytes);

/* build.c */
void build_request(const struct instruction *in);
/* CANCEL or ACK for an earlier request; back: how many exchanges ago. */
void build_for(unsigned back, const char *method, bool same_branch);
void build_resend(const struct instruction *in);
void build_raw(const struct instruction *in);
void build_response(const struct instruction *in);
/* Sends it (again); from: another source than its own makes it unclean. */
void exchange_send(struct exchange *e, struct source *from);

/* mutate.c: text says how, see README.md */
size_t mutate(char *bytes, size_t len, size_t size, struct rs_str text);

/* auth.c */
void auth_challenged(struct source *s, struct sip_msg *response);
/* An Authorization line for the challenge of s, by the way how; empty when there is none. */
void auth_line(struct source *s, unsigned how, const char *user, const char *password, const char *method,
	       const char *uri, char *out, size_t size);

/* relay.c: a service that passes INVITE, BYE and their like on, as messaging does MESSAGE */
void relay_register(void);
void relay_unregister(void);

/* operate.c */
void operate(const struct instruction *in);
void operate_mend(void);
void operate_start(void);     /* the first configuration is back */
void operate_configure(void); /* the files, before the first start */
void operate_forget(void);

/* check.c */
void check_size(struct source *s, const struct exchange *e, struct rs_str bytes); /* e NULL: to nobody knows what */
void check_response(struct source *s, struct exchange *e, struct sip_msg *msg, struct rs_str bytes);
void check_again(struct source *s, struct asked *a, struct rs_str bytes);
void check_request(struct asked *a, struct exchange *upstream, struct sip_msg *msg);
void check_at_end(void);

#endif
