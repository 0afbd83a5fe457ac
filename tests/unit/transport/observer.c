#include "observer.h"

#include "base/taskpool.h"
#include "sip/tx_private.h"
#include "sip/writer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define SERIALIZERS 16
#define MOST        20000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sip_rx_data *v[MOST];
	unsigned n;
	struct rs_serializer *serializers[SERIALIZERS];
	struct observer_options options;
	struct sip_addr sealed_local;
} o = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- messages to be sent ---- */

struct sip_tx_data {
	_Atomic int refs;
	struct sip_target target;
	char *bytes;
	size_t len;
	bool request, sealed;
};

struct sip_tx_data *observer_tx(const struct sip_target *target, struct rs_str bytes, bool request)
{
	struct sip_tx_data *tx = calloc(1, sizeof(*tx));

	tx->refs = 1;
	tx->target = *target;
	tx->bytes = rs_str_dup(bytes);
	tx->len = bytes.len;
	tx->request = request;
	return tx;
}

struct sip_tx_data *sip_tx_ref(struct sip_tx_data *tx)
{
	tx->refs++;
	return tx;
}

void sip_tx_unref(struct sip_tx_data *tx)
{
	if (--tx->refs)
		return;
	free(tx->bytes);
	free(tx);
}

int sip_tx_seal(struct sip_tx_data *tx, enum sip_transport_type type, const struct sip_addr *local)
{
	(void)type;
	tx->sealed = true;
	pthread_mutex_lock(&o.lock);
	o.sealed_local = *local;
	pthread_mutex_unlock(&o.lock);
	return 0;
}

bool sip_tx_sealed(const struct sip_tx_data *tx)
{
	return tx->sealed;
}

const struct sip_target *sip_tx_target(const struct sip_tx_data *tx)
{
	return &tx->target;
}

struct rs_str sip_tx_bytes(const struct sip_tx_data *tx)
{
	return rs_str_n(tx->bytes, tx->len);
}

bool sip_tx_is_request(const struct sip_tx_data *tx)
{
	return tx->request;
}

size_t sip_tx_question(const struct sip_tx_data *tx)
{
	(void)tx;
	return 100;
}

struct rs_str sip_tx_call_id(const struct sip_tx_data *tx)
{
	(void)tx;
	return RS_STR("observed");
}

unsigned sip_tx_status(const struct sip_tx_data *tx)
{
	(void)tx;
	return 200;
}

struct sip_addr observer_sealed_local(void)
{
	struct sip_addr a;

	pthread_mutex_lock(&o.lock);
	a = o.sealed_local;
	pthread_mutex_unlock(&o.lock);
	return a;
}

/* ---- received ---- */

struct arrival {
	struct rs_task task;
	struct sip_rx_data *rx;
};

static void answer(struct sip_rx_data *rx)
{
	struct sip_target target;
	struct sip_writer w;
	struct sip_tx_data *tx;

	sip_transport_response_target(rx, &target);
	sip_writer_init(&w, NULL, 0);
	sip_write_status_line(&w, 200, RS_STR_NULL);
	sip_write_response_headers(&w, sip_rx_msg(rx), 200, RS_STR("t"), sip_rx_source(rx), true);
	sip_write_body(&w, RS_STR_NULL, RS_STR_NULL);
	tx = observer_tx(&target, rs_str_n(w.buf, w.len), false);
	sip_transport_send(tx, NULL);
	sip_tx_unref(tx);
	sip_writer_fini(&w);
}

static void run_arrival(struct rs_task *t)
{
	struct arrival *a = rs_container_of(t, struct arrival, task);

	if (o.options.answer && a->rx->msg.is_request && a->rx->msg.method != SIP_METHOD_ACK)
		answer(a->rx);
	pthread_mutex_lock(&o.lock);
	if (o.n < MOST)
		o.v[o.n++] = a->rx;
	else
		sip_rx_unref(a->rx);
	pthread_cond_broadcast(&o.changed);
	pthread_mutex_unlock(&o.lock);
	free(a);
}

static void receive_one(struct sip_rx_data *rx)
{
	struct arrival *a = calloc(1, sizeof(*a));
	unsigned char sum = 0;
	struct rs_str id = sip_rx_msg(rx)->call_id;

	for (size_t i = 0; i < id.len; i++)
		sum = (unsigned char)(sum + id.p[i]);
	a->rx = rx;
	a->task.run = run_arrival;
	a->task.name = "arrival";
	rs_push_batched(o.serializers[sum % SERIALIZERS], &a->task);
}

