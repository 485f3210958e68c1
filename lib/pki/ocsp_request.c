/* ocsp_request.c — see ocsp_request.h. One function for each ASN.1 type of RFC 6960 section
 * 4.1.1. */
#include "lib/pki/ocsp_request.h"

#include "lib/pki/der.h"
#include "lib/pki/oid.h"

/* Context tags, constructed. */
#define TAG_0 0xa0
#define TAG_1 0xa1
#define TAG_2 0xa2

#define EXTENSIONS_MAX 16

/* X.690 section 8.19.2: each part in its shortest form, and the last one whole. */
static int read_oid(struct bytes *in, struct bytes *ret)
{
	bool begins = true;

	if (der_expect(in, DER_OID, ret) < 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < ret->len; i++) {
		if (begins && ret->ptr[i] == 0x80)
			return ERR_SYNTAX;
		begins = (ret->ptr[i] & 0x80) == 0;
	}
	return ret->len > 0 && begins ? OK : ERR_SYNTAX;
}

/* AlgorithmIdentifier of a hash: parameters NULL or none (RFC 5754 section 2). */
static int read_hash(struct bytes *in, enum ocsp_hash *ret)
{
	struct bytes algorithm, oid, none;

	if (der_expect(in, DER_SEQUENCE, &algorithm) < 0 || read_oid(&algorithm, &oid) < 0)
		return ERR_SYNTAX;
	for (int hash = 0; hash < OCSP_HASHES; hash++) {
		if (!bytes_equal(oid, ocsp_hash_oid((enum ocsp_hash)hash)))
			continue;
		if (algorithm.len > 0 &&
			(der_expect(&algorithm, DER_NULL, &none) < 0 || none.len > 0))
			return ERR_SYNTAX;
		*ret = (enum ocsp_hash)hash;
		return algorithm.len == 0 ? OK : ERR_SYNTAX;
	}
	/* Its parameters are whatever they are. */
	if (algorithm.len > 0 && der_read(&algorithm, NULL, NULL, NULL) < 0)
		return ERR_SYNTAX;
	return algorithm.len == 0 ? ERR_LIMIT : ERR_SYNTAX;
}

/* X.690 section 8.3.2: the shortest form. */
static bool is_integer(struct bytes content)
{
	if (content.len < 2)
		return content.len == 1;
	return !(content.ptr[0] == 0x00 && content.ptr[1] < 0x80) &&
		!(content.ptr[0] == 0xff && content.ptr[1] >= 0x80);
}

static int read_certid(struct bytes *in, struct ocsp_certid *ret)
{
	struct bytes id;
	int known;

	if (der_expect(in, DER_SEQUENCE, &id) < 0)
		return ERR_SYNTAX;
	known = read_hash(&id, &ret->hash);
	if (known == ERR_SYNTAX || der_expect(&id, DER_OCTET_STRING, &ret->name_hash) < 0 ||
		der_expect(&id, DER_OCTET_STRING, &ret->key_hash) < 0 ||
		der_expect(&id, DER_INTEGER, &ret->serial) < 0 || !is_integer(ret->serial) ||
		id.len > 0)
		return ERR_SYNTAX;
	if (known != OK)
		return known;
	if (ret->name_hash.len != ocsp_hash_len(ret->hash) ||
		ret->key_hash.len != ocsp_hash_len(ret->hash))
		return ERR_SYNTAX;
	return ret->serial.len <= OCSP_SERIAL_MAX_BYTES ? OK : ERR_LIMIT;
}

struct extension {
	struct bytes oid;
	struct bytes value; /* contents of extnValue */
	bool critical;
};

/* RFC 5280 section 4.1. DER leaves a DEFAULT out, but FALSE is written by some, and clear. */
static int read_extension(struct bytes *in, struct extension *ret)
{
	struct bytes content, critical;

	*ret = (struct extension){0};
	if (der_expect(in, DER_SEQUENCE, &content) < 0 || read_oid(&content, &ret->oid) < 0)
		return ERR_SYNTAX;
	if (der_peek(content) == DER_BOOLEAN) {
		if (der_expect(&content, DER_BOOLEAN, &critical) < 0 || critical.len != 1 ||
			(critical.ptr[0] != 0x00 && critical.ptr[0] != 0xff))
			return ERR_SYNTAX;
		ret->critical = critical.ptr[0] != 0;
	}
	if (der_expect(&content, DER_OCTET_STRING, &ret->value) < 0 || content.len > 0)
		return ERR_SYNTAX;
	return OK;
}

