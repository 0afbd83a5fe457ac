/* The configurations, see configs.h. The first one is the start's. */
#include "configs.h"

#include <stddef.h>

#define ALICE                                                                                                          \
	"[alice]\ntype=endpoint\nauth=alice\naors=alice\n"                                                             \
	"[alice]\ntype=auth\nauth_type=userpass\nusername=alice\npassword=wonderland\n"                                \
	"[alice]\ntype=aor\nmax_contacts=3\nmaximum_expiration=7200\nminimum_expiration=1\n"
#define BOB                                                                                                            \
	"[bob]\ntype=endpoint\nauth=bob\naors=bob\nrewrite_contact=yes\n"                                              \
	"[bob]\ntype=auth\nauth_type=userpass\nusername=bob\npassword=builder\n"                                       \
	"supported_algorithms_uas=SHA-256,MD5\nnonce_lifetime=20\n"                                                    \
	"[bob]\ntype=aor\nmax_contacts=2\nremove_existing=yes\nsupport_path=yes\nminimum_expiration=1\n"
#define CAROL                                                                                                          \
	"[carol]\ntype=endpoint\naors=carol\nforce_rport=no\n"                                                         \
	"[carol]\ntype=aor\nmax_contacts=2\ncontact=sip:carol@10.0.1.3:5060\nminimum_expiration=1\n"
#define TRUNK                                                                                                          \
	"[trunk]\ntype=endpoint\naors=trunk\noutbound_auth=trunk\nidentify_by=ip\n"                                    \
	"[trunk]\ntype=auth\nauth_type=userpass\nusername=trunk\npassword=peer\n"                                      \
	"[trunk]\ntype=aor\nmax_contacts=1\ncontact=sip:trunk@10.0.1.5:5060\n"                                         \
	"[trunk]\ntype=identify\nendpoint=trunk\nmatch=10.0.1.5\n"
#define OWN                                                                                                            \
	"[log]\nlevel=error\n[messaging]\ntimeout_ms=10000\n[limits]\ntransactions=100\nconnections=5\n"               \
	"[security]\nbudget_sources=256\ntrusted=10.0.1.6\n"

const struct config configs[CONFIGS] = {
	{"[global]\ntype=global\nkeep_alive_interval=30\n" ALICE BOB CAROL TRUNK, OWN},
	/* Without bob; carol gets a password; anybody may come. */
	{ALICE "[carol]\ntype=endpoint\naors=carol\nauth=carol\n[carol]\ntype=aor\nmax_contacts=1\n"
	       "[carol]\ntype=auth\nauth_type=userpass\nusername=carol\npassword=none\n"
	       "[anonymous]\ntype=endpoint\naors=anonymous\n[anonymous]\ntype=aor\nmax_contacts=1\n",
	 OWN "[registrar]\nmax_bindings=2\n"},
	/* One more listener, and a closed one. */
	{"[udp2]\ntype=transport\nprotocol=udp\nbind=10.0.0.1:5062\n"
	 "[shut]\ntype=acl\ndeny=0.0.0.0/0\npermit=10.0.1.1\npermit=10.0.1.2\n" ALICE BOB CAROL TRUNK,
	 OWN},
	{ALICE BOB CAROL TRUNK "[alice]\ntype=endpoint\nno_such_option=1\n", OWN},
	/* Small: what runs is past its limits at once. */
	{"[global]\ntype=global\nuser_agent=other\n"
	 "[alice]\ntype=endpoint\nauth=alice\naors=alice\n"
	 "[alice]\ntype=auth\nauth_type=userpass\nusername=alice\npassword=wonderland\nrealm=other\n"
	 "[alice]\ntype=aor\nmax_contacts=1\nminimum_expiration=1\n" BOB CAROL,
	 OWN "[security]\nudp_answer_budget=1\nudp_answer_burst=2\n"},
};
