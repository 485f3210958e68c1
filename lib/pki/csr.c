/* csr.c — see csr.h. One pass over the DER finds every part without allocating or computing; then
 * come the names, and only for a request without fault the costly part: the key is made, judged and
 * used on the self-signature. d2i_X509_REQ would decode the key through OpenSSL's decoders on the
 * way, for more than all of this together. */
#include "lib/pki/csr.h"

#include "lib/pki/der.h"
#include "lib/pki/keypolicy.h"
#include "lib/pki/oid.h"
#include "lib/pki/signature.h"

#define CSR_NAME_MAX_BYTES 253
#define TAG_ATTRIBUTES 0xa0
#define TAG_DNS_NAME 0x82
#define KEY_USAGE_CERT_SIGN 0x04 /* bits 5 and 6 of the first octet, RFC 5280 section 4.2.1.3 */
#define KEY_USAGE_CRL_SIGN 0x02

/* What the walk found; everything is borrowed from the DER. */
struct parts {
	struct bytes info; /* CertificationRequestInfo, whole: what is signed */
	struct bytes spki;
	struct bytes algorithm; /* signatureAlgorithm, contents */
	struct bytes signature;
	struct bytes common_name; /* ptr NULL when there is none */
	struct bytes extensions;  /* contents of Extensions; ptr NULL when there are none */
	struct bytes san;         /* contents of GeneralNames; ptr NULL when there are none */
};

static int refuse(struct problem *pb, const char *detail)
{
	return problem_set(pb, PROBLEM_BAD_CSR, "%s", detail);
}

static int not_der(struct problem *pb)
{
	return refuse(pb, "not exactly one DER PKCS#10 request");
}

/* RFC 5280 section 4.1.2.4: RDNSequence. Only commonName matters, and only one of it. */
static int walk_subject(struct bytes rdns, struct parts *parts, struct problem *pb)
{
	while (rdns.len > 0) {
		struct bytes rdn, pair, oid, value;
		uint8_t tag;

		if (der_expect(&rdns, DER_SET, &rdn) < 0 || rdn.len == 0)
			return not_der(pb);
		while (rdn.len > 0) {
			if (der_expect(&rdn, DER_SEQUENCE, &pair) < 0 ||
				der_expect(&pair, DER_OID, &oid) < 0 ||
				der_read(&pair, &tag, &value, NULL) < 0 || pair.len > 0)
				return not_der(pb);
			if (!bytes_equal(oid, OID_COMMON_NAME))
				continue;
			if (parts->common_name.ptr != NULL)
				return refuse(pb, "the subject has more than one commonName");
			if (tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING &&
				tag != DER_IA5_STRING)
				return refuse(pb,
					"the commonName is not UTF8String, PrintableString or "
					"IA5String");
			parts->common_name = value;
		}
	}
	return OK;
}

/* RFC 2986 section 4.1 and RFC 2985 section 5.4.2: extensionRequest is single-valued and comes
 * once. */
static int walk_attributes(struct bytes attributes, struct parts *parts, struct problem *pb)
{
	while (attributes.len > 0) {
		struct bytes attribute, oid, values, value;

		if (der_expect(&attributes, DER_SEQUENCE, &attribute) < 0 ||
			der_expect(&attribute, DER_OID, &oid) < 0 ||
			der_expect(&attribute, DER_SET, &values) < 0 || attribute.len > 0)
			return not_der(pb);
		if (!bytes_equal(oid, OID_EXTENSION_REQUEST))
			continue;
		if (parts->extensions.ptr != NULL)
			return refuse(pb, "more than one extensionRequest attribute");
		if (der_expect(&values, DER_SEQUENCE, &value) < 0 || values.len > 0)
			return refuse(pb,
				"the extensionRequest attribute must hold exactly one list of "
				"extensions");
		parts->extensions = value;
	}
	return OK;
}

