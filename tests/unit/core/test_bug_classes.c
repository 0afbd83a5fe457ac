/*
 * Classes of bugs that SIP peers have had, shown on the whole server with the modules that ship: credentials that lack
 * what they need, identities that are not the sender's, answers larger than their question, lines forged in the log.
 */
#include "core_test.h"

#include "core/control/run.h"
#include "core/loader/loader.h"
#include "res_sip/digest.h"
#include "res_sip/location.h"

#include <ctype.h>

#define USER(name, secret)                                                                                             \
	"[" name "]\ntype=endpoint\nauth=" name "\naors=" name "\n[" name "]\ntype=auth\nusername=" name               \
	"\npassword=" secret "\n[" name "]\ntype=aor\nmax_contacts=4\n"

static struct ct_phone *alice, *bob;

static int setup(void **state)
{
	struct ast_sip_modules_conf conf = {.autoload = true};

	(void)state;
	ct_start(USER("alice", "wonderland") USER("bob", "builder") "[trunk]\ntype=endpoint\ntrust_id_inbound=yes\n",
		 NULL);
	assert_int_equal(ast_sip_loader_start(getenv("MODULE_DIR"), &conf), 0);
	alice = ct_phone("10.0.0.2:5060");
	bob = ct_phone("10.0.0.3:5060");
	return 0;
}

static unsigned bindings(const char *aor)
{
	struct ast_sip_contacts *c = ast_sip_location_contacts(rs_str_c(aor));
	unsigned n = c ? c->n : 0;

	ast_sip_contacts_unref(c);
	return n;
}

/* ---- requests with credentials ---- */

struct request {
	const char *method, *uri, *from, *to; /* NULL: REGISTER, the server, alice, the same as from */
	const char *more, *body;
};

static const char *send_request(struct ct_phone *p, const struct request *r)
{
	static unsigned n;
	const char *method = r->method ? r->method : "REGISTER", *from = r->from ? r->from : "alice";
	const char *body = r->body ? r->body : "";
	bool sender = p == alice;

	ct_send(p,
		"%s %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.%u:5060;branch=z9hG4bK%06u;rport\nMax-Forwards: 70\n"
		"From: <sip:%s@10.0.0.1>;tag=t%u\nTo: <sip:%s@10.0.0.1>\nCall-ID: %06u@bugs\nCSeq: %u %s\n"
		"Contact: <sip:x@10.0.0.%u:5060>\n%sContent-Length: %zu\n\n%s",
		method, r->uri ? r->uri : "sip:10.0.0.1", sender ? 2 : 3, n, from, n, r->to ? r->to : from, n, n + 1,
		method, sender ? 2 : 3, r->more ? r->more : "", strlen(body), body);
	n++;
	return ct_receive(p);
}

enum param { USERNAME, REALM, NONCE, URI, RESPONSE, ALGORITHM, CNONCE, NC, QOP, PARAMS };

/* The credentials as they would be right; a test spoils them. */
struct credentials {
	char value[PARAMS][160];
};

static const struct {
	const char *name;
	bool quoted;
} params[PARAMS] = {{"username", true},   {"realm", true},  {"nonce", true}, {"uri", true}, {"response", true},
		    {"algorithm", false}, {"cnonce", true}, {"nc", false},   {"qop", false}};

static void nonce_of(const char *answer, char nonce[160])
{
	const char *challenge = ct_header(answer, "WWW-Authenticate", 0);

	assert_non_null(challenge);
	assert_int_equal(sscanf(strstr(challenge, "nonce=\""), "nonce=\"%159[^\"]", nonce), 1);
}

static void respond(struct credentials *c, const char *method, const char *password)
{
	struct ast_sip_digest d = {.algorithm = AST_SIP_MD5,
				   .nonce = rs_str_c(c->value[NONCE]),
				   .uri = rs_str_c(c->value[URI]),
				   .cnonce = rs_str_c(c->value[CNONCE]),
				   .nc = rs_str_c(c->value[NC]),
				   .qop = c->value[QOP][0] ? rs_str_c(c->value[QOP]) : RS_STR_NULL};
	struct rs_str secret[] = {rs_str_c(c->value[USERNAME]), rs_str_c(c->value[REALM]), rs_str_c(password)};
	char ha1[AST_SIP_DIGEST_HEX];

	assert_int_equal(ast_sip_digest_join(AST_SIP_MD5, secret, 3, ha1), 0);
	assert_int_equal(ast_sip_digest_response(&d, rs_str_c(ha1), rs_str_c(method), c->value[RESPONSE]), 0);
}

