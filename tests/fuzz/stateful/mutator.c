/* Changes of whole operations, so that one that is longer or shorter does not turn all that follow into others. */
#include "program.h"
#include "stateful.h"

#include <string.h>

#define PLACES 512

/* libFuzzer's own. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

struct places {
	size_t v[PLACES + 1]; /* where each begins, and the end of the last */
	unsigned n;
};

static void find_places(const uint8_t *data, size_t size, struct places *out)
{
	struct instruction in;
	size_t at = PROGRAM_SETTINGS;

	out->n = 0;
	out->v[0] = at;
	while (out->n < PLACES && at < size && program_next(data + at, size - at, &in)) {
		at += in.size;
		out->v[++out->n] = at;
	}
}

static unsigned draw(unsigned *seed, unsigned bound)
{
	*seed = *seed * 1664525u + 1013904223u;
	return bound ? (*seed >> 8) % bound : 0;
}

static size_t cut_out(uint8_t *data, size_t size, size_t from, size_t to)
{
	memmove(data + from, data + to, size - to);
	return size - (to - from);
}

static size_t put_in(uint8_t *data, size_t size, size_t max_size, size_t at, const uint8_t *what, size_t n)
{
	if (n > max_size - size)
		return size;
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, what, n);
	return size + n;
}

/* A new operation of mostly small operands, which choose what is usual. */
static size_t put_new(uint8_t *data, size_t size, size_t max_size, size_t at, unsigned *seed)
{
	uint8_t fresh[1 + PROGRAM_OPERANDS + 1];
	struct instruction in;

	for (unsigned i = 0; i < sizeof(fresh); i++)
		fresh[i] = (uint8_t)(draw(seed, 3) ? draw(seed, 8) : draw(seed, 256));
	/* Half of them are requests and answers. */
	fresh[0] = (uint8_t)draw(seed, draw(seed, 2) ? OP_RAW : PROGRAM_OPS_N);
	fresh[sizeof(fresh) - 1] = 0;
	program_next(fresh, sizeof(fresh), &in);
	return put_in(data, size, max_size, at, fresh, in.size);
}

static size_t swap(uint8_t *data, size_t size, const struct places *p, unsigned i)
{
	uint8_t first[512];
	size_t a = p->v[i], b = p->v[i + 1], c = p->v[i + 2];

	if (b - a > sizeof(first))
		return size;
	memcpy(first, data + a, b - a);
	memmove(data + a, data + b, c - b);
	memcpy(data + a + (c - b), first, b - a);
	return size;
}

/* One operand byte, or the text of one operation. */
static size_t change_one(uint8_t *data, size_t size, size_t max_size, size_t from, size_t to, unsigned *seed)
{
	size_t at = from + 1 + draw(seed, (unsigned)(to - from > 1 ? to - from - 1 : 1));

	(void)max_size;
	if (at >= to)
		return size;
	data[at] = (uint8_t)(draw(seed, 2) ? draw(seed, 16) : data[at] ^ 1u << draw(seed, 8));
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct places p;
	uint8_t copy[512];
	unsigned i;
	size_t n;

	if (size <= PROGRAM_SETTINGS || draw(&seed, 4) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	find_places(data, size, &p);
	i = draw(&seed, p.n);
	n = p.v[i + 1] - p.v[i];
	switch (draw(&seed, 6)) {
	case 0:
		return p.n > 1 ? cut_out(data, size, p.v[i], p.v[i + 1]) : size;
	case 1:
		if (n > sizeof(copy))
			return size;
		memcpy(copy, data + p.v[i], n);
		return put_in(data, size, max_size, p.v[draw(&seed, p.n + 1)], copy, n);
	case 2:
		return i + 1 < p.n ? swap(data, size, &p, i) : size;
	case 3:
	case 4:
		return put_new(data, size, max_size, p.v[draw(&seed, p.n + 1)], &seed);
	default:
		return change_one(data, size, max_size, p.v[i], p.v[i + 1], &seed);
	}
}

/* The beginning of one, then the rest of the other from some operation on. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
				 size_t max_size, unsigned seed)
{
	struct places pa, pb;
	size_t head, tail;

	if (a_size <= PROGRAM_SETTINGS || b_size <= PROGRAM_SETTINGS)
		return 0;
	find_places(a, a_size, &pa);
	find_places(b, b_size, &pb);
	head = pa.v[draw(&seed, pa.n + 1)];
	tail = pb.v[draw(&seed, pb.n + 1)];
	if (head > max_size)
		return 0;
	memcpy(out, a, head);
	if (b_size - tail > max_size - head)
		return head;
	memcpy(out + head, b + tail, b_size - tail);
	return head + b_size - tail;
}
