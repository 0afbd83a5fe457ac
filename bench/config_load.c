/*
 * How long a configuration of n endpoints, each with auth and aor, takes to load and what it leaves in memory.
 *
 *   config_load [n]…        (default: 10000 200000)
 */
#include "base/clock.h"
#include "core/config/load.h"

#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char TEMPLATES[] = "[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1\n"
				"[phone](!)\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw,alaw\n"
				"direct_media=no\nrewrite_contact=yes\nrtp_symmetric=yes\n"
				"[login](!)\ntype=auth\nauth_type=userpass\n"
				"[where](!)\ntype=aor\nmax_contacts=5\nremove_existing=yes\n";

static void write_conf(const char *dir, unsigned n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pjsip.conf", dir);
	f = fopen(path, "w");
	if (!f)
		exit(1);
	fputs(TEMPLATES, f);
	for (unsigned i = 0; i < n; i++)
		fprintf(f,
			"[user%06u](phone)\nauth=user%06u\naors=user%06u\ncallerid=User %u <%06u>\n"
			"[user%06u](login)\nusername=user%06u\npassword=correct-horse-%08x\n"
			"[user%06u](where)\n",
			i, i, i, i, i, i, i, i * 2654435761u, i);
	fclose(f);
}

static long rss_kib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* One size; a second load stands for a reload in which nothing changed. */
static int measure(const char *dir, unsigned n)
{
	struct ast_sip_conf_errors errors = {0};
	struct ast_sip_snapshot *s, *again;
	long before = rss_kib(), after;
	int64_t start = rs_now_us(), loaded, reloaded;
	struct rusage usage;

	s = ast_sip_snapshot_load(dir, NULL, &errors);
	loaded = rs_now_us();
	if (!s || ast_sip_snapshot_endpoints(s).n != n) {
		fprintf(stderr, "%zu errors\n", errors.n);
		return 1;
	}
	malloc_trim(0);
	after = rss_kib();
	getrusage(RUSAGE_SELF, &usage);
	printf("%7u endpoints: load %7.1f ms, resident %7.1f MB (highest %7.1f), %6.0f bytes each; ", n,
	       (double)(loaded - start) / 1000, (double)after / 1024, (double)usage.ru_maxrss / 1024,
	       (double)(after - before) * 1024 / n);
	loaded = rs_now_us();
	again = ast_sip_snapshot_load(dir, s, &errors);
	reloaded = rs_now_us();
	printf("reload %7.1f ms", (double)(reloaded - loaded) / 1000);
	ast_sip_snapshot_unref(s);
	loaded = rs_now_us();
	ast_sip_snapshot_unref(again);
	printf(", free %6.1f ms\n", (double)(rs_now_us() - loaded) / 1000);
	ast_sip_conf_errors_free(&errors);
	return 0;
}

/* Each size in a process of its own, so that one does not warm the other's memory. */
static int run(unsigned n)
{
	char dir[] = P_tmpdir "/res_sip-bench-XXXXXX";
	int status = 1;
	pid_t pid;

	if (!mkdtemp(dir))
		return 1;
	write_conf(dir, n);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(measure(dir, n));
	if (pid > 0)
		waitpid(pid, &status, 0);
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return status != 0;
}

int main(int argc, char **argv)
{
	int rc = 0;

	if (argc == 1)
		return run(10000) | run(200000);
	for (int i = 1; i < argc; i++)
		rc |= run((unsigned)strtoul(argv[i], NULL, 10));
	return rc;
}