static void take(struct credentials *c, const char *user, const char *nonce)
{
	*c = (struct credentials){.value = {[REALM] = "asterisk",
					    [URI] = "sip:10.0.0.1",
					    [ALGORITHM] = "MD5",
					    [CNONCE] = "c",
					    [NC] = "00000001",
					    [QOP] = "auth"}};
	snprintf(c->value[USERNAME], sizeof(c->value[USERNAME]), "%s", user);
	snprintf(c->value[NONCE], sizeof(c->value[NONCE]), "%s", nonce);
}

/* alice's, for a REGISTER, with a fresh nonce. */
static void prepare(struct credentials *c)
{
	char nonce[160];

	nonce_of(send_request(alice, &(struct request){0}), nonce);
	take(c, "alice", nonce);
	respond(c, "REGISTER", "wonderland");
}

static size_t put(char *out, size_t size, size_t len, const struct credentials *c, enum param p, bool quoted)
{
	return len + (size_t)snprintf(out + len, size - len, quoted ? "%s%s=\"%s\"" : "%s%s=%s",
				      len && out[len - 1] != ' ' ? "," : "", params[p].name, c->value[p]);
}

/* The line, without the parameter skip (PARAMS: with all). */
static const char *line_of(const struct credentials *c, enum param skip)
{
	static char out[2000];
	size_t len = (size_t)snprintf(out, sizeof(out), "Authorization: Digest ");

	for (int p = 0; p < PARAMS; p++) {
		if (p != (int)skip)
			len = put(out, sizeof(out), len, c, (enum param)p, params[p].quoted);
	}
	snprintf(out + len, sizeof(out) - len, "\n");
	return out;
}

static int try(const char *lines)
{
	return ct_status(send_request(alice, &(struct request){.more = lines}));
}

static int try_with(const struct credentials *c)
{
	return try(line_of(c, PARAMS));
}

#define assert_refused(what, status)                                                                                   \
	do {                                                                                                           \
		int status_ = (status);                                                                                \
		if (status_ != 401 || bindings("alice"))                                                               \
			fail_msg("%s: %d", what, status_);                                                             \
	} while (0)

/* ---- class: credentials without what they need ---- */

static void credentials_that_lack_a_parameter_are_refused(void **state)
{
	struct credentials c;

	(void)state;
	for (int p = 0; p < PARAMS; p++) {
		if (p == ALGORITHM)
			continue;
		prepare(&c);
		assert_refused(params[p].name, try(line_of(&c, (enum param)p)));
	}
	prepare(&c);
	assert_int_equal(try(line_of(&c, ALGORITHM)), 200); /* it is MD5 then */
}

static void a_parameter_given_twice_is_refused(void **state)
{
	struct credentials c;
	char line[2000];

	(void)state;
	for (int p = 0; p < PARAMS; p++) {
		for (int first = 0; first < 2; first++) {
			size_t len;

			prepare(&c);
			snprintf(line, sizeof(line), "%s", line_of(&c, PARAMS));
			if (first)
				snprintf(c.value[p], sizeof(c.value[p]), "other");
			len = put(line, sizeof(line), strlen(line) - 1, &c, (enum param)p, params[p].quoted);
			snprintf(line + len, sizeof(line) - len, "\n");
			assert_refused(params[p].name, try(line));
		}
	}
}

