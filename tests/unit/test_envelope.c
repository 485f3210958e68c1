/* test_envelope.c — the protected header of a request, and the inner JWS of keyChange: every member
 * missing, doubled or bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/envelope.h"
#include "lib/acme/keychange_rules.h"
#include "lib/acme/url.h"
#include "tests/unit/acme_make.h"

#define NONCE "\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAA\""
#define URL "\"url\":\"" MAKE_BASE "/acme/new-order\""
#define ID "AZqmDQAAcACAAAAAAAAAAQ"
#define KID "\"kid\":\"" MAKE_BASE "/acme/account/" ID "\""

struct fixture {
	struct conf *conf;
	EVP_PKEY *key;
	char *jwk; /* "jwk":{…} */
};

static int begin(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct buf jwk = {0};

	f->conf = make_conf(MAKE_SERVER);
	f->key = make_key();

	CLEANUP_STR char *text = make_jwk_text(f->key);

	buf_addf(&jwk, "\"jwk\":%s", text);
	f->jwk = buf_take_str(&jwk);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	conf_free(f->conf);
	EVP_PKEY_free(f->key);
	free(f->jwk);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *header, enum envelope_key allowed,
	struct problem *pb, struct envelope **ret)
{
	CLEANUP_STR char *body = make_jws(f->key, header, "");

	return envelope_parse(f->conf, bytes_str(body), allowed, pb, ret);
}

/* @ in the template stands for the "jwk" member. */
static char *expand(const struct fixture *f, const char *template)
{
	struct buf out = {0};

	for (const char *at = template; *at != '\0'; at++) {
		if (*at == '@')
			buf_add_str(&out, f->jwk);
		else
			buf_add_byte(&out, (uint8_t)*at);
	}
	return buf_take_str(&out);
}

static void check(struct fixture *f, const char *template, enum envelope_key allowed,
	enum problem_type type)
{
	CLEANUP_STR char *header = expand(f, template);
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(envelope_free) struct envelope *env = NULL;
	int err = parse(f, header, allowed, &pb, &env);

	if (pb.type != type)
		print_error("%s: %s: %s\n", header, problem_type_name(pb.type), pb.detail);
	assert_int_equal(err, type == PROBLEM_NONE ? OK : ERR_PROBLEM);
	assert_int_equal(pb.type, type);
	assert_true((env != NULL) == (type == PROBLEM_NONE));
}

static void a_kid_names_the_account(void **state)
{
	struct fixture *f = *state;
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(envelope_free) struct envelope *env = NULL;
	char text[IDENT_TEXT_LEN + 1];

	assert_int_equal(parse(f, "{\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
				 &pb, &env),
		OK);
	ident_format(&env->account, text);
	assert_string_equal(text, ID);
	assert_true(env->has_kid && env->jwk == NULL);
	assert_true(bytes_is(env->nonce, "AAAAAAAAAAAAAAAAAAAAAA"));
	assert_true(bytes_is(env->url, MAKE_BASE "/acme/new-order"));
}

static void a_jwk_is_the_key(void **state)
{
	struct fixture *f = *state;
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(envelope_free) struct envelope *env = NULL;
	CLEANUP_STR char *header = expand(f, "{\"alg\":\"ES256\"," NONCE "," URL ",@}");
	CLEANUP(jwk_free) struct jwk *key = make_jwk(f->key);

	assert_int_equal(parse(f, header, ENVELOPE_JWK, &pb, &env), OK);
	assert_true(!env->has_kid && env->jwk != NULL);
	assert_memory_equal(env->jwk->thumbprint, key->thumbprint, JWK_THUMBPRINT_LEN);
	assert_int_equal(jws_verify(env->jws, env->jwk, &pb), OK);
}

