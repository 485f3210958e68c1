/* serial.c — see serial.h. */
#include "workers/signer/serial.h"

#include <assert.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"

void serial_new(int64_t wall_us, uint8_t out[SERIAL_LEN])
{
	int64_t secs = wall_us / USEC_PER_SEC;

	assert(secs > 0 && secs <= UINT32_MAX);
	out[0] = SERIAL_LEAD;
	for (int i = 0; i < 4; i++)
		out[1 + i] = (uint8_t)(secs >> (24 - 8 * i));
	rnd_bytes(out + 5, SERIAL_LEN - 5);
}

int serial_crl_shard(const uint8_t serial[SERIAL_LEN], int shards)
{
	uint32_t random = 0;

	assert(shards > 0);
	for (int i = 0; i < 4; i++)
		random = random << 8 | serial[SERIAL_LEN - 4 + i];
	return 1 + (int)(random % (uint32_t)shards);
}

void serial_format(struct bytes serial, char out[2 * SERIAL_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";

	assert(serial.len == SERIAL_LEN);
	for (size_t i = 0; i < serial.len; i++) {
		out[2 * i] = digits[serial.ptr[i] >> 4];
		out[2 * i + 1] = digits[serial.ptr[i] & 15];
	}
	out[2 * SERIAL_LEN] = '\0';
}
