/* Messages to be sent: life, what is known of them, edits of their headers. */
#include "sip/transaction/tx_internal.h"

#include "base/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct tx_block {
	struct sip_tx_data tx;
	struct tx_build build;
};

/* Blocks that a thread keeps: a batch of sends in flight. */
#define TX_KEEP 128
/* Most bytes of copies in one message (a body, a URI): memory for one request asked for by a peer. */
#define TX_ARENA_MAX ((size_t)4 * SIP_MAX_MSG)

static struct rs_slab tx_slab = {.name = "tx_data", .size = sizeof(struct tx_block), .keep = TX_KEEP};
static pthread_once_t tx_once = PTHREAD_ONCE_INIT;

static void register_slab(void)
{
	rs_slab_register(&tx_slab);
}

void tx_setup(void)
{
	pthread_once(&tx_once, register_slab);
}

struct sip_tx_data *tx_new(bool request)
{
	struct tx_block *block;
	struct sip_tx_data *tx;
	struct tx_build *b;

	tx_setup();
	block = rs_slab_alloc(&tx_slab);
	if (!block) {
		errno = ENOMEM;
		return NULL;
	}
	tx = &block->tx;
	b = &block->build;
	memset(tx, 0, sizeof(*tx));
	memset(b, 0, offsetof(struct tx_build, stash));
	tx->magic = TX_MAGIC;
	atomic_init(&tx->refs, 1);
	tx->request = request;
	tx->b = b;
	rs_arena_init(&b->arena, b->stash, sizeof(b->stash), TX_ARENA_MAX);
	sip_writer_init(&b->w, b->first, sizeof(b->first));
	if (request) {
		b->headers = TX_HEADROOM;
		b->w.len = TX_HEADROOM;
		b->w.max += TX_HEADROOM;
	}
	return tx;
}

struct rs_str tx_copy(struct sip_tx_data *tx, struct rs_str s)
{
	struct rs_str copy = RS_STR_NULL;

	if (!s.len)
		return copy;
	copy = rs_arena_str(&tx->b->arena, s);
	if (!copy.p) {
		tx->b->lost = true;
		return RS_STR_NULL;
	}
	return copy;
}

struct sip_tx_data *sip_tx_ref(struct sip_tx_data *tx)
{
	if (tx->magic != TX_MAGIC)
		abort();
	atomic_fetch_add_explicit(&tx->refs, 1, memory_order_relaxed);
	return tx;
}

static void free_block(struct sip_tx_data *tx)
{
	struct tx_build *b = tx->b;

	if (b->release)
		b->release(b->owner);
	sip_rx_unref(b->rx);
	while (b->old) {
		struct tx_old *old = b->old;

		b->old = old->next;
		free(old->buf);
		free(old);
	}
	sip_writer_fini(&b->w);
	rs_arena_reset(&b->arena);
	rs_slab_free(&tx_slab, rs_container_of(tx, struct tx_block, tx));
}

void sip_tx_unref(struct sip_tx_data *tx)
{
	if (!tx)
		return;
	if (tx->magic != TX_MAGIC)
		abort();
	if (atomic_fetch_sub_explicit(&tx->refs, 1, memory_order_acq_rel) != 1)
		return;
	tx->magic = 0;
	if (tx->b)
		free_block(tx);
	else
		free((char *)tx - tx->before);
}

struct sip_tx_data *tx_reduce(const struct sip_tx_data *tx)
{
	return tx_reduce_behind(tx, 0);
}

struct sip_tx_data *tx_reduce_behind(const struct sip_tx_data *tx, size_t before)
{
	char *block = malloc(before + sizeof(struct sip_tx_data) + tx->len);
	struct sip_tx_data *r = block ? (void *)(block + before) : NULL;

	if (!r)
		return NULL;
	memcpy(r, tx, sizeof(*r));
	atomic_init(&r->refs, 1);
	r->b = NULL;
	r->before = (uint32_t)before;
	r->bytes = (char *)(r + 1);
	memcpy(r + 1, tx->bytes, tx->len);
	return r;
}

size_t tx_reduced_size(const struct sip_tx_data *tx)
{
	return sizeof(*tx) + tx->len;
}

/* ---- what is known ---- */

bool sip_tx_is_request(const struct sip_tx_data *tx)
{
	return tx->request;
}

enum sip_method sip_tx_method(const struct sip_tx_data *tx)
{
	return (enum sip_method)tx->method;
}

struct rs_str sip_tx_method_text(const struct sip_tx_data *tx)
{
	return tx->b && tx->b->method_text.len ? tx->b->method_text : sip_method_name(sip_tx_method(tx));
}

struct rs_str sip_tx_uri(const struct sip_tx_data *tx)
{
	return tx->b ? tx->b->uri : RS_STR_NULL;
}

unsigned sip_tx_status(const struct sip_tx_data *tx)
{
	return tx->status;
}

struct rs_str sip_tx_branch(const struct sip_tx_data *tx)
{
	return tx->b ? tx->b->branch : RS_STR_NULL;
}