static const struct {
	const char *header;
	enum envelope_key allowed;
	enum problem_type type;
} headers[] = {
	{"{\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_EITHER, PROBLEM_NONE},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",@}", ENVELOPE_EITHER, PROBLEM_NONE},
	{"{\"alg\":\"ES256\"," NONCE "," URL "," KID ",\"typ\":\"x\"}", ENVELOPE_KID, PROBLEM_NONE},
	/* alg */
	{"{" NONCE "," URL "," KID "}", ENVELOPE_KID, PROBLEM_BAD_SIGNATURE_ALGORITHM},
	{"{\"alg\":\"none\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
		PROBLEM_BAD_SIGNATURE_ALGORITHM},
	{"{\"alg\":\"HS256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
		PROBLEM_BAD_SIGNATURE_ALGORITHM},
	{"{\"alg\":\"PS256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
		PROBLEM_BAD_SIGNATURE_ALGORITHM},
	/* one of jwk and kid */
	{"{\"alg\":\"ES256\"," NONCE "," URL "}", ENVELOPE_EITHER, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL "," KID ",@}", ENVELOPE_EITHER, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL "," KID ",\"jwk\":null}", ENVELOPE_EITHER,
		PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_JWK, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",@}", ENVELOPE_KID, PROBLEM_MALFORMED},
	/* kid is exactly our account URL */
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":7}", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"\"}", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" ID "\"}", ENVELOPE_KID,
		PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"/acme/account/" ID "\"}", ENVELOPE_KID,
		PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"https://evil.example/acme/account/" ID
	 "\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE
	 ".evil.example/acme/account/" ID "\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE "/acme/order/" ID "\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE "/acme/account/" ID "/\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE "/acme/account/" ID "?x\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE "/acme/account/" ID
	 "\\u0000\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"" MAKE_BASE
	 "/acme/account/AZqmDQAAcACAAAAAAAAAAR\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"kid\":\"HTTPS://ACME.example/acme/account/" ID
	 "\"}",
		ENVELOPE_KID, PROBLEM_MALFORMED},
	/* jwk */
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"jwk\":\"x\"}", ENVELOPE_JWK, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"jwk\":{}}", ENVELOPE_JWK, PROBLEM_BAD_PUBLIC_KEY},
	{"{\"alg\":\"ES256\"," NONCE "," URL ",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
		ENVELOPE_JWK, PROBLEM_BAD_PUBLIC_KEY},
	/* nonce and url */
	{"{\"alg\":\"ES256\"," URL "," KID "}", ENVELOPE_KID, PROBLEM_BAD_NONCE},
	{"{\"alg\":\"ES256\",\"nonce\":7," URL "," KID "}", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\",\"nonce\":null," URL "," KID "}", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE "," KID "}", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\"," NONCE ",\"url\":[]," KID "}", ENVELOPE_KID, PROBLEM_MALFORMED},
	/* the JWS itself */
	{"{\"alg\":\"ES256\",\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
		PROBLEM_MALFORMED},
	{"{\"alg\":\"ES256\",\"crit\":[]," NONCE "," URL "," KID "}", ENVELOPE_KID,
		PROBLEM_MALFORMED},
	{"[]", ENVELOPE_KID, PROBLEM_MALFORMED},
	{"", ENVELOPE_KID, PROBLEM_MALFORMED},
};

static void headers_are_checked_member_by_member(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		check(*state, headers[i].header, headers[i].allowed, headers[i].type);
}

static void the_url_must_be_the_one_requested(void **state)
{
	struct fixture *f = *state;
	static const char *const wrong[] = {"/acme/new-order?", "/acme/new-order/",
		"/acme/new-ordeR", "acme/new-order", "", "//acme/new-order", "/acme/new-order?x=1",
		"/directory"};
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(envelope_free) struct envelope *env = NULL;

	assert_int_equal(parse(f, "{\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
				 &pb, &env),
		OK);
	assert_int_equal(envelope_check_url(env, f->conf, "/acme/new-order", &pb), OK);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(envelope_check_url(env, f->conf, wrong[i], &pb), ERR_PROBLEM);
		assert_int_equal(pb.type, PROBLEM_UNAUTHORIZED);
	}
}

/* ---- keyChange ---- */

/* In header and payload @ is the new key's "jwk" member and % the old key's JWK. */
static char *expand_change(const char *template, const char *new_jwk, const char *old_jwk)
{
	struct buf out = {0};

	for (const char *at = template; *at != '\0'; at++) {
		if (*at == '@')
			buf_addf(&out, "\"jwk\":%s", new_jwk);
		else if (*at == '%')
			buf_add_str(&out, old_jwk);
		else
			buf_add_byte(&out, (uint8_t)*at);
	}
	return buf_take_str(&out);
}

static void check_change(struct fixture *f, EVP_PKEY *signer, EVP_PKEY *new_key, const char *header,
	const char *payload, enum problem_type type)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(envelope_free) struct envelope *env = NULL;
	CLEANUP(jwk_free) struct jwk *old = make_jwk(f->key);
	CLEANUP(jwk_free) struct jwk *got = NULL;
	CLEANUP_STR char *new_jwk = make_jwk_text(new_key);
	CLEANUP_STR char *old_jwk = make_jwk_text(f->key);
	CLEANUP_STR char *inner_header = expand_change(header, new_jwk, old_jwk);
	CLEANUP_STR char *inner_payload = expand_change(payload, new_jwk, old_jwk);
	CLEANUP_STR char *inner = make_jws(signer, inner_header, inner_payload);
	CLEANUP(jx_free) struct jx *parsed = make_json(inner);
	int err;

	assert_int_equal(parse(f, "{\"alg\":\"ES256\"," NONCE "," URL "," KID "}", ENVELOPE_KID,
				 &pb, &env),
		OK);
	err = keychange_rules_check(f->conf, env, old, parsed, &pb, &got);
	if (pb.type != type)
		print_error("%s %s: %s: %s\n", header, payload, problem_type_name(pb.type),
			pb.detail);
	assert_int_equal(err, type == PROBLEM_NONE ? OK : ERR_PROBLEM);
	assert_int_equal(pb.type, type);
	if (type != PROBLEM_NONE)
		return;
	CLEANUP(jwk_free) struct jwk *want = make_jwk(new_key);
	assert_memory_equal(got->thumbprint, want->thumbprint, JWK_THUMBPRINT_LEN);
}

