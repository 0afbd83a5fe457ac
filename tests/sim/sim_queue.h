/*
 * What will happen, in one priority queue ordered by time and, at one time, by the order of adding. One thread.
 */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include "base/defs.h"

/* Embeds in its owner. */
struct sim_event {
	int64_t at; /* sim_now scale */
	uint64_t seq;
	void (*run)(struct sim_event *e);  /* the event is the owner's again */
	void (*drop)(struct sim_event *e); /* the simulation ends without it; may be NULL */
	bool queued;
};

/* at before now counts as now. An event is in the queue once. */
void sim_queue_add(struct sim_event *e, int64_t at, void (*run)(struct sim_event *), void (*drop)(struct sim_event *));
/* Does nothing when it is not queued. drop is not called. */
void sim_queue_remove(struct sim_event *e);
/* When the first event is due, or INT64_MAX. */
int64_t sim_queue_next(void);
/* Takes the first event out and runs it, when one is due at sim_now. */
bool sim_queue_run_due(void);
/* Drops all. */
void sim_queue_clear(void);

#endif
