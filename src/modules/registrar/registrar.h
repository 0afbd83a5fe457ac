/* What the files of the registrar share: one REGISTER on its way. */
#ifndef MODULES_REGISTRAR_H
#define MODULES_REGISTRAR_H

#include "res_sip/location.h"
#include "res_sip/res_sip.h"

/* Bytes of what a binding keeps: each is memory for as long as the binding lasts. */
#define REGISTRAR_MAX_URI        511  /* Contact URI (section 7 of the reference): 400 */
#define REGISTRAR_MAX_HOST       255  /* its host: 400; that of the last Via: not kept */
#define REGISTRAR_MAX_PARAMS     512  /* its header parameters: not kept */
#define REGISTRAR_MAX_INSTANCE   255  /* +sip.instance: ignored */
#define REGISTRAR_MAX_USER_AGENT 255  /* User-Agent: cut */
#define REGISTRAR_MAX_PATH       2048 /* Path, which is written in front of every request to the binding: 400 */

#define REGISTRAR_MAX_CONTACTS 64 /* Contacts of one REGISTER, work on the AOR's serializer: 400 */

/* One Contact of the request. */
struct registrar_contact {
	const struct sip_uri *parsed; /* what uri is, in the message's arena */
	struct rs_str uri, instance, params;
	uint32_t expires, reg_id; /* expires: granted seconds; 0: remove */
	uint16_t q;
	bool rewritten; /* by rewrite_contact: its address is the packet's source */
};

/* It lives in the message's arena, and as long as the reference of rx. */
struct registration {
	struct sip_rx_data *rx;  /* referenced */
	struct sip_tsx *tsx;     /* referenced */
	struct ast_sip_aor *aor; /* of the endpoint that rx holds */
	struct registrar_contact *contacts;
	size_t n;
	bool star;
	bool has_expires; /* the Expires header was there */
	uint32_t expires; /* its granted value */
	struct rs_str path;
	struct ast_sip_contact_change *changes; /* malloc'd: room for n and for what has to give way */
	size_t n_changes;
	uint8_t *fates;  /* behind the changes: of each binding there is (bind.c) */
	unsigned status; /* why begin refused; 0: it did not */
	const char *reason;
};

/* parse.c: the Contacts, expiry and Path of a REGISTER. 0, or the status to refuse it with. */
unsigned registrar_parse(struct registration *r);
/* bind.c: what the request makes of the bindings there are (ast_sip_location_update.begin). */
int registrar_begin(void *token, const struct ast_sip_contacts *now, const struct ast_sip_contact_change **changes,
		    size_t *n);
/* answer.c: the 200 with the contacts there are now. NULL without memory. */
struct sip_tx_data *registrar_answer(struct registration *r, const struct ast_sip_contacts *contacts);

#endif
