/*
 * Without libFuzzer: every file named, or of a folder named, is run twice, and both runs must look the same from the
 * network. A folder that is not there is empty. -s: EXPECT counts in what follows (programs written by hand), until -e.
 */
#include "stateful.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

static unsigned programs, differing;

static void run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint64_t first;
	size_t n;

	if (!f && errno == ENOENT) {
		fprintf(stderr, "%s is not there\n", path);
		return;
	}
	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	fprintf(stderr, "%s: ", path); /* stays when it crashes */
	LLVMFuzzerTestOneInput(data, n);
	first = stateful_digest;
	LLVMFuzzerTestOneInput(data, n);
	fprintf(stderr, "%u answers, digest %016llx\n", stateful_responses, (unsigned long long)first);
	programs++;
	if (first == stateful_digest)
		return;
	fprintf(stderr, "%s: another call flow the second time\n", path);
	differing++;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of their names: the same each time. */
static bool run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, visible, alphasort);

	if (n < 0)
		return false;
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		run_file(file);
		free(entries[i]);
	}
	free(entries);
	return true;
}

int main(int argc, char **argv)
{
	int n = 1;
	char *none[] = {argv[0], NULL}, **flags = none; /* those are libFuzzer's */

	LLVMFuzzerInitialize(&n, &flags);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-s") == 0)
			stateful_strict = true;
		else if (strcmp(argv[i], "-e") == 0)
			stateful_strict = false;
		else if (!run_folder(argv[i]))
			run_file(argv[i]);
	}
	fprintf(stderr, "%u programs, %u differ from run to run\n", programs, differing);
	return programs && !differing ? 0 : 1;
}
