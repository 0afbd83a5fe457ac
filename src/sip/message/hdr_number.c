/* Numbers, CSeq and RAck, dates, warnings and timestamps. */
#include "sip/message/grammar.h"

#include <time.h>

/* "(text (nested) \) )" behind a number. */
static int skip_comment(struct sip_cur *c)
{
	unsigned depth = 0;

	cur_lws(c);
	if (!cur_at(c, '('))
		return 0;
	for (; c->p < c->end; c->p++) {
		if (*c->p == '\\') {
			if (++c->p == c->end)
				return -1;
		} else if (*c->p == '(') {
			depth++;
		} else if (*c->p == ')' && --depth == 0) {
			c->p++;
			return 0;
		}
	}
	return -1;
}

int sip_parse_number(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_number *v = out;
	uint64_t value;
	int rc;

	v->params.v = NULL;
	v->params.n = 0;
	v->params.text = RS_STR_NULL;
	cur_lws(c);
	rc = cur_number(c, UINT32_MAX, &value);
	if (rc == 0)
		return -1;
	v->value = (uint32_t)value;
	v->overflow = rc == 2;
	if (id == SIP_HDR_RETRY_AFTER || id == SIP_HDR_SESSION_EXPIRES || id == SIP_HDR_MIN_SE)
		return skip_comment(c) || sip_cur_params(c, store, &v->params) ? -1 : 0;
	return 0;
}

static int number32(struct sip_cur *c, uint32_t *out)
{
	uint64_t v;

	cur_lws(c);
	if (cur_number(c, UINT32_MAX, &v) != 1 || cur_end(c) || !is_lws(*c->p))
		return -1;
	*out = (uint32_t)v;
	return 0;
}

static int cur_method(struct sip_cur *c, struct rs_str *method)
{
	cur_lws(c);
	*method = cur_span(c, C_TOKEN);
	return method->len ? 0 : -1;
}

int sip_cseq_scan(struct rs_str value, uint32_t *num, struct rs_str *method)
{
	struct sip_cur c = cur_of(value);

	if (value.len == 0 || number32(&c, num) || cur_method(&c, method))
		return -1;
	return cur_end(&c) ? 0 : -1;
}

int sip_parse_cseq(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_cseq *v = out;

	(void)store;
	*v = (struct sip_cseq){0};
	if (number32(c, &v->num) || (id == SIP_HDR_RACK && number32(c, &v->num2)))
		return -1;
	return cur_method(c, &v->method);
}

/* The index of the three letters at the cursor in names, or -1. */
static int cur_name3(struct sip_cur *c, const char *names, int n)
{
	if (c->end - c->p < 3)
		return -1;
	for (int i = 0; i < n; i++) {
		if (sip_is(rs_str_n(c->p, 3), names + 3 * (size_t)i, 3)) {
			c->p += 3;
			return i;
		}
	}
	return -1;
}

/* Exactly digits decimal digits. */
static int cur_fixed(struct sip_cur *c, int digits, int *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++, c->p++) {
		if (c->p == c->end || !is_class(*c->p, C_DIGIT))
			return -1;
		*out = *out * 10 + (*c->p - '0');
	}
	return 0;
}

/* rfc1123-date, always in GMT (RFC 3261 section 20.17). */
int sip_parse_date(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_date *v = out;
	struct tm tm = {0};

	(void)id;
	(void)store;
	cur_lws(c);
	if (cur_name3(c, "sunmontuewedthufrisat", 7) < 0 || !cur_take(c, ',') || !cur_take(c, ' '))
		return -1;
	if (cur_fixed(c, 2, &tm.tm_mday) || !cur_take(c, ' '))
		return -1;
	tm.tm_mon = cur_name3(c, "janfebmaraprmayjunjulaugsepoctnovdec", 12);
	if (tm.tm_mon < 0 || !cur_take(c, ' ') || cur_fixed(c, 4, &tm.tm_year) || !cur_take(c, ' '))
		return -1;
	if (cur_fixed(c, 2, &tm.tm_hour) || !cur_take(c, ':') || cur_fixed(c, 2, &tm.tm_min) || !cur_take(c, ':') ||
	    cur_fixed(c, 2, &tm.tm_sec) || !cur_take(c, ' '))
		return -1;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	if (cur_name3(c, "gmt", 1) < 0)
		return -1;
	tm.tm_year -= 1900;
	v->unix_time = (int64_t)timegm(&tm);
	return 0;
}

int sip_parse_warning(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_warning *v = out;
	const char *start;
	int code;

	(void)id;
	(void)store;
	cur_lws(c);
	if (cur_fixed(c, 3, &code) || !cur_take(c, ' '))
		return -1;
	cur_lws(c);
	start = c->p;
	while (c->p < c->end && !is_lws(*c->p) && *c->p != '"' && *c->p != ',')
		c->p++;
	*v = (struct sip_warning){.code = (uint16_t)code, .agent = rs_str_n(start, (size_t)(c->p - start))};
	cur_lws(c);
	return v->agent.len && cur_at(c, '"') && cur_quoted(c, &v->text) ? 0 : -1;
}

/* 1*DIGIT ["." *DIGIT] in microseconds, saturated. */
static int cur_seconds(struct sip_cur *c, uint64_t *us)
{
	uint64_t whole = 0, fraction = 0, unit = 100000;

	if (!cur_number(c, UINT64_MAX / 2000000, &whole))
		return -1;
	if (cur_take(c, '.')) {
		for (; c->p < c->end && is_class(*c->p, C_DIGIT); c->p++, unit /= 10)
			fraction += (uint64_t)(*c->p - '0') * unit;
	}
	*us = whole * 1000000 + fraction;
	return 0;
}

int sip_parse_timestamp(struct sip_cur *c, enum sip_hdr_id id, struct sip_store *store, void *out)
{
	struct sip_timestamp *v = out;

	(void)id;
	(void)store;
	*v = (struct sip_timestamp){0};
	cur_lws(c);
	if (cur_seconds(c, &v->us))
		return -1;
	cur_lws(c);
	return cur_end(c) || cur_seconds(c, &v->delay_us) == 0 ? 0 : -1;
}
