/* Reason phrases, from the IANA registry of SIP response codes. */
#include "sip/writer.h"

static const struct {
	uint16_t status;
	struct rs_str phrase;
} phrases[] = {
	{100, RS_STR_INIT("Trying")},
	{180, RS_STR_INIT("Ringing")},
	{181, RS_STR_INIT("Call Is Being Forwarded")},
	{182, RS_STR_INIT("Queued")},
	{183, RS_STR_INIT("Session Progress")},
	{199, RS_STR_INIT("Early Dialog Terminated")},
	{200, RS_STR_INIT("OK")},
	{202, RS_STR_INIT("Accepted")},
	{204, RS_STR_INIT("No Notification")},
	{300, RS_STR_INIT("Multiple Choices")},
	{301, RS_STR_INIT("Moved Permanently")},
	{302, RS_STR_INIT("Moved Temporarily")},
	{305, RS_STR_INIT("Use Proxy")},
	{380, RS_STR_INIT("Alternative Service")},
	{400, RS_STR_INIT("Bad Request")},
	{401, RS_STR_INIT("Unauthorized")},
	{402, RS_STR_INIT("Payment Required")},
	{403, RS_STR_INIT("Forbidden")},
	{404, RS_STR_INIT("Not Found")},
	{405, RS_STR_INIT("Method Not Allowed")},
	{406, RS_STR_INIT("Not Acceptable")},
	{407, RS_STR_INIT("Proxy Authentication Required")},
	{408, RS_STR_INIT("Request Timeout")},
	{410, RS_STR_INIT("Gone")},
	{412, RS_STR_INIT("Conditional Request Failed")},
	{413, RS_STR_INIT("Request Entity Too Large")},
	{414, RS_STR_INIT("Request-URI Too Long")},
	{415, RS_STR_INIT("Unsupported Media Type")},
	{416, RS_STR_INIT("Unsupported URI Scheme")},
	{417, RS_STR_INIT("Unknown Resource-Priority")},
	{420, RS_STR_INIT("Bad Extension")},
	{421, RS_STR_INIT("Extension Required")},
	{422, RS_STR_INIT("Session Interval Too Small")},
	{423, RS_STR_INIT("Interval Too Brief")},
	{424, RS_STR_INIT("Bad Location Information")},
	{428, RS_STR_INIT("Use Identity Header")},
	{429, RS_STR_INIT("Provide Referrer Identity")},
	{430, RS_STR_INIT("Flow Failed")},
	{433, RS_STR_INIT("Anonymity Disallowed")},
	{436, RS_STR_INIT("Bad Identity-Info")},
	{437, RS_STR_INIT("Unsupported Certificate")},
	{438, RS_STR_INIT("Invalid Identity Header")},
	{439, RS_STR_INIT("First Hop Lacks Outbound Support")},
	{440, RS_STR_INIT("Max-Breadth Exceeded")},
	{469, RS_STR_INIT("Bad Info Package")},
	{470, RS_STR_INIT("Consent Needed")},
	{480, RS_STR_INIT("Temporarily Unavailable")},
	{481, RS_STR_INIT("Call/Transaction Does Not Exist")},
	{482, RS_STR_INIT("Loop Detected")},
	{483, RS_STR_INIT("Too Many Hops")},
	{484, RS_STR_INIT("Address Incomplete")},
	{485, RS_STR_INIT("Ambiguous")},
	{486, RS_STR_INIT("Busy Here")},
	{487, RS_STR_INIT("Request Terminated")},
	{488, RS_STR_INIT("Not Acceptable Here")},
	{489, RS_STR_INIT("Bad Event")},
	{491, RS_STR_INIT("Request Pending")},
	{493, RS_STR_INIT("Undecipherable")},
	{494, RS_STR_INIT("Security Agreement Required")},
	{500, RS_STR_INIT("Server Internal Error")},
	{501, RS_STR_INIT("Not Implemented")},
	{502, RS_STR_INIT("Bad Gateway")},
	{503, RS_STR_INIT("Service Unavailable")},
	{504, RS_STR_INIT("Server Time-out")},
	{505, RS_STR_INIT("Version Not Supported")},
	{513, RS_STR_INIT("Message Too Large")},
	{555, RS_STR_INIT("Push Notification Service Not Supported")},
	{580, RS_STR_INIT("Precondition Failure")},
	{600, RS_STR_INIT("Busy Everywhere")},
	{603, RS_STR_INIT("Decline")},
	{604, RS_STR_INIT("Does Not Exist Anywhere")},
	{606, RS_STR_INIT("Not Acceptable")},
	{607, RS_STR_INIT("Unwanted")},
	{608, RS_STR_INIT("Rejected")},
};

struct rs_str sip_reason_phrase(unsigned status)
{
	size_t lo = 0, hi = RS_ARRAY_SIZE(phrases);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (phrases[mid].status == status)
			return phrases[mid].phrase;
		if (phrases[mid].status < status)
			lo = mid + 1;
		else
			hi = mid;
	}
	return RS_STR("");
}
