/* serial.h — serial numbers of certificates: 18 bytes, always that long, positive, not sequential.
 *
 *   0x40 | 4 bytes: seconds since 1970, big endian | 13 bytes from the CSPRNG
 *
 * The lead byte keeps the INTEGER positive and its length fixed (RFC 5280 section 4.1.2.2: at most
 * 20 octets); 104 random bits are more than the 64 that the Baseline Requirements (section 7.1) ask
 * for; the time lets tables of certificates be partitioned and searched by serial. Uniqueness is
 * not hoped for but enforced by the database before a key is used. */
#pragma once

#include "lib/base/bytes.h"

#define SERIAL_LEN 18
#define SERIAL_LEAD 0x40

void serial_new(int64_t wall_us, uint8_t out[SERIAL_LEN]);
/* Which of the issuer's revocation lists, 1 to shards, would hold it: decided by the random bytes.
 */
int serial_crl_shard(const uint8_t serial[SERIAL_LEN], int shards);
/* Lower-case hexadecimal, for logs and people. */
void serial_format(struct bytes serial, char out[2 * SERIAL_LEN + 1]);