void sip_transaction_receive(struct sip_rx_data *const *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		receive_one(v[i]);
}

void observer_start(const struct sip_stack_config *config, struct observer_options options)
{
	struct rs_taskpool_config pool = {0};
	struct sip_stack_config none = {0};

	o.options = options;
	pool.minimum = pool.initial = options.threads ? options.threads : 2;
	pool.maximum = pool.minimum + 4;
	assert_int_equal(rs_taskpool_start(&pool), 0);
	for (unsigned i = 0; i < SERIALIZERS; i++)
		o.serializers[i] = rs_serializer_new("observer");
	sip_stack_config_set(config ? config : &none);
	assert_int_equal(sip_transport_start(), 0);
}

void observer_stop(void)
{
	sip_transport_stop();
	for (unsigned i = 0; i < SERIALIZERS; i++)
		rs_serializer_unref(o.serializers[i]);
	rs_taskpool_stop();
	assert_int_equal(sip_tp.alive, 0);
	for (unsigned i = 0; i < o.n; i++)
		sip_rx_unref(o.v[i]);
	o.n = 0;
}

static struct timespec deadline(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += OBSERVER_WAIT_MS / 1000;
	return ts;
}

static void quiet_done(void *token)
{
	pthread_mutex_lock(&o.lock);
	*(bool *)token = true;
	pthread_cond_broadcast(&o.changed);
	pthread_mutex_unlock(&o.lock);
}

void observer_quiet(void)
{
	struct timespec until = deadline();
	bool quiet = false;

	assert_int_equal(rs_quiet(quiet_done, &quiet), 0);
	pthread_mutex_lock(&o.lock);
	while (!quiet)
		assert_int_equal(pthread_cond_timedwait(&o.changed, &o.lock, &until), 0);
	pthread_mutex_unlock(&o.lock);
}

bool observer_wait(unsigned n)
{
	struct timespec until = deadline();
	bool ok;

	pthread_mutex_lock(&o.lock);
	while (o.n < n && pthread_cond_timedwait(&o.changed, &o.lock, &until) == 0)
		;
	ok = o.n >= n;
	pthread_mutex_unlock(&o.lock);
	return ok;
}

unsigned observer_count(void)
{
	unsigned n;

	pthread_mutex_lock(&o.lock);
	n = o.n;
	pthread_mutex_unlock(&o.lock);
	return n;
}

struct sip_rx_data *observer_rx(unsigned i)
{
	struct sip_rx_data *rx = NULL;

	pthread_mutex_lock(&o.lock);
	if (i < o.n)
		rx = o.v[i];
	pthread_mutex_unlock(&o.lock);
	assert_non_null(rx);
	return rx;
}

struct sip_addr observer_listen(const char *name, enum sip_transport_type type, const char *bind)
{
	struct sip_listener_config c = {.name = rs_str_c(name), .type = type};
	struct sip_addr bound;

	c.sock.bind = addr(bind);
	assert_int_equal(sip_listener_open(&c, &bound), 0);
	assert_true(bound.port != 0);
	return bound;
}

static void take_stats(void *token, const struct sip_listener_stats *s)
{
	struct sip_listener_stats *out = token;

	if (rs_str_eq(s->name, out->name))
		*out = *s;
}

struct sip_listener_stats observer_stats(const char *name)
{
	struct sip_listener_stats s = {.name = rs_str_c(name)};

	sip_transport_each(take_stats, &s);
	return s;
}

/* ---- results ---- */

static void result_failed(struct sip_send_result *r)
{
	struct observer_result *x = rs_container_of(r, struct observer_result, r);

	pthread_mutex_lock(&o.lock);
	x->failed++;
	pthread_cond_broadcast(&o.changed);
	pthread_mutex_unlock(&o.lock);
}

static void result_hold(struct sip_send_result *r, bool on)
{
	struct observer_result *x = rs_container_of(r, struct observer_result, r);

	pthread_mutex_lock(&o.lock);
	x->held += on ? 1 : -1;
	pthread_cond_broadcast(&o.changed);
	pthread_mutex_unlock(&o.lock);
}