static void an_empty_parameter_is_refused(void **state)
{
	struct credentials c;
	char line[2000];

	(void)state;
	for (int p = 0; p < PARAMS; p++) {
		for (int quoted = 0; quoted < 2; quoted++) {
			size_t len;

			prepare(&c);
			snprintf(line, sizeof(line), "%s", line_of(&c, (enum param)p));
			c.value[p][0] = '\0';
			len = put(line, sizeof(line), strlen(line) - 1, &c, (enum param)p, quoted);
			snprintf(line + len, sizeof(line) - len, "\n");
			assert_refused(params[p].name, try(line));
		}
	}
}

static void quotes_and_order_do_not_matter(void **state)
{
	struct credentials c;
	char line[2000];

	(void)state;
	for (int form = 0; form < 3; form++) {
		size_t len = (size_t)snprintf(line, sizeof(line), "Authorization: digest ");

		prepare(&c);
		for (int i = 0; i < PARAMS; i++) {
			enum param p = (enum param)(form ? PARAMS - 1 - i : i);

			len = put(line, sizeof(line), len, &c, p,
				  form == 1 || p == URI ? true
				  : form == 2           ? false
							: params[p].quoted);
		}
		snprintf(line + len, sizeof(line) - len, "\n");
		assert_int_equal(try(line), 200);
	}
}

static void digests_that_are_none_are_refused(void **state)
{
	static const char *const responses[] = {
		"0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0",
		"zz23456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"*",
		"%00"};
	static const char *const counts[] = {"00000000", "1",        "0000001",  "000000001", "100000001",
					     "0000000g", "-0000001", "+0000001", "0x000001",  "        "};
	struct credentials c;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(responses); i++) {
		prepare(&c);
		strcpy(c.value[RESPONSE], responses[i]);
		assert_refused(responses[i], try_with(&c));
	}
	for (size_t i = 0; i < RS_ARRAY_SIZE(counts); i++) {
		prepare(&c);
		strcpy(c.value[NC], counts[i]);
		respond(&c, "REGISTER", "wonderland");
		assert_refused(counts[i], try_with(&c));
	}
	/* The largest count is one: nothing wraps, and nothing is left for a replay. */
	prepare(&c);
	strcpy(c.value[NC], "ffffffff");
	respond(&c, "REGISTER", "wonderland");
	assert_int_equal(try_with(&c), 200);
	assert_int_equal(try_with(&c), 401);
	strcpy(c.value[NC], "00000001");
	respond(&c, "REGISTER", "wonderland");
	assert_int_equal(try_with(&c), 401);
}

static void algorithms_and_qops_that_were_not_offered_are_refused(void **state)
{
	static const struct {
		enum param p;
		const char *value;
	} bad[] = {{ALGORITHM, "MD5-sess"}, {ALGORITHM, "SHA-1"},    {ALGORITHM, "none"},
		   {ALGORITHM, "SHA-256"},  {QOP, "auth-int"},       {QOP, "auth,auth-int"},
		   {QOP, "none"},           {REALM, "Asterisk"},     {REALM, "elsewhere"},
		   {USERNAME, "Alice"},     {USERNAME, "alice%00x"}, {USERNAME, "alice@10.0.0.1"}};
	struct credentials c;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		prepare(&c);
		strcpy(c.value[bad[i].p], bad[i].value);
		respond(&c, "REGISTER", "wonderland");
		assert_refused(bad[i].value, try_with(&c));
	}
}

/* The digest covers method and URI. That the URI is not the Request-URI is no fault: proxies on the way change that. */
static void the_digest_is_bound_to_its_method(void **state)
{
	struct credentials c;

	(void)state;
	prepare(&c);
	respond(&c, "OPTIONS", "wonderland");
	assert_refused("OPTIONS", try_with(&c));
	prepare(&c);
	strcpy(c.value[URI], "sip:elsewhere.example"); /* changed, not signed */
	assert_refused("uri", try_with(&c));
	prepare(&c);
	strcpy(c.value[URI], "sip:elsewhere.example");
	respond(&c, "REGISTER", "wonderland");
	assert_int_equal(try_with(&c), 200);
}

