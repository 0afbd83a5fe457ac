/*
 * The calls that can be made to fail, and with what: F(name, class, errors…). Variant i of a fault is the i-th error.
 * FAULT_SHORT: not an error, the call does less than was asked of it.
 */
#ifndef RES_SIP_FAULT_CALLS_H
#define RES_SIP_FAULT_CALLS_H

#include <errno.h>

#define FAULT_SHORT (-1)

/* clang-format off */
#define FAULT_CALLS(F) \
	F(malloc,          MEM,  ENOMEM) \
	F(calloc,          MEM,  ENOMEM) \
	F(realloc,         MEM,  ENOMEM) \
	F(reallocarray,    MEM,  ENOMEM) \
	F(strdup,          MEM,  ENOMEM) \
	F(strndup,         MEM,  ENOMEM) \
	F(asprintf,        MEM,  ENOMEM) \
	F(aligned_alloc,   MEM,  ENOMEM) \
	F(posix_memalign,  MEM,  ENOMEM) \
	F(open_memstream,  MEM,  ENOMEM) \
	F(socket,          NET,  EMFILE, ENOBUFS, EAFNOSUPPORT) \
	F(bind,            NET,  EADDRINUSE, EACCES, EADDRNOTAVAIL) \
	F(listen,          NET,  EADDRINUSE) \
	F(accept4,         NET,  EMFILE, ENFILE, ECONNABORTED, ENOBUFS, EINTR) \
	F(connect,         NET,  ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL) \
	F(setsockopt,      NET,  ENOBUFS, ENOPROTOOPT) \
	F(getsockopt,      NET,  ENOBUFS) \
	F(getsockname,     NET,  ENOBUFS) \
	F(recvmmsg,        NET,  EAGAIN, EINTR, ECONNREFUSED, ENOMEM) \
	F(sendmmsg,        NET,  EAGAIN, ENOBUFS, ENETUNREACH, EPERM, ECONNREFUSED, EINTR, FAULT_SHORT) \
	F(recvmsg,         NET,  EAGAIN, EINTR, ENOMEM) \
	F(sendmsg,         NET,  EAGAIN, ENOBUFS, EPIPE, ECONNRESET, EINTR, FAULT_SHORT) \
	F(recv,            NET,  EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, ENOMEM, FAULT_SHORT) \
	F(send,            NET,  EAGAIN, EPIPE, ENOBUFS, EINTR, FAULT_SHORT) \
	F(poll,            NET,  EINTR, ENOMEM) \
	F(epoll_create1,   NET,  EMFILE, ENOMEM) \
	F(epoll_ctl,       NET,  ENOMEM, ENOSPC) \
	F(epoll_wait,      NET,  EINTR) \
	F(eventfd,         NET,  EMFILE, ENOMEM) \
	F(timerfd_create,  NET,  EMFILE, ENOMEM) \
	F(signalfd,        NET,  EMFILE, ENOMEM) \
	F(pthread_create,  NET,  EAGAIN) \
	F(getrandom,       NET,  EINTR) \
	F(read,            FILE, EIO, EINTR, FAULT_SHORT) \
	F(write,           FILE, ENOSPC, EIO, EINTR, FAULT_SHORT) \
	F(readv,           FILE, EIO) \
	F(writev,          FILE, ENOSPC, EIO) \
	F(pread,           FILE, EIO) \
	F(pwrite,          FILE, ENOSPC, EIO) \
	F(open,            FILE, EMFILE, EACCES, ENOSPC) \
	F(fopen,           FILE, EMFILE, EACCES) \
	F(opendir,         FILE, EMFILE, ENOMEM) \
	F(scandir,         FILE, EMFILE, ENOMEM) \
	F(fsync,           FILE, EIO, ENOSPC) \
	F(fdatasync,       FILE, EIO, ENOSPC) \
	F(ftruncate,       FILE, EIO, ENOSPC) \
	F(stat,            FILE, EACCES, ENOMEM) \
	F(unlink,          FILE, EACCES) \
	F(rename,          FILE, EACCES, ENOSPC) \
	F(mkdir,           FILE, EACCES, ENOSPC) \
	F(fchmod,          FILE, EPERM) \
	F(flock,           FILE, ENOLCK, EINTR) \
	F(fcntl,           FILE, ENOLCK, EAGAIN) \
	F(mmap,            FILE, ENOMEM) \
	F(close,           FILE, EIO)
/* clang-format on */

enum fault_id {
#define F(name, class, ...) FAULT_##name,
	FAULT_CALLS(F)
#undef F
		FAULT_N
};

/* 0: the call goes on; FAULT_SHORT, or the errno to fail with. caller: the return address of the call. */
int fault_hit(enum fault_id id, const void *caller);

/* The address is in an object of the program, not of the system. */
_Bool fault_own(const void *addr);

/* What the name stands for after this library, by dlsym. */
void *fault_next(const char *name);

/* A fault has happened in this process or one that it was forked from. */
_Bool fault_happened(void);

#endif