void observer_result_init(struct observer_result *r)
{
	memset(r, 0, sizeof(*r));
	r->r.failed = result_failed;
	r->r.hold = result_hold;
	r->r.serializer = o.serializers[0];
}

int observer_result_wait(struct observer_result *r)
{
	struct timespec until = deadline();
	int error;

	pthread_mutex_lock(&o.lock);
	while ((!r->failed || r->held) && pthread_cond_timedwait(&o.changed, &o.lock, &until) == 0)
		;
	error = r->failed && r->held == 0 ? r->r.error : 0;
	pthread_mutex_unlock(&o.lock);
	return error;
}

int observer_result_held(struct observer_result *r)
{
	int held;

	pthread_mutex_lock(&o.lock);
	held = r->held;
	pthread_mutex_unlock(&o.lock);
	return held;
}

/* ---- the other side ---- */

struct sip_addr addr(const char *text)
{
	struct sip_addr a;

	assert_int_equal(sip_addr_parse(rs_str_c(text), &a), 0);
	return a;
}

static int peer_socket(const struct sip_addr *a, int type)
{
	struct timeval wait = {.tv_sec = 5};
	int fd = socket(a->family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

static void peer_bind(int fd, const struct sip_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sip_addr_to_sockaddr(a, &ss);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
}

int peer_udp(const char *bind_to)
{
	struct sip_addr a = addr(bind_to);
	int fd = peer_socket(&a, SOCK_DGRAM);

	peer_bind(fd, &a);
	return fd;
}

int peer_tcp(const struct sip_addr *to)
{
	int fd = peer_socket(to, SOCK_STREAM);
	struct sockaddr_storage ss;
	socklen_t len = sip_addr_to_sockaddr(to, &ss);

	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

int peer_listen(const char *bind_to, struct sip_addr *bound)
{
	struct sip_addr a = addr(bind_to);
	int fd = peer_socket(&a, SOCK_STREAM);

	peer_bind(fd, &a);
	assert_int_equal(listen(fd, 8), 0);
	*bound = peer_addr(fd);
	return fd;
}

struct sip_addr peer_addr(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sip_addr a;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	sip_addr_from_sockaddr((struct sockaddr *)&ss, &a);
	return a;
}

void peer_send_to(int fd, const struct sip_addr *to, struct rs_str bytes)
{
	struct sockaddr_storage ss;
	socklen_t len = sip_addr_to_sockaddr(to, &ss);

	assert_int_equal(sendto(fd, bytes.p, bytes.len, 0, (struct sockaddr *)&ss, len), bytes.len);
}

void peer_write(int fd, struct rs_str bytes)
{
	while (bytes.len) {
		ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);

		assert_true(n > 0);
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
}

ssize_t peer_read_from(int fd, char *buf, size_t n, struct sip_addr *from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	ssize_t got = recvfrom(fd, buf, n - 1, 0, (struct sockaddr *)&ss, &len);

	buf[got > 0 ? got : 0] = '\0';
	if (got >= 0 && from && len)
		sip_addr_from_sockaddr((struct sockaddr *)&ss, from);
	return got;
}

ssize_t peer_read(int fd, char *buf, size_t n)
{
	return peer_read_from(fd, buf, n, NULL);
}

bool peer_expect(int fd, const char *text)
{
	char buf[16384];
	size_t n = 0;

	while (n < sizeof(buf) - 1) {
		ssize_t got = peer_read(fd, buf + n, sizeof(buf) - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
		if (strstr(buf, text))
			return true;
	}
	return false;
}

bool peer_expect_end(int fd)
{
	char buf[4096];
	ssize_t got;

	while ((got = peer_read(fd, buf, sizeof(buf))) > 0)
		;
	return got == 0 || errno == ECONNRESET;
}

struct rs_str options_request(char *buf, size_t n, const char *via, const char *call_id, unsigned cseq, size_t body)
{
	int len = snprintf(buf, n,
			   "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/%s;branch=z9hG4bK%s%u\r\n"
			   "From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %s\r\n"
			   "CSeq: %u OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: %zu\r\n\r\n",
			   via, call_id, cseq, call_id, cseq, body);

	assert_true(len > 0 && (size_t)len + body <= n);
	memset(buf + len, 'x', body);
	return rs_str_n(buf, (size_t)len + body);
}
