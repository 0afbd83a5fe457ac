/* Which of several failures the caller is told: RFC 3261 section 16.7 step 6, for a server that ends the call here. */
#include "calls.h"

/*
 * Lower is better. A 6xx wins, then the lowest class, in it what helps the caller to do better. Challenges do not: what
 * they ask for is this server's to give. That nothing was reached says less than any answer of its class.
 */
static unsigned rank(const struct outcome *o)
{
	if (o->status >= 600)
		return 0;
	if (o->how == FAILED_UNREACHABLE)
		return 4 * 1000 + 900;
	switch (o->status) {
	case 415:
	case 484:
		return 4 * 1000;
	case 401:
	case 407:
		return 4 * 1000 + 800;
	case 408:
		return 4 * 1000 + 700;
	case 503:
		return 5 * 1000 + 900;
	default:
		return o->status / 100 * 1000 + 1 + o->status % 100;
	}
}

bool choice_better(const struct outcome *o, const struct outcome *than)
{
	return !than->status || (o->status && rank(o) < rank(than));
}

unsigned choice_status(unsigned status)
{
	switch (status) {
	case 401:
	case 407:
		return 403;
	case 420: /* about extensions, branches and dialogs of a leg that is not the caller's */
	case 421:
	case 422:
	case 481:
	case 491:
	case 493:
	case 494:
	case 503: /* it would tell the caller that this server is overloaded */
		return 500;
	case 487: /* nobody here has cancelled it */
		return 480;
	default:
		return status;
	}
}

unsigned relay_status(unsigned status, bool invite)
{
	switch (status) {
	case 401:
	case 407:
		return 403; /* what they ask for is not the other side's to give */
	case 408:
		return invite ? 408 : 504; /* RFC 4320: a 408 to others comes too late for anybody */
	case 420:
	case 421:
	case 422:
		return 488; /* about extensions of a leg that is not the asker's */
	case 503:
		return 500;
	default:
		return status >= 300 && status < 400 ? 488 : status;
	}
}
