/*
 * libfault.so, for LD_PRELOAD: lets calls of a program fail, one by one or for good, and tells where it crashed.
 *
 * Settings come from the environment, or from a page that the program shares with whoever watches it (struct settings),
 * so that a running server can be told what to do next:
 *
 *   FAULT_PAGE    file that is the settings: FIELDS numbers of 8 bytes in the order of struct settings
 *   FAULT_REPORT  file that lines are appended to (see below)
 *   FAULT_MODE    count  nothing fails
 *                 list   nothing fails; each new site is reported
 *                 nth    the call number FAULT_N (from 1) that matches fails
 *                 site   the call number FAULT_N (default 1) from the site FAULT_SITE fails
 *                 each   every new site fails once with each of its errors, then works
 *   FAULT_CALLS   calls or classes that match, separated by commas: mem, net, file, all, malloc, sendmmsg, …; default
 * all FAULT_FROM    own (default): calls from the program itself and what it loads from outside the system's folders;
 *                 all: also those of the libraries
 *   FAULT_GOOD    1: in the modes nth and site, all matching calls from the first failure on fail too
 *   FAULT_VARIANT which of the call's errors (see fault_calls.h), from 0
 *   FAULT_ARMED   0: nothing counts until the page says otherwise
 *   FAULT_CRASH   0: fatal signals are left alone (sanitizers report them themselves)
 *
 * A site is a path of calls: the hash of all return addresses within the program's own objects, and of the caller's
 * when a library calls. It is the same in every run of the same build. close fails after it has closed.
 *
 * Lines of the report: what, call, site or number, then the frames, innermost first, as object+offset:
 *   site CALL HASH VARIANTS FRAME…      fail CALL HASH ERRNO FRAME…      crash SIGNAL PID 0 FRAME…
 *
 * With a fault behind it, a cmocka program ends at its first failed assertion with status 77: what the test left half
 * done would count against the product otherwise.
 */
#include "fault_calls.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAMES 40
#define SITES  (1u << 16)

enum mode { MODE_NONE, MODE_COUNT, MODE_LIST, MODE_NTH, MODE_SITE, MODE_EACH };
static const char *const mode_names[] = {"none", "count", "list", "nth", "site", "each"};

struct settings {
	_Atomic uint64_t armed, mode, calls, all, n, site, good, variant;
	_Atomic uint64_t seen, failed, last_call, last_site, sites;
	_Atomic uint64_t epoch; /* the sites known so far are forgotten when it changes */
};

static struct settings own_settings, *settings = &own_settings;
static int report_fd = -1;
static _Atomic uint64_t happened;
static _Thread_local bool busy __attribute__((tls_model("initial-exec")));

static const struct call {
	const char *name, *class;
	int errors[8];
} calls[FAULT_N] = {
#define F(name, class, ...) {#name, #class, {__VA_ARGS__}},
	FAULT_CALLS(F)
#undef F
};

void *fault_next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		_exit(99);
	return p;
}

_Bool fault_happened(void)
{
	return atomic_load(&happened) != 0;
}

static unsigned variants(enum fault_id id)
{
	unsigned n = 0;

	while (n < 8 && calls[id].errors[n])
		n++;
	return n;
}

/* ---- frames ---- */

struct frame {
	const char *object;
	uint64_t offset;
	bool own;
};

static bool is_own(const char *object)
{
	if (!*object)
		return true;
	return strchr(object, '/') && strncmp(object, "/lib", 4) != 0 && strncmp(object, "/usr/", 5) != 0 &&
	       !strstr(object, "libfault");
}

/* addr: a return address, which lies behind its call. */
static struct frame frame_of(const void *addr)
{
	struct frame f = {.object = "?", .offset = (uint64_t)(uintptr_t)addr - 1};
	struct dl_find_object o;

	if (_dl_find_object((char *)(uintptr_t)addr - 1, &o) == 0) {
		f.object = o.dlfo_link_map->l_name;
		f.offset -= o.dlfo_link_map->l_addr;
		f.own = is_own(f.object);
	}
	return f;
}

_Bool fault_own(const void *addr)
{
	return frame_of(addr).own;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h ^= v;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
	const char *slash = strrchr(text, '/');

	for (text = slash ? slash + 1 : text; *text; text++)
		h = mix(h, (unsigned char)*text);
	return h;
}

