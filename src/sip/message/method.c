/* The methods that the stack knows. */
#include "sip/msg.h"

static const struct rs_str names[SIP_METHOD_N] = {
	[SIP_METHOD_OTHER] = RS_STR_INIT(""),
	[SIP_METHOD_ACK] = RS_STR_INIT("ACK"),
	[SIP_METHOD_BYE] = RS_STR_INIT("BYE"),
	[SIP_METHOD_CANCEL] = RS_STR_INIT("CANCEL"),
	[SIP_METHOD_INFO] = RS_STR_INIT("INFO"),
	[SIP_METHOD_INVITE] = RS_STR_INIT("INVITE"),
	[SIP_METHOD_MESSAGE] = RS_STR_INIT("MESSAGE"),
	[SIP_METHOD_NOTIFY] = RS_STR_INIT("NOTIFY"),
	[SIP_METHOD_OPTIONS] = RS_STR_INIT("OPTIONS"),
	[SIP_METHOD_PRACK] = RS_STR_INIT("PRACK"),
	[SIP_METHOD_PUBLISH] = RS_STR_INIT("PUBLISH"),
	[SIP_METHOD_REFER] = RS_STR_INIT("REFER"),
	[SIP_METHOD_REGISTER] = RS_STR_INIT("REGISTER"),
	[SIP_METHOD_SUBSCRIBE] = RS_STR_INIT("SUBSCRIBE"),
	[SIP_METHOD_UPDATE] = RS_STR_INIT("UPDATE"),
};

enum sip_method sip_method_from_name(struct rs_str name)
{
	/* By length; each row ends with SIP_METHOD_OTHER. */
	static const enum sip_method by_length[][5] = {
		[3] = {SIP_METHOD_ACK, SIP_METHOD_BYE},
		[4] = {SIP_METHOD_INFO},
		[5] = {SIP_METHOD_PRACK, SIP_METHOD_REFER},
		[6] = {SIP_METHOD_INVITE, SIP_METHOD_CANCEL, SIP_METHOD_NOTIFY, SIP_METHOD_UPDATE},
		[7] = {SIP_METHOD_OPTIONS, SIP_METHOD_MESSAGE, SIP_METHOD_PUBLISH},
		[8] = {SIP_METHOD_REGISTER},
		[9] = {SIP_METHOD_SUBSCRIBE},
	};
	const enum sip_method *m;

	if (name.len >= RS_ARRAY_SIZE(by_length))
		return SIP_METHOD_OTHER;
	for (m = by_length[name.len]; *m; m++) {
		if (names[*m].p[0] == name.p[0] && rs_str_eq(names[*m], name))
			return *m;
	}
	return SIP_METHOD_OTHER;
}

struct rs_str sip_method_name(enum sip_method m)
{
	return m < SIP_METHOD_N ? names[m] : RS_STR("");
}
