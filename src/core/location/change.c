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

/* Takes c->v[i] out; its reference is the caller's. */
static struct ast_sip_contact *take_at(struct ast_sip_contacts *c, uint32_t i)
{
	struct ast_sip_contact *contact = c->v[i];

	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(c->v[0]));
	c->n--;
	return contact;
}

/*
 * What this same update wrote for contact before is forgotten: one row a binding. Gives the one that was there before
 * the update and whose place contact had taken, referenced; NULL: none.
 */
static struct ast_sip_contact *forget_row(struct update *u, const struct ast_sip_contact *contact)
{
	for (size_t i = 0; i < u->n_rows; i++) {
		struct row *r = &u->rows[i];
		struct ast_sip_contact *origin = r->old;

		if (r->contact != contact)
			continue;
		ast_sip_contact_unref(r->contact);
		memmove(r, r + 1, (u->n_rows - i - 1) * sizeof(*r));
		u->n_rows--;
		return origin;
	}
	return NULL;
}

static bool was_there(const struct update *u, const struct ast_sip_contact *contact)
{
	for (uint32_t i = 0; u->before && i < u->before->n; i++) {
		if (u->before->v[i] == contact)
			return true;
	}
	return false;
}

static void remove_contact(struct update *u, struct ast_sip_contact *contact, enum ast_sip_contact_event event)
{
	struct ast_sip_contact *taken = take_at(u->result, place_of(u->result, contact));

	if (!was_there(u, taken)) {
		struct ast_sip_contact *origin = forget_row(u, taken);
		ast_sip_contact_unref(taken);
		taken = origin;
	}
	if (taken)
		add_row(u, taken, NULL, event > AST_SIP_CONTACT_REFRESHED ? event : AST_SIP_CONTACT_REMOVED);
}

/* c takes the place of old; its reference is taken over. */
static void replace(struct update *u, struct ast_sip_contact *c, struct ast_sip_contact *old)
{
	struct ast_sip_contact *origin = old;

	ast_sip_contact_set_status(c, (enum ast_sip_contact_status)atomic_load(&old->status),
				   atomic_load(&old->rtt_us));
	u->result->v[place_of(u->result, old)] = c;
	if (!was_there(u, old)) {
		origin = forget_row(u, old);
		ast_sip_contact_unref(old);
	}
	add_row(u, ast_sip_contact_ref(c), origin, origin ? AST_SIP_CONTACT_REFRESHED : AST_SIP_CONTACT_ADDED);
}

static int set(struct update *u, const struct ast_sip_contact_change *change)
{
	const struct rs_str *text = change->text;
	struct rs_str texts[AST_SIP_CONTACT_TEXTS];
	struct ast_sip_contact *old = ast_sip_contacts_find(u->result, text[AST_SIP_CONTACT_URI],
							    text[AST_SIP_CONTACT_INSTANCE], change->data.reg_id);
	struct ast_sip_contact *same = ast_sip_contacts_find(u->result, text[AST_SIP_CONTACT_URI], RS_STR_NULL, 0);
	struct ast_sip_contact *c;

	memcpy(texts, text, sizeof(texts));
	if ((old && old->data.permanent) || (same && same->data.permanent))
		return 0; /* it never ends anyway */
	if (same)         /* a URI that is equal keeps its first spelling (section 7 of the reference) */
		texts[AST_SIP_CONTACT_URI] = ast_sip_contact_text(same, AST_SIP_CONTACT_URI);
	c = contact_new(rs_str_n(u->aor->name, u->aor->len), &change->data, texts);
	if (!c)
		return errno;
	/* An instance that moved to the URI of another binding: two bindings of one URI there are not. */
	if (old && same && same != old)
		remove_contact(u, same, AST_SIP_CONTACT_REMOVED);
	if (old) {
		replace(u, c, old);
		return 0;
	}
	u->result->v[u->result->n++] = c;
	add_row(u, ast_sip_contact_ref(c), NULL, AST_SIP_CONTACT_ADDED);
	return 0;
}

/* The binding that a removal means: that of exactly this URI, which is how the store gave it, else an equal one. */
static struct ast_sip_contact *to_remove(const struct ast_sip_contacts *c, struct rs_str uri)
{
	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->v[i]->data.permanent && rs_str_eq(ast_sip_contact_text(c->v[i], AST_SIP_CONTACT_URI), uri))
			return c->v[i];
	}
	return ast_sip_contacts_find(c, uri, RS_STR_NULL, 0);
}

/* Counts what comes in addition before it is committed, so that many AORs at once do not get past the limit. */
static int reserve(struct update *u)
{
	uint32_t before = u->before ? u->before->n : 0;
	uint64_t more = u->result->n > before ? u->result->n - before : 0;

	if (!more)
		return 0;
	if (atomic_fetch_add(&location_counters.bindings, more) + more > atomic_load(&location_max_bindings)) {
		atomic_fetch_sub(&location_counters.bindings, more);
		return ENOSPC;
	}
	u->reserved = more;
	return 0;
}

int change_apply(struct update *u, const struct ast_sip_contact_change *changes, size_t n)
{
	int error = start_list(u, n);

	for (size_t k = 0; k < n && !error; k++) {
		struct ast_sip_contact *c;

		if (!changes[k].remove) {
			error = set(u, &changes[k]);
			continue;
		}
		c = to_remove(u->result, changes[k].text[AST_SIP_CONTACT_URI]);
		if (c && !c->data.permanent)
			remove_contact(u, c, changes[k].event);
	}
	return error ? error : reserve(u);
}

int change_drop(struct update *u, int64_t now_us)
{
	int error = start_list(u, 0);

	for (uint32_t i = 0; !error && i < u->result->n;) {
		const struct ast_sip_contact_data *d = &u->result->v[i]->data;
		if (u->kind == UPDATE_EXPIRED && d->expires_us && d->expires_us <= now_us)
			add_row(u, take_at(u->result, i), NULL, AST_SIP_CONTACT_EXPIRED);
		else if (u->kind == UPDATE_FLOW_ENDED && d->bound_to_flow && d->flow == u->flow)
			add_row(u, take_at(u->result, i), NULL, AST_SIP_CONTACT_FLOW_ENDED);
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
	struct ast_sip_strings wanted = {NULL, 0};
	uint32_t n = u->before ? u->before->n : 0;

	if (u->permanent)
		wanted = ast_sip_aor_settings(u->permanent)->contact;
	u->result = contacts_new(n + wanted.n);
	u->rows = NULL;
	if (!u->result)
		return ENOMEM;
	for (uint32_t i = 0; i < wanted.n; i++) {
		struct ast_sip_contact *c;
		texts[AST_SIP_CONTACT_URI] = wanted.v[i];
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

void change_clear(struct update *u)
{
	for (size_t i = 0; i < u->n_rows; i++) {
		ast_sip_contact_unref(u->rows[i].contact);
		ast_sip_contact_unref(u->rows[i].old);
	}
	free(u->rows);
	ast_sip_contacts_unref(u->result);
	u->rows = NULL;
	u->n_rows = 0;
	u->result = NULL;
	atomic_fetch_sub(&location_counters.bindings, u->reserved);
	u->reserved = 0;
}

void change_fini(struct update *u)
{
	change_clear(u);
	ast_sip_contacts_unref(u->before);
	u->before = NULL;
}
