/*
 * Classes of bugs that SIP peers have had: answers from DNS that lie about their lengths and numbers, point at
 * themselves or have no end. What comes of them is a failure or addresses that are whole; the next name is found.
 */
#include "dns_server.h"

#include "base/taskpool.h"
#include "sip/resolver/names_unbound.h"
#include "sip/stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define A     1
#define CNAME 5
#define TXT   16
#define AAAA  28

/* ---- the lies ---- */

/* A record of the question's name; says is the length that it claims. */
static size_t add(unsigned char *p, uint16_t type, const void *data, size_t len, uint16_t says)
{
	const unsigned char head[] = {
		0xc0, 12, 0, (unsigned char)type, 0, 1, 0, 0, 0, 60, (unsigned char)(says >> 8), (unsigned char)says};

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), data, len);
	return sizeof(head) + len;
}

static size_t one(unsigned char *p, size_t end, uint16_t type, size_t len, uint16_t says)
{
	static const char bytes[64] = "\x7f\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11";

	p[7] = 1;
	return end + add(p + end, type, bytes, len, says);
}

/* An alias of a name, uncompressed, whose first label is given and whose rest is the question's. */
static size_t alias(unsigned char *p, size_t end, const char *label)
{
	unsigned char data[80];
	size_t len = strlen(label);

	data[0] = (unsigned char)len;
	memcpy(data + 1, label, len);
	data[len + 1] = 0xc0;
	data[len + 2] = (unsigned char)(12 + 1 + p[12]);
	p[7] = 1;
	return end + add(p + end, CNAME, data, len + 3, (uint16_t)(len + 3));
}

static size_t hundreds(unsigned char *p, size_t end, uint16_t type)
{
	unsigned char ip[16] = {0x20, 1, 0xd, 0xb8};

	for (unsigned i = 0; i < 100; i++) {
		ip[type == A ? 3 : 15] = (unsigned char)i;
		end += add(p + end, type, ip, type == A ? 4 : 16, type == A ? 4 : 16);
	}
	p[7] = 100;
	return end;
}

static size_t tell_lies(unsigned char *p, size_t end, uint16_t type, const char *label)
{
	size_t right = type == A ? 4 : 16;

	if (!strcmp(label, "short"))
		return one(p, end, type, right - 1, (uint16_t)(right - 1));
	if (!strcmp(label, "long"))
		return one(p, end, type, right + 1, (uint16_t)(right + 1));
	if (!strcmp(label, "empty"))
		return one(p, end, type, 0, 0);
	if (!strcmp(label, "past"))
		return one(p, end, type, right, 0xffff);
	if (!strcmp(label, "cut"))
		return one(p, end, type, right, (uint16_t)right) - 2;
	if (!strcmp(label, "other"))
		return one(p, end, TXT, 4, 4);
	if (!strcmp(label, "swapped"))
		return one(p, end, type == A ? AAAA : A, 20 - right, (uint16_t)(20 - right));
	if (!strcmp(label, "count")) {
		end = one(p, end, type, right, (uint16_t)right);
		p[6] = p[7] = 0xff;
		return end;
	}
	if (!strcmp(label, "pointer")) { /* the owner's name points at itself */
		size_t at = end;

		end = one(p, end, type, right, (uint16_t)right);
		p[at] = (unsigned char)(0xc0 | at >> 8);
		p[at + 1] = (unsigned char)at;
		return end;
	}
	if (!strcmp(label, "endless")) { /* an alias of 63 bytes of which the packet ends in the middle */
		end = one(p, end, CNAME, 10, 10);
		p[end - 10] = 63;
		return end;
	}
	if (!strcmp(label, "itself"))
		return alias(p, end, "itself");
	if (!strcmp(label, "ping"))
		return alias(p, end, "pong");
	if (!strcmp(label, "pong"))
		return alias(p, end, "ping");
	if (!strcmp(label, "bare"))
		return 12;
	if (!strcmp(label, "hundreds"))
		return hundreds(p, end, type);
	return 0;
}

/* ---- asking ---- */

struct asked {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	int error;
	unsigned n;
	struct sip_addr addrs[64];
};

static void done(void *token, int error, const struct sip_addr *addrs, unsigned n)
{
	struct asked *a = token;

	pthread_mutex_lock(&a->lock);
	assert_false(a->done);
	assert_true(n <= RS_ARRAY_SIZE(a->addrs));
	a->done = true;
	a->error = error;
	a->n = n;
	for (unsigned i = 0; i < n; i++)
		a->addrs[i] = addrs[i];
	pthread_cond_signal(&a->cond);
	pthread_mutex_unlock(&a->lock);
}

static void ask(struct asked *a, const char *host, bool want4, bool want6)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->cond, NULL);
	sip_names_unbound.query(NULL, host, want4, want6, done, a);
}

static void await(struct asked *a)
{
	pthread_mutex_lock(&a->lock);
	while (!a->done)
		pthread_cond_wait(&a->cond, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

static int setup(void **state)
{
	static struct sip_names_unbound_config config;
	const struct rs_taskpool_config pool = {.minimum = 2, .initial = 2, .increment = 1, .maximum = 4};

	(void)state;
	dns_server_lie = tell_lies;
	dns_server_start();
	config = (struct sip_names_unbound_config){.forward = dns_server_forward(), .hosts = "/dev/null"};
	assert_int_equal(rs_taskpool_start(&pool), 0);
	return sip_names_unbound.start(&config);
}

static int teardown(void **state)
{
	(void)state;
	sip_names_unbound.stop(NULL);
	rs_taskpool_stop();
	dns_server_stop();
	return 0;
}

static const char *const lies[] = {"short", "long",    "empty",   "past",   "cut",  "other", "swapped",
				   "count", "pointer", "endless", "itself", "ping", "bare"};

/* All at once: what one costs the others do not wait for. */
static void a_lie_is_no_address(void **state)
{
	static struct asked asked[2][RS_ARRAY_SIZE(lies)], good;
	char host[64];

	(void)state;
	for (unsigned six = 0; six < 2; six++) {
		for (size_t i = 0; i < RS_ARRAY_SIZE(lies); i++) {
			snprintf(host, sizeof(host), "%s.family%u.example.com", lies[i], six);
			ask(&asked[six][i], host, !six, six);
		}
	}
	ask(&good, "good.example.com", true, false);
	await(&good);
	assert_int_equal(good.n, 1);
	for (unsigned six = 0; six < 2; six++) {
		for (size_t i = 0; i < RS_ARRAY_SIZE(lies); i++) {
			struct asked *a = &asked[six][i];

			await(a);
			/* A whole address in a packet that lies elsewhere may be taken. */
			if (a->n && strcmp(lies[i], "count") != 0)
				fail_msg("%s gives an address", lies[i]);
			if (!a->n && !a->error)
				fail_msg("%s is no failure", lies[i]);
			for (unsigned k = 0; k < a->n; k++)
				assert_int_equal(a->addrs[k].family, six ? 6 : 4);
		}
	}
	ask(&good, "better.example.com", true, false);
	await(&good);
	assert_int_equal(good.n, 1);
}

static void so_many_addresses_are_taken(void **state)
{
	static struct asked a;

	(void)state;
	ask(&a, "hundreds.example.com", true, true);
	await(&a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.n, 32);
	for (unsigned i = 0; i < a.n; i++)
		assert_true(a.addrs[i].ip[0] == 0x20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lie_is_no_address),
		cmocka_unit_test(so_many_addresses_are_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
