/*
 * A message as the simulated phones and the watch of their calls read it: by lines, no grammar, apart from the parser
 * of the server that they look at. What is not there is "" or 0.
 */
#ifndef SIM_CALL_MSG_H
#define SIM_CALL_MSG_H

#include "base/str.h"

struct sim_call_msg {
	struct rs_str bytes, head, body; /* head: start line and headers, up to the empty line */
	bool request, sdp;
	unsigned status;
	char method[16]; /* a response: of its CSeq */
	uint32_t cseq;
	char uri[160];           /* of the request line */
	char branch[100];        /* of the first Via */
	char call_id[128];       /* */
	char from[200], to[200]; /* without the tag */
	char from_tag[80], to_tag[80];
	char contact[200]; /* the URI of the first one */
	char subject[64];
	char challenge[400]; /* WWW-Authenticate */
	uint32_t rseq, rack_rseq, rack_cseq;
	unsigned expires, min_se;       /* Session-Expires, Min-SE */
	char refresher;                 /* 'c' uac, 's' uas, 0: not said */
	bool wants_100rel;              /* Require */
	bool knows_100rel, knows_timer; /* Supported or Require */
};

/* Of a whole datagram, which must stay as long as m is used. false: it is no SIP message. */
bool sim_call_msg_read(struct sim_call_msg *m, struct rs_str bytes);

#endif