uint32_t sip_tx_cseq(const struct sip_tx_data *tx)
{
	return tx->cseq;
}

struct rs_str sip_tx_call_id(const struct sip_tx_data *tx)
{
	return sip_tx_hdr(tx, SIP_HDR_CALL_ID);
}

static struct rs_str tag_of(const struct sip_tx_data *tx, enum sip_hdr_id id)
{
	max_align_t mem[64];
	struct rs_arena arena;
	struct sip_hdr_values values;
	struct rs_str tag = RS_STR_NULL;

	rs_arena_init(&arena, mem, sizeof(mem), SIP_MAX_ARENA);
	if (!sip_hdr_parse(id, sip_tx_hdr(tx, id), &arena, &values) && values.n)
		tag = values.v.name_addr[0].tag;
	rs_arena_reset(&arena);
	return tag;
}

struct rs_str sip_tx_to_tag(const struct sip_tx_data *tx)
{
	return tag_of(tx, SIP_HDR_TO);
}

struct rs_str sip_tx_from_tag(const struct sip_tx_data *tx)
{
	return tag_of(tx, SIP_HDR_FROM);
}

void sip_tx_set_target(struct sip_tx_data *tx, const struct sip_target *target)
{
	tx->target = *target;
	tx->has_target = true;
}

const struct sip_target *sip_tx_target(const struct sip_tx_data *tx)
{
	return &tx->target;
}

void sip_tx_set_owner(struct sip_tx_data *tx, void *value, void (*release)(void *value))
{
	if (!tx->b)
		return;
	if (tx->b->release)
		tx->b->release(tx->b->owner);
	tx->b->owner = value;
	tx->b->release = release;
}

void *sip_tx_owner(const struct sip_tx_data *tx)
{
	return tx->b ? tx->b->owner : NULL;
}

void sip_tx_set_uri_is_hop(struct sip_tx_data *tx)
{
	if (tx->b)
		tx->b->uri_is_hop = true;
}

bool sip_tx_uri_is_hop(const struct sip_tx_data *tx)
{
	return tx->b && tx->b->uri_is_hop;
}

bool sip_tx_sealed(const struct sip_tx_data *tx)
{
	return tx->sealed;
}

size_t sip_tx_question(const struct sip_tx_data *tx)
{
	return tx->question;
}

struct rs_str sip_tx_bytes(const struct sip_tx_data *tx)
{
	return tx->sealed ? rs_str_n(tx->bytes, tx->len) : RS_STR_NULL;
}

struct rs_str sip_tx_body(const struct sip_tx_data *tx)
{
	if (!tx->b)
		return RS_STR_NULL;
	if (tx->b->tail)
		return rs_str_n(tx->b->w.buf + tx->b->body_off, tx->b->w.len - tx->b->body_off);
	return tx->b->body;
}

struct rs_str sip_tx_content_type(const struct sip_tx_data *tx)
{
	if (tx->b && tx->b->content_type.len)
		return tx->b->content_type;
	return sip_tx_hdr(tx, SIP_HDR_CONTENT_TYPE);
}

/* ---- header lines ---- */

bool tx_next_line(struct rs_str section, size_t *pos, struct rs_str *name, struct rs_str *value, struct rs_str *line)
{
	size_t start = *pos, end = start;
	const char *colon;

	if (start >= section.len)
		return false;
	do {
		const char *lf = memchr(section.p + end, '\n', section.len - end);

		end = lf ? (size_t)(lf - section.p) + 1 : section.len;
	} while (end < section.len && (section.p[end] == ' ' || section.p[end] == '\t'));
	*line = rs_str_n(section.p + start, end - start);
	*pos = end;
	colon = rs_str_chr(*line, ':');
	if (!colon) { /* the empty line: what follows is the body */
		*pos = section.len;
		return false;
	}
	*name = rs_str_trim(rs_str_n(line->p, (size_t)(colon - line->p)));
	*value = rs_str_trim(rs_str_n(colon + 1, (size_t)(line->p + line->len - colon - 1)));
	return true;
}

struct rs_str tx_header_section(const struct sip_tx_data *tx)
{
	struct rs_str all;
	const char *lf;

	if (tx->b && !tx->sealed) {
		uint32_t start = tx->b->headers;

		return rs_str_n(tx->b->w.buf + start, tx->b->w.len - start);
	}
	all = sip_tx_bytes(tx);
	lf = rs_str_chr(all, '\n');
	return lf ? rs_str_n(lf + 1, (size_t)(all.p + all.len - lf - 1)) : RS_STR_NULL;
}

struct rs_str sip_tx_hdr_nth(const struct sip_tx_data *tx, enum sip_hdr_id id, unsigned n)
{
	struct rs_str section, name, value, line;
	size_t pos = 0;

	if (!tx->sealed && id == SIP_HDR_CONTACT && tx->b && tx->b->own_contact && n-- == 0)
		return tx->b->contact;
	if (id == SIP_HDR_OTHER || (tx->b && !tx_may_have(tx->b, id)))
		return RS_STR_NULL;
	section = tx_header_section(tx);
	while (tx_next_line(section, &pos, &name, &value, &line))
		if (sip_hdr_from_name(name) == id && n-- == 0)
			return value;
	return RS_STR_NULL;
}

