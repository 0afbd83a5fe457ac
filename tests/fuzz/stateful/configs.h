/* The configurations that a program reloads between. */
#ifndef STATEFUL_CONFIGS_H
#define STATEFUL_CONFIGS_H

struct config {
	const char *pjsip, *own;
};
#define CONFIGS       5
#define CONFIG_BROKEN 3
extern const struct config configs[CONFIGS];

#endif
