/* The 200 to a REGISTER: every current contact with what is left of its time (RFC 3261 section 10.3 step 8). */
#include "registrar.h"

#include "base/clock.h"
#include "sip/writer.h"

#include <time.h>

#define FIRST_ROOM 2048 /* for the text of one Contact: most need no more */

static bool is_orig_host(struct rs_str name)
{
	return rs_str_ieqz(name, "x-ast-orig-host");
}

/*
 * A URI that rewrite_contact changed carries the phone's own host and port ("host:port", port 0: none): the phone gets
 * its own Contact back, or it would not know it again.
 */
static void write_uri(struct sip_writer *w, struct rs_str text)
{
	struct rs_str orig, name, value;
	struct sip_uri u;
	size_t pos = 0, colon;

	if (!rs_str_chr(text, ';') || sip_uri_parse(text, &u) || !sip_uri_param(&u, RS_STR("x-ast-orig-host"), &orig) ||
	    !orig.len) {
		sip_write(w, text);
		return;
	}
	for (colon = orig.len; colon && orig.p[colon - 1] != ':'; colon--)
		;
	sip_write(w, u.scheme_text);
	sip_writez(w, ":");
	if (u.has_user) {
		sip_write(w, u.user);
		if (u.has_password) {
			sip_writez(w, ":");
			sip_write(w, u.password);
		}
		sip_writez(w, "@");
	}
	sip_write(w, colon ? rs_str_n(orig.p, colon - 1) : orig);
	if (colon && !rs_str_eqz(rs_str_n(orig.p + colon, orig.len - colon), "0"))
		sip_write(w, rs_str_n(orig.p + colon - 1, orig.len - colon + 1));
	while (sip_uri_next_param(&u, &pos, &name, &value)) {
		if (is_orig_host(name))
			continue;
		sip_writez(w, ";");
		sip_write(w, name);
		if (value.len) {
			sip_writez(w, "=");
			sip_write(w, value);
		}
	}
	if (u.headers.len) {
		sip_writez(w, "?");
		sip_write(w, u.headers);
	}
}

static int add_contact(struct sip_tx_data *tx, const struct ast_sip_contact *c, int64_t now_us)
{
	struct rs_str instance = ast_sip_contact_text(c, AST_SIP_CONTACT_INSTANCE);
	char buf[FIRST_ROOM];
	struct sip_writer w;
	int rc;

	sip_writer_init(&w, buf, sizeof(buf));
	sip_write(&w, RS_STR("<"));
	write_uri(&w, ast_sip_contact_text(c, AST_SIP_CONTACT_URI));
	sip_write(&w, RS_STR(">"));
	sip_write(&w, ast_sip_contact_text(c, AST_SIP_CONTACT_PARAMS));
	if (c->data.q_thousandths != 1000)
		sip_writef(&w, ";q=0.%03u", c->data.q_thousandths);
	if (instance.len) {
		sip_writez(&w, ";+sip.instance=\"");
		sip_write(&w, instance);
		sip_writez(&w, "\"");
	}
	if (c->data.reg_id)
		sip_writef(&w, ";reg-id=%u", c->data.reg_id);
	if (c->data.expires_us) {
		int64_t left = (c->data.expires_us - now_us + 500000) / 1000000;
		sip_write(&w, RS_STR(";expires="));
		sip_write_u64(&w, (uint64_t)(left > 0 ? left : 0)); /* the wall clock may have jumped */
	}
	rc = sip_writer_ok(&w) ? sip_tx_add_hdr(tx, SIP_HDR_CONTACT, rs_str_n(w.buf, w.len)) : -1;
	sip_writer_fini(&w);
	return rc;
}

static char *put(char *at, const char *text, size_t n)
{
	memcpy(at, text, n);
	return at + n;
}

static char *put_two(char *at, int v, char behind)
{
	*at++ = (char)('0' + v / 10);
	*at++ = (char)('0' + v % 10);
	*at++ = behind;
	return at;
}

/* Not strftime: the names are English in every locale. */
static void add_date(struct sip_tx_data *tx)
{
	static const char days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
	static const char months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
	time_t now = (time_t)(rs_wall_us() / 1000000);
	struct tm tm;
	char buf[32], *at = buf;
	int year;

	gmtime_r(&now, &tm);
	year = tm.tm_year + 1900;
	at = put(at, days + 5 * tm.tm_wday, 5);
	at = put_two(at, tm.tm_mday, ' ');
	at = put(at, months + 4 * tm.tm_mon, 4);
	*at++ = (char)('0' + year / 1000 % 10);
	*at++ = (char)('0' + year / 100 % 10);
	at = put_two(at, year % 100, ' ');
	at = put_two(at, tm.tm_hour, ':');
	at = put_two(at, tm.tm_min, ':');
	at = put_two(at, tm.tm_sec, ' ');
	at = put(at, "GMT", 3);
	sip_tx_add_hdr(tx, SIP_HDR_DATE, rs_str_n(buf, (size_t)(at - buf)));
}

static void add_expires(struct sip_tx_data *tx, uint32_t seconds)
{
	char buf[16];
	struct sip_writer w;

	sip_writer_init(&w, buf, sizeof(buf));
	sip_write_u64(&w, seconds);
	sip_tx_add_hdr(tx, SIP_HDR_EXPIRES, rs_str_n(w.buf, w.len));
	sip_writer_fini(&w);
}

struct sip_tx_data *registrar_answer(struct registration *r, const struct ast_sip_contacts *contacts)
{
	struct sip_tx_data *tx = sip_tx_response(r->rx, 200, RS_STR_NULL);
	int64_t now_us = ast_sip_location_now_us();

	if (!tx)
		return NULL;
	for (uint32_t i = 0; contacts && i < contacts->n; i++) {
		if (add_contact(tx, contacts->v[i], now_us)) {
			sip_tx_unref(tx);
			return NULL;
		}
	}
	add_date(tx);
	if (r->has_expires)
		add_expires(tx, r->expires);
	if (ast_sip_aor_settings(r->aor)->support_path) {
		sip_tx_add_hdr(tx, SIP_HDR_SUPPORTED, RS_STR("path"));
		if (r->path.len)
			sip_tx_add_hdr(tx, SIP_HDR_PATH, r->path);
	}
	return tx;
}
