/* Writing to a stream: at once when nothing waits, else through a bounded queue. One writer at a time. */
#include "sip/transport/conn.h"

#include <errno.h>
#include <stdlib.h>

#define WRITE_VECTOR 16

void sip_conn_fail_queue(struct sip_conn_out *head, int error)
{
	while (head) {
		struct sip_conn_out *next = head->next;

		sip_send_failed(head->result, error);
		free(head);
		head = next;
	}
}

static bool enqueue_locked(struct sip_conn *c, struct rs_str bytes, struct sip_send_result *result)
{
	struct sip_conn_out *o = malloc(sizeof(*o) + bytes.len);

	if (!o)
		return false;
	*o = (struct sip_conn_out){.result = result, .len = bytes.len};
	memcpy(o->bytes, bytes.p, bytes.len);
	sip_send_hold(result, true);
	if (!c->head)
		atomic_store_explicit(&c->stalled_us, rs_now_us(), memory_order_relaxed);
	*c->tail = o;
	c->tail = &o->next;
	c->queued += bytes.len;
	return true;
}

/* n bytes from the head on have left. */
static struct sip_conn_out *written_locked(struct sip_conn *c, size_t n)
{
	struct sip_conn_out *done = NULL, **end = &done;

	c->queued -= n;
	while (c->head) {
		struct sip_conn_out *o = c->head;
		size_t left = o->len - o->off;

		if (n < left) {
			o->off += n;
			break;
		}
		n -= left;
		c->head = o->next;
		if (!c->head)
			c->tail = &c->head;
		o->next = NULL;
		*end = o;
		end = &o->next;
	}
	return done;
}

static void free_done(struct sip_conn_out *done)
{
	while (done) {
		struct sip_conn_out *next = done->next;

		sip_send_hold(done->result, false);
		free(done);
		done = next;
	}
}

/* One vector; the lock is dropped meanwhile. 0, EAGAIN, or what broke the connection. */
static int write_some(struct sip_conn *c)
{
	struct iovec iov[WRITE_VECTOR];
	struct sip_conn_out *done = NULL;
	unsigned n = 0;
	ssize_t got;

	for (struct sip_conn_out *o = c->head; o && n < WRITE_VECTOR; o = o->next)
		iov[n++] = (struct iovec){o->bytes + o->off, o->len - o->off};
	pthread_mutex_unlock(&c->lock);
	got = c->ops->filter_write(c, iov, n);
	pthread_mutex_lock(&c->lock);
	if (got > 0) {
		done = written_locked(c, (size_t)got);
		atomic_store_explicit(&c->stalled_us, c->head ? rs_now_us() : 0, memory_order_relaxed);
	}
	if (done) {
		pthread_mutex_unlock(&c->lock);
		free_done(done);
		pthread_mutex_lock(&c->lock);
	}
	return got < 0 ? (int)-got : 0;
}

void sip_conn_write_unlock(struct sip_conn *c)
{
	struct sip_conn_out *queue = NULL;
	bool closed;
	int error = 0;

	while (c->state != SIP_CONN_CLOSED && c->head && !error)
		error = write_some(c);
	if (error == EAGAIN) {
		c->want_write = true;
		error = sip_conn_arm_locked(c);
	} else if (!error && c->read_paused) {
		error = sip_conn_arm_locked(c);
	}
	c->writing = false;
	closed = c->state == SIP_CONN_CLOSED;
	if (closed) {
		queue = c->head;
		c->head = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (closed) {
		/* It was closed while this thread wrote: the rest is done here. */
		sip_conn_fail_queue(queue, c->error);
		sip_conn_sock_close(c);
	} else if (error) {
		sip_conn_close(c, error, "write failed");
	}
}

/* Nothing waits: straight into the socket. What it does not take is queued. The lock is held, and given back. */
static int write_first_unlock(struct sip_conn *c, struct rs_str bytes, struct sip_send_result *result)
{
	struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.len};
	ssize_t got;
	int error = 0;

	c->writing = true;
	pthread_mutex_unlock(&c->lock);
	got = c->ops->filter_write(c, &iov, 1);
	pthread_mutex_lock(&c->lock);
	if (got < 0 && got != -EAGAIN) {
		error = (int)-got;
	} else if (got < (ssize_t)bytes.len) {
		size_t sent = got > 0 ? (size_t)got : 0;
		struct sip_conn_out *before = c->head;

		/* Others may have queued behind it meanwhile: what is left of it goes first. */
		if (c->state == SIP_CONN_CLOSED) {
			error = c->error;
		} else if (!enqueue_locked(c, rs_str_n(bytes.p + sent, bytes.len - sent), result)) {
			error = sent ? ECONNABORTED : ENOMEM;
		} else if (before) {
			struct sip_conn_out *o = rs_container_of(c->tail, struct sip_conn_out, next), *at = before;

			while (at->next != o)
				at = at->next;
			at->next = NULL;
			c->tail = &at->next;
			o->next = before;
			c->head = o;
		}
	}
	sip_conn_write_unlock(c);
	if (error && error != ENOMEM)
		sip_conn_close(c, error, "write failed");
	return error;
}

int sip_conn_send(struct sip_conn *c, struct rs_str bytes, struct sip_send_result *result)
{
	int error = 0;

	pthread_mutex_lock(&c->lock);
	if (c->state == SIP_CONN_CLOSED) {
		error = c->error ? c->error : ENOTCONN;
		pthread_mutex_unlock(&c->lock);
		return error;
	}
	if (c->state != SIP_CONN_CONNECTING && !c->writing && !c->head && !c->want_write)
		return write_first_unlock(c, bytes, result);
	if (c->queued + bytes.len > sip_tp.limits.send_queue)
		error = ENOBUFS;
	else if (!enqueue_locked(c, bytes, result))
		error = ENOMEM;
	pthread_mutex_unlock(&c->lock);
	/* A reader that never reads must not hold our memory: it loses the connection. */
	if (error == ENOBUFS)
		sip_conn_close(c, ENOBUFS, "send queue full");
	return error;
}