/* RFC 9654 section 2.1: Nonce ::= OCTET STRING (SIZE(1..128)), inside the extnValue; another length
 * is malformedRequest. */
static int read_nonce(struct bytes value, struct bytes *ret)
{
	struct bytes nonce;

	if (der_expect(&value, DER_OCTET_STRING, &nonce) < 0 || value.len > 0 || nonce.len < 1 ||
		nonce.len > OCSP_NONCE_MAX_BYTES)
		return ERR_SYNTAX;
	*ret = nonce;
	return OK;
}

/* RFC 6960 section 4.4.3: the types of response that the client takes; ours must be among them. */
static int check_acceptable(struct bytes value)
{
	struct bytes types, oid;
	bool basic = false;

	if (der_expect(&value, DER_SEQUENCE, &types) < 0 || value.len > 0)
		return ERR_SYNTAX;
	while (types.len > 0) {
		if (read_oid(&types, &oid) < 0)
			return ERR_SYNTAX;
		basic = basic || bytes_equal(oid, OID_OCSP_BASIC);
	}
	return basic ? OK : ERR_SYNTAX;
}

/* Extensions, of the whole request (nonce not NULL) or of one CertID, where none is known. */
static int read_extensions(struct bytes explicit, struct bytes *ret_nonce)
{
	struct bytes list, seen[EXTENSIONS_MAX];
	size_t count = 0;

	/* RFC 5280 section 4.1: SIZE (1..MAX) */
	if (der_expect(&explicit, DER_SEQUENCE, &list) < 0 || explicit.len > 0 || list.len == 0)
		return ERR_SYNTAX;
	for (; list.len > 0; count++) {
		struct extension ext;
		int err = read_extension(&list, &ext);

		if (err == OK && ret_nonce != NULL && bytes_equal(ext.oid, OID_OCSP_NONCE))
			err = read_nonce(ext.value, ret_nonce);
		else if (err == OK && ret_nonce != NULL && bytes_equal(ext.oid, OID_OCSP_RESPONSE))
			err = check_acceptable(ext.value);
		else if (err == OK && ext.critical)
			err = ERR_SYNTAX;
		if (err != OK || count == EXTENSIONS_MAX)
			return ERR_SYNTAX;
		/* RFC 5280 section 4.2: one of each. */
		for (size_t i = 0; i < count; i++) {
			if (bytes_equal(seen[i], ext.oid))
				return ERR_SYNTAX;
		}
		seen[count] = ext.oid;
	}
	return OK;
}

/* requestList. All of it is walked, so that malformed is malformed whatever else it is. */
static int read_list(struct bytes list, struct ocsp_request *ret)
{
	struct bytes request, explicit;
	int verdict = OK;

	if (list.len == 0)
		return ERR_SYNTAX;
	while (list.len > 0) {
		struct ocsp_certid certid;
		int err;

		if (der_expect(&list, DER_SEQUENCE, &request) < 0)
			return ERR_SYNTAX;
		err = read_certid(&request, &certid);
		if (err == ERR_SYNTAX)
			return ERR_SYNTAX;
		if (der_peek(request) == TAG_0 &&
			(der_expect(&request, TAG_0, &explicit) < 0 ||
				read_extensions(explicit, NULL) < 0))
			return ERR_SYNTAX;
		if (request.len > 0)
			return ERR_SYNTAX;
		if (err != OK || ret->count == OCSP_REQUEST_CERTS_MAX)
			verdict = ERR_LIMIT;
		else
			ret->certs[ret->count++] = certid;
	}
	return verdict;
}

/* version [0] EXPLICIT INTEGER DEFAULT v1(0): left out in DER, written by some. */
static int read_version(struct bytes *in)
{
	struct bytes explicit, version;

	if (der_peek(*in) != TAG_0)
		return OK;
	if (der_expect(in, TAG_0, &explicit) < 0 ||
		der_expect(&explicit, DER_INTEGER, &version) < 0 || explicit.len > 0 ||
		version.len != 1 || version.ptr[0] != 0)
		return ERR_SYNTAX;
	return OK;
}

