/* pki_fixture.h — keys made at test time and the signed things that tests of lib/pki take apart. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/problem.h"
#include "lib/pki/jws.h"
#include "lib/pki/ossl.h"

/* "rsa1024" "rsa2048" "rsa3072" "rsa4096" "p256" "p384" "p521" "secp256k1" "ed25519": made once a
 * program, freed at its end. */
EVP_PKEY *fixture_key(const char *type);
/* A second key of the same type. */
EVP_PKEY *fixture_other_key(const char *type);
/* DER signature (PKCS#1, ECDSA-Sig-Value) over the input. md NULL: pure EdDSA. */
void fixture_sign(EVP_PKEY *key, const EVP_MD *md, struct bytes input, struct buf *out);
/* JWS signature: r || s for EC keys. */
void fixture_jws_sign(EVP_PKEY *key, enum jws_alg alg, struct bytes input, struct buf *out);
/* {"protected":…,"payload":…,"signature":…} with a signature made by key. */
void fixture_jws(EVP_PKEY *key, enum jws_alg alg, const char *header, const char *payload,
	struct buf *out);
/* The canonical JWK of a key. */
void fixture_jwk(EVP_PKEY *key, struct buf *out);
struct jwk *fixture_load(EVP_PKEY *key);

struct csr_recipe { /* zero members take their usual value: a good P-256 request for a.example and
		       b.example */
	EVP_PKEY *key;
	struct bytes version; /* contents of the INTEGER */
	struct bytes subject; /* contents of the RDNSequence */
	struct bytes spki;
	struct bytes algorithm; /* the whole AlgorithmIdentifier */
	const EVP_MD *md;
	struct bytes attributes; /* contents of [0] */
	struct bytes extensions; /* contents of Extensions, when attributes are the usual */
	struct bytes san;        /* contents of GeneralNames, when extensions are the usual */
	bool no_san;
	const char *common_name;
};
void fixture_csr(const struct csr_recipe *recipe, struct buf *out);
/* Appends one Extension. */
void fixture_extension(struct buf *out, struct bytes oid, bool critical, struct bytes value);
/* Appends one dNSName. */
void fixture_dns_name(struct buf *out, const char *name);
/* Appends one RDN with a single attribute. */
void fixture_rdn(struct buf *out, struct bytes oid, uint8_t tag, const char *value);

/* The problem was set with this type, and its detail contains the text. Empties it. */
void assert_problem(struct problem *pb, enum problem_type type, const char *text);
