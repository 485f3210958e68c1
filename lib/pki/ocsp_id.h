/* ocsp_id.h — how OCSP names an issuer: the hashes of a CertID (RFC 6960 section 4.1.1), over its
 * name and its key.
 *
 * SHA-1 is what every client of RFC 5019 sends, and serves for naming alone; SHA-256 is the other
 * one that RFC 9919 knows. Both of an issuer are computed once; requests are matched against them,
 * responses repeat them. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

enum ocsp_hash { OCSP_SHA1, OCSP_SHA256 };
#define OCSP_HASHES 2
#define OCSP_HASH_MAX_LEN 32

struct ocsp_id {
	uint8_t name[OCSP_HASHES][OCSP_HASH_MAX_LEN]; /* of the subject's DER */
	uint8_t key[OCSP_HASHES][OCSP_HASH_MAX_LEN];  /* of the key's bits, without their header */
};
/* certificate: the issuing certificate, DER. ERR_SYNTAX when it is none. */
MUST_CHECK int ocsp_id_of(struct bytes certificate, struct ocsp_id *ret);

size_t ocsp_hash_len(enum ocsp_hash hash);
/* The AlgorithmIdentifier, whole, with parameters NULL. A request may leave them out (RFC 5754
 * section 2). Static. */
struct bytes ocsp_hash_algorithm(enum ocsp_hash hash);
/* The contents of its OBJECT IDENTIFIER. Static. */
struct bytes ocsp_hash_oid(enum ocsp_hash hash);
static inline struct bytes ocsp_id_name(const struct ocsp_id *id, enum ocsp_hash hash)
{
	return bytes_of(id->name[hash], ocsp_hash_len(hash));
}
static inline struct bytes ocsp_id_key(const struct ocsp_id *id, enum ocsp_hash hash)
{
	return bytes_of(id->key[hash], ocsp_hash_len(hash));
}
