/* pjsip list|show contacts, show contact <aor>/<uri>. */
#include "core/control/commands.h"
#include "core/control/show.h"
#include "base/clock.h"
#include "res_sip/location.h"

#include <stdio.h>
#include <stdlib.h>

static const struct show_header header[] = {
	{"      Contact:  ", {{"Aor/ContactUri", 42, 0}, {"Hash", 10, 1}, {"Status", 8, 1}, {"RTT(ms)", 11, 1}}},
};

/* All contacts of the moment, referenced, by AOR and URI. */
struct collection {
	struct ast_sip_contact **v;
	size_t n, size;
	bool failed;
};

static void collect(void *token, struct rs_str aor, const struct ast_sip_contacts *contacts)
{
	struct collection *all = token;

	(void)aor;
	for (uint32_t i = 0; i < contacts->n && !all->failed; i++) {
		if (all->n == all->size) {
			size_t size = all->size ? all->size * 2 : 64;
			struct ast_sip_contact **v = realloc(all->v, size * sizeof(struct ast_sip_contact *));

			all->failed = !v;
			if (!v)
				return;
			all->v = v;
			all->size = size;
		}
		all->v[all->n++] = ast_sip_contact_ref(contacts->v[i]);
	}
}

static int str_order(struct rs_str a, struct rs_str b)
{
	int c = memcmp(a.p ? a.p : "", b.p ? b.p : "", a.len < b.len ? a.len : b.len);

	return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int contact_order(const void *x, const void *y)
{
	const struct ast_sip_contact *a = *(struct ast_sip_contact *const *)x, *b = *(struct ast_sip_contact *const *)y;
	int c = str_order(ast_sip_contact_text(a, AST_SIP_CONTACT_AOR), ast_sip_contact_text(b, AST_SIP_CONTACT_AOR));

	return c ? c
		 : str_order(ast_sip_contact_text(a, AST_SIP_CONTACT_URI),
			     ast_sip_contact_text(b, AST_SIP_CONTACT_URI));
}

static struct collection collection_make(void)
{
	struct collection all = {0};

	ast_sip_location_each(collect, &all);
	if (all.n)
		qsort(all.v, all.n, sizeof(struct ast_sip_contact *), contact_order);
	return all;
}

static void collection_free(struct collection *all)
{
	for (size_t i = 0; i < all->n; i++)
		ast_sip_contact_unref(all->v[i]);
	free(all->v);
}

/* "<aor>/<uri>", malloc'd. */
static char *contact_id(const struct ast_sip_contact *c)
{
	char *id;
	struct rs_str aor = ast_sip_contact_text(c, AST_SIP_CONTACT_AOR);
	struct rs_str uri = ast_sip_contact_text(c, AST_SIP_CONTACT_URI);

	return asprintf(&id, "%.*s/%.*s", RS_FMT(aor), RS_FMT(uri)) < 0 ? NULL : id;
}

static int plural(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct show show = {.cli = cli};
	struct show_filter filter;
	struct collection all;
	size_t found = 0;

	if (show_filter_read(cli, argc, argv, &filter))
		return -1;
	all = collection_make();
	ast_sip_cli_json_list(cli, "contacts");
	for (size_t i = 0; i < all.n; i++) {
		char *id = contact_id(all.v[i]);

		if (id && show_filter_accepts(&filter, rs_str_c(id))) {
			if (!found++)
				show_print_header(cli, header, RS_ARRAY_SIZE(header));
			ast_sip_cli_json_object(cli, NULL);
			show_contact_line(&show, all.v[i]);
			ast_sip_cli_json_end(cli);
		}
		free(id);
	}
	ast_sip_cli_json_end(cli);
	if (found)
		ast_sip_cli_print(cli, "\nObjects found: %zu\n\n", found);
	else
		ast_sip_cli_print(cli, "No objects found.\n\n");
	collection_free(&all);
	show_filter_free(&filter);
	return 0;
}

static void option_int(struct ast_sip_cli *cli, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	show_option(cli, rs_str_c(name), rs_str_c(text));
}

/* Sorted by name, as the tables of the other objects. */
static void options(struct ast_sip_cli *cli, const struct ast_sip_contact *c)
{
	char received[SIP_ADDR_TEXT] = "";

	if (c->data.received.family)
		sip_addr_text(&c->data.received, true, received);
	show_option(cli, RS_STR("call_id"), ast_sip_contact_text(c, AST_SIP_CONTACT_CALL_ID));
	option_int(cli, "cseq", c->data.cseq);
	show_option(cli, RS_STR("endpoint"), ast_sip_contact_text(c, AST_SIP_CONTACT_ENDPOINT));
	option_int(cli, "expiration_time", c->data.expires_us / 1000000);
	option_int(cli, "expires_in",
		   c->data.expires_us ? (c->data.expires_us - ast_sip_location_now_us()) / 1000000 : 0);
	show_option(cli, RS_STR("instance"), ast_sip_contact_text(c, AST_SIP_CONTACT_INSTANCE));
	show_option(cli, RS_STR("path"), ast_sip_contact_text(c, AST_SIP_CONTACT_PATH));
	show_option(cli, RS_STR("permanent"), c->data.permanent ? RS_STR("yes") : RS_STR("no"));
	option_int(cli, "q_thousandths", c->data.q_thousandths);
	show_option(cli, RS_STR("received"), rs_str_c(received));
	option_int(cli, "reg_id", c->data.reg_id);
	show_option(cli, RS_STR("uri"), ast_sip_contact_text(c, AST_SIP_CONTACT_URI));
	show_option(cli, RS_STR("user_agent"), ast_sip_contact_text(c, AST_SIP_CONTACT_USER_AGENT));
	show_option(cli, RS_STR("via_addr"), ast_sip_contact_text(c, AST_SIP_CONTACT_VIA_HOST));
	option_int(cli, "via_port", c->data.via_port);
}

static int singular(struct ast_sip_cli *cli, int argc, const char *const *argv)
{
	struct show show = {.cli = cli};
	struct collection all;
	bool found = false;

	if (argc != 1) {
		ast_sip_cli_error(cli, "Which one? Give <aor>/<uri>.");
		return -1;
	}
	all = collection_make();
	for (size_t i = 0; i < all.n && !found; i++) {
		char *id = contact_id(all.v[i]);

		found = id && strcmp(id, argv[0]) == 0;
		if (found) {
			show_print_header(cli, header, RS_ARRAY_SIZE(header));
			ast_sip_cli_json_object(cli, NULL);
			show_contact_line(&show, all.v[i]);
			show_option_head(cli);
			ast_sip_cli_json_object(cli, "options");
			options(cli, all.v[i]);
			ast_sip_cli_json_end(cli);
			ast_sip_cli_json_end(cli);
			ast_sip_cli_print(cli, "\n");
		}
		free(id);
	}
	collection_free(&all);
	if (!found)
		ast_sip_cli_error(cli, "Unable to find object %s.", argv[0]);
	return found ? 0 : -1;
}

static char *complete(int arg, const char *prefix, int n)
{
	struct collection all;
	char *word = NULL;

	if (arg)
		return NULL;
	all = collection_make();
	for (size_t i = 0; i < all.n && !word; i++) {
		char *id = contact_id(all.v[i]);

		if (id && strncmp(id, prefix, strlen(prefix)) == 0 && n-- == 0)
			word = id;
		else
			free(id);
	}
	collection_free(&all);
	return word;
}

static struct ast_sip_cli_command commands[] = {
	COMMAND(.path = "pjsip list|show contacts", .usage = "[like <regex>]", .help = "All contacts",
		.handler = plural),
	COMMAND(.path = "pjsip show contact", .usage = "<aor>/<uri>", .help = "One contact with what is known of it",
		.handler = singular, .complete = complete),
};

struct command_group control_contact_commands(void)
{
	return (struct command_group){commands, RS_ARRAY_SIZE(commands)};
}
