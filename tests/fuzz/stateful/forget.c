/*
 * In the target modules stay mapped from program to program. The authenticator is the one that keeps something past its
 * unload, until it is unmapped: its key, and the nonces that were used. Here it gets a way to forget them.
 */
#include "nonce.c"

__attribute__((visibility("default"))) void stateful_forget(void);

/* The table is emptied rather than freed: to make its megabytes anew takes longer than a program. */
void stateful_forget(void)
{
	have_key = false;
	for (unsigned i = 0; shards && i < SHARDS; i++) {
		struct shard *s = &shards[i];

		s->stale_up_to = s->over_up_to = -1;
		if (!s->n)
			continue;
		memset(s->index, 0, sizeof(s->index));
		s->n = 0;
	}
}
