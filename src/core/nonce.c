/*
 * The core's own nonce, for an authenticator that makes none: the time and a keyed hash of it, the source's address and
 * the realm. Nothing is kept to issue it.
 */
#include "core/pipeline.h"
#include "base/clock.h"
#include "res_sip/digest.h"

#include <errno.h>
#include <stdio.h>

/* Bytes of a realm that count: the rest of a longer one cannot make a difference. */
#define MAX_REALM 256

static uint8_t key[16]; /* drawn at start */

int ast_sip_nonce_start(void)
{
	rs_random(key, sizeof(key));
	return 0;
}

int ast_sip_nonce_make(struct sip_rx_data *rx, struct rs_str realm, char *buf, size_t size)
{
	uint8_t data[8 + 16 + MAX_REALM] = {0}, mac[16];
	uint64_t now = (uint64_t)(rs_wall_us() / 1000000);
	size_t n = realm.len < MAX_REALM ? realm.len : MAX_REALM;
	int len;

	memcpy(data, &now, sizeof(now));
	if (rx)
		memcpy(data + 8, sip_rx_source(rx)->ip, 16);
	if (n)
		memcpy(data + 24, realm.p, n);
	if (ast_sip_keyed_mac(key, data, 24 + n, mac))
		return -1;
	len = snprintf(buf, size, "%llx/", (unsigned long long)now);
	if (len < 0 || (size_t)len + 2 * sizeof(mac) + 1 > size) {
		errno = ENOSPC;
		return -1;
	}
	for (size_t i = 0; i < sizeof(mac); i++)
		snprintf(buf + len + 2 * i, 3, "%02x", mac[i]);
	return 0;
}