static void nonces_that_are_not_ours_are_refused(void **state)
{
	struct credentials c;
	char right[160];
	const char *m;

	(void)state;
	for (int i = 0; i < 8; i++) {
		char *n = c.value[NONCE];

		prepare(&c);
		strcpy(right, n);
		if (i == 0)
			n[strlen(n) - 1] = '\0';
		else if (i == 1)
			strcat(n, "0");
		else if (i == 2)
			n[0] = n[0] == '0' ? '1' : '0'; /* its time */
		else if (i == 3)
			n[47] = n[47] == '0' ? '1' : '0'; /* its MAC */
		else if (i == 4)
			memmove(n, n + 1, strlen(n));
		else if (i == 5)
			strcpy(n, "0");
		else if (i == 6)
			snprintf(n, sizeof(c.value[NONCE]), "%s%s", right, right);
		else
			memset(n, 'f', strlen(n)); /* from the year 2106 */
		respond(&c, "REGISTER", "wonderland");
		m = send_request(alice, &(struct request){.more = line_of(&c, PARAMS)});
		assert_refused("nonce", ct_status(m));
		/* Who knows the password is told to take another nonce (RFC 7616 section 3.3); who does not learns
		 * nothing of it. */
		assert_non_null(strstr(ct_header(m, "WWW-Authenticate", 0), ",stale=true"));
		respond(&c, "REGISTER", "a guess");
		m = send_request(alice, &(struct request){.more = line_of(&c, PARAMS)});
		assert_refused("nonce", ct_status(m));
		assert_null(strstr(ct_header(m, "WWW-Authenticate", 0), "stale"));
	}
}

static void many_credentials_cost_a_few_digests_only(void **state)
{
	static char lines[8000];
	struct credentials c;
	size_t len;

	(void)state;
	for (int others = 7; others <= 8; others++) {
		len = 0;
		for (int i = 0; i < others; i++)
			len += (size_t)snprintf(
				lines + len, sizeof(lines) - len,
				"Authorization: Digest username=\"alice\",realm=\"r%d\",nonce=\"x\",uri="
				"\"sip:x\",response=\"0\"\n",
				i);
		prepare(&c);
		snprintf(lines + len, sizeof(lines) - len, "%s", line_of(&c, PARAMS));
		assert_int_equal(try(lines), others == 7 ? 200 : 401);
	}
	/* As many as a header may have, and one more. */
	for (int n = 128; n <= 129; n++) {
		len = 0;
		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(lines + len, sizeof(lines) - len, "Authorization: Digest a=b\n");
		assert_int_equal(try(lines), 401);
	}
}

static void an_authorization_of_nothing_is_none(void **state)
{
	static const char *const lines[] = {"Authorization:\n",
					    "Authorization: Digest\n",
					    "Authorization: Digest \n",
					    "Authorization: Digest ,\n",
					    "Authorization: Digest =\n",
					    "Authorization: Digest username\n",
					    "Authorization: Digest username=\n",
					    "Authorization: Digest \"\n",
					    "Authorization: ,\n",
					    "Authorization: Basic YTpi\n",
					    "Authorization: Digestusername=\"alice\"\n"};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(lines); i++)
		assert_refused(lines[i], try(lines[i]));
}

/* One request is one guess, however its realm is spelt. */
static void one_request_is_one_guess(void **state)
{
	static const char *const spelt[] = {"asterisk", "\\asterisk", "a\\sterisk", "\\a\\s\\t\\e\\r\\i\\s\\k"};
	char lines[4000];
	struct credentials c;
	size_t len;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(spelt); i++) {
		prepare(&c);
		len = (size_t)snprintf(lines, sizeof(lines),
				       "Authorization: Digest username=\"alice\",realm=\"asterisk\",nonce=\"%s\",uri="
				       "\"sip:10.0.0.1\",response=\"00000000000000000000000000000000\"\n",
				       c.value[NONCE]);
		strcpy(c.value[REALM], spelt[i]); /* the digest is over what it means */
		snprintf(lines + len, sizeof(lines) - len, "%s", line_of(&c, PARAMS));
		assert_refused(spelt[i], try(lines));
	}
	prepare(&c);
	strcpy(c.value[REALM], spelt[3]);
	assert_int_equal(try_with(&c), 200); /* alone it is as good as any */
}

/* ---- class: an identity that is not the sender's ---- */

