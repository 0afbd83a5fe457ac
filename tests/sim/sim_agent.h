/*
 * A simulated phone of a population: registers with digest and refreshes, sends messages and calls, and answers what
 * the server sends it, each transaction by RFC 3261. What it does next is drawn from the seed. It knows what the server
 * must know of it (its binding), and tells when an answer says otherwise.
 *
 * What must outlive a crash of the server lies in struct sim_agent_memory, which the test keeps in shared memory.
 */
#ifndef SIM_AGENT_H
#define SIM_AGENT_H

#include "sim_digest.h"
#include "sim_server.h"

#define SIM_AGENT_REQUESTS 4
#define SIM_AGENT_ANSWERS  24
#define SIM_AGENT_BYTES    1500
#define SIM_AGENT_MAYBE    6
#define SIM_AGENTS         8
#define SIM_AGENT_NAMED    6 /* its Contact has a name in place of an address */
#define SIM_AGENT_NAME     "u6.example"
#define SIM_MESSAGES       512 /* ids of MESSAGE requests in a run */

/* A binding as its phone asked for it; q, in thousandths, tells one refresh from another. 0: none. */
struct sim_binding {
	unsigned q;
	int64_t ends_first, ends_last; /* between which it ends by itself; time of all lives of the server */
};

struct sim_agent_memory {
	struct sim_binding known;                  /* answered 200 */
	struct sim_binding maybe[SIM_AGENT_MAYBE]; /* asked for since, and not answered */
	unsigned n_maybe, cseq, life;              /* life: a new Call-ID each time it starts */
};

struct sim_agent;

/* A request of the phone's. */
struct sim_agent_request {
	struct sim_agent *agent;
	struct sim_event timer;
	bool used, invite, proceeding;
	bool cancelled; /* INVITE */
	bool question;  /* REGISTER without Contact: it changes nothing */
	const char *method;
	char lines[400], uri[64], body[64];   /* what it is made of again when it is challenged */
	char bytes[SIM_AGENT_BYTES], via[32]; /* via: where it said it was */
	size_t len;
	unsigned cseq, tries, message; /* message: its id + 1 */
	unsigned long branch;
	int64_t interval, gives_up, asked_at;
	unsigned expires, q; /* REGISTER */
};

/* An answer of the phone's, kept for retransmissions. */
struct sim_agent_answer {
	struct sim_agent *agent;
	struct sim_event timer;
	char branch[80], method[16];
	char bytes[2][SIM_AGENT_BYTES]; /* at once and later; empty: none */
	size_t len[2];
	bool second; /* the later one has gone */
};

struct sim_agent {
	unsigned index;
	bool tcp, up;
	struct sim_agent_memory *memory;
	char user[8], address[32];
	struct sim_peer *peer;
	struct sim_event next; /* when it does something */
	struct sim_agent_request requests[SIM_AGENT_REQUESTS];
	struct sim_agent_answer answers[SIM_AGENT_ANSWERS];
	unsigned next_answer;
	struct sim_digest digest;
	bool quiet; /* begins nothing any more */
	char in[16384];
	size_t in_len;
};

/* The sections of all agents for pjsip.conf: u0, u1, … with the password "secret"; every third needs none. */
void sim_agents_configure(char *conf, size_t size, unsigned n);

/* Starts agent n at 10.0.1.n+1; it acts after a while, again and again. */
void sim_agent_start(struct sim_agent *a, unsigned n, struct sim_agent_memory *memory);
/* It begins nothing any more, but what is under way goes on. */
void sim_agent_calm(struct sim_agent *a);
bool sim_agent_idle(const struct sim_agent *a);
void sim_agent_stop(struct sim_agent *a);

/*
 * Asks the server for the agent's bindings, over a network that is good by now, and holds the answer against memory.
 * Runs the simulation meanwhile.
 */
void sim_agent_check(struct sim_agent *a);

/* Set before agents are checked. */
struct sim_agent_clock {
	int64_t before_us; /* that went by in earlier lives of the server */
	int64_t doubt_us;  /* steps of the system's time that the store may not have followed before a crash */
};
extern struct sim_agent_clock sim_agent_clock;

struct sim_agent_stats {
	unsigned long registered, refused, unanswered, messages, calls, answered;
};
extern struct sim_agent_stats sim_agent_stats;

/* Hears of each request with credentials that was answered 200: what a wiretap would know. NULL: nobody does. */
/* Gets, now and then, a request with good credentials in place of the server: it has come to the wrong hands. */
extern void (*sim_agent_intercept)(struct rs_str request);
extern void (*sim_agent_tap)(const struct sim_agent *a, struct rs_str request);

/* ---- between the files of the agents ---- */

void sim_agent_send(struct sim_agent *a, const char *bytes, size_t len);
/* A request from the server. */
void sim_agent_asked(struct sim_agent *a, struct rs_str bytes);
void sim_agent_answers_stop(struct sim_agent *a);
/* The copied value of the first header of that name ("Via"), "" when there is none. */
const char *sim_agent_header(struct rs_str bytes, const char *name, char *buf, size_t size);
/* A MESSAGE with that id has come to agent a. */
void sim_agent_message_came(struct sim_agent *a, unsigned id, const char *branch);

#endif