/* RFC 2986 section 4.2. */
static int walk_request(struct bytes der, struct parts *parts, struct problem *pb)
{
	struct bytes request, info, version, subject, attributes;
	int r;

	if (der_expect(&der, DER_SEQUENCE, &request) < 0 || der.len > 0 ||
		der_peek(request) != DER_SEQUENCE ||
		der_read(&request, NULL, &info, &parts->info) < 0 ||
		der_expect(&request, DER_SEQUENCE, &parts->algorithm) < 0 ||
		der_expect(&request, DER_BIT_STRING, &parts->signature) < 0 || request.len > 0 ||
		parts->signature.len < 1 || parts->signature.ptr[0] != 0)
		return not_der(pb);
	parts->signature = bytes_of(parts->signature.ptr + 1, parts->signature.len - 1);

	if (der_expect(&info, DER_INTEGER, &version) < 0)
		return not_der(pb);
	/* RFC 2986 section 4.1: v1 (0) is the only version. */
	if (!bytes_equal(version, bytes_of("\0", 1)))
		return refuse(pb, "unknown PKCS#10 version");
	if (der_expect(&info, DER_SEQUENCE, &subject) < 0 || der_peek(info) != DER_SEQUENCE ||
		der_read(&info, NULL, NULL, &parts->spki) < 0 ||
		der_expect(&info, TAG_ATTRIBUTES, &attributes) < 0 || info.len > 0)
		return not_der(pb);
	r = walk_subject(subject, parts, pb);
	if (r < 0)
		return r;
	return walk_attributes(attributes, parts, pb);
}

static int check_basic_constraints(struct bytes value, struct problem *pb)
{
	struct bytes body;

	if (der_expect(&value, DER_SEQUENCE, &body) < 0 || value.len > 0)
		return refuse(pb, "the basicConstraints extension is not DER");
	/* cA is DEFAULT FALSE, so in DER only TRUE is ever written; a pathLenConstraint is for a CA
	 * alone. */
	if (body.len > 0 && !bytes_equal(body, bytes_of("\x01\x01\x00", 3)))
		return refuse(pb,
			"the request asks for the certificate of a CA (basicConstraints)");
	return OK;
}

static int check_key_usage(struct bytes value, struct problem *pb)
{
	struct bytes bits;

	if (der_expect(&value, DER_BIT_STRING, &bits) < 0 || value.len > 0 || bits.len < 2 ||
		bits.ptr[0] > 7)
		return refuse(pb, "the keyUsage extension is not DER");
	if ((bits.ptr[1] & (KEY_USAGE_CERT_SIGN | KEY_USAGE_CRL_SIGN)) != 0)
		return refuse(pb, "the request asks for the key usages of a CA");
	return OK;
}

/* What a request may not ask for is refused; what is harmless is ignored, since certificates are
 * built from policy. */
static int check_extension(struct bytes oid, struct bytes value, struct parts *parts,
	struct problem *pb)
{
	if (bytes_equal(oid, OID_SUBJECT_ALT_NAME)) {
		if (der_expect(&value, DER_SEQUENCE, &parts->san) < 0 || value.len > 0 ||
			parts->san.len == 0)
			return refuse(pb, "the subjectAltName extension is not DER or is empty");
		return OK;
	}
	if (bytes_equal(oid, OID_BASIC_CONSTRAINTS))
		return check_basic_constraints(value, pb);
	if (bytes_equal(oid, OID_KEY_USAGE))
		return check_key_usage(value, pb);
	if (bytes_equal(oid, OID_NAME_CONSTRAINTS))
		return refuse(pb, "the request asks for nameConstraints, which only a CA may have");
	/* RFC 7633: leaving it out silently would take away a protection that was asked for. */
	if (bytes_equal(oid, OID_TLS_FEATURE))
		return refuse(pb,
			"the request asks for the TLS feature extension (must staple), which is "
			"not issued here");
	return OK;
}

/* One Extension; *rest moves behind it. The caller refuses duplicates. */
static int read_extension(struct bytes *rest, struct bytes *ret_oid, struct bytes *ret_value)
{
	struct bytes extension, critical;

	if (der_expect(rest, DER_SEQUENCE, &extension) < 0 ||
		der_expect(&extension, DER_OID, ret_oid) < 0)
		return ERR_SYNTAX;
	if (der_peek(extension) == DER_BOOLEAN &&
		(der_expect(&extension, DER_BOOLEAN, &critical) < 0 || critical.len != 1))
		return ERR_SYNTAX;
	if (der_expect(&extension, DER_OCTET_STRING, ret_value) < 0 || extension.len > 0)
		return ERR_SYNTAX;
	return OK;
}

