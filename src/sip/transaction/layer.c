/* The transaction layer as a whole: start, stop, what transactions tell of themselves. */
#include "sip/transaction/tsx.h"

#include <stdlib.h>

/* How long a stop waits for tasks on no serializer, in steps. */
#define STOP_STEP_MS 100
#define STOP_STEPS   50

static _Atomic bool stopping = true;
static _Atomic uint32_t loose; /* tasks of the layer on serializers that no transaction owns */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(const struct sip_dialog_ops *) dialogs;

bool tsx_stopping(void)
{
	return atomic_load_explicit(&stopping, memory_order_relaxed);
}

const struct sip_dialog_ops *tsx_dialogs(void)
{
	return atomic_load_explicit(&dialogs, memory_order_acquire);
}

void sip_transaction_set_dialogs(const struct sip_dialog_ops *ops)
{
	atomic_store_explicit(&dialogs, ops, memory_order_release);
}

void tsx_loose_begin(void)
{
	atomic_fetch_add_explicit(&loose, 1, memory_order_relaxed);
}

void tsx_loose_end(void)
{
	atomic_fetch_sub_explicit(&loose, 1, memory_order_release);
}

static void setup(void)
{
	tx_setup();
	tsx_server_setup();
	tsx_client_setup();
}

int sip_transaction_start(void)
{
	int error;

	pthread_once(&once, setup);
	error = tsx_table_start();
	if (!error)
		atomic_store(&stopping, false);
	return error;
}

static int terminate(void *data)
{
	sip_tsx_terminate(data);
	return 0;
}

static void end_one(struct sip_tsx *tsx)
{
	/* Without a pool nobody else runs: the caller may stand for the serializer. */
	if (rs_call(tsx->serializer, terminate, tsx, NULL, "transaction.stop", NULL))
		terminate(tsx);
}

void sip_transaction_settle(void)
{
	tsx_table_end(true, end_one);
}

void sip_transaction_stop(void)
{
	if (atomic_exchange(&stopping, true))
		return;
	tsx_table_end(false, end_one);
	for (int i = 0; i < STOP_STEPS && atomic_load_explicit(&loose, memory_order_acquire); i++)
		rs_taskpool_drain(STOP_STEP_MS);
	/* What those tasks may still have begun. */
	tsx_table_end(false, end_one);
	tsx_table_stop();
}

/* ---- what transactions tell ---- */

struct sip_tsx *sip_tsx_ref(struct sip_tsx *tsx)
{
	if (tsx->magic != TSX_MAGIC)
		abort();
	if (tsx->role == SIP_TSX_UAS)
		rs_serializer_ref(&tsx_server(tsx)->own);
	else
		atomic_fetch_add_explicit(&tsx_client(tsx)->refs, 1, memory_order_relaxed);
	return tsx;
}

void sip_tsx_unref(struct sip_tsx *tsx)
{
	if (!tsx)
		return;
	if (tsx->magic != TSX_MAGIC)
		abort();
	if (tsx->role == SIP_TSX_UAS)
		rs_serializer_unref(&tsx_server(tsx)->own);
	else
		tsx_client_unref(tsx_client(tsx));
}

enum sip_tsx_role sip_tsx_role(const struct sip_tsx *tsx)
{
	return (enum sip_tsx_role)tsx->role;
}

enum sip_tsx_state sip_tsx_state(const struct sip_tsx *tsx)
{
	return (enum sip_tsx_state)atomic_load_explicit(&tsx->state, memory_order_relaxed);
}

enum sip_method sip_tsx_method(const struct sip_tsx *tsx)
{
	return (enum sip_method)tsx->entry.method;
}

struct rs_serializer *sip_tsx_serializer(const struct sip_tsx *tsx)
{
	return tsx->serializer;
}

unsigned sip_tsx_last_status(const struct sip_tsx *tsx)
{
	return tsx->last_status;
}

void sip_tsx_terminate(struct sip_tsx *tsx)
{
	tsx_dispatch(tsx, TSX_TERMINATE, NULL);
}

void sip_tsx_stats(struct sip_tsx_stats *out)
{
	tsx_table_stats(out);
}
