/*
 * Runs a fuzz target over files, each once: replay FILE|FOLDER… A folder that does not exist is empty; no input at all
 * is a failure. The input that is being run is named last when the target aborts.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned inputs;

static int run_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	int rc = -1;

	if (data && f && fread(data, 1, size, f) == size) {
		printf("%s\n", path);
		fflush(stdout);
		/* malloc gives at least a byte, and an overrun of nothing shall be seen, too. */
		rc = LLVMFuzzerTestOneInput(size ? data : NULL, size);
		inputs++;
	} else {
		perror(path);
	}
	if (f)
		fclose(f);
	free(data);
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
	for (int i = 1; i < argc; i++)
		rc |= run_path(argv[i]);
	printf("%u inputs\n", inputs);
	return rc || !inputs;
}
