/* What the pipeline knows of a received request, kept in a slot of it. */
#include "core/pipeline.h"

#include <errno.h>

static int slot = -1;

static void release(void *value)
{
	struct ast_sip_rx_state *state = value;

	ast_sip_endpoint_unref(state->endpoint);
	ast_sip_snapshot_unref(state->snapshot);
}

int ast_sip_rx_state_start(void)
{
	slot = sip_rx_slot_new(release);
	return slot < 0 ? -1 : 0;
}

void ast_sip_rx_state_stop(void)
{
	if (slot >= 0)
		sip_rx_slot_free(slot);
	slot = -1;
}

static struct ast_sip_rx_state *peek(struct sip_rx_data *rx)
{
	return slot < 0 ? NULL : sip_rx_get(rx, slot);
}

struct ast_sip_rx_state *ast_sip_rx_state_get(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = peek(rx);

	if (state || slot < 0)
		return state;
	state = rs_arena_zalloc(sip_rx_msg(rx)->arena, sizeof(*state));
	if (!state)
		return NULL;
	state->snapshot = ast_sip_snapshot_get();
	sip_rx_set(rx, slot, state);
	return state;
}

struct ast_sip_endpoint *ast_sip_rx_endpoint(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = peek(rx);

	return state ? state->endpoint : NULL;
}

struct ast_sip_snapshot *ast_sip_rx_snapshot(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);

	return state ? state->snapshot : NULL;
}

bool ast_sip_rx_authenticated(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = peek(rx);

	return state && state->authenticated;
}

void ast_sip_rx_set_authenticated(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);

	if (state)
		state->authenticated = true;
}

struct rs_str ast_sip_rx_auth_username(struct sip_rx_data *rx)
{
	struct ast_sip_rx_state *state = peek(rx);

	return state ? state->auth_username : RS_STR_NULL;
}

void ast_sip_rx_set_auth_username(struct sip_rx_data *rx, struct rs_str username)
{
	struct ast_sip_rx_state *state = ast_sip_rx_state_get(rx);

	if (state)
		state->auth_username = rs_arena_str(sip_rx_msg(rx)->arena, username);
}
