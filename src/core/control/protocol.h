/*
 * What client and server say: one line of JSON each way.
 *   request  {"argv": ["pjsip", "show", "endpoints"], "json": false}
 *            {"argv": ["pjsip", "show"], "complete": "end"}
 *   reply    {"exit": 0, "out": "…", "err": "…"}
 *            {"exit": 0, "words": ["endpoint", "endpoints"]}
 */
#ifndef CORE_CONTROL_PROTOCOL_H
#define CORE_CONTROL_PROTOCOL_H

#include "base/str.h"

/* Bytes of one request: a client that never ends its line must not grow the server. */
#define CONTROL_MAX_LINE 65536
/* Words of one request. */
#define CONTROL_MAX_ARGS 64

/* Runs the request in line (without its end). Gives the reply with its line end, malloc'd, and its length; NULL without
 * memory. */
char *control_answer(struct rs_str line, size_t *len);

#endif
