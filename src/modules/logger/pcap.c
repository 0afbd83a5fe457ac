/* Capture files: the classic pcap format, link type raw IP, headers made up from the addresses. */
#include "logger.h"

#include <arpa/inet.h>
#include <string.h>

#define LINKTYPE_RAW 101u
#define MAX_PAYLOAD  65000u /* an IP packet's length has 16 bits */

FILE *pcap_open(const char *path)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap, link;
	} header = {0xa1b2c3d4u, 2, 4, 0, 0, 65535, LINKTYPE_RAW};
	FILE *f = fopen(path, "we");

	if (f && (fwrite(&header, sizeof(header), 1, f) != 1 || fflush(f))) {
		fclose(f);
		f = NULL;
	}
	return f;
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071: the sum of 16-bit words; an odd byte counts as the high one. */
static uint32_t add_words(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* UDP over IPv6 must have one (RFC 8200 section 8.1): addresses, length and protocol, header, payload. */
static uint16_t udp6_checksum(const uint8_t *h, const void *payload, size_t n)
{
	uint32_t sum = add_words(17 + (uint32_t)(n + 8), h + 8, 32);
	uint16_t v;

	sum = add_words(sum, h + 40, 8);
	v = checksum(add_words(sum, payload, n));
	return v ? v : 0xffff;
}

/* The IP and UDP headers before the payload; their length. */
static size_t make_headers(uint8_t *h, const struct sip_addr *from, const struct sip_addr *to, const void *payload,
			   size_t n)
{
	size_t ip = from->family == 6 ? 40 : 20;

	memset(h, 0, ip + 8);
	if (from->family == 6) {
		h[0] = 0x60;
		put16(h + 4, n + 8);
		h[6] = 17;
		h[7] = 64;
		memcpy(h + 8, from->ip, 16);
		memcpy(h + 24, to->ip, 16);
	} else {
		h[0] = 0x45;
		put16(h + 2, n + 28);
		h[8] = 64;
		h[9] = 17;
		memcpy(h + 12, from->ip, 4);
		memcpy(h + 16, to->ip, 4);
		put16(h + 10, checksum(add_words(0, h, 20)));
	}
	put16(h + ip, from->port);
	put16(h + ip + 2, to->port);
	put16(h + ip + 4, n + 8);
	if (ip == 40)
		put16(h + ip + 6, udp6_checksum(h, payload, n));
	return ip + 8;
}

int pcap_write(FILE *f, const struct logger_packet *p)
{
	const struct sip_addr *from = p->received ? &p->remote : &p->local, *to = p->received ? &p->local : &p->remote;
	size_t n = p->len < MAX_PAYLOAD ? p->len : MAX_PAYLOAD, head;
	uint8_t h[48];
	uint32_t record[4];

	head = make_headers(h, from, to, p->bytes, n);
	record[0] = (uint32_t)(p->wall_us / 1000000);
	record[1] = (uint32_t)(p->wall_us % 1000000);
	record[2] = record[3] = (uint32_t)(head + n);
	if (fwrite(record, sizeof(record), 1, f) != 1 || fwrite(h, head, 1, f) != 1 ||
	    (n && fwrite(p->bytes, n, 1, f) != 1))
		return -1;
	return fflush(f) ? -1 : 0;
}
