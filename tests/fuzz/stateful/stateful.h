/* The target from outside. */
#ifndef STATEFUL_H
#define STATEFUL_H

#include "base/defs.h"

/* libFuzzer's names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
				 size_t max_size, unsigned seed);

/* EXPECT of a program counts: it is one written by hand, not a descendant. */
extern bool stateful_strict;
/* Of the last program: its call flow's digest, and how many answers came. */
extern uint64_t stateful_digest;
extern unsigned stateful_responses;

#endif
