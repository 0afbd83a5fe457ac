#include "res_sip/module.h"

RS_API extern const struct ast_sip_module_info ast_sip_module_info;
const struct ast_sip_module_info ast_sip_module_info = {
	.size = sizeof(struct ast_sip_module_info), .abi = AST_SIP_MODULE_ABI + 41, .name = "test_wrong_abi"};
