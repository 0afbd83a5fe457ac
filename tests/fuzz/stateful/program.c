/* The byte code, see program.h. */
#include "program.h"

static const struct shape {
	uint8_t operands;
	bool text;
} shapes[PROGRAM_OPS_N] = {
#define PROGRAM_OP_X(name, operands, text) [OP_##name] = {operands, text},
	PROGRAM_OPS(PROGRAM_OP_X)
#undef PROGRAM_OP_X
};

bool program_next(const uint8_t *p, size_t size, struct instruction *out)
{
	const struct shape *shape;
	size_t at = 1, len;

	if (!size)
		return false;
	memset(out, 0, sizeof(*out));
	out->op = (enum program_op)(p[0] % PROGRAM_OPS_N);
	shape = &shapes[out->op];
	for (unsigned i = 0; i < shape->operands && at < size; i++)
		out->v[i] = p[at++];
	if (shape->text && at < size) {
		len = p[at++];
		if (len > size - at)
			len = size - at;
		out->text = rs_str_n((const char *)p + at, len);
		at += len;
	}
	out->size = at;
	return true;
}
