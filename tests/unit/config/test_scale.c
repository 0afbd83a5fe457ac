/* Ten thousand endpoints, each with auth and aor, are all there and share what they have in common. */
#include "conf_dir.h"

#define N 10000

static char *many(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	fputs("[phone](!)\ntype=endpoint\nallow=ulaw\nrewrite_contact=yes\n[login](!)\ntype=auth\n"
	      "[where](!)\ntype=aor\nmax_contacts=5\n",
	      f);
	for (unsigned i = 0; i < N; i++)
		fprintf(f,
			"[u%u](phone)\nauth=u%u\naors=u%u\n[u%u](login)\nusername=u%u\npassword=p%u\n"
			"[u%u](where)\n",
			i, i, i, i, i, i, i);
	fclose(f);
	return text;
}

static void ten_thousand_endpoints_load_and_are_found(void **state)
{
	struct conf_dir *d = *state;
	const struct ast_sip_endpoint_settings *settings = NULL;
	const struct ast_sip_aor_settings *aor_settings = NULL;
	struct ast_sip_snapshot *s, *again;
	char *text = many();

	s = conf_good(d, text);
	free(text);
	assert_int_equal(ast_sip_snapshot_endpoints(s).n, N);
	for (unsigned i = 0; i < N; i++) {
		char id[16], password[16];
		struct ast_sip_endpoint *e;
		struct ast_sip_auth *u;
		struct ast_sip_aor *a;

		snprintf(id, sizeof(id), "u%u", i);
		snprintf(password, sizeof(password), "p%u", i);
		e = ast_sip_endpoint_find(s, rs_str_c(id));
		u = ast_sip_auth_find(s, rs_str_c(id));
		a = ast_sip_aor_find(s, rs_str_c(id));
		assert_true(e && u && a);
		assert_true(rs_str_eqz(ast_sip_endpoint_aors(e).v[0], id));
		assert_true(rs_str_eqz(ast_sip_auth_password(u), password));
		assert_true(!settings || settings == ast_sip_endpoint_settings(e));
		assert_true(!aor_settings || aor_settings == ast_sip_aor_settings(a));
		settings = ast_sip_endpoint_settings(e);
		aor_settings = ast_sip_aor_settings(a);
		ast_sip_endpoint_unref(e);
		ast_sip_auth_unref(u);
		ast_sip_aor_unref(a);
	}
	again = conf_load_again(d, s);
	assert_non_null(again);
	for (unsigned i = 0; i < N; i++)
		assert_ptr_equal(ast_sip_snapshot_endpoints(s).v[i], ast_sip_snapshot_endpoints(again).v[i]);
	ast_sip_snapshot_unref(s);
	ast_sip_snapshot_unref(again);
}

static void many_errors_are_counted_and_the_first_thousand_kept(void **state)
{
	struct conf_dir *d = *state;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (unsigned i = 0; i < 3000; i++)
		fprintf(f, "[u%u]\ntype=endpoint\nforce_rport=x\n", i);
	fclose(f);
	conf_write(d, "pjsip.conf", text);
	free(text);
	assert_null(conf_load_again(d, NULL));
	assert_int_equal(d->errors.n_fatal, 3000);
	assert_int_equal(d->errors.n, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		conf_test(ten_thousand_endpoints_load_and_are_found),
		conf_test(many_errors_are_counted_and_the_first_thousand_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
