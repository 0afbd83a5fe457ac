/* Headers and bodies of messages to be sent, in the design's words. */
#include "res_sip/res_sip.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* "type/subtype" and a boundary */
#define MAX_TYPE 256

int ast_sip_add_header(struct sip_tx_data *tx, const char *name, const char *value)
{
	if (!tx || !name || !value) {
		errno = EINVAL;
		return -1;
	}
	return sip_tx_add_header(tx, rs_str_c(name), rs_str_c(value));
}

static int print_type(const struct ast_sip_body *body, char buf[MAX_TYPE])
{
	int n = body->type && body->subtype ? snprintf(buf, MAX_TYPE, "%s/%s", body->type, body->subtype) : -1;

	if (n > 0 && n < MAX_TYPE && !strpbrk(buf, "\r\n"))
		return n;
	errno = EINVAL;
	return -1;
}

static struct rs_str text_of(const struct ast_sip_body *body)
{
	return body->body_len ? rs_str_n(body->body_text, body->body_len) : rs_str_c(body->body_text);
}

int ast_sip_add_body(struct sip_tx_data *tx, const struct ast_sip_body *body)
{
	char type[MAX_TYPE];
	int n = body ? print_type(body, type) : -1;

	if (n < 0 || !tx) {
		errno = EINVAL;
		return -1;
	}
	return sip_tx_set_body(tx, rs_str_n(type, (size_t)n), text_of(body));
}

/* No part contains it: 128 random bits. */
static void make_boundary(char buf[33])
{
	uint64_t r[2];

	rs_random(r, sizeof(r));
	snprintf(buf, 33, "%016llx%016llx", (unsigned long long)r[0], (unsigned long long)r[1]);
}

static int write_part(struct sip_writer *w, const struct ast_sip_body *body, const char *boundary)
{
	char type[MAX_TYPE];

	if (print_type(body, type) < 0)
		return -1;
	sip_writef(w, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, type);
	sip_write(w, text_of(body));
	sip_writez(w, "\r\n");
	return 0;
}

int ast_sip_add_body_multipart(struct sip_tx_data *tx, const struct ast_sip_body *bodies, size_t n)
{
	char boundary[33], type[MAX_TYPE];
	struct sip_writer w;
	int rc = -1;

	if (!tx || !bodies || !n) {
		errno = EINVAL;
		return -1;
	}
	make_boundary(boundary);
	sip_writer_init(&w, NULL, 0);
	for (size_t i = 0; i < n; i++) {
		if (write_part(&w, &bodies[i], boundary))
			goto out;
	}
	sip_writef(&w, "--%s--\r\n", boundary);
	if (!sip_writer_ok(&w)) {
		errno = ENOMEM;
		goto out;
	}
	snprintf(type, sizeof(type), "multipart/mixed;boundary=%s", boundary);
	rc = sip_tx_set_body(tx, rs_str_c(type), rs_str_n(w.buf, w.len));
out:
	sip_writer_fini(&w);
	return rc;
}

int ast_sip_append_body(struct sip_tx_data *tx, const char *text)
{
	struct rs_str old, type;
	struct sip_writer w;
	int rc;

	if (!tx || !text) {
		errno = EINVAL;
		return -1;
	}
	old = sip_tx_body(tx);
	type = sip_tx_content_type(tx);
	sip_writer_init(&w, NULL, 0);
	sip_write(&w, old);
	sip_writez(&w, text);
	if (sip_writer_ok(&w)) {
		rc = sip_tx_set_body(tx, type.len ? type : RS_STR("text/plain"), rs_str_n(w.buf, w.len));
	} else {
		errno = ENOMEM;
		rc = -1;
	}
	sip_writer_fini(&w);
	return rc;
}