struct rs_str sip_tx_hdr(const struct sip_tx_data *tx, enum sip_hdr_id id)
{
	return sip_tx_hdr_nth(tx, id, 0);
}

static int check_open(const struct sip_tx_data *tx)
{
	if (!tx->b || tx->b->tail) {
		errno = EBUSY;
		return -1;
	}
	return 0;
}

static int written(const struct sip_tx_data *tx)
{
	if (sip_writer_ok(&tx->b->w) && !tx->b->lost)
		return 0;
	errno = ENOMEM;
	return -1;
}

static bool is_token(struct rs_str s)
{
	static const char marks[] = "-.!%*_+`'~";

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') && !(c && strchr(marks, c)))
			return false;
	}
	return true;
}

/* "sip:" or "sips:" ends at i. */
static bool tx_after_scheme(struct rs_str s, size_t i)
{
	return i >= 4 && (!strncasecmp(s.p + i - 4, "sip:", 4) || !strncasecmp(s.p + i - 4, "ips:", 4));
}

const char *tx_local_mark(struct rs_str s)
{
	const char *at = s.p, *end = s.p + s.len;

	while (at < end && (at = memchr(at, '@', (size_t)(end - at)))) {
		if (at > s.p && (at[-1] == '@' || tx_after_scheme(s, (size_t)(at - s.p))))
			return at;
		at++;
	}
	return NULL;
}

int sip_tx_add_hdr(struct sip_tx_data *tx, enum sip_hdr_id id, struct rs_str value)
{
	if (check_open(tx))
		return -1;
	if (id == SIP_HDR_OTHER) {
		errno = EINVAL;
		return -1;
	}
	if (id == SIP_HDR_CONTACT && !tx->b->own_contact && tx_local_mark(value)) {
		tx->b->contact = tx_copy(tx, value);
		tx->b->own_contact = true;
		return written(tx);
	}
	if (id == SIP_HDR_CONTENT_LENGTH)
		tx->b->has_length = true;
	tx_wrote(tx->b, id);
	sip_write_hdr(&tx->b->w, id, value);
	return written(tx);
}

int sip_tx_add_header(struct sip_tx_data *tx, struct rs_str name, struct rs_str value)
{
	enum sip_hdr_id id = sip_hdr_from_name(name);

	if (!is_token(name)) {
		errno = EINVAL;
		return -1;
	}
	if (id != SIP_HDR_OTHER)
		return sip_tx_add_hdr(tx, id, value);
	if (check_open(tx))
		return -1;
	sip_write_hdr_name(&tx->b->w, name, value);
	return written(tx);
}

int sip_tx_remove_hdr(struct sip_tx_data *tx, enum sip_hdr_id id)
{
	struct rs_str section, name, value, line;
	size_t pos = 0;

	if (check_open(tx))
		return -1;
	if (id == SIP_HDR_CONTACT) {
		tx->b->own_contact = false;
		tx->b->contact = RS_STR_NULL;
	}
	if (id == SIP_HDR_CONTENT_LENGTH)
		tx->b->has_length = false;
	if (id == SIP_HDR_OTHER || !tx_may_have(tx->b, id))
		return 0;
	section = tx_header_section(tx);
	while (tx_next_line(section, &pos, &name, &value, &line)) {
		if (sip_hdr_from_name(name) != id)
			continue;
		memmove(tx->b->w.buf + (line.p - tx->b->w.buf), line.p + line.len, section.len - pos);
		tx->b->w.len -= line.len;
		section.len -= line.len;
		pos -= line.len;
		if (!tx_may_have_more(tx->b, id))
			break;
	}
	tx->b->written[id / 64] &= ~(1ull << id % 64);
	tx->b->again[id / 64] &= ~(1ull << id % 64);
	return 0;
}

int sip_tx_set_body(struct sip_tx_data *tx, struct rs_str content_type, struct rs_str body)
{
	if (check_open(tx))
		return -1;
	sip_tx_remove_hdr(tx, SIP_HDR_CONTENT_LENGTH);
	sip_tx_remove_hdr(tx, SIP_HDR_CONTENT_TYPE);
	sip_rx_unref(tx->b->rx);
	tx->b->rx = NULL;
	tx->b->content_type = tx_copy(tx, content_type);
	tx->b->body = tx_copy(tx, body);
	return written(tx);
}

int sip_tx_set_branch_suffix(struct sip_tx_data *tx, struct rs_str suffix)
{
	if (check_open(tx))
		return -1;
	tx->b->suffix = tx_copy(tx, suffix);
	return written(tx);
}

void sip_tx_set_branch(struct sip_tx_data *tx, struct rs_str branch)
{
	if (!tx->b || !tx->request)
		return;
	tx->b->branch = tx_copy(tx, branch);
	tx->sealed = false;
}
