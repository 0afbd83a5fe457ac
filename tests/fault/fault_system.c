/* System calls. What the C library calls by itself (stdio, the resolver) does not come by here. */
/* Both names of each call are made below: neither may stand for the other. */
#undef _FILE_OFFSET_BITS
#include "fault_calls.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define NEXT(result, name, params)                                                                                     \
	static result(*next) params;                                                                                   \
	if (!next)                                                                                                     \
		next = (result(*) params)fault_next(#name);

/* A call that fails without a trace of what it should have done. */
#define PLAIN(result, bad, id, name, params, args)                                                                     \
	EXPORT result name params;                                                                                     \
	EXPORT result name params                                                                                      \
	{                                                                                                              \
		NEXT(result, name, params)                                                                             \
		return fault_hit(FAULT_##id, __builtin_return_address(0)) ? (bad) : next args;                         \
	}

/* A call on n bytes at p, which may do one of them. */
#define BYTES(id, name, params, args, short_args)                                                                      \
	EXPORT ssize_t name params                                                                                     \
	{                                                                                                              \
		int hit;                                                                                               \
		NEXT(ssize_t, name, params)                                                                            \
		hit = divisible(fd) ? fault_hit(FAULT_##id, __builtin_return_address(0)) : 0;                          \
		if (hit > 0)                                                                                           \
			return -1;                                                                                     \
		return hit == FAULT_SHORT && n > 1 ? next short_args : next args;                                      \
	}

/* Files and streams can fail, and give or take a part; a descriptor of events cannot. */
static _Bool divisible(int fd)
{
	int saved = errno;
	struct stat st;
	_Bool known = syscall(SYS_fstat, fd, &st) == 0;

	errno = saved;
	return known && (S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* clang-format off */
PLAIN(int, -1, socket, socket, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(int, -1, bind, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
PLAIN(int, -1, listen, listen, (int fd, int n), (fd, n))
PLAIN(int, -1, accept4, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
PLAIN(int, -1, connect, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
PLAIN(int, -1, setsockopt, setsockopt, (int fd, int level, int name, const void *p, socklen_t n), (fd, level, name, p, n))
PLAIN(int, -1, getsockopt, getsockopt, (int fd, int level, int name, void *p, socklen_t *n), (fd, level, name, p, n))
PLAIN(int, -1, getsockname, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
PLAIN(int, -1, recvmmsg, recvmmsg, (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *t), (fd, m, n, flags, t))
PLAIN(ssize_t, -1, recvmsg, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
PLAIN(int, -1, poll, poll, (struct pollfd *p, nfds_t n, int timeout), (p, n, timeout))
PLAIN(int, -1, epoll_create1, epoll_create1, (int flags), (flags))
PLAIN(int, -1, epoll_wait, epoll_wait, (int e, struct epoll_event *v, int n, int timeout), (e, v, n, timeout))
PLAIN(int, -1, eventfd, eventfd, (unsigned value, int flags), (value, flags))
PLAIN(int, -1, timerfd_create, timerfd_create, (clockid_t clock, int flags), (clock, flags))
PLAIN(int, -1, signalfd, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
PLAIN(int, EAGAIN, pthread_create, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg), (t, a, run, arg))
PLAIN(ssize_t, -1, getrandom, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags))
PLAIN(ssize_t, -1, readv, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
PLAIN(ssize_t, -1, writev, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
PLAIN(ssize_t, -1, pread, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
PLAIN(ssize_t, -1, pread, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
PLAIN(ssize_t, -1, pwrite, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
PLAIN(ssize_t, -1, pwrite, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
PLAIN(FILE *, NULL, fopen, fopen, (const char *path, const char *mode), (path, mode))
PLAIN(FILE *, NULL, fopen, fopen64, (const char *path, const char *mode), (path, mode))
PLAIN(DIR *, NULL, opendir, opendir, (const char *path), (path))
PLAIN(int, -1, scandir, scandir, (const char *path, struct dirent ***v, int (*filter)(const struct dirent *), int (*compare)(const struct dirent **, const struct dirent **)), (path, v, filter, compare))
PLAIN(int, -1, fsync, fsync, (int fd), (fd))
PLAIN(int, -1, fdatasync, fdatasync, (int fd), (fd))
PLAIN(int, -1, ftruncate, ftruncate, (int fd, off_t n), (fd, n))
PLAIN(int, -1, ftruncate, ftruncate64, (int fd, off64_t n), (fd, n))
PLAIN(int, -1, stat, stat, (const char *path, struct stat *st), (path, st))
PLAIN(int, -1, stat, lstat, (const char *path, struct stat *st), (path, st))
PLAIN(int, -1, stat, fstat, (int fd, struct stat *st), (fd, st))
PLAIN(int, -1, stat, stat64, (const char *path, struct stat64 *st), (path, st))
PLAIN(int, -1, stat, lstat64, (const char *path, struct stat64 *st), (path, st))
PLAIN(int, -1, stat, fstat64, (int fd, struct stat64 *st), (fd, st))
PLAIN(int, -1, unlink, unlink, (const char *path), (path))
PLAIN(int, -1, rename, rename, (const char *from, const char *to), (from, to))
PLAIN(int, -1, mkdir, mkdir, (const char *path, mode_t mode), (path, mode))
PLAIN(int, -1, fchmod, fchmod, (int fd, mode_t mode), (fd, mode))
PLAIN(int, -1, flock, flock, (int fd, int op), (fd, op))
PLAIN(void *, MAP_FAILED, mmap, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at), (p, n, prot, flags, fd, at))
PLAIN(void *, MAP_FAILED, mmap, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t at), (p, n, prot, flags, fd, at))

BYTES(read, read, (int fd, void *p, size_t n), (fd, p, n), (fd, p, 1))
BYTES(write, write, (int fd, const void *p, size_t n), (fd, p, n), (fd, p, 1))
BYTES(recv, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), (fd, p, 1, flags))
BYTES(send, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), (fd, p, 1, flags))
/* clang-format on */

EXPORT int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	int hit;
	NEXT(int, sendmmsg, (int, struct mmsghdr *, unsigned, int))
	hit = fault_hit(FAULT_sendmmsg, __builtin_return_address(0));
	if (hit > 0)
		return -1;
	return next(fd, m, hit == FAULT_SHORT && n > 1 ? 1 : n, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct iovec first;
	struct msghdr part = *m;
	int hit;
	NEXT(ssize_t, sendmsg, (int, const struct msghdr *, int))
	hit = fault_hit(FAULT_sendmsg, __builtin_return_address(0));
	if (hit > 0)
		return -1;
	if (hit != FAULT_SHORT || !m->msg_iovlen || m->msg_iov[0].iov_len < 2)
		return next(fd, m, flags);
	first = (struct iovec){m->msg_iov[0].iov_base, 1};
	part.msg_iov = &first;
	part.msg_iovlen = 1;
	return next(fd, &part, flags);
}

/* Only what is new needs memory. */
EXPORT int epoll_ctl(int e, int op, int fd, struct epoll_event *event)
{
	NEXT(int, epoll_ctl, (int, int, int, struct epoll_event *))
	return op == EPOLL_CTL_ADD && fault_hit(FAULT_epoll_ctl, __builtin_return_address(0)) ? -1
											      : next(e, op, fd, event);
}

EXPORT int close(int fd)
{
	int hit, result;
	NEXT(int, close, (int))
	hit = fault_hit(FAULT_close, __builtin_return_address(0));
	result = next(fd);
	if (!hit)
		return result;
	errno = hit;
	return -1;
}

/* ---- calls with an argument that need not be there ---- */

static unsigned long argument(va_list args)
{
	return va_arg(args, unsigned long);
}

#define OPENS(name, params, args)                                                                                      \
	EXPORT int name params                                                                                         \
	{                                                                                                              \
		unsigned long mode;                                                                                    \
		va_list list;                                                                                          \
		static int(*next) params;                                                                              \
		if (!next)                                                                                             \
			next = (int(*) params)fault_next(#name);                                                       \
		va_start(list, flags);                                                                                 \
		mode = argument(list);                                                                                 \
		va_end(list);                                                                                          \
		return fault_hit(FAULT_open, __builtin_return_address(0)) ? -1 : next args;                            \
	}

OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPENS(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

/* Only locks: what the other commands do cannot fail on a descriptor that is open. */
#define CONTROLS(name)                                                                                                 \
	EXPORT int name(int fd, int command, ...)                                                                      \
	{                                                                                                              \
		unsigned long arg;                                                                                     \
		va_list list;                                                                                          \
		NEXT(int, name, (int, int, ...))                                                                       \
		va_start(list, command);                                                                               \
		arg = argument(list);                                                                                  \
		va_end(list);                                                                                          \
		if ((command == F_SETLK || command == F_GETLK || command == F_SETLKW) &&                               \
		    fault_hit(FAULT_fcntl, __builtin_return_address(0)))                                               \
			return -1;                                                                                     \
		return next(fd, command, arg);                                                                         \
	}

CONTROLS(fcntl)
CONTROLS(fcntl64)
