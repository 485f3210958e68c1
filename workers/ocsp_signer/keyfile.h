/* keyfile.h — responder keys in the state folder: one file for each, ISSUER-ID.key, PKCS#8 DER,
 * mode 0400. ISSUER is the beginning of the issuing certificate's SHA-256, ID the responder's id.
 *
 * All instances on one machine share the folder, so a key is made under a lock, and appears whole
 * or not at all. */
#pragma once

#include "lib/base/ident.h"
#include "lib/pki/ossl.h"

struct keyfile {
	struct ident id;
	uint8_t issuer[8]; /* the first octets of the issuing certificate's SHA-256 */
};

/* Opens the folder, which is made if its parent is there, and must be ours and nobody else's. The
 * descriptor, or ERR_INTERNAL (errno tells why; EPERM: others may enter it). */
MUST_CHECK int keyfile_folder(const char *path, int *ret_fd);
/* Every key there is, in order of name: of issuer and of time. What is named otherwise is passed
 * over. Free *ret. */
MUST_CHECK int keyfile_list(int folder, struct keyfile **ret, size_t *ret_count);
MUST_CHECK int keyfile_load(int folder, const struct keyfile *file, EVP_PKEY **ret);
/* A fresh P-256 key, on disk before this returns. */
MUST_CHECK int keyfile_make(int folder, const uint8_t issuer[8], struct keyfile *ret,
	EVP_PKEY **ret_key);
void keyfile_remove(int folder, const struct keyfile *file);
/* Held until keyfile_unlock, or until the process dies. ERR_BUSY: somebody else has it. */
MUST_CHECK int keyfile_lock(int folder, int *ret_lock);
void keyfile_unlock(int lock);
