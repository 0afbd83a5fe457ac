/* How dialogs come: as server (RFC 3261 section 12.1.1), as client (12.1.2), by a fork. */
#include "sip/dialog/dialog.h"

#include "base/clock.h"
#include "base/print.h"
#include "sip/transaction/tx_internal.h"

#include <errno.h>
#include <stdlib.h>

#define RANDOM_WORD 32

struct making {
	struct rs_str call_id, local_tag, remote_tag, local, remote, contact;
	struct rs_serializer *serializer;
	bool uac;
};

/* ---- memory ---- */

static char *put(char *at, struct rs_str from, struct rs_str *to)
{
	*to = rs_str_n(at, from.len);
	if (from.len)
		memcpy(at, from.p, from.len);
	return at + from.len;
}

static size_t text_size(const struct making *m)
{
	size_t tag = m->remote_tag.len > DIALOG_TAG_ROOM ? m->remote_tag.len : DIALOG_TAG_ROOM;

	return m->call_id.len + m->local_tag.len + m->local.len + m->remote.len + m->contact.len + tag;
}

/* Room under the limit. */
static bool take(void)
{
	if (atomic_fetch_add_explicit(&dialog_counters.now, 1, memory_order_relaxed) < sip_stack_config()->max_dialogs)
		return true;
	dialog_count(&dialog_counters.now, -1);
	dialog_count(&dialog_counters.refused, 1);
	return false;
}

static struct sip_dialog *dialog_new(const struct making *m)
{
	struct sip_dialog *d;
	char *at;

	if (dialog_stopping() || !take()) {
		errno = EAGAIN;
		return NULL;
	}
	d = malloc(sizeof(*d) + text_size(m));
	if (!d) {
		dialog_count(&dialog_counters.now, -1);
		errno = ENOMEM;
		return NULL;
	}
	memset(d, 0, sizeof(*d));
	d->magic = DIALOG_MAGIC;
	atomic_init(&d->refs, 1);
	atomic_init(&d->state, SIP_DIALOG_NEW);
	d->uac = m->uac;
	d->serializer = rs_serializer_ref(m->serializer);
	at = put(d->text, m->call_id, &d->call_id);
	at = put(at, m->local_tag, &d->local_tag);
	at = put(at, m->local, &d->local);
	at = put(at, m->remote, &d->remote);
	at = put(at, m->contact, &d->contact);
	d->remote_tag = at;
	if (m->remote_tag.len)
		memcpy(at, m->remote_tag.p, m->remote_tag.len);
	atomic_init(&d->remote_tag_len, (uint32_t)m->remote_tag.len);
	d->entry.hash = dialog_hash(d->call_id, d->local_tag);
	return d;
}

static bool tag_is_inside(const struct sip_dialog *d)
{
	return d->remote_tag == d->contact.p + d->contact.len;
}

int dialog_set_remote_tag(struct sip_dialog *d, struct rs_str tag)
{
	char *room = (char *)(uintptr_t)d->remote_tag;

	if (!tag.len)
		return 0;
	if (tag.len > DIALOG_TAG_ROOM) {
		room = malloc(tag.len);
		if (!room)
			return ENOMEM;
		d->remote_tag = room;
	}
	memcpy(room, tag.p, tag.len);
	atomic_store_explicit(&d->remote_tag_len, (uint32_t)tag.len, memory_order_release);
	return 0;
}

void dialog_free(struct sip_dialog *d)
{
	d->magic = 0;
	dialog_usages_tidy(d);
	if (d->release)
		d->release(d->owner);
	if (!tag_is_inside(d))
		free((char *)(uintptr_t)d->remote_tag);
	free(d->peer);
	sip_dialog_unref(d->origin);
	rs_serializer_unref(d->serializer);
	free(d);
	dialog_count(&dialog_counters.now, -1);
}

/* The last step of each way: error 0: it goes into the table. */
static struct sip_dialog *finish(struct sip_dialog *d, int error)
{
	if (!error)
		error = dialog_table_insert(d);
	if (error) {
		sip_dialog_unref(d);
		errno = error;
		return NULL;
	}
	dialog_count(&dialog_counters.created, 1);
	return d;
}

/* ---- server ---- */

/* A From or To as the other side's requests will have it: without tag and the like (section 12.2.1.1). */
static struct rs_str party(const struct sip_name_addr *na)
{
	struct rs_str text = na->text;

	if (na->params.text.len && na->params.text.p > text.p && na->params.text.p < text.p + text.len)
		text.len = (size_t)(na->params.text.p - text.p);
	return rs_str_trim(text);
}

struct sip_dialog *sip_dialog_uas(struct sip_rx_data *rx, struct rs_str contact)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_tsx *tsx = sip_rx_tsx(rx);
	const struct sip_name_addr *from = sip_msg_name_addr(msg, SIP_HDR_FROM, 0);
	const struct sip_name_addr *to = sip_msg_name_addr(msg, SIP_HDR_TO, 0);
	const struct sip_name_addr *c = sip_rx_name_addr(rx, SIP_HDR_CONTACT, 0);
	const struct sip_uri *uri = sip_msg_ruri(msg);
	struct sip_dialog *d;
	struct making m;
	char tag[TX_TAG];

	if (!msg->is_request || !tsx || msg->to_tag.len || !from || !to || !c || c->star || !sip_uri_is_sip(&c->uri)) {
		errno = EINVAL;
		return NULL;
	}
	m = (struct making){
		.call_id = msg->call_id,
		.local_tag = tx_response_tag(msg, tag),
		.remote_tag = msg->from_tag,
		.local = party(to),
		.remote = party(from),
		.contact = contact.len ? contact : RS_STR("<sip:@>"),
		.serializer = sip_tsx_serializer(tsx),
	};
	d = dialog_new(&m);
	if (!d)
		return NULL;
	d->remote_cseq = msg->cseq;
	d->secure = uri && uri->scheme == SIP_URI_SIPS && sip_transport_is_secure(sip_rx_transport(rx));
	dialog_heard(d, rx);
	return finish(d, dialog_learn(d, rx, true));
}