/* The path of calls that leads here, without this library's frames. */
static uint64_t site_of(enum fault_id id, const void *caller, void **addrs, int n)
{
	struct frame f = frame_of(caller);
	uint64_t h = mix(id + 1, 0);

	if (!f.own)
		h = mix(mix_text(h, f.object), f.offset);
	for (int i = 0; i < n; i++) {
		f = frame_of(addrs[i]);
		if (f.own)
			h = mix(mix_text(h, f.object), f.offset);
	}
	return h ? h : 1;
}

/* ---- the report ---- */

static void report(const char *what, const char *name, uint64_t number, int64_t more, void **addrs, int n)
{
	char line[8192];
	size_t len =
		(size_t)snprintf(line, 256, "%s %s %llx %lld", what, name, (unsigned long long)number, (long long)more);

	for (int i = 0; i < n; i++) {
		struct frame f = frame_of(addrs[i]);
		size_t need = strlen(f.object) + 32;

		if (strstr(f.object, "libfault"))
			continue;
		if (len + need >= sizeof(line))
			break;
		len += (size_t)snprintf(line + len, need, " %s+%llx", *f.object ? f.object : "exe",
					(unsigned long long)f.offset);
	}
	line[len++] = '\n';
	if (report_fd >= 0)
		(void)!syscall(SYS_write, report_fd, line, len);
}

/* ---- sites seen ---- */

static struct {
	_Atomic uint64_t hash;
	_Atomic unsigned hits;
} table[SITES];
static _Atomic uint64_t table_epoch;

/* How often the site was here before. */
static unsigned site_count(uint64_t hash)
{
	uint64_t epoch = atomic_load(&settings->epoch);

	if (atomic_exchange(&table_epoch, epoch) != epoch) {
		for (unsigned i = 0; i < SITES; i++) {
			atomic_store(&table[i].hash, 0);
			atomic_store(&table[i].hits, 0);
		}
	}
	for (unsigned i = (unsigned)hash % SITES, tries = 0; tries < 64; i = (i + 1) % SITES, tries++) {
		uint64_t was = 0;

		if (atomic_load(&table[i].hash) == hash || atomic_compare_exchange_strong(&table[i].hash, &was, hash) ||
		    was == hash)
			return atomic_fetch_add(&table[i].hits, 1);
	}
	return UINT32_MAX;
}

/* ---- the decision ---- */

static int fail(enum fault_id id, uint64_t hash, uint64_t variant, void **addrs, int n)
{
	unsigned count = variants(id);
	int error = calls[id].errors[variant < count ? variant : 0];

	atomic_store(&happened, 1);
	atomic_store(&settings->last_call, id);
	atomic_store(&settings->last_site, hash);
	atomic_fetch_add(&settings->failed, 1);
	report("fail", calls[id].name, hash, error, addrs, n);
	return error;
}

static bool nth(uint64_t seen)
{
	uint64_t n = atomic_load(&settings->n);

	return seen == n || (seen > n && atomic_load(&settings->good));
}

static int decide(enum fault_id id, const void *caller)
{
	uint64_t seen, hash, mode = atomic_load(&settings->mode);
	void *addrs[FRAMES];
	unsigned before;
	int n;

	if (mode == MODE_COUNT || mode == MODE_NTH) {
		seen = atomic_fetch_add(&settings->seen, 1) + 1;
		if (mode == MODE_COUNT || !nth(seen))
			return 0;
	}
	n = backtrace(addrs, FRAMES);
	hash = site_of(id, caller, addrs, n);
	if (mode == MODE_NTH)
		return fail(id, hash, atomic_load(&settings->variant), addrs, n);
	if (mode == MODE_SITE) {
		if (hash != atomic_load(&settings->site) || !nth(atomic_fetch_add(&settings->seen, 1) + 1))
			return 0;
		return fail(id, hash, atomic_load(&settings->variant), addrs, n);
	}
	atomic_fetch_add(&settings->seen, 1);
	before = site_count(hash);
	if (before == 0) {
		atomic_fetch_add(&settings->sites, 1);
		if (mode == MODE_LIST)
			report("site", calls[id].name, hash, variants(id), addrs, n);
	}
	return mode == MODE_EACH && before < variants(id) ? fail(id, hash, before, addrs, n) : 0;
}

