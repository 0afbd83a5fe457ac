/*
 * What the fuzz targets share. Each target is one C file with LLVMFuzzerTestOneInput, linked with libFuzzer (option
 * fuzz) or with replay.c, which runs seeds, corpora and past findings in the ordinary suite. Input is exactly as long
 * as its allocation, so that a sanitizer sees the first byte read behind it; memory of arenas comes from malloc for the
 * same reason.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "sip/msg.h"

/* data may be NULL when size is 0. Always 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Once, before the first input. A target need not have it. 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What must hold of every input; else the process aborts and the input is a finding. */
#define FUZZ_CHECK(what) ((what) ? (void)0 : fuzz_failed(__FILE_NAME__, __LINE__, #what))
_Noreturn void fuzz_failed(const char *file, int line, const char *what);

static inline struct rs_str fuzz_str(const uint8_t *data, size_t size)
{
	return rs_str_n(size ? (const char *)data : "", size);
}

/* Takes the text up to sep (which goes, too), or all of it. */
struct rs_str fuzz_take(struct rs_str *rest, char sep);
/* Takes one byte; 0 at the end. */
uint8_t fuzz_byte(struct rs_str *rest);
/* Numbers that follow from the input alone: a step of xorshift. *state is not 0. */
uint32_t fuzz_random(uint32_t *state);
uint32_t fuzz_seed(struct rs_str input);

/* Whether s lies in whole. The empty slice does. */
bool fuzz_inside(struct rs_str s, struct rs_str whole);

/* Reads every byte that a value refers to. */
void fuzz_touch(struct rs_str s);
void fuzz_touch_uri(const struct sip_uri *u);
void fuzz_touch_values(const struct sip_hdr_values *v);

/* A message and the memory that its index and typed values take. */
struct fuzz_msg {
	struct rs_arena arena;
	struct sip_msg msg;
	enum sip_parse_result result;
	size_t consumed;
};
enum sip_parse_result fuzz_parse(struct fuzz_msg *m, struct rs_str bytes, bool stream);
void fuzz_msg_free(struct fuzz_msg *m);
/* Asks for everything that a message can be asked for, and reads it. */
void fuzz_touch_message(struct sip_msg *msg);

#endif
