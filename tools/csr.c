/* csr.c — assayctl csr: a certificate signing request (RFC 2986) for an issuing key, for a root
 * that is elsewhere. The key may be in a PKCS#11 token. */
#include <openssl/pem.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "tools/authority.h"
#include "tools/command.h"
#include "workers/signer/keys.h"

static const char help[] =
	"usage: assayctl csr --key SOURCE --name TEXT [options]\n\n"
	"Prints a certificate signing request for an issuing key, for the root to sign.\n\n"
	"  --key SOURCE         a PEM file, or a PKCS#11 URI with module-path\n"
	"  --passphrase FILE    first line: the passphrase of the key, or the PIN of the token\n"
	"  --name TEXT          CN of the issuing certificate\n"
	"  --organization TEXT  O (default: none)\n"
	"  --country CC         C (default: none)\n";

struct csr_options {
	const char *key;
	const char *passphrase;
	struct authority_name name;
};

static void parse_options(int argc, char **argv, struct csr_options *o)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"passphrase", required_argument, NULL, 'p'},
		{"name", required_argument, NULL, 'n'},
		{"organization", required_argument, NULL, 'o'},
		{"country", required_argument, NULL, 'C'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char **const places[] = {['k'] = &o->key,
		['p'] = &o->passphrase,
		['n'] = &o->name.common_name,
		['o'] = &o->name.organization,
		['C'] = &o->name.country};
	int found;

	*o = (struct csr_options){0};
	while ((found = command_option(&command_csr, argc, argv, options)) != -1)
		*places[found] = optarg;
	if (o->key == NULL || o->name.common_name == NULL)
		die("csr: --key SOURCE and --name TEXT must be given");
}

/* CertificationRequestInfo (section 4.1), and a signature behind it: the same form as a
 * certificate's, so the same code signs it, wherever the key is. */
static int make_request(EVP_PKEY *key, const struct authority_name *name, struct buf *out)
{
	CLEANUP(X509_REQ_free) X509_REQ *req = X509_REQ_new();
	uint8_t *info = NULL;
	int len, err;

	if (req == NULL || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
		X509_REQ_set_pubkey(req, key) != 1)
		return ossl_drain("X509_REQ");
	err = authority_name_fill(X509_REQ_get_subject_name(req), name);
	if (err != OK)
		return err;
	len = i2d_re_X509_REQ_tbs(req, &info);
	if (len <= 0)
		return ossl_drain("i2d_re_X509_REQ_tbs");
	err = key_sign_tbs_checked(key, bytes_of(info, (size_t)len), out);
	OPENSSL_free(info);
	return err;
}

static int run_csr(const char *conf_path, int argc, char **argv)
{
	struct csr_options o;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP_BUF struct buf der = {0}, pem = {0};
	CLEANUP_STR char *why = NULL;
	int err;

	parse_options(argc, argv, &o);
	err = key_load(o.key, o.passphrase, &key, &why);
	if (err != OK)
		die("csr: %s", why != NULL ? why : err_name(err));
	if (make_request(key, &o.name, &der) != OK)
		die("csr: OpenSSL cannot make the request: --name, --organization (64 characters) "
		    "or --country may not fit");
	pem_append(&pem, "CERTIFICATE REQUEST", buf_bytes(&der));
	fputs(buf_str(&pem), stdout);
	return 0;
}

const struct command command_csr = {"csr", "make a certificate signing request for an issuing key",
	help, run_csr};