/* A request with credentials of user; answer of the server. */
static const char *as_user(struct ct_phone *p, const char *user, const char *password, struct request r)
{
	static char more[4000];
	const char *extra = r.more ? r.more : "";
	struct credentials c;
	char nonce[160];
	const char *m = send_request(p, &r);

	if (ct_status(m) != 401)
		return m;
	nonce_of(m, nonce);
	take(&c, user, nonce);
	respond(&c, r.method ? r.method : "REGISTER", password);
	snprintf(more, sizeof(more), "%s%s", line_of(&c, PARAMS), extra);
	r.more = more;
	return send_request(p, &r);
}

static void nobody_registers_for_another(void **state)
{
	(void)state;
	/* Bob's name, alice's password. */
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.from = "bob"})), 401);
	/* His AOR under her own name. */
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.to = "bob"})), 404);
	/* Removal is no other thing. */
	assert_int_equal(ct_status(as_user(bob, "bob", "builder", (struct request){.from = "bob"})), 200);
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland",
					   (struct request){.to = "bob", .more = "Expires: 0\nContact: *\n"})),
			 404);
	assert_int_equal(
		ct_status(as_user(alice, "alice", "wonderland", (struct request){.to = "bob", .more = "Expires: 0\n"})),
		404);
	assert_int_equal(bindings("bob"), 1);
	assert_int_equal(bindings("alice"), 0);
	/* Names that only look like hers. */
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.to = "bob%00"})), 404);
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.to = "alice%00bob"})), 404);
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.from = "alice%00"})), 401);
	assert_int_equal(bindings("alice"), 0);
	assert_int_equal(ct_status(as_user(alice, "alice", "wonderland", (struct request){.to = "%61lice"})), 200);
	assert_int_equal(bindings("alice"), 1);
}

static const char *message_of(const char *from, const char *more)
{
	return as_user(alice, "alice", "wonderland",
		       (struct request){.method = "MESSAGE",
					.uri = "sip:bob@10.0.0.1",
					.from = from,
					.to = "bob",
					.more = more,
					.body = "hello"});
}

static void a_message_says_who_sent_it(void **state)
{
	const char *m;

	(void)state;
	assert_int_equal(ct_status(as_user(bob, "bob", "builder", (struct request){.from = "bob"})), 200);
	assert_int_equal(ct_status(message_of("bob", "")), 401);
	assert_int_equal(ct_status(message_of("boss", "")), 401);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			ct_status(as_user(alice, "alice", "wonderland",
					  (struct request){.method = "MESSAGE",
							   .uri = i ? "sip:bob%00@10.0.0.1" : "sip:bob%00x@10.0.0.1",
							   .to = "bob"})),
			404);
	assert_null(ct_receive_within(bob, 100 * SIM_MS));
	/* An identity that she asserts herself is worth nothing, and her credentials are nobody else's business. */
	message_of("alice", "P-Asserted-Identity: \"Boss\" <sip:boss@10.0.0.1>\np-asserted-identity \t:\n <tel:+1>\n"
			    "Remote-Party-ID: <sip:boss@10.0.0.1>;party=calling\n"
			    "P-Preferred-Identity: <sip:boss@10.0.0.1>\n");
	m = ct_receive(bob);
	assert_non_null(m);
	assert_null(strstr(m, "boss"));
	assert_null(strstr(m, "tel:"));
	assert_null(ct_header(m, "Authorization", 0));
	assert_non_null(strstr(ct_header(m, "From", 0), "alice"));
	ct_answer(bob, m, 200, "");
	while (ct_receive_within(bob, SIM_SECOND)) /* it came again meanwhile */
		;
	/* From who is trusted with it, it goes on. */
	send_request(alice, &(struct request){.method = "MESSAGE",
					      .uri = "sip:bob@10.0.0.1",
					      .from = "trunk",
					      .more = "P-Asserted-Identity: \"Boss\" <sip:boss@10.0.0.1>\n"});
	assert_non_null(strstr(ct_header(ct_receive(bob), "P-Asserted-Identity", 0), "boss"));
}