static int read_tbs(struct bytes tbs, struct ocsp_request *ret)
{
	struct bytes list, explicit;
	int verdict;

	if (read_version(&tbs) < 0)
		return ERR_SYNTAX;
	if (der_peek(tbs) == TAG_1 &&
		(der_expect(&tbs, TAG_1, &explicit) < 0 ||
			der_read(&explicit, NULL, NULL, NULL) < 0 || explicit.len > 0))
		return ERR_SYNTAX;
	if (der_expect(&tbs, DER_SEQUENCE, &list) < 0)
		return ERR_SYNTAX;
	verdict = read_list(list, ret);
	if (verdict == ERR_SYNTAX)
		return ERR_SYNTAX;
	if (der_peek(tbs) == TAG_2 &&
		(der_expect(&tbs, TAG_2, &explicit) < 0 ||
			read_extensions(explicit, &ret->nonce) < 0))
		return ERR_SYNTAX;
	return tbs.len == 0 ? verdict : ERR_SYNTAX;
}

/* optionalSignature: its form alone. */
static int skip_signature(struct bytes *in)
{
	struct bytes explicit, signature, certs;

	if (der_peek(*in) != TAG_0)
		return OK;
	if (der_expect(in, TAG_0, &explicit) < 0 ||
		der_expect(&explicit, DER_SEQUENCE, &signature) < 0 || explicit.len > 0 ||
		der_expect(&signature, DER_SEQUENCE, NULL) < 0 ||
		der_expect(&signature, DER_BIT_STRING, NULL) < 0)
		return ERR_SYNTAX;
	if (der_peek(signature) == TAG_0 &&
		(der_expect(&signature, TAG_0, &certs) < 0 ||
			der_expect(&certs, DER_SEQUENCE, NULL) < 0 || certs.len > 0))
		return ERR_SYNTAX;
	return signature.len == 0 ? OK : ERR_SYNTAX;
}

int ocsp_request_parse(struct bytes der, struct ocsp_request *ret)
{
	struct ocsp_request request = {0};
	struct bytes outer, tbs;
	int verdict;

	if (der.len > OCSP_REQUEST_MAX_BYTES || der_expect(&der, DER_SEQUENCE, &outer) < 0 ||
		der.len > 0 || der_expect(&outer, DER_SEQUENCE, &tbs) < 0)
		return ERR_SYNTAX;
	verdict = read_tbs(tbs, &request);
	if (verdict == ERR_SYNTAX || skip_signature(&outer) < 0 || outer.len > 0)
		return ERR_SYNTAX;
	if (verdict == OK)
		*ret = request;
	return verdict;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next character, unescaped (RFC 3986 section 2.1). 0: no valid one is there. */
static uint8_t next_char(struct bytes *path)
{
	uint8_t c = path->ptr[0];
	size_t len = 1;

	if (c == '%') {
		int high, low;

		if (path->len < 3)
			return 0;
		high = hex_value(path->ptr[1]);
		low = hex_value(path->ptr[2]);
		if (high < 0 || low < 0)
			return 0;
		c = (uint8_t)(high << 4 | low);
		len = 3;
	}
	*path = bytes_of(path->ptr + len, path->len - len);
	return c;
}

/* RFC 4648 section 4. */
static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* What may follow the last character: nothing, or the padding that completes a group of four. */
static int check_padding(struct bytes path, size_t chars)
{
	size_t pads = 0;

	while (path.len > 0) {
		if (next_char(&path) != '=')
			return ERR_SYNTAX;
		pads++;
	}
	return pads == 0 || (pads <= 2 && (chars + pads) % 4 == 0) ? OK : ERR_SYNTAX;
}

int ocsp_request_from_path(struct bytes path, uint8_t out[OCSP_GET_MAX_BYTES], size_t *ret_len)
{
	size_t chars = 0, len = 0;
	uint32_t bits = 0;
	int nbits = 0;

	/* A request begins with a SEQUENCE, so its base64 never begins with a slash. */
	while (path.len > 0 && path.ptr[0] == '/')
		path = bytes_of(path.ptr + 1, path.len - 1);
	for (; path.len > 0; chars++) {
		struct bytes rest = path;
		int value = base64_value(next_char(&rest));

		if (value < 0)
			break;
		path = rest;
		bits = bits << 6 | (uint32_t)value;
		nbits += 6;
		if (nbits < 8)
			continue;
		nbits -= 8;
		if (len == OCSP_GET_MAX_BYTES)
			return ERR_SYNTAX;
		out[len++] = (uint8_t)(bits >> nbits);
	}
	/* Six bits are no octet, and bits behind the last octet are zero. */
	if (len == 0 || nbits == 6 || (bits & ((1u << nbits) - 1)) != 0 ||
		check_padding(path, chars) < 0)
		return ERR_SYNTAX;
	*ret_len = len;
	return OK;
}
