/* What an update makes of an AOR's contacts: the list that will be seen, and the rows to be written. */
#include "location_private.h"

#include <errno.h>
#include <stdlib.h>

/* The list under construction: u->result holds references. */
static int start_list(struct update *u, size_t more)
{
	uint32_t n = u->before ? u->before->n : 0;

	u->result = contacts_new((uint32_t)(n + more));
	u->rows = calloc(n + more + 1, sizeof(*u->rows));
	if (!u->result || !u->rows)
		return ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		u->result->v[u->result->n++] = ast_sip_contact_ref(u->before->v[i]);
	return 0;
}

/* Takes over contact and old. */
static void add_row(struct update *u, struct ast_sip_contact *contact, struct ast_sip_contact *old,
		    enum ast_sip_contact_event event)
{
	u->rows[u->n_rows++] = (struct row){.contact = contact, .old = old, .event = event};
}

static uint32_t place_of(const struct ast_sip_contacts *c, const struct ast_sip_contact *contact)
{
	uint32_t i = 0;

	while (c->v[i] != contact)
		i++;
	return i;
}

/* Takes c->v[i] out; its reference goes to the row. */
static void remove_at(struct update *u, uint32_t i, enum ast_sip_contact_event event)
{
	struct ast_sip_contacts *c = u->result;

	add_row(u, c->v[i], NULL, event);
	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(c->v[0]));
	c->n--;
}

/* The row for a binding that this same update touched before is replaced: one row a binding. */
static void forget_row(struct update *u, const struct ast_sip_contact *contact)
{
	for (size_t i = 0; i < u->n_rows; i++) {
		if (u->rows[i].contact != contact)
			continue;
		ast_sip_contact_unref(u->rows[i].contact);
		ast_sip_contact_unref(u->rows[i].old);
		memmove(&u->rows[i], &u->rows[i + 1], (u->n_rows - i - 1) * sizeof(u->rows[0]));
		u->n_rows--;
		return;
	}
}

static bool was_there(const struct update *u, const struct ast_sip_contact *contact)
{
	for (uint32_t i = 0; u->before && i < u->before->n; i++) {
		if (u->before->v[i] == contact)
			return true;
	}
	return false;
}

static int set(struct update *u, const struct ast_sip_contact_change *change)
{
	const struct rs_str *text = change->text;
	struct rs_str texts[AST_SIP_CONTACT_TEXTS];
	struct ast_sip_contact *old = ast_sip_contacts_find(u->result, text[AST_SIP_CONTACT_URI],
							    text[AST_SIP_CONTACT_INSTANCE], change->data.reg_id);
	struct ast_sip_contact *c;
	uint32_t i;

	memcpy(texts, text, sizeof(texts));
	if (old && old->data.permanent)
		return 0; /* it never ends anyway */
	if (old) {        /* a URI that is equal keeps its first spelling (section 7 of the reference) */
		struct sip_uri a, b;
		struct rs_str stored = ast_sip_contact_text(old, AST_SIP_CONTACT_URI);
		if (!sip_uri_parse(stored, &a) && !sip_uri_parse(text[AST_SIP_CONTACT_URI], &b) &&
		    sip_uri_equal(&a, &b))
			texts[AST_SIP_CONTACT_URI] = stored;
	}
	if (!old && atomic_load_explicit(&location_counters.bindings, memory_order_relaxed) >=
			    atomic_load_explicit(&location_max_bindings, memory_order_relaxed))
		return ENOSPC;
	c = contact_new(rs_str_n(u->aor->name, u->aor->len), &change->data, texts);
	if (!c)
		return ENOMEM;
	if (!old) {
		u->result->v[u->result->n++] = c;
		add_row(u, ast_sip_contact_ref(c), NULL, AST_SIP_CONTACT_ADDED);
		return 0;
	}
	ast_sip_contact_set_status(c, (enum ast_sip_contact_status)atomic_load(&old->status),
				   atomic_load(&old->rtt_us));
	i = place_of(u->result, old);
	u->result->v[i] = c;
	if (was_there(u, old)) {
		add_row(u, ast_sip_contact_ref(c), old, AST_SIP_CONTACT_REFRESHED);
		return 0;
	}
	forget_row(u, old); /* it was added by this very update */
	ast_sip_contact_unref(old);
	add_row(u, ast_sip_contact_ref(c), NULL, AST_SIP_CONTACT_ADDED);
	return 0;
}

int change_apply(struct update *u, const struct ast_sip_contact_change *changes, size_t n)
{
	int error = start_list(u, n);

	for (size_t k = 0; k < n && !error; k++) {
		const struct rs_str *text = changes[k].text;
		struct ast_sip_contact *c;

		if (!changes[k].remove) {
			error = set(u, &changes[k]);
			continue;
		}
		c = ast_sip_contacts_find(u->result, text[AST_SIP_CONTACT_URI], RS_STR_NULL, 0);
		if (c && !c->data.permanent) {
			forget_row(u, c);
			remove_at(u, place_of(u->result, c), AST_SIP_CONTACT_REMOVED);
		}
	}
	return error;
}

int change_drop(struct update *u, int64_t now_us)
{
	int error = start_list(u, 0);

	for (uint32_t i = 0; !error && i < u->result->n;) {
		const struct ast_sip_contact_data *d = &u->result->v[i]->data;
		if (u->kind == UPDATE_EXPIRED && d->expires_us && d->expires_us <= now_us)
			remove_at(u, i, AST_SIP_CONTACT_EXPIRED);
		else if (u->kind == UPDATE_FLOW_ENDED && d->bound_to_flow && d->flow == u->flow)
			remove_at(u, i, AST_SIP_CONTACT_FLOW_ENDED);
		else
			i++;
	}
	return error;
}

/* Permanent contacts are those of the configuration; they have no rows. */
int change_permanent(struct update *u)
{
	struct rs_str texts[AST_SIP_CONTACT_TEXTS] = {{NULL, 0}};
	const struct ast_sip_contact_data data = {.permanent = true, .q_thousandths = 1000};
	uint32_t n = u->before ? u->before->n : 0;

	u->result = contacts_new(n + u->permanent.n);
	u->rows = NULL;
	if (!u->result)
		return ENOMEM;
	for (uint32_t i = 0; i < u->permanent.n; i++) {
		struct ast_sip_contact *c;
		texts[AST_SIP_CONTACT_URI] = u->permanent.v[i];
		c = contact_new(rs_str_n(u->aor->name, u->aor->len), &data, texts);
		if (!c)
			return ENOMEM;
		u->result->v[u->result->n++] = c;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!u->before->v[i]->data.permanent)
			u->result->v[u->result->n++] = ast_sip_contact_ref(u->before->v[i]);
	}
	return 0;
}

void change_fini(struct update *u)
{
	for (size_t i = 0; i < u->n_rows; i++) {
		ast_sip_contact_unref(u->rows[i].contact);
		ast_sip_contact_unref(u->rows[i].old);
	}
	free(u->rows);
	ast_sip_contacts_unref(u->result);
	ast_sip_contacts_unref(u->before);
	u->rows = NULL;
	u->n_rows = 0;
	u->result = u->before = NULL;
}
