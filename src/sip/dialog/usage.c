/* The usages of a dialog (RFC 5057): it lives as long as one of them. */
#include "sip/dialog/dialog.h"

#include <errno.h>
#include <stdlib.h>

static const char hold_word[] = "dialog usage";

void dialog_usages_tidy(struct sip_dialog *d)
{
	struct dialog_usage **at = &d->usages, *u;

	while (!d->asking && (u = *at)) {
		if (u->gone) {
			*at = u->next;
			free(u);
		} else {
			at = &u->next;
		}
	}
}

int sip_dialog_add_usage_for(void *module, struct sip_dialog *d, const struct sip_dialog_usage *usage, void *token)
{
	struct dialog_usage **at = &d->usages, *u;

	if (!usage || usage->size != sizeof(*usage)) {
		errno = EINVAL;
		return -1;
	}
	if (sip_dialog_state(d) == SIP_DIALOG_TERMINATED) {
		errno = ESHUTDOWN;
		return -1;
	}
	u = malloc(sizeof(*u));
	if (!u) {
		errno = ENOMEM;
		return -1;
	}
	*u = (struct dialog_usage){.usage = usage, .token = token, .module = module};
	while (*at)
		at = &(*at)->next;
	*at = u;
	sip_dialog_ref(d);
	if (module)
		sip_module_hold(module, 1, hold_word, usage->name);
	return 0;
}

static bool any(const struct sip_dialog *d)
{
	for (const struct dialog_usage *u = d->usages; u; u = u->next) {
		if (!u->gone)
			return true;
	}
	return false;
}

void sip_dialog_remove_usage(struct sip_dialog *d, const struct sip_dialog_usage *usage, void *token)
{
	struct dialog_usage *u = d->usages;
	void *module;

	while (u && (u->gone || u->usage != usage || u->token != token))
		u = u->next;
	if (!u)
		return;
	u->gone = true;
	module = u->module;
	dialog_usages_tidy(d);
	if (!any(d))
		dialog_end(d);
	if (module)
		sip_module_hold(module, -1, hold_word, usage->name);
	sip_dialog_unref(d);
}

void sip_dialog_terminate(struct sip_dialog *d)
{
	if (sip_dialog_state(d) == SIP_DIALOG_TERMINATED)
		return;
	sip_dialog_ref(d);
	dialog_end(d);
	d->asking++;
	for (struct dialog_usage *u = d->usages; u; u = u->next) {
		if (!u->gone && u->usage->on_ended)
			u->usage->on_ended(d, u->token);
	}
	d->asking--;
	dialog_usages_tidy(d);
	sip_dialog_unref(d);
}