static void credentials_for_us_go_no_further_however_their_realm_is_spelt(void **state)
{
	struct request r = {.method = "MESSAGE", .uri = "sip:bob@10.0.0.1", .to = "bob"};
	struct credentials c;
	const char *m;

	(void)state;
	assert_int_equal(ct_status(as_user(bob, "bob", "builder", (struct request){.from = "bob"})), 200);
	prepare(&c);
	respond(&c, "MESSAGE", "wonderland");
	strcpy(c.value[REALM], "\\aster\\isk");
	r.more = line_of(&c, PARAMS);
	send_request(alice, &r);
	m = ct_receive(bob);
	assert_non_null(m);
	assert_null(ct_header(m, "Authorization", 0));
}

/* ---- class: Contacts that are none, or pretend ---- */

/* The answer to a REGISTER of alice with that Contact in place of her usual one. */
static const char *register_contact(const char *contact)
{
	static unsigned n;
	struct credentials c;

	prepare(&c);
	ct_send(alice,
		"REGISTER sip:10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKc%u;rport\nMax-Forwards: "
		"70\n"
		"From: <sip:alice@10.0.0.1>;tag=1\nTo: <sip:alice@10.0.0.1>\nCall-ID: c%u\nCSeq: 1 REGISTER\n%s\n"
		"%sContent-Length: 0\n\n",
		n, n, contact, line_of(&c, PARAMS));
	n++;
	return ct_receive(alice);
}

static void contacts_that_lead_nowhere_are_400(void **state)
{
	static const char *const bad[] = {
		"Contact: <tel:+15551234>",
		"Contact: <http://10.0.0.2/>",
		"Contact: <sip:a@10.0.0.2:0>",
		"Contact: <sip:a@10.0.0.2:65536>",
		"Contact: <sip:a@[fe80::1%eth0]>",
		"Contact: *",
		"Contact: *\nExpires: 1",
		"Contact: *\nExpires: 4294967296",
		"Contact: *;expires=0\nExpires: 0",
		"Contact: *, <sip:a@10.0.0.2>\nExpires: 0",
		"Contact: <sip:a@10.0.0.2>\nContact: *\nExpires: 0",
		"Contact: *\nContact: *\nExpires: 0",
		"Contact: <*>\nExpires: 0",
		"Contact: <sip:a@10.0.0.2>;expires=0;expires=\"",
	};

	(void)state;
	assert_int_equal(ct_status(register_contact("Contact: <sip:there@10.0.0.2>")), 200);
	for (size_t i = 0; i < RS_ARRAY_SIZE(bad); i++) {
		int status = ct_status(register_contact(bad[i]));

		if (status != 400 || bindings("alice") != 1)
			fail_msg("%s: %d, %u bindings", bad[i], status, bindings("alice"));
	}
	assert_int_equal(ct_status(register_contact("Contact: *\nExpires: 0")), 200);
	assert_int_equal(bindings("alice"), 0);
}

/* Parameters that the server itself puts into a Contact are not believed when they come from outside. */
static void our_own_parameters_do_not_come_from_outside(void **state)
{
	static const char *const contacts[] = {
		"Contact: <sip:a@10.0.0.2;x-ast-orig-host=10.0.0.66:99>",
		"Contact: <sip:a@10.0.0.2;X-AST-Orig-Host=10.0.0.66:99>",
		"Contact: <sip:a@10.0.0.2;%78-ast-orig-host=10.0.0.66:99>",
		"Contact: <sip:a@10.0.0.2;x-%61st-%4frig-host=10.0.0.66:99>",
		"Contact:\n <sip:a@10.0.0.2;x-ast-orig-host=10.0.0.66:99>",
		"Contact: \"a\n b\" <sip:a@10.0.0.2;x-ast-orig-host=10.0.0.66:99>;q=1\n ;x=y",
		"Contact: sip:b@10.0.0.2, <sip:a@10.0.0.2;x-ast-orig-host=10.0.0.66:99;keep=1>",
	};

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(contacts); i++) {
		const char *m = register_contact(contacts[i]);

		assert_int_equal(ct_status(m), 200);
		if (strstr(m, "10.0.0.66") || strcasestr(m, "orig"))
			fail_msg("%s: %s", contacts[i], m);
		assert_int_equal(ct_status(register_contact("Contact: *\nExpires: 0")), 200);
	}
}