/* ---- client ---- */

static struct rs_str random_word(char buf[RANDOM_WORD], size_t len)
{
	uint64_t raw[2];

	rs_random(raw, sizeof(raw));
	rs_print_hex(buf, raw[0], 16);
	rs_print_hex(buf + 16, raw[1], 16);
	return rs_str_n(buf, len);
}

static bool has_line_break(struct rs_str s)
{
	return rs_str_chr(s, '\r') || rs_str_chr(s, '\n');
}

static bool params_ok(const struct sip_dialog_uac_params *p)
{
	struct sip_uri uri;

	return p->size == sizeof(*p) && p->uri.len && p->uri.len <= SIP_MAX_URI && p->from.len &&
	       !has_line_break(p->from) && !has_line_break(p->to) && !has_line_break(p->contact) &&
	       !has_line_break(p->route) && sip_uri_parse(p->uri, &uri) == 0 && uri.scheme != SIP_URI_OTHER;
}

static struct rs_serializer *serializer_for(struct rs_serializer *wanted)
{
	if (!wanted)
		wanted = rs_serializer_current();
	return wanted ? rs_serializer_ref(wanted) : rs_serializer_new("dialog");
}

/* With its serializer and the text of To. */
static struct sip_dialog *make_uac(const struct sip_dialog_uac_params *p, struct rs_serializer *serializer,
				   struct rs_str to)
{
	char call_id[RANDOM_WORD], tag[RANDOM_WORD];
	struct making m = {
		.call_id = random_word(call_id, RANDOM_WORD),
		.local_tag = random_word(tag, 16),
		.local = p->from,
		.remote = to,
		.contact = p->contact.len ? p->contact : RS_STR("<sip:@>"),
		.serializer = serializer,
		.uac = true,
	};
	struct sip_dialog *d = dialog_new(&m);
	struct sip_uri uri;

	if (!d)
		return NULL;
	d->local_cseq = rs_random_below(1u << 15); /* below 2**31, with room to count (8.1.1.5) */
	d->first = p->target;
	d->secure = sip_uri_parse(p->uri, &uri) == 0 && uri.scheme == SIP_URI_SIPS;
	return finish(d, dialog_peer_set(d, p->uri, p->route, false));
}

struct sip_dialog *sip_dialog_uac(const struct sip_dialog_uac_params *p)
{
	struct rs_serializer *serializer;
	struct sip_dialog *d = NULL;
	struct sip_writer to;
	char first[256];
	int error = ENOMEM;

	if (!p || !params_ok(p)) {
		errno = EINVAL;
		return NULL;
	}
	serializer = serializer_for(p->serializer);
	sip_writer_init(&to, first, sizeof(first));
	sip_writez(&to, "<");
	sip_write(&to, p->uri);
	sip_writez(&to, ">");
	if (serializer && sip_writer_ok(&to)) {
		d = make_uac(p, serializer, p->to.len ? p->to : rs_str_n(to.buf, to.len));
		error = errno;
	}
	sip_writer_fini(&to);
	if (serializer)
		rs_serializer_unref(serializer);
	errno = error;
	return d;
}

/* ---- fork ---- */

static struct sip_dialog *make_fork(struct sip_dialog *of, struct sip_rx_data *rx)
{
	struct making m = {
		.call_id = of->call_id,
		.local_tag = of->local_tag,
		.remote_tag = sip_rx_msg(rx)->to_tag,
		.local = of->local,
		.remote = of->remote,
		.contact = of->contact,
		.serializer = of->serializer,
		.uac = true,
	};
	struct sip_dialog *d = dialog_new(&m);
	int error;

	if (!d)
		return NULL;
	d->local_cseq = d->invite_cseq = sip_rx_msg(rx)->cseq;
	d->secure = of->secure;
	d->max_forwards = of->max_forwards;
	d->first = (struct sip_target){.type = of->first.type, .listener = of->first.listener};
	d->origin = sip_dialog_ref(of->origin ? of->origin : of);
	error = dialog_peer_set(d, of->peer->target, RS_STR_NULL, false);
	return finish(d, error);
}

struct sip_dialog *sip_dialog_fork(struct sip_dialog *of, struct sip_rx_data *rx, bool *made)
{
	struct sip_msg *msg = sip_rx_msg(rx);
	struct sip_dialog *d;

	*made = false;
	if (msg->is_request || !msg->to_tag.len || !of->uac) {
		errno = EINVAL;
		return NULL;
	}
	d = sip_dialog_find(of->call_id, of->local_tag, msg->to_tag);
	if (!d) {
		d = make_fork(of, rx);
		*made = d != NULL;
	}
	if (d)
		sip_dialog_received(d, rx);
	return d;
}

struct sip_dialog *sip_dialog_find(struct rs_str call_id, struct rs_str local_tag, struct rs_str remote_tag)
{
	return dialog_table_find(dialog_hash(call_id, local_tag), call_id, local_tag, remote_tag);
}
