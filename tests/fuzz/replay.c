/*
 * Runs a fuzz target over files: replay [--prefixes] PATH… [--whole PATH…], each path a file or a folder of them (one
 * that does not exist is empty). Every input stands right before a page that may not be read; of those behind
 * --prefixes the prefixes are run, too. No input at all is a failure. The input that is being run is named last when
 * the target aborts.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of longer inputs not every prefix is run. */
#define PREFIXES_MOST 400

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static bool prefixes;
static unsigned inputs;

/* size bytes that end where the forbidden page begins. */
static uint8_t *guarded(size_t size, void **map, size_t *map_size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page) / page * page;
	char *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + room, page, PROT_NONE) != 0)
		return NULL;
	*map = p;
	*map_size = room + page;
	return (uint8_t *)p + room - size;
}

static int run(const char *path, const char *bytes, size_t size)
{
	size_t step = prefixes ? size / PREFIXES_MOST + 1 : size + 1;
	size_t map_size;
	void *map;
	uint8_t *end = guarded(size, &map, &map_size);
	int rc = 0;

	if (!end) {
		perror(path);
		return -1;
	}
	end += size;
	for (size_t n = size % step; n <= size; n += step) {
		memcpy(end - n, bytes, n);
		rc |= LLVMFuzzerTestOneInput(end - n, n);
	}
	munmap(map, map_size);
	return rc;
}

static int run_file(const char *path, size_t size)
{
	char *bytes = malloc(size + 1);
	FILE *f = fopen(path, "rb");
	int rc = -1;

	if (bytes && f && fread(bytes, 1, size, f) == size) {
		printf("%s\n", path);
		fflush(stdout);
		rc = run(path, bytes, size);
		inputs++;
	} else {
		perror(path);
	}
	if (f)
		fclose(f);
	free(bytes);
	return rc;
}

static int run_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	char sub[4096];
	int rc = 0, n;

	if (stat(path, &st) != 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return run_file(path, (size_t)st.st_size);
	n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(sub, &st) == 0 && S_ISREG(st.st_mode))
			rc |= run_file(sub, (size_t)st.st_size);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--prefixes") == 0 || strcmp(argv[i], "--whole") == 0)
			prefixes = argv[i][2] == 'p';
		else
			rc |= run_path(argv[i]);
	}
	printf("%u inputs\n", inputs);
	return rc || !inputs;
}
