/* What a phone answers the server: at once, later, with anything between, or not at all; the same each time. */
#include "sim_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum policy {
	ANSWER_200,
	ANSWER_LATER,
	ANSWER_RINGING,
	ANSWER_BUSY,
	ANSWER_LATE_BUSY,
	ANSWER_NOT,
	ANSWER_RINGS,
	ANSWER_POLICIES
};

static size_t response(const struct sim_agent *a, struct rs_str request, unsigned status, char *buf, size_t size)
{
	static const char *const copied[] = {"Via", "From", "To", "Call-ID", "CSeq"};
	const char *at = memchr(request.p, '\n', request.len), *end = request.p + request.len;
	size_t n = (size_t)snprintf(buf, size, "SIP/2.0 %u Whatever\r\n", status);

	for (at = at ? at + 1 : end; at < end && *at != '\r';) {
		const char *line_end = memchr(at, '\r', (size_t)(end - at));
		sim_check(line_end);
		for (unsigned i = 0; i < RS_ARRAY_SIZE(copied); i++) {
			size_t len = strlen(copied[i]);
			if (strncmp(at, copied[i], len) != 0 || at[len] != ':')
				continue;
			n += (size_t)snprintf(buf + n, size - n, "%.*s", (int)(line_end - at), at);
			if (i == 2 && status > 100 && !memmem(at, (size_t)(line_end - at), ";tag=", 5))
				n += (size_t)snprintf(buf + n, size - n, ";tag=a%u", a->index);
			n += (size_t)snprintf(buf + n, size - n, "\r\n");
			sim_check(n < size);
		}
		at = line_end + 2;
	}
	n += (size_t)snprintf(buf + n, size - n, "Content-Length: 0\r\n\r\n");
	sim_check(n < size);
	return n;
}

static void branch_of(struct rs_str request, char *out, size_t size)
{
	char via[256];
	const char *at;

	sim_agent_header(request, "Via", via, sizeof(via));
	at = strstr(via, ";branch=");
	snprintf(out, size, "%s", at ? at + 8 : "");
	out[strcspn(out, ";,")] = '\0';
}

static struct sim_agent_answer *find(struct sim_agent *a, const char *branch, const char *method)
{
	for (unsigned i = 0; i < SIM_AGENT_ANSWERS; i++) {
		struct sim_agent_answer *w = &a->answers[i];
		if (w->agent && strcmp(w->branch, branch) == 0 && strcmp(w->method, method) == 0)
			return w;
	}
	return NULL;
}

static void later(struct sim_event *e)
{
	struct sim_agent_answer *w = rs_container_of(e, struct sim_agent_answer, timer);

	w->second = true;
	sim_agent_send(w->agent, w->bytes[1], w->len[1]);
}

static void draw(struct sim_agent *a, struct sim_agent_answer *w, struct rs_str request)
{
	struct sim_rng *rng = sim_test_rng();
	bool invite = strcmp(w->method, "INVITE") == 0, cancel = strcmp(w->method, "CANCEL") == 0;
	enum policy policy = cancel ? ANSWER_200 : (enum policy)sim_rng_below(rng, ANSWER_POLICIES);
	unsigned first = 0, second = 0;
	int64_t later_us = sim_rng_range(rng, 10 * SIM_MS, 9 * SIM_SECOND);

	if (a->quiet && policy == ANSWER_NOT)
		policy = ANSWER_200;
	switch (policy) {
	case ANSWER_200:
		first = 200;
		break;
	case ANSWER_LATER:
		second = 200;
		break;
	case ANSWER_RINGING:
		first = invite ? 180 : 100;
		second = 200;
		break;
	case ANSWER_BUSY:
		first = 486;
		break;
	case ANSWER_LATE_BUSY:
		first = invite ? 183 : 0;
		second = 603;
		break;
	case ANSWER_RINGS: /* until somebody gives up */
		first = invite ? 180 : 200;
		second = invite ? 603 : 0;
		later_us = 200 * SIM_SECOND;
		break;
	default:
		break;
	}
	w->len[0] = first ? response(a, request, first, w->bytes[0], sizeof(w->bytes[0])) : 0;
	w->len[1] = second ? response(a, request, second, w->bytes[1], sizeof(w->bytes[1])) : 0;
	if (first)
		sim_agent_send(a, w->bytes[0], w->len[0]);
	if (second)
		sim_queue_add(&w->timer, sim_now() + later_us, later, NULL);
	sim_agent_stats.answered += first || second;
}

/* The INVITE is answered 487 in place of what was to come. */
static void cancelled(struct sim_agent *a, const char *branch, struct rs_str request)
{
	struct sim_agent_answer *w = find(a, branch, "INVITE");

	if (!w || !w->timer.queued)
		return;
	sim_queue_remove(&w->timer);
	w->len[1] = response(a, request, 487, w->bytes[1], sizeof(w->bytes[1]));
	/* Its CSeq names the CANCEL. */
	memcpy(strstr(w->bytes[1], " CANCEL\r\n"), " INVITE\r\n", 9);
	later(&w->timer);
}

void sim_agent_asked(struct sim_agent *a, struct rs_str bytes)
{
	struct sim_agent_answer *w;
	char branch[80], method[16];
	const char *id;

	snprintf(method, sizeof(method), "%.*s", (int)strcspn(bytes.p, " "), bytes.p);
	branch_of(bytes, branch, sizeof(branch));
	if (strcmp(method, "ACK") == 0)
		return;
	w = find(a, branch, method);
	if (w) {
		unsigned i = w->second;
		if (w->len[i])
			sim_agent_send(a, w->bytes[i], w->len[i]);
		return;
	}
	w = &a->answers[a->next_answer++ % SIM_AGENT_ANSWERS];
	sim_queue_remove(&w->timer);
	memset(w, 0, sizeof(*w));
	w->agent = a;
	snprintf(w->branch, sizeof(w->branch), "%s", branch);
	snprintf(w->method, sizeof(w->method), "%s", method);
	id = memmem(bytes.p, bytes.len, "\r\n\r\nmessage ", 12);
	if (id)
		sim_agent_message_came(a, (unsigned)atoi(id + 12), branch);
	draw(a, w, bytes);
	if (strcmp(method, "CANCEL") == 0)
		cancelled(a, branch, bytes);
}

void sim_agent_answers_stop(struct sim_agent *a)
{
	for (unsigned i = 0; i < SIM_AGENT_ANSWERS; i++)
		sim_queue_remove(&a->answers[i].timer);
}
