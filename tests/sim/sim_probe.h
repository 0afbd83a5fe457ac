/*
 * A module's view from within the simulated server: a service that sees each request once, answers calls as a user
 * agent, sends requests of the server's own, and pushes numbered tasks on serializers. What it holds:
 *
 *  - each client transaction reports one final outcome and then its end, and nothing afterwards;
 *  - a server transaction's user hears of its end once;
 *  - tasks of one serializer run one at a time, in the order in which they were pushed;
 *  - a timer fires once, not before its time, and not after it was stopped.
 */
#ifndef SIM_PROBE_H
#define SIM_PROBE_H

/* After sim_server_start. It sends requests to the first n agents until it is calmed. */
void sim_probe_start(unsigned n);
void sim_probe_calm(void);
/* Before sim_server_stop, when nothing is under way: every outcome has come. */
void sim_probe_stop(void);

#endif
