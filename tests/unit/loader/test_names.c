#include "support.h"

static void expect(const char *written, const char *ours, enum module_name_kind kind)
{
	char out[MODULE_NAME_MAX];

	assert_int_equal(module_name_normalise(written, out), kind);
	assert_string_equal(out, ours);
}

static void asterisks_names_are_ours(void **state)
{
	(void)state;
	expect("res_pjsip_registrar.so", "res_sip_registrar", MODULE_NAME_FILE);
	expect("res_pjsip_endpoint_identifier_user", "res_sip_endpoint_identifier_user", MODULE_NAME_FILE);
	expect("chan_sip.so", "chan_sip", MODULE_NAME_FILE);
}

static void case_and_suffix_do_not_matter(void **state)
{
	(void)state;
	expect(" RES_SIP_Registrar.SO ", "res_sip_registrar", MODULE_NAME_FILE);
	expect("Res_PJSIP_acl", "res_sip_acl", MODULE_NAME_FILE);
}

static void what_is_part_of_the_server_is_no_file(void **state)
{
	(void)state;
	expect("res_pjsip.so", "res_pjsip", MODULE_NAME_BUILT_IN);
	expect("res_pjproject.so", "res_pjproject", MODULE_NAME_BUILT_IN);
	expect("res_sorcery_astdb.so", "res_sorcery_astdb", MODULE_NAME_BUILT_IN);
	expect("res_security_log", "res_security_log", MODULE_NAME_BUILT_IN);
}

static void a_name_cannot_leave_the_folder(void **state)
{
	(void)state;
	expect("../../tmp/evil.so", "", MODULE_NAME_FILE);
	expect("/tmp/evil.so", "", MODULE_NAME_FILE);
}

static void a_long_name_is_cut(void **state)
{
	char written[200], out[MODULE_NAME_MAX];

	(void)state;
	memset(written, 'a', sizeof(written) - 1);
	written[sizeof(written) - 1] = '\0';
	module_name_normalise(written, out);
	assert_int_equal(strlen(out), MODULE_NAME_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asterisks_names_are_ours),
		cmocka_unit_test(case_and_suffix_do_not_matter),
		cmocka_unit_test(what_is_part_of_the_server_is_no_file),
		cmocka_unit_test(a_name_cannot_leave_the_folder),
		cmocka_unit_test(a_long_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
