/*
 * A simulated phone that registers: one REGISTER at a time, sent again by timer E over UDP until it is answered.
 */
#ifndef SIM_PHONE_H
#define SIM_PHONE_H

#include "sim_server.h"

#define SIM_PHONE_MAX 8192

struct sim_phone {
	const char *user; /* the AOR */
	bool tcp;
	void (*done)(struct sim_phone *p, int status); /* 0: no answer in 64*T1, or the connection ended */
	void *token;
	int64_t gives_up_us; /* in place of 64*T1; 0: that */

	struct sim_peer *peer;
	char call_id[48];
	unsigned cseq; /* of the last request */
	struct sim_event timer;
	int64_t interval, gives_up;
	bool waiting;
	char request[SIM_PHONE_MAX], answer[SIM_PHONE_MAX]; /* answer: the last final one, NUL-terminated */
	size_t request_len, answer_len;
};

/* address: "10.0.1.1:5060", one a phone. user, tcp, done and token are set by the caller before. */
void sim_phone_open(struct sim_phone *p, const char *address);
void sim_phone_close(struct sim_phone *p);
/* One on the heap, opened; and its end. */
struct sim_phone *sim_phone_new(const char *user, const char *address, bool tcp);
void sim_phone_free(struct sim_phone *p);
/* lines: Contact and other header lines, each with CRLF. CSeq is one higher each time. */
void sim_phone_register(struct sim_phone *p, const char *lines);
/* The same with a CSeq of the caller's. */
void sim_phone_register_cseq(struct sim_phone *p, const char *lines, unsigned cseq);
/* Runs the simulation until it is answered; the status. */
int sim_phone_wait(struct sim_phone *p);
/* Both: registers, and runs the simulation until that is answered. */
int sim_phone_ask(struct sim_phone *p, const char *lines);
/* The nth Contact line of the answer, copied into buf; false: there are fewer. */
bool sim_phone_contact(const struct sim_phone *p, unsigned n, char *buf, size_t size);
unsigned sim_phone_contacts(const struct sim_phone *p);

#endif
