/* cryptocost.c — what the cryptography of one request costs on this machine, now: prints V, the
 * microseconds of one ES256 verification on one core, which every other figure of the project is
 * measured in, and what lib/pki adds around it.
 *
 *   bench/cryptocost [ROUNDS]
 *
 * CPU time of this thread, best of five runs of ROUNDS (1000): neighbours on the machine make a run
 * slower, never faster. */
#include <openssl/ec.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/b64url.h"
#include "lib/pki/csr.h"
#include "lib/pki/der.h"
#include "lib/pki/jws.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"

#define RUNS 5

/* What the measured calls work on. */
static struct {
	EVP_PKEY *key;
	struct pubkey numbers;
	struct jwk *jwk;
	struct jws *jws;
	struct buf canonical, body, csr;
} at;

static double thread_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "cryptocost: %s failed\n", what);
	exit(1);
}

static void sign(struct bytes input, uint8_t *out, size_t *len)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(EVP_DigestSignInit(ctx, NULL, ossl_sha256(), NULL, at.key) == 1 &&
			EVP_DigestSign(ctx, out, len, input.ptr, input.len) == 1,
		"signing");
}

/* r and s, 32 octets each. */
static void put_coordinate(struct bytes integer, uint8_t *out)
{
	if (integer.len == 33)
		integer = bytes_of(integer.ptr + 1, 32);
	memset(out, 0, 32);
	memcpy(out + 32 - integer.len, integer.ptr, integer.len);
}

static void make_jws(void)
{
	CLEANUP_BUF struct buf input = {0};
	uint8_t der[80], raw[64];
	size_t len = sizeof(der), dot;
	struct bytes in, body, r = {0}, s = {0};

	b64url_append(&input,
		bytes_str("{\"alg\":\"ES256\",\"kid\":\"https://ca.example/acme/account/"
			  "AZqZ7wAAcAC\","
			  "\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
			  "\"url\":\"https://ca.example/acme/new-order\"}"));
	dot = input.len;
	buf_add_byte(&input, '.');
	b64url_append(&input,
		bytes_str("{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}]}"));
	sign(buf_bytes(&input), der, &len);
	in = bytes_of(der, len);
	must(der_expect(&in, DER_SEQUENCE, &body) == OK &&
			der_expect(&body, DER_INTEGER, &r) == OK &&
			der_expect(&body, DER_INTEGER, &s) == OK,
		"reading the signature");
	put_coordinate(r, raw);
	put_coordinate(s, raw + 32);
	buf_addf(&at.body, "{\"protected\":\"%.*s\",\"payload\":\"%s\",\"signature\":\"", (int)dot,
		buf_str(&input), buf_str(&input) + dot + 1);
	b64url_append(&at.body, bytes_of(raw, sizeof(raw)));
	buf_add_str(&at.body, "\"}");
}

static void make_csr(void)
{
	static const char san[] = "\x30\x0b\x82\x09"
				  "a.example";
	CLEANUP_BUF struct buf info = {0};
	uint8_t signature[80];
	size_t len = sizeof(signature), outer, mark, attribute, values, list, extension;

	outer = der_begin(&info, DER_SEQUENCE);
	der_put(&info, DER_INTEGER, bytes_of("\0", 1));
	der_put(&info, DER_SEQUENCE, bytes_of(NULL, 0));
	pubkey_put_spki(&at.numbers, &info);
	mark = der_begin(&info, 0xa0);
	attribute = der_begin(&info, DER_SEQUENCE);
	der_put_oid(&info, OID_EXTENSION_REQUEST);
	values = der_begin(&info, DER_SET);
	list = der_begin(&info, DER_SEQUENCE);
	extension = der_begin(&info, DER_SEQUENCE);
	der_put_oid(&info, OID_SUBJECT_ALT_NAME);
	der_put(&info, DER_OCTET_STRING, bytes_of(san, sizeof(san) - 1));
	der_end(&info, extension);
	der_end(&info, list);
	der_end(&info, values);
	der_end(&info, attribute);
	der_end(&info, mark);
	der_end(&info, outer);
	sign(buf_bytes(&info), signature, &len);
	outer = der_begin(&at.csr, DER_SEQUENCE);
	buf_add(&at.csr, info.ptr, info.len);
	mark = der_begin(&at.csr, DER_SEQUENCE);
	der_put_oid(&at.csr, OID_ECDSA_WITH_SHA256);
	der_end(&at.csr, mark);
	mark = der_begin(&at.csr, DER_BIT_STRING);
	buf_add_byte(&at.csr, 0);
	buf_add(&at.csr, signature, len);
	der_end(&at.csr, mark);
	der_end(&at.csr, outer);
}

static bool verify_es256(void)
{
	struct problem pb = {0};

	return jws_verify(at.jws, at.jwk, &pb) == OK;
}

static bool make_key(void)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;

	return pubkey_make(&at.numbers, &key) == OK;
}

static bool load_jwk(void)
{
	CLEANUP(jwk_free) struct jwk *jwk = NULL;

	return jwk_load(buf_bytes(&at.canonical), &jwk) == OK;
}

static bool parse_jws(void)
{
	CLEANUP(jws_free) struct jws *jws = NULL;
	struct problem pb = {0};

	return jws_parse(buf_bytes(&at.body), &pb, &jws) == OK;
}

static bool parse_csr(void)
{
	CLEANUP(csr_free) struct csr *csr = NULL;
	struct problem pb = {0};

	return csr_parse(buf_bytes(&at.csr), 100, &pb, &csr) == OK;
}

static double cost_us(bool (*call)(void), const char *name, long rounds)
{
	double best = 0;

	for (int run = 0; run < RUNS; run++) {
		double begin = thread_us(), us;

		for (long i = 0; i < rounds; i++)
			must(call(), name);
		us = (thread_us() - begin) / (double)rounds;
		best = run == 0 || us < best ? us : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*call)(void);
	} steps[] = {
		{"ES256 verify, key kept (V)", verify_es256},
		{"P-256 key out of numbers", make_key},
		{"account key out of its stored text", load_jwk},
		{"JWS parse", parse_jws},
		{"P-256 CSR, parse and check", parse_csr},
	};
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	struct problem pb = {0};
	double v = 0;

	must(rounds > 0, "reading the number of rounds");
	at.key = EVP_EC_gen("P-256");
	must(at.key != NULL && pubkey_from_evp(at.key, &at.numbers) == OK, "making a key");
	pubkey_put_jwk(&at.numbers, &at.canonical);
	must(jwk_load(buf_bytes(&at.canonical), &at.jwk) == OK, "jwk_load");
	make_jws();
	make_csr();
	must(jws_parse(buf_bytes(&at.body), &pb, &at.jws) == OK, "jws_parse");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		double us = cost_us(steps[i].call, steps[i].name, rounds);

		v = i == 0 ? us : v;
		printf("%-36s %8.2f us %6.2f V\n", steps[i].name, us, us / v);
	}
	jws_free(at.jws);
	jwk_free(at.jwk);
	buf_done(&at.canonical);
	buf_done(&at.body);
	buf_done(&at.csr);
	EVP_PKEY_free(at.key);
	return 0;
}