static int walk_extensions(struct parts *parts, struct problem *pb)
{
	struct bytes seen[32];
	size_t count = 0;
	struct bytes rest = parts->extensions;

	while (rest.len > 0) {
		struct bytes oid, value;
		int r;

		if (read_extension(&rest, &oid, &value) < 0)
			return not_der(pb);
		if (count == ARRAY_LEN(seen))
			return refuse(pb, "more than 32 extensions");
		/* RFC 5280 section 4.2: one instance of each. */
		for (size_t i = 0; i < count; i++) {
			if (bytes_equal(seen[i], oid))
				return refuse(pb, "an extension is requested twice");
		}
		seen[count++] = oid;
		r = check_extension(oid, value, parts, pb);
		if (r < 0)
			return r;
	}
	return OK;
}

/* RFC 5758 section 3.2 (no parameters) and RFC 4055 section 5 (NULL, or absent). */
static int signature_md(struct bytes algorithm, bool rsa, const EVP_MD **ret, struct problem *pb)
{
	struct bytes oid;
	bool sha256, sha384, sha512;

	if (der_expect(&algorithm, DER_OID, &oid) < 0)
		return not_der(pb);
	if (bytes_equal(oid, OID_SHA1_WITH_RSA) || bytes_equal(oid, OID_ECDSA_WITH_SHA1))
		return refuse(pb,
			"the request is signed with SHA-1: use SHA-256, SHA-384 or SHA-512");
	sha256 = bytes_equal(oid, rsa ? OID_SHA256_WITH_RSA : OID_ECDSA_WITH_SHA256);
	sha384 = bytes_equal(oid, rsa ? OID_SHA384_WITH_RSA : OID_ECDSA_WITH_SHA384);
	sha512 = bytes_equal(oid, rsa ? OID_SHA512_WITH_RSA : OID_ECDSA_WITH_SHA512);
	if (!sha256 && !sha384 && !sha512)
		return refuse(pb,
			"the signature algorithm of the request is unknown or does not fit its "
			"key");
	if (algorithm.len > 0 && !(rsa && bytes_equal(algorithm, bytes_of("\x05\x00", 2))))
		return refuse(pb, "the signature algorithm of the request has wrong parameters");
	*ret = sha256 ? ossl_sha256() : sha384 ? ossl_sha384() : ossl_sha512();
	return OK;
}

static int verify(const struct parts *parts, EVP_PKEY *key, bool rsa, struct problem *pb)
{
	const EVP_MD *md = NULL;
	int r = signature_md(parts->algorithm, rsa, &md, pb);

	if (r < 0)
		return r;
	if (signature_verify_x509(key, rsa, md, parts->info, parts->signature) < 0)
		return refuse(pb, "the self-signature does not verify");
	return OK;
}

/* The key, its digests and the proof that the client holds it. */
static int take_key(struct csr *csr, const struct parts *parts, struct problem *pb)
{
	CLEANUP_BUF struct buf canonical = {0};
	struct pubkey numbers;
	int r;

	if (pubkey_from_spki(parts->spki, &numbers) < 0)
		return refuse(pb,
			"the public key must be RSA of 2048, 3072 or 4096 bits or an uncompressed "
			"point of the "
			"named curves P-256, P-384 or P-521");
	r = keypolicy_check_pubkey(&numbers, KEY_FOR_CERTIFICATE, PROBLEM_BAD_CSR, pb);
	if (r < 0)
		return r;
	if (pubkey_make(&numbers, &csr->key) < 0)
		return refuse(pb, "the public key is not a point of its curve");
	r = verify(parts, csr->key, numbers.kind == PUBKEY_RSA, pb);
	if (r < 0)
		return r;
	csr->spki = parts->spki;
	csr->key_type = xstrdup(keypolicy_type_of(&numbers));
	ossl_sha256_of(parts->spki, csr->spki_sha256);
	pubkey_put_jwk(&numbers, &canonical);
	ossl_sha256_of(buf_bytes(&canonical), csr->key_thumbprint);
	return OK;
}

/* Lower-case letters, digits, hyphens, dots, underscores and asterisks: anything else is in no DNS
 * name that we would certify, and policy looks at the rest. NULL for other texts. */