#define CHANGE "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\",\"oldKey\":%}"
#define INNER "{\"alg\":\"ES256\"," URL ",@}"

static void key_changes_are_checked_rule_by_rule(void **state)
{
	struct fixture *f = *state;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *new_key = make_key();
	static const struct {
		const char *header;
		const char *payload;
		enum problem_type type;
	} rows[] = {
		{INNER, CHANGE, PROBLEM_NONE},
		{"{\"alg\":\"ES256\"," URL "," NONCE ",@}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\"," URL ",\"nonce\":null,@}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\"," URL "," KID ",@}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\"," URL "," KID "}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\"," URL "}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\",@}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\",\"url\":\"" MAKE_BASE "/acme/key-change2\",@}", CHANGE,
			PROBLEM_MALFORMED},
		{"{\"alg\":\"ES256\",\"url\":7,@}", CHANGE, PROBLEM_MALFORMED},
		{"{\"alg\":\"none\"," URL ",@}", CHANGE, PROBLEM_BAD_SIGNATURE_ALGORITHM},
		{"{\"alg\":\"ES384\"," URL ",@}", CHANGE, PROBLEM_BAD_SIGNATURE_ALGORITHM},
		{"{\"alg\":\"ES256\"," URL ",\"jwk\":{\"kty\":\"EC\"}}", CHANGE,
			PROBLEM_BAD_PUBLIC_KEY},
		{INNER, "", PROBLEM_MALFORMED},
		{INNER, "[]", PROBLEM_MALFORMED},
		{INNER, "{}", PROBLEM_MALFORMED},
		{INNER, "{\"oldKey\":%}", PROBLEM_MALFORMED},
		{INNER, "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\"}", PROBLEM_MALFORMED},
		{INNER,
			"{\"account\":\"" MAKE_BASE
			"/acme/account/AZqmDQAAcACAAAAAAAAAAg\",\"oldKey\":%}",
			PROBLEM_MALFORMED},
		{INNER, "{\"account\":\"/acme/account/" ID "\",\"oldKey\":%}", PROBLEM_MALFORMED},
		{INNER, "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\",\"old_key\":%}",
			PROBLEM_MALFORMED},
		{INNER, "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\",\"oldKey\":\"x\"}",
			PROBLEM_MALFORMED},
		{INNER, "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\",\"oldKey\":{}}",
			PROBLEM_BAD_PUBLIC_KEY},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_change(f, new_key, new_key, rows[i].header, rows[i].payload, rows[i].type);
	/* Signed by the old key instead of the new one; oldKey that is the new key. */
	check_change(f, f->key, new_key, INNER, CHANGE, PROBLEM_MALFORMED);
	CLEANUP(EVP_PKEY_free) EVP_PKEY *stranger = make_key();
	CLEANUP_STR char *jwk = make_jwk_text(stranger);
	CLEANUP_BUF struct buf payload = {0};
	buf_addf(&payload, "{\"account\":\"" MAKE_BASE "/acme/account/" ID "\",\"oldKey\":%s}",
		jwk);
	check_change(f, new_key, new_key, INNER, buf_str(&payload), PROBLEM_MALFORMED);
}

static void account_urls_are_parsed_back(void **state)
{
	struct fixture *f = *state;
	struct ident id = ident_new();
	struct ident back = {0};
	CLEANUP_STR char *url = url_of_object(f->conf, URL_ACCOUNT, &id);
	CLEANUP_STR char *challenge = url_of_challenge(f->conf, &id, "http-01");
	char text[IDENT_TEXT_LEN + 1];
	CLEANUP_BUF struct buf want = {0};

	assert_int_equal(url_parse_account(f->conf, bytes_str(url), &back), OK);
	assert_true(ident_equal(&id, &back));
	ident_format(&id, text);
	buf_addf(&want, MAKE_BASE "/acme/challenge/%s/http-01", text);
	assert_string_equal(challenge, buf_str(&want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_kid_names_the_account, begin, end),
		cmocka_unit_test_setup_teardown(a_jwk_is_the_key, begin, end),
		cmocka_unit_test_setup_teardown(headers_are_checked_member_by_member, begin, end),
		cmocka_unit_test_setup_teardown(the_url_must_be_the_one_requested, begin, end),
		cmocka_unit_test_setup_teardown(key_changes_are_checked_rule_by_rule, begin, end),
		cmocka_unit_test_setup_teardown(account_urls_are_parsed_back, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
