/* Who is told of bindings that came, changed or went. */
#include "location_private.h"

#include <errno.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER; /* written at a module's load and unload only */
static struct ast_sip_contact_observer *observers;
static unsigned n_observers;

#define MAX_OBSERVERS 16 /* they are called without the lock, so from a copy on the stack */

int ast_sip_contact_observer_register_for(struct ast_sip_module *owner, struct ast_sip_contact_observer *o)
{
	int error = ENOSPC;

	if (o->size < sizeof(*o) || !o->changed) {
		errno = EINVAL;
		return -1;
	}
	o->owner = owner;
	pthread_rwlock_wrlock(&lock);
	for (struct ast_sip_contact_observer *other = observers; other; other = other->next) {
		if (other == o)
			error = EEXIST;
	}
	if (error != EEXIST && n_observers < MAX_OBSERVERS) {
		n_observers++;
		o->next = observers;
		observers = o;
		error = 0;
	}
	pthread_rwlock_unlock(&lock);
	if (!error)
		return 0;
	errno = error;
	return -1;
}

void ast_sip_contact_observer_unregister(struct ast_sip_contact_observer *o)
{
	pthread_rwlock_wrlock(&lock);
	for (struct ast_sip_contact_observer **link = &observers; *link; link = &(*link)->next) {
		if (*link == o) {
			*link = o->next;
			n_observers--;
			break;
		}
	}
	pthread_rwlock_unlock(&lock);
}

void observers_tell(const struct ast_sip_contact *c, enum ast_sip_contact_event event)
{
	void (*call[MAX_OBSERVERS])(const struct ast_sip_contact *, enum ast_sip_contact_event);
	unsigned n = 0;

	/* No lock is held across the callbacks; unloading waits for a quiet point. */
	pthread_rwlock_rdlock(&lock);
	for (struct ast_sip_contact_observer *o = observers; o && n < MAX_OBSERVERS; o = o->next)
		call[n++] = o->changed;
	pthread_rwlock_unlock(&lock);
	for (unsigned i = 0; i < n; i++)
		call[i](c, event);
}
