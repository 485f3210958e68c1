/* ocsp_id.c — see ocsp_id.h. */
#include "lib/pki/ocsp_id.h"

#include <assert.h>

#include "lib/pki/certview.h"
#include "lib/pki/der.h"

/* SEQUENCE { OBJECT IDENTIFIER, NULL }: 1.3.14.3.2.26 and 2.16.840.1.101.3.4.2.1. */
static const uint8_t sha1_algorithm[] = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05,
	0x00};
static const uint8_t sha256_algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
	0x03, 0x04, 0x02, 0x01, 0x05, 0x00};

#define OID_OFFSET 4  /* two headers */
#define NULL_OCTETS 2 /* behind it */

struct bytes ocsp_hash_algorithm(enum ocsp_hash hash)
{
	return hash == OCSP_SHA1 ? bytes_of(sha1_algorithm, sizeof(sha1_algorithm))
				 : bytes_of(sha256_algorithm, sizeof(sha256_algorithm));
}

struct bytes ocsp_hash_oid(enum ocsp_hash hash)
{
	struct bytes all = ocsp_hash_algorithm(hash);

	return bytes_of(all.ptr + OID_OFFSET, all.len - OID_OFFSET - NULL_OCTETS);
}

size_t ocsp_hash_len(enum ocsp_hash hash)
{
	return hash == OCSP_SHA1 ? 20 : 32;
}

static void digest(enum ocsp_hash hash, struct bytes in, uint8_t *out)
{
	const EVP_MD *md = hash == OCSP_SHA1 ? ossl_sha1() : ossl_sha256();
	int done = EVP_Digest(in.ptr, in.len, out, NULL, md, NULL);

	assert(done == 1);
}

int ocsp_id_of(struct bytes certificate, struct ocsp_id *ret)
{
	struct certview_outline outline;
	struct bytes spki, bits, whole;

	if (certview_walk(certificate, &outline) < 0)
		return ERR_SYNTAX;
	/* RFC 6960 section 4.1.1: without tag, length and number of unused bits. */
	whole = outline.spki;
	if (der_expect(&whole, DER_SEQUENCE, &spki) < 0 ||
		der_expect(&spki, DER_SEQUENCE, NULL) < 0 ||
		der_expect(&spki, DER_BIT_STRING, &bits) < 0 || spki.len > 0 || bits.len < 2 ||
		bits.ptr[0] != 0)
		return ERR_SYNTAX;
	bits = bytes_of(bits.ptr + 1, bits.len - 1);
	*ret = (struct ocsp_id){0};
	for (int hash = 0; hash < OCSP_HASHES; hash++) {
		digest((enum ocsp_hash)hash, outline.subject, ret->name[hash]);
		digest((enum ocsp_hash)hash, bits, ret->key[hash]);
	}
	return OK;
}