static char *lower_name(struct bytes text)
{
	CLEANUP_STR char *name = NULL;

	if (text.len == 0 || text.len > CSR_NAME_MAX_BYTES)
		return NULL;
	name = xstrndup((const char *)text.ptr, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			name[i] = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
				 c == '.' || c == '_' || c == '*'))
			return NULL;
	}
	return TAKE(name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct csr *csr)
{
	size_t kept = 0;

	qsort(csr->names, csr->nnames, sizeof(*csr->names), compare_names);
	for (size_t i = 0; i < csr->nnames; i++) {
		if (kept > 0 && strcmp(csr->names[kept - 1], csr->names[i]) == 0)
			free(csr->names[i]);
		else
			csr->names[kept++] = csr->names[i];
	}
	csr->nnames = kept;
}

static int add_name(struct csr *csr, struct bytes text, struct problem *pb)
{
	char *name = lower_name(text);

	if (name == NULL) {
		CLEANUP_BUF struct buf quoted = {0};

		problem_quote(&quoted, text, 80);
		return problem_set(pb, PROBLEM_BAD_CSR, "\"%s\" is not a DNS name in ASCII",
			buf_str(&quoted));
	}
	csr->names[csr->nnames++] = name;
	return OK;
}

/* RFC 8555 section 7.4: the names are in the commonName, the subjectAltName or both. */
static int take_names(struct csr *csr, const struct parts *parts, size_t names_max,
	struct problem *pb)
{
	struct bytes rest = parts->san, name;
	CLEANUP_STR char *common_name = NULL;
	int r = OK;

	/* A GeneralName has at least three octets. */
	csr->names = xcalloc(rest.len / 3 + 1, sizeof(*csr->names));
	while (rest.len > 0 && r == OK) {
		uint8_t tag;

		if (der_read(&rest, &tag, &name, NULL) < 0)
			return not_der(pb);
		if (tag != TAG_DNS_NAME)
			return refuse(pb, "the subjectAltName may only hold DNS names");
		if (name.len == 0)
			return refuse(pb, "the subjectAltName holds an empty name");
		r = add_name(csr, name, pb);
	}
	if (r == OK && parts->san.ptr == NULL && parts->common_name.ptr != NULL)
		r = add_name(csr, parts->common_name, pb);
	if (r < 0)
		return r;
	sort_unique(csr);
	if (csr->nnames == 0)
		return refuse(pb,
			"the request names nothing: put the DNS names into a subjectAltName");
	if (csr->nnames > names_max)
		return problem_set(pb, PROBLEM_BAD_CSR, "more than %zu names", names_max);
	if (parts->common_name.ptr == NULL)
		return OK;
	common_name = lower_name(parts->common_name);
	if (common_name == NULL ||
		bsearch(&common_name, csr->names, csr->nnames, sizeof(*csr->names),
			compare_names) == NULL)
		return refuse(pb, "the commonName is not one of the names in the subjectAltName");
	return OK;
}

int csr_parse(struct bytes der, size_t names_max, struct problem *pb, struct csr **ret)
{
	CLEANUP(csr_free) struct csr *csr = NULL;
	struct parts parts = {0};
	int r;

	if (der.len > CSR_MAX_BYTES)
		return problem_set(pb, PROBLEM_BAD_CSR, "the request is longer than %d bytes",
			CSR_MAX_BYTES);
	csr = xcalloc(1, sizeof(*csr));
	buf_add(&csr->der, der.ptr, der.len);
	r = walk_request(buf_bytes(&csr->der), &parts, pb);
	if (r < 0)
		return r;
	r = walk_extensions(&parts, pb);
	if (r < 0)
		return r;
	r = take_names(csr, &parts, names_max, pb);
	if (r < 0)
		return r;
	r = take_key(csr, &parts, pb);
	if (r < 0)
		return r;
	*ret = TAKE(csr);
	return OK;
}

void csr_free(struct csr *csr)
{
	if (csr == NULL)
		return;
	EVP_PKEY_free(csr->key);
	free(csr->key_type);
	for (size_t i = 0; i < csr->nnames; i++)
		free(csr->names[i]);
	free(csr->names);
	buf_done(&csr->der);
	free(csr);
}
