/* What a leg is told of the party at the other end. */
#include "identity.h"

#include <errno.h>

/* A user with all of it escaped; a longer from_user does not fit. */
#define MAX_ESCAPED (3 * 255 + 1)

static bool is_restricted(const struct call_party *p)
{
	return p->presentation != CALL_ALLOWED;
}

/* Whether the endpoint has a place for an identity other than From, which every phone shows. */
static bool takes_identity(const struct ast_sip_endpoint_settings *e)
{
	return e->send_pai || e->send_rpid;
}

static bool shows_in_from(const struct call_party *p, const struct ast_sip_endpoint_settings *e)
{
	return !is_restricted(p) || (e->trust_id_outbound && !takes_identity(e) && !e->from_user.len);
}

static bool is_phone_number(struct rs_str s)
{
	size_t i = s.len && s.p[0] == '+';

	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return true;
}

static struct rs_str host_of(const struct call_told *to)
{
	if (to->endpoint->from_domain.len)
		return to->endpoint->from_domain;
	return to->local_host.len ? to->local_host : RS_STR("localhost");
}

/* "name" <sip:user@host> */
static void write_name_addr(struct sip_writer *w, const struct call_told *to, struct rs_str name, struct rs_str user,
			    struct rs_str host)
{
	char escaped[MAX_ESCAPED];
	int n = sip_escape_user(user, escaped, sizeof(escaped));

	if (n < 0) {
		w->failed = true;
		return;
	}
	if (name.len) {
		sip_write_quoted(w, name);
		sip_writez(w, " ");
	}
	sip_writez(w, "<sip:");
	if (n) {
		sip_write(w, rs_str_n(escaped, (size_t)n));
		sip_writez(w, "@");
	}
	sip_write(w, host);
	if (to->endpoint->user_eq_phone && is_phone_number(user))
		sip_writez(w, ";user=phone");
	sip_writez(w, ">");
}

int call_party_print_from(const struct call_party *p, const struct call_told *to, char *buf, size_t size)
{
	const struct ast_sip_endpoint_settings *e = to->endpoint;
	struct rs_str name = p->name, user = p->number.len ? p->number : to->default_user, host = host_of(to);
	struct sip_writer w;
	int len;

	if (e->from_user.len) {
		/* The name belongs to the number, which does not stand here. */
		user = e->from_user;
		name = RS_STR_NULL;
	}
	if (!shows_in_from(p, e)) {
		name = RS_STR("Anonymous");
		if (!e->from_user.len)
			user = RS_STR("anonymous");
		if (!e->from_domain.len)
			host = RS_STR("anonymous.invalid");
	}
	sip_writer_init(&w, buf, size);
	w.max = size; /* so that it stays in buf */
	write_name_addr(&w, to, name, user, host);
	len = sip_writer_ok(&w) ? (int)w.len : -1;
	sip_writer_fini(&w);
	return len;
}

static int add(struct sip_tx_data *tx, enum sip_hdr_id id, const struct sip_writer *w)
{
	if (!sip_writer_ok(w)) {
		errno = EINVAL;
		return -1;
	}
	return sip_tx_add_hdr(tx, id, rs_str_n(w->buf, w->len));
}

static int add_asserted(const struct call_party *p, const struct call_told *to, struct sip_tx_data *tx)
{
	char room[CALL_MAX_FROM];
	struct sip_writer w;
	int rc;

	sip_writer_init(&w, room, sizeof(room));
	write_name_addr(&w, to, p->name, p->number, host_of(to));
	rc = add(tx, SIP_HDR_P_ASSERTED_IDENTITY, &w);
	sip_writer_fini(&w);
	return rc;
}

static int add_rpid(const struct call_party *p, const struct call_told *to, enum call_side side, struct sip_tx_data *tx)
{
	char room[CALL_MAX_FROM];
	struct sip_writer w;
	int rc;

	sip_writer_init(&w, room, sizeof(room));
	write_name_addr(&w, to, p->name, p->number, host_of(to));
	sip_writez(&w, side == CALL_SIDE_CALLING ? ";party=calling" : ";party=called");
	sip_writez(&w, is_restricted(p) ? ";privacy=full" : ";privacy=off");
	sip_writez(&w, p->screening == CALL_PASSED_SCREEN ? ";screen=yes" : ";screen=no");
	rc = add(tx, SIP_HDR_REMOTE_PARTY_ID, &w);
	sip_writer_fini(&w);
	return rc;
}

static void write_priv_value(struct sip_writer *w, const char *word)
{
	if (w->len)
		sip_writez(w, ";");
	sip_writez(w, word);
}

/*
 * What is still to be kept by those behind: the headers of this leg are hidden by a back-to-back user agent anyway, and
 * the media never was (RFC 3323 section 5: who has kept a value takes it out).
 */
static int add_privacy(const struct call_party *p, const struct call_told *to, enum call_side side,
		       struct sip_tx_data *tx)
{
	const struct ast_sip_endpoint_settings *e = to->endpoint;
	char room[64];
	struct sip_writer w;
	int rc = 0;

	sip_writer_init(&w, room, sizeof(room));
	if (is_restricted(p)) {
		if (side == CALL_SIDE_CALLING && shows_in_from(p, e))
			write_priv_value(&w, "user");
		write_priv_value(&w, "id");
	}
	if (p->privacy & CALL_PRIVACY_SESSION)
		write_priv_value(&w, "session");
	if ((p->privacy & CALL_PRIVACY_HISTORY) && e->trust_id_outbound)
		write_priv_value(&w, "history");
	if (w.len && (p->privacy & CALL_PRIVACY_CRITICAL))
		write_priv_value(&w, "critical");
	if (!w.len && (p->privacy & CALL_PRIVACY_NONE))
		write_priv_value(&w, "none");
	if (w.len)
		rc = add(tx, SIP_HDR_PRIVACY, &w);
	sip_writer_fini(&w);
	return rc;
}

int call_party_add_headers(const struct call_party *p, const struct call_told *to, enum call_side side,
			   struct sip_tx_data *tx)
{
	const struct ast_sip_endpoint_settings *e = to->endpoint;

	if (p->number.len && (!is_restricted(p) || e->trust_id_outbound)) {
		if (e->send_pai && add_asserted(p, to, tx))
			return -1;
		if (e->send_rpid && add_rpid(p, to, side, tx))
			return -1;
	}
	return add_privacy(p, to, side, tx);
}
