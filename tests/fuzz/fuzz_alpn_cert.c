/* fuzz_alpn_cert.c — alpncert_check on the input as the certificate of a tls-alpn-01 answer. No
 * input proves a digest that it does not contain. */
#include <assert.h>

#include "lib/net/alpncert.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t digest[32] = "the digest in the seed's place";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	int rc = alpncert_check(bytes_of(data, size), "www.example.test", digest, &pb);

	assert((rc == OK) == (pb.type == PROBLEM_NONE));
	assert(rc != OK || memmem(data, size, digest, sizeof(digest)) != NULL);
	return 0;
}
