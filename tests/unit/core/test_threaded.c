/*
 * The core on real threads and the kernel's sockets: requests from several phones while services come and go and the
 * configuration is read again. Each request is answered, by the service or by 501 while it is out, never otherwise.
 */
#include "core/core.h"
#include "res_sip/res_sip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PHONES   3
#define REQUESTS 300
#define RELOADS  30

static char dir[256];
static struct sockaddr_in server;

static void write_file(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A UDP port of 127.0.0.1 that the system chose, free again. */
static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void write_config(unsigned tos)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:%u\n"
		 "[tcp]\ntype=transport\nprotocol=tcp\nbind=127.0.0.1:%u\nallow_reload=yes\ntos=%u\n"
		 "[anonymous]\ntype=endpoint\n",
		 ntohs(server.sin_port), ntohs(server.sin_port), tos);
	write_file("pjsip.conf", text);
}

static struct ast_sip_endpoint *anyone(struct sip_rx_data *rx)
{
	return ast_sip_endpoint_find(ast_sip_rx_snapshot(rx), RS_STR("anonymous"));
}
static struct ast_sip_endpoint_identifier identifier = {.size = sizeof(struct ast_sip_endpoint_identifier),
							.identify_endpoint = anyone};

static bool answer(struct sip_rx_data *rx)
{
	struct sip_tx_data *tx = sip_tx_response(rx, 200, RS_STR_NULL);

	ast_sip_add_allow(tx);
	ast_sip_send_response(rx, tx);
	return true;
}
static struct sip_module service = {.size = sizeof(struct sip_module),
				    .name = "service",
				    .priority = SIP_PRIORITY_APPLICATION,
				    .on_rx_request = answer,
				    .methods = "OPTIONS"};

static _Atomic unsigned ok, out, wrong, lost;

static int ask(int fd, unsigned phone, unsigned n)
{
	char text[1024];
	ssize_t len =
		snprintf(text, sizeof(text),
			 "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK-%u-%u;rport\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %u-%u\r\nCSeq: 1 OPTIONS\r\n"
			 "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			 phone, n, phone, n);
	char request[1024];

	memcpy(request, text, (size_t)len);
	for (unsigned tries = 0; tries < 5; tries++) {
		ssize_t got;

		if (sendto(fd, request, (size_t)len, 0, (struct sockaddr *)&server, sizeof(server)) != len)
			return -1;
		got = recv(fd, text, sizeof(text) - 1, 0);
		if (got > 12) {
			text[got] = '\0';
			return atoi(text + 8);
		}
	}
	return 0;
}

static void *phone_run(void *data)
{
	unsigned phone = *(unsigned *)data;
	struct timeval second = {.tv_sec = 5};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	for (unsigned n = 0; n < REQUESTS; n++) {
		int status = ask(fd, phone, n);

		atomic_fetch_add(status == 200 ? &ok : status == 501 ? &out : status ? &wrong : &lost, 1);
	}
	close(fd);
	return NULL;
}

static void reload(unsigned i)
{
	struct ast_sip_conf_errors errors = {0};

	/* Every third is broken; the others change the other listener. */
	if (i % 3 == 2)
		write_file("pjsip.conf", "[broken\n");
	else
		write_config(i % 2 ? 32 : 64);
	assert_int_equal(ast_sip_core_reload(&errors), i % 3 == 2 ? -1 : 0);
	ast_sip_conf_errors_free(&errors);
}

static void services_come_and_go_and_reloads_lose_nothing(void **state)
{
	pthread_t threads[PHONES];
	unsigned numbers[PHONES];

	(void)state;
	for (unsigned i = 0; i < PHONES; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, phone_run, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < RELOADS; i++) {
		reload(i);
		assert_int_equal(ast_sip_unregister_service(&service), 0);
		assert_int_equal(ast_sip_register_service(&service), 0);
		assert_int_equal(ast_sip_services_remove_owned(NULL), 2);
		ast_sip_services_restore_owned(NULL);
	}
	for (unsigned i = 0; i < PHONES; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&lost), 0);
	assert_int_equal(atomic_load(&ok) + atomic_load(&out) + atomic_load(&wrong), PHONES * REQUESTS);
	/* While the identifier is out too, strangers meet no authenticator: 500. */
	assert_true(atomic_load(&ok) > 0);
}

/* On a port that was free for both protocols a moment ago. 0, or -1 when somebody was given it meanwhile. */
static int start(void)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_core_options options = {.conf_dir = dir, .state_dir = dir, .module_dir = dir};

	server = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(free_port())};
	write_config(0);
	assert_int_equal(ast_sip_core_start(&options, &errors), 0);
	ast_sip_conf_errors_free(&errors);
	assert_int_equal(ast_sip_register_endpoint_identifier_with_name(&identifier, "anonymous"), 0);
	assert_int_equal(ast_sip_register_service(&service), 0);
	if (!ast_sip_core_listen())
		return 0;
	ast_sip_unregister_service(&service);
	ast_sip_unregister_endpoint_identifier(&identifier);
	ast_sip_core_stop(2000);
	return -1;
}

static int setup(void **state)
{
	int tries = 0;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/core_test.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(dir));
	write_file("res_sip.conf", "[registrar]\ndurable=no\n[log]\nlevel=error\n");
	while (start() && tries < 10)
		tries++;
	assert_true(tries < 10);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"pjsip.conf", "res_sip.conf"};
	char path[512];

	(void)state;
	ast_sip_core_stop(2000);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(services_come_and_go_and_reloads_lose_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
