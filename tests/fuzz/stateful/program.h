/*
 * The byte code that the fuzzer's input is read as. Two bytes of settings, then operations: an opcode, its fixed number
 * of operand bytes, and for some a text behind its length. Bytes that are missing at the end are 0. README.md lists
 * the operands; assemble.py writes programs from text.
 */
#ifndef STATEFUL_PROGRAM_H
#define STATEFUL_PROGRAM_H

#include "base/str.h"

/* name, operand bytes, whether a text follows. The order is the byte code's: add at the end. */
#define PROGRAM_OPS(X)                                                                                                 \
	X(REQUEST, 9, 1)                                                                                               \
	X(RESPOND, 3, 1)                                                                                               \
	X(RESEND, 2, 0)                                                                                                \
	X(CANCEL, 1, 0)                                                                                                \
	X(ACK, 2, 0)                                                                                                   \
	X(RAW, 1, 1)                                                                                                   \
	X(TIME, 1, 0)                                                                                                  \
	X(STEP, 0, 1)                                                                                                  \
	X(CONNECT, 1, 0)                                                                                               \
	X(STREAM, 2, 0)                                                                                                \
	X(LINK, 2, 0)                                                                                                  \
	X(DISK, 2, 0)                                                                                                  \
	X(LANE, 1, 0)                                                                                                  \
	X(WALL, 1, 0)                                                                                                  \
	X(RELOAD, 1, 0)                                                                                                \
	X(MODULE, 1, 0)                                                                                                \
	X(RESTART, 1, 0)                                                                                               \
	X(STALL, 1, 0)                                                                                                 \
	X(NAMES, 1, 0)                                                                                                 \
	X(COMMAND, 1, 0)                                                                                               \
	X(EXPECT, 2, 0)

enum program_op {
#define PROGRAM_OP_X(name, operands, text) OP_##name,
	PROGRAM_OPS(PROGRAM_OP_X)
#undef PROGRAM_OP_X
		PROGRAM_OPS_N
};

#define PROGRAM_SETTINGS 2
#define PROGRAM_OPERANDS 9
#define PROGRAM_OPS_MAX  300 /* of one program: it ends there */

struct instruction {
	enum program_op op;
	uint8_t v[PROGRAM_OPERANDS];
	struct rs_str text;
	size_t size; /* bytes of it */
};

/* The instruction at p; false: none is left. */
bool program_next(const uint8_t *p, size_t size, struct instruction *out);

#endif
