/*
 * Taking a module out of a running server. Its services leave the chain first; then what began with them ends by
 * itself; only then is its unload called, so that a refusal up to that point puts everything back untouched.
 */
#include "base/clock.h"
#include "base/log.h"
#include "core/config/module_file.h"
#include "core/control/registry.h"
#include "core/core.h"
#include "core/loader/modules.h"
#include "core/loader/wait.h"

#include <stdio.h>

/* What a module that declined at start-up may have left running ends soon. */
#define DISCARD_US 1000000

struct ast_sip_module *module_dependent(const struct ast_sip_module *m)
{
	char name[MODULE_NAME_MAX];

	for (struct ast_sip_module *other = loader_first(); other; other = other->next) {
		if (!other->info || !other->info->depends)
			continue;
		for (const char *const *d = other->info->depends; *d; d++) {
			module_name_normalise(*d, name);
			if (strcmp(name, m->name) == 0)
				return other;
		}
	}
	return NULL;
}

/*
 * Holds that end without the module's unload: what has begun and will have run. Works, timers and the like are given
 * back by unload.
 */
static bool ends_by_itself(const char *what)
{
	static const char *const words[] = {
		"task", "request", "client transaction", "transaction user", "location update", "resolving a name"};

	for (size_t i = 0; i < RS_ARRAY_SIZE(words); i++) {
		if (strcmp(what, words[i]) == 0)
			return true;
	}
	return false;
}

struct hold_text {
	char *p;
	size_t size, len;
};

static void hold_print(void *token, const char *what, long count)
{
	struct hold_text *t = token;
	int n = snprintf(t->p + t->len, t->size - t->len, "%s%ld %s%s", t->len ? ", " : "", count, what,
			 count == 1 ? "" : "s");

	if (n > 0)
		t->len = t->len + (size_t)n < t->size ? t->len + (size_t)n : t->size - 1;
}

static void why_held(struct ast_sip_module *m, struct loader_why *why)
{
	char text[256] = "";
	struct hold_text t = {.p = text, .size = sizeof(text)};

	ast_sip_module_holds_each(m, hold_print, &t);
	loader_why_set(why, "%s is in use: %s", m->name, t.len ? text : "a thread has not left it");
}

static void take_out(struct ast_sip_module *m)
{
	ast_sip_services_remove_owned(m);
	ast_sip_cli_remove_owned(m);
}

static void put_back(struct ast_sip_module *m)
{
	ast_sip_services_restore_owned(m);
	ast_sip_cli_restore_owned(m);
}

static void forget(struct ast_sip_module *m)
{
	ast_sip_services_forget_owned(m);
	ast_sip_cli_forget_owned(m);
}

/* After its unload has run, what was put aside is not to come back: load makes it anew. */
static int bring_back(struct ast_sip_module *m, struct loader_why *why)
{
	why_held(m, why);
	forget(m);
	if (m->info->load() == AST_SIP_MODULE_OK)
		return -1;
	atomic_store(&m->state, MODULE_DECLINED);
	ast_sip_conf_files_remove(m);
	rs_event(RS_LOG_ERROR, "module.lost", RS_FZ("module", m->name), RS_FZ("why", why->text));
	return -1;
}

int module_unload(struct ast_sip_module *m, int64_t deadline_us, struct loader_why *why)
{
	take_out(m);
	if (!loader_wait_quiet(deadline_us) || !hold_wait_none(&m->holds, ends_by_itself, deadline_us)) {
		why_held(m, why);
		put_back(m);
		return -1;
	}
	if (m->info->unload)
		m->info->unload();
	take_out(m);
	/* The last holder may still be in the last lines of the module's code: one more quiet point lets it leave. */
	if (!hold_wait_none(&m->holds, NULL, deadline_us) || !loader_wait_quiet(deadline_us) ||
	    !hold_none(&m->holds, NULL))
		return bring_back(m, why);
	forget(m);
	module_close(m);
	rs_event(RS_LOG_INFO, "module.unloaded", RS_FZ("module", m->name));
	return 0;
}

void module_discard(struct ast_sip_module *m)
{
	int64_t deadline_us = rs_now_us() + DISCARD_US;

	take_out(m);
	forget(m);
	ast_sip_conf_files_remove(m);
	if (loader_wait_quiet(deadline_us) && hold_wait_none(&m->holds, NULL, deadline_us) &&
	    loader_wait_quiet(deadline_us))
		module_close(m);
}
