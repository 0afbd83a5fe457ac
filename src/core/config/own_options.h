/*
 * Every option of res_sip.conf, as rows: X(section, option, kind, default, min, max, help). A new row is all that a new
 * option needs, besides its line in docs/configuration.md. Kinds: BOOL, UINT (min to max), STR, LIST,
 * NETWORKS (addresses with /bits), LEVEL (a log level), WHEN (always, moved or never).
 */
#ifndef CORE_CONFIG_OWN_OPTIONS_H
#define CORE_CONFIG_OWN_OPTIONS_H

#define CONF_OWN_OPTIONS(X)                                                                                            \
	X("registrar", "durable", BOOL, "yes", 0, 0, "keep bindings in SQLite; no: in memory only")                    \
	X("registrar", "max_bindings", UINT, "2000000", 1, 100000000, "bindings of all AORs: memory")                  \
	X("registrar", "salvage_store", BOOL, "no", 0, 0,                                                              \
	  "start with what can be read of a damaged location.db; no: refuse to start")                                 \
	X("security", "informational", BOOL, "no", 0, 0, "write SuccessfulAuth and ChallengeSent to the security log") \
	X("security", "trusted", NETWORKS, "", 0, 0, "networks without answer budget and connection limit")            \
	X("security", "udp_answer_budget", UINT, "200", 0, 1000000,                                                    \
	  "failure answers a second to a UDP source; 0: no limit")                                                     \
	X("security", "udp_answer_burst", UINT, "2000", 1, 1000000, "failure answers at once to a UDP source")         \
	X("security", "udp_answer_factor", UINT, "3", 1, 100,                                                          \
	  "an answer to an unverified UDP source is at most so many times its question")                               \
	X("security", "budget_sources", UINT, "65536", 256, 16777216,                                                  \
	  "sources that the answer budget remembers: memory")                                                          \
	X("security", "verified_s", UINT, "3600", 0, 604800, "a source that authenticated is exempt for so long")      \
	X("session", "authenticate_in_dialog", WHEN, "moved", 0, 0,                                                    \
	  "requests in a dialog: always, moved (from elsewhere than last time) or never")                              \
	X("messaging", "check_from", BOOL, "yes", 0, 0, "the From of a MESSAGE must belong to the sender's endpoint")  \
	X("messaging", "timeout_ms", UINT, "20000", 1000, 180000, "wait so long for an answer of a contact, then 480") \
	X("messaging", "max_breadth", UINT, "60", 1, 1000, "contacts asked at once for one MESSAGE (RFC 5393)")        \
	X("limits", "message_size", UINT, "65535", 1024, 65535, "bytes of one message")                                \
	X("limits", "headers", UINT, "512", 16, 512, "header lines of one message: index memory, searches")            \
	X("limits", "header_size", UINT, "16384", 256, 16384, "bytes of one header line")                              \
	X("limits", "header_values", UINT, "128", 8, 128, "comma-separated values of one header")                      \
	X("limits", "params", UINT, "64", 8, 64, "parameters of one value")                                            \
	X("limits", "uri", UINT, "4096", 256, 4096, "bytes of one URI")                                                \
	X("limits", "body_parts", UINT, "32", 1, 32, "parts of a multipart body")                                      \
	X("limits", "transactions", UINT, "2000000", 100, 100000000,                                                   \
	  "transactions at once; past it new requests get 503")                                                        \
	X("limits", "dialogs", UINT, "1000000", 2, 100000000, "dialogs at once, two a call: memory; past it 503")      \
	X("limits", "connections", UINT, "20000", 1, 10000000, "stream connections at once")                           \
	X("limits", "connections_per_peer", UINT, "1000", 1, 10000000, "of these to one address (IPv6: one /64)")      \
	X("limits", "tcp_idle_s", UINT, "3600", 1, 604800, "close a connection without traffic after so long")         \
	X("limits", "tcp_half_open_s", UINT, "32", 1, 3600, "the same without one whole message")                      \
	X("limits", "tcp_send_s", UINT, "32", 1, 3600, "the same when something waits and the peer takes nothing")     \
	X("limits", "tcp_send_queue", UINT, "1048576", 65536, 1073741824,                                              \
	  "bytes waiting for a slow reader, then it is closed")                                                        \
	X("limits", "queue_high_water", UINT, "10000", 10, 10000000, "waiting tasks past which new requests get 503")  \
	X("limits", "queue_wait_ms", UINT, "500", 10, 60000, "the same when the oldest task has waited so long")       \
	X("limits", "queue_in_dialog_factor", UINT, "4", 1, 100,                                                       \
	  "requests in dialogs and responses pass up to so many times the mark")                                       \
	X("limits", "retry_after_s", UINT, "5", 1, 3600, "Retry-After of these 503 answers")                           \
	X("limits", "shed_answers", UINT, "1000", 0, 1000000,                                                          \
	  "503 answers a second under overload; what is past them is dropped")                                         \
	X("limits", "udp_readers", UINT, "0", 0, 64, "sockets of one UDP listener; 0: one a processor")                \
	X("identify", "allow_without_authenticator", BOOL, "no", 0, 0,                                                 \
	  "let endpoints with auth in while no authenticator is loaded")                                               \
	X("log", "level", LEVEL, "info", 0, 0, "error, warning, notice, info, verbose or debug")                       \
	X("taskpool", "stuck_ms", UINT, "1000", 10, 600000, "name a task that has run longer than this in the log")    \
	X("modules", "drain_ms", UINT, "5000", 100, 600000, "an unload waits so long for what the module still runs")

#endif