static void numbers_of_a_binding_do_not_wrap(void **state)
{
	static const struct {
		const char *contact, *expires;
	} cases[] = {{"Contact: <sip:a@10.0.0.2>;expires=4294967296", ";expires=7200"},
		     {"Contact: <sip:a@10.0.0.2>;expires=18446744073709551616", ";expires=7200"},
		     {"Contact: <sip:a@10.0.0.2>;expires=99999999999999999999999999", ";expires=7200"},
		     {"Contact: <sip:a@10.0.0.2>\nExpires: 4294967297", ";expires=7200"},
		     {"Contact: <sip:a@10.0.0.2>;expires=-1", ";expires=3600"},
		     {"Contact: <sip:a@10.0.0.2>;expires=0x10", ";expires=3600"},
		     {"Contact: <sip:a@10.0.0.2>;expires=1", ";expires=60"},
		     {"Contact: <sip:a@10.0.0.2>;expires", ";expires=3600"}};
	static const char *const qs[] = {"2", "1.001", "-1", "0.0001", "0.1.1", "1e9", "65536.0", ".5", "\"0.1\""};
	char contact[128];
	const char *m;

	(void)state;
	for (size_t i = 0; i < RS_ARRAY_SIZE(cases); i++) {
		m = register_contact(cases[i].contact);
		assert_int_equal(ct_status(m), 200);
		if (!strstr(ct_header(m, "Contact", 0), cases[i].expires))
			fail_msg("%s: %s", cases[i].contact, ct_header(m, "Contact", 0));
	}
	for (size_t i = 0; i < RS_ARRAY_SIZE(qs); i++) {
		struct ast_sip_contacts *c;

		snprintf(contact, sizeof(contact), "Contact: <sip:a@10.0.0.2>;q=%s", qs[i]);
		assert_int_equal(ct_status(register_contact(contact)), 200);
		c = ast_sip_location_contacts(RS_STR("alice"));
		assert_in_range(c->v[0]->data.q_thousandths, 0, 1000);
		ast_sip_contacts_unref(c);
	}
}

/* An instance is its registrant's: nobody takes another's binding by claiming it, and not across AORs at all. */
static void an_instance_is_found_in_its_own_aor_only(void **state)
{
	static const char claim[] = "Contact: <sip:%s@10.0.0.%u>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\n";
	char mine[160];

	(void)state;
	snprintf(mine, sizeof(mine), claim, "a", 2);
	assert_int_equal(ct_status(as_user(bob, "bob", "builder", (struct request){.from = "bob", .more = mine})), 200);
	assert_int_equal(bindings("bob"), 2);
	mine[strlen(mine) - 1] = '\0';
	assert_int_equal(ct_status(register_contact(mine)), 200);
	assert_int_equal(bindings("bob"), 2);
	assert_int_equal(bindings("alice"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(t) cmocka_unit_test_setup_teardown(t, setup, ct_teardown)
		T(credentials_that_lack_a_parameter_are_refused),
		T(a_parameter_given_twice_is_refused),
		T(an_empty_parameter_is_refused),
		T(quotes_and_order_do_not_matter),
		T(digests_that_are_none_are_refused),
		T(algorithms_and_qops_that_were_not_offered_are_refused),
		T(the_digest_is_bound_to_its_method),
		T(nonces_that_are_not_ours_are_refused),
		T(many_credentials_cost_a_few_digests_only),
		T(an_authorization_of_nothing_is_none),
		T(one_request_is_one_guess),
		T(nobody_registers_for_another),
		T(a_message_says_who_sent_it),
		T(credentials_for_us_go_no_further_however_their_realm_is_spelt),
		T(contacts_that_lead_nowhere_are_400),
		T(our_own_parameters_do_not_come_from_outside),
		T(numbers_of_a_binding_do_not_wrap),
		T(an_instance_is_found_in_its_own_aor_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