int fault_hit(enum fault_id id, const void *caller)
{
	int error, saved = errno;

	if (busy || !atomic_load_explicit(&settings->armed, memory_order_relaxed) ||
	    !(atomic_load_explicit(&settings->calls, memory_order_relaxed) >> id & 1) ||
	    atomic_load_explicit(&settings->mode, memory_order_relaxed) == MODE_NONE)
		return 0;
	if (!atomic_load_explicit(&settings->all, memory_order_relaxed) && !frame_of(caller).own)
		return 0;
	busy = true;
	error = decide(id, caller);
	busy = false;
	errno = error > 0 ? error : saved;
	return error;
}

/* ---- crashes ---- */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};
static bool crash_handled;

static bool is_fatal(int sig)
{
	for (size_t i = 0; crash_handled && i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		if (fatal[i] == sig)
			return true;
	}
	return false;
}

static void crashed(int sig)
{
	void *addrs[FRAMES];
	int n;

	busy = true;
	n = backtrace(addrs, FRAMES);
	report("crash", sigabbrev_np(sig), (uint64_t)getpid(), 0, addrs, n);
	signal(sig, SIG_DFL); /* SA_RESETHAND did it already; for a compiler that knows better */
	raise(sig);
}

/* Others want these signals too: cmocka makes a failed test of them. */
EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	static sighandler_t (*next)(int, sighandler_t);

	if (is_fatal(sig))
		return SIG_DFL;
	if (!next)
		next = (sighandler_t(*)(int, sighandler_t))fault_next("signal");
	return next(sig, handler);
}

EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	static int (*next)(int, const struct sigaction *, struct sigaction *);

	if (is_fatal(sig) && act)
		act = NULL;
	if (!next)
		next = (int (*)(int, const struct sigaction *, struct sigaction *))fault_next("sigaction");
	return next(sig, act, old);
}

static void watch_crashes(void)
{
	static char stack[1 << 16];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction act = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND};

	sigaltstack(&alt, NULL);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &act, NULL);
	crash_handled = true;
}

/* cmocka's way out of a failed assertion. */
EXPORT _Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value);
EXPORT _Noreturn void __longjmp_chk(struct __jmp_buf_tag env[1], int value)
{
	void (*next)(struct __jmp_buf_tag *, int);

	if (fault_happened() && strstr(frame_of(__builtin_return_address(0)).object, "cmocka"))
		_exit(77);
	next = (void (*)(struct __jmp_buf_tag *, int))fault_next("__longjmp_chk");
	next(env, value);
	abort();
}

/* ---- settings ---- */

static uint64_t number(const char *name, uint64_t otherwise, int base)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, base) : otherwise;
}

static uint64_t calls_named(const char *text)
{
	uint64_t mask = 0;

	for (const char *end; text && *text; text = *end ? end + 1 : end) {
		size_t len;

		end = strchrnul(text, ',');
		len = (size_t)(end - text);
		for (unsigned i = 0; i < FAULT_N; i++) {
			if ((len == 3 && memcmp(text, "all", 3) == 0) ||
			    (strlen(calls[i].name) == len && memcmp(text, calls[i].name, len) == 0) ||
			    (strlen(calls[i].class) == len && strncasecmp(text, calls[i].class, len) == 0))
				mask |= 1ull << i;
		}
	}
	return mask;
}

static void settings_read(void)
{
	const char *mode = getenv("FAULT_MODE"), *from = getenv("FAULT_FROM"), *names = getenv("FAULT_CALLS");

	for (unsigned i = 0; mode && i < sizeof(mode_names) / sizeof(mode_names[0]); i++) {
		if (strcmp(mode, mode_names[i]) == 0)
			atomic_store(&settings->mode, i);
	}
	atomic_store(&settings->calls, calls_named(names ? names : "all"));
	atomic_store(&settings->all, from && strcmp(from, "all") == 0);
	atomic_store(&settings->n, number("FAULT_N", 1, 10));
	atomic_store(&settings->site, number("FAULT_SITE", 0, 16));
	atomic_store(&settings->good, number("FAULT_GOOD", 0, 10));
	atomic_store(&settings->variant, number("FAULT_VARIANT", 0, 10));
	atomic_store(&settings->armed, number("FAULT_ARMED", 1, 10));
}

static void page_open(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	void *p =
		fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		_exit(99);
	settings = p;
	syscall(SYS_close, fd);
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("FAULT_REPORT"), *page = getenv("FAULT_PAGE");
	void *addrs[2];

	busy = true;
	backtrace(addrs, 2); /* loads what it needs, and allocates for it */
	if (path)
		report_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (number("FAULT_CRASH", 1, 10))
		watch_crashes();
	if (page)
		page_open(page);
	else
		settings_read();
	busy = false;
}
