/*
 * What is registered with the core, as the hot path sees it: one immutable record, swapped as a whole whenever
 * somebody registers or unregisters, freed after every thread has passed a quiet point. Readers take no lock.
 */
#ifndef CORE_REGISTERED_H
#define CORE_REGISTERED_H

#include "res_sip/res_sip.h"

#include <stdatomic.h>

struct ast_sip_named_identifier {
	struct ast_sip_endpoint_identifier *identifier;
	const char *name; /* NULL: unnamed */
};

struct ast_sip_registered {
	_Atomic uint32_t refs; /* one until the quiet point, one for each reader outside of the pool */

	struct sip_module **services; /* all, in chain order */
	unsigned n_services;
	struct sip_module **rx_request; /* those with that callback, in chain order */
	unsigned n_rx_request, before_filter, before_identify, before_authenticate;
	struct sip_module **rx_response, **rx_answer, **tx_request, **tx_response;
	unsigned n_rx_response, n_rx_answer, n_tx_request, n_tx_response;
	uint32_t methods; /* 1 << enum sip_method of what some service handles */
	struct rs_str allow, supported;

	struct ast_sip_named_identifier *identifiers;
	unsigned n_identifiers;
	struct ast_sip_endpoint_formatter **formatters;
	unsigned n_formatters;
	struct ast_sip_authenticator *authenticator;
	struct ast_sip_outbound_authenticator *outbound_authenticator;
};

/* The record in force; never NULL after ast_sip_services_start. Any thread; give it back with _leave. */
const struct ast_sip_registered *ast_sip_registered_enter(void);
void ast_sip_registered_leave(const struct ast_sip_registered *r);

/* Whether some service handles the method (by its name when the table does not know it). */
bool ast_sip_registered_handles(const struct ast_sip_registered *r, enum sip_method method, struct rs_str name);
/* Whether name stands in a comma-separated list, case ignored or not. */
bool ast_sip_list_has(struct rs_str list, struct rs_str name, bool ignore_case);

/* s comes into force: the identifiers' order may differ. 0, or -1 (ENOMEM) and the old order stays. */
struct ast_sip_snapshot;
int ast_sip_registered_configured(struct ast_sip_snapshot *s);

/* ---- between registry.c and registered.c ---- */

enum ast_sip_entry_kind {
	AST_SIP_ENTRY_SERVICE,
	AST_SIP_ENTRY_IDENTIFIER,
	AST_SIP_ENTRY_AUTHENTICATOR,
	AST_SIP_ENTRY_OUTBOUND_AUTHENTICATOR,
	AST_SIP_ENTRY_FORMATTER,
	AST_SIP_ENTRY_KINDS
};

struct ast_sip_entry {
	enum ast_sip_entry_kind kind;
	bool parked; /* taken out by remove_owned, may come back */
	void *item;
	const char *name;
	struct ast_sip_module *owner;
};

struct ast_sip_identifier_order {
	const struct ast_sip_strings
		*configured; /* endpoint_identifier_order, or NULL: it does not stand in the file */
	char *const *loaded; /* by load lines */
	size_t n_loaded;
};

/* Builds a record of the entries that are not parked (in order of registration). NULL without memory. */
struct ast_sip_registered *ast_sip_registered_build(const struct ast_sip_entry *entries, size_t n,
						    const struct ast_sip_identifier_order *order);

#endif
