/* What tells transactions apart (RFC 3261 sections 17.1.3 and 17.2.3). */
#include "sip/transaction/tsx.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>

static const struct rs_str cookie = RS_STR_INIT("z9hG4bK");

bool tsx_key_is_3261(const struct sip_msg *request, bool *cookie_only)
{
	struct rs_str branch = request->top_branch;
	bool starts = branch.len >= cookie.len && rs_str_ieq(rs_str_n(branch.p, cookie.len), cookie);

	*cookie_only = starts && branch.len == cookie.len;
	return starts && branch.len > cookie.len;
}

static int finish(struct tsx_key *key, struct sip_writer *w)
{
	if (!sip_writer_ok(w)) {
		sip_writer_fini(w);
		errno = ENOMEM;
		return -1;
	}
	key->text = rs_str_n(w->buf, w->len);
	key->heap = w->own;
	key->hash = rs_hash_nocase(key->text);
	return 0;
}

static void write_2543(struct sip_writer *w, struct sip_msg *request, const struct sip_via *via, struct rs_str to_tag)
{
	const struct rs_str parts[] = {request->uri_text, request->from_tag, request->call_id, via->text, to_tag};

	sip_writez(w, "=");
	sip_write_u64(w, request->cseq);
	for (size_t i = 0; i < RS_ARRAY_SIZE(parts); i++) {
		sip_writez(w, "\n");
		sip_write(w, parts[i]);
	}
}

int tsx_key_server(struct tsx_key *key, struct sip_msg *request, enum sip_method method, struct rs_str to_tag)
{
	const struct sip_via *via = sip_msg_via(request, 0);
	struct sip_writer w;
	bool cookie_only;

	if (!via) {
		errno = EINVAL;
		return -1;
	}
	sip_writer_init(&w, key->mem, sizeof(key->mem));
	if (tsx_key_is_3261(request, &cookie_only)) {
		sip_write(&w, request->top_branch);
		sip_writez(&w, "|");
		sip_write(&w, via->host);
		sip_writez(&w, ":");
		sip_write_u64(&w, via->port);
	} else {
		write_2543(&w, request, via, to_tag);
	}
	if (method == SIP_METHOD_OTHER) {
		sip_writez(&w, "|");
		sip_write(&w, request->method_text);
	}
	key->method = (uint8_t)method;
	return finish(key, &w);
}

int tsx_key_client(struct tsx_key *key, struct rs_str branch, enum sip_method method, struct rs_str method_text)
{
	struct sip_writer w;

	sip_writer_init(&w, key->mem, sizeof(key->mem));
	sip_write(&w, branch);
	if (method == SIP_METHOD_OTHER) {
		sip_writez(&w, "|");
		sip_write(&w, method_text);
	}
	key->method = (uint8_t)method;
	return finish(key, &w);
}

void tsx_key_fini(struct tsx_key *key)
{
	if (key->heap)
		free((char *)(uintptr_t)key->text.p);
}
