/* test_tlsalpn01.c — tls-alpn-01 against TLS servers on loopback: protocol versions, ALPN, SNI,
 * certificates, stalls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/pki/ossl.h"
#include "tests/unit/alpn_cert.h"
#include "tests/unit/net_world.h"

#define NAME "www.example.test"

struct server {
	struct world world;
	SSL_CTX *ctx;
	struct fake_web *web;
	const char *protocol; /* what it selects; NULL: ALPN is not known to it */
	char sni[256];
};

static int select_protocol(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
	unsigned in_len, void *arg)
{
	struct server *s = arg;
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	snprintf(s->sni, sizeof(s->sni), "%s", sni != NULL ? sni : "");
	/* The client offers acme-tls/1 and nothing else. */
	assert_true(bytes_equal(bytes_of(in, in_len),
		bytes_of("\x0a"
			 "acme-tls/1",
			11)));
	if (s->protocol == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (strcmp(s->protocol, "acme-tls/1") != 0)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = in + 1;
	*out_len = 10;
	return SSL_TLSEXT_ERR_OK;
}

static void set_certificate(struct server *s, enum alpn_flaw flaw)
{
	uint8_t digest[32];
	EVP_PKEY *key = NULL;
	X509 *cert;

	ossl_sha256_of(bytes_str(WORLD_KEY_AUTHORIZATION), digest);
	cert = alpn_cert_make(NAME, digest, flaw, &key);
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static int setup(void **state)
{
	struct server *s = xcalloc(1, sizeof(*s));

	world_init(&s->world);
	s->ctx = SSL_CTX_new(TLS_server_method());
	s->protocol = "acme-tls/1";
	SSL_CTX_set_alpn_select_cb(s->ctx, select_protocol, s);
	SSL_CTX_set_security_level(s->ctx, 0);
	set_certificate(s, ALPN_RIGHT);
	s->web = fake_web_new(s->world.loop, "127.0.0.1", 0, s->ctx, NULL, NULL);
	s->world.conf.validation.tlsalpn01_port = fake_web_port(s->web);
	world_open(&s->world);
	fake_dns_add_address(s->world.dns, NAME, "127.0.0.1");
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct server *s = *state;

	fake_web_free(s->web);
	SSL_CTX_free(s->ctx);
	world_done(&s->world);
	free(s);
	return 0;
}

static void attempt(struct server *s)
{
	world_attempt(&s->world, &tlsalpn01_method, NAME, false);
}

static void the_right_certificate_proves_the_name(void **state)
{
	struct server *s = *state;

	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	world_expect_evidence(&s->world, "\"br_method\":\"3.2.2.4.20\"");
	world_expect_evidence(&s->world, "\"tls\":\"TLSv1.3\"");
	assert_string_equal(s->sni, NAME);
}

static void tls_1_2_is_enough_and_tls_1_1_is_not(void **state)
{
	struct server *s = *state;

	SSL_CTX_set_max_proto_version(s->ctx, TLS1_2_VERSION);
	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	SSL_CTX_set_max_proto_version(s->ctx, TLS1_1_VERSION);
	attempt(s);
	world_expect(&s->world, PROBLEM_TLS, "(address 127.0.0.1, port ");
}

static void the_protocol_must_be_negotiated(void **state)
{
	struct server *s = *state;

	s->protocol = NULL;
	attempt(s);
	world_expect(&s->world, PROBLEM_TLS, "does not know the protocol acme-tls/1");
	s->protocol = "h2";
	attempt(s);
	world_expect(&s->world, PROBLEM_TLS, "alert");
}

static void flawed_certificates_are_incorrect_responses(void **state)
{
	static const enum alpn_flaw flaws[] = {ALPN_TWO_NAMES, ALPN_NOT_CRITICAL, ALPN_DRAFT_OID,
		ALPN_SHORT_DIGEST, ALPN_NO_IDENTIFIER, ALPN_OTHER_SIGNER};
	struct server *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		set_certificate(s, flaws[i]);
		attempt(s);
		world_expect(&s->world, PROBLEM_INCORRECT_RESPONSE, "the certificate ");
		assert_false(s->world.result.hopeless);
	}
}

static void plain_text_servers_are_tls_problems(void **state)
{
	struct server *s = *state;
	struct fake_web *plain = fake_web_new(s->world.loop, "127.0.0.1", 0, NULL, NULL, NULL);

	/* Accepts and stays silent: the handshake runs into its time limit. */
	s->world.conf.validation.tlsalpn01_port = fake_web_port(plain);
	attempt(s);
	world_expect(&s->world, PROBLEM_TLS, "timeout");
	fake_web_free(plain);
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "Connection refused");
}

static void ipv4_is_tried_when_ipv6_does_not_connect(void **state)
{
	struct server *s = *state;

	fake_dns_add_address(s->world.dns, NAME, "::1");
	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	world_expect_evidence(&s->world, "\"tried_ipv6\":\"::1\"");
}

static void forbidden_addresses_are_never_contacted(void **state)
{
	struct server *s = *state;

	fake_dns_clear(s->world.dns);
	fake_dns_add_address(s->world.dns, NAME, "10.0.0.1");
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "10.0.0.1, which is private");
	assert_true(s->world.result.hopeless);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_right_certificate_proves_the_name),
		TEST(tls_1_2_is_enough_and_tls_1_1_is_not),
		TEST(the_protocol_must_be_negotiated),
		TEST(flawed_certificates_are_incorrect_responses),
		TEST(plain_text_servers_are_tls_problems),
		TEST(ipv4_is_tried_when_ipv6_does_not_connect),
		TEST(forbidden_addresses_are_never_contacted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
