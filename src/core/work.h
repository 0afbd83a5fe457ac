/* Works are serializers under the design's name. */
#ifndef CORE_WORK_H
#define CORE_WORK_H

#include "base/taskpool.h"
#include "res_sip/res_sip.h"

struct ast_sip_work {
	struct rs_serializer serializer; /* first: any serializer can be seen as a work */
};

/* Before the pool starts. */
void ast_sip_work_prepare(void);

static inline struct ast_sip_work *ast_sip_work_of(struct rs_serializer *s)
{
	return (struct ast_sip_work *)(void *)s;
}

/* A caller's work for its callbacks: the current one, referenced, or a new one outside of any. NULL without memory. */
struct rs_serializer *ast_sip_callers_serializer(void);

#endif
