/* keypolicy.h — which public keys we accept, for accounts and certificates (CA/B
 * BR 6.1.1.3, 6.1.5, 6.1.6). RSA: 2048, 3072 or 4096 bits, e = 65537, no prime factor below 752, no
 * ROCA fingerprint, no Fermat factorization within 100 rounds. EC: named curves P-256, P-384,
 * P-521, point on the curve. Ed25519 for accounts only. */
#pragma once

#include "lib/base/problem.h"
#include "lib/pki/pubkey.h"

enum key_use { KEY_FOR_ACCOUNT, KEY_FOR_CERTIFICATE };
/* type: PROBLEM_BAD_PUBLIC_KEY or PROBLEM_BAD_CSR, what a refusal is called. */
MUST_CHECK int keypolicy_check(EVP_PKEY *key, enum key_use use, enum problem_type type,
	struct problem *pb);
/* The same for a key still in numbers. That a point is on its curve is left to pubkey_make, which
 * refuses others. */
MUST_CHECK int keypolicy_check_pubkey(const struct pubkey *key, enum key_use use,
	enum problem_type type, struct problem *pb);
/* "rsa2048", "p256", "ed25519" …; NULL for kinds we do not know. */
const char *keypolicy_type(EVP_PKEY *key);
const char *keypolicy_type_of(const struct pubkey *key);
