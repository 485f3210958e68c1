/* selection.c — see selection.h. */
#include "tools/selection.h"

#include <ctype.h>
#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "workers/signer/serial.h"

#define LIST_MAX_BYTES (64 << 20)
#define PEM_MAX_BYTES (1 << 20)

/* Pairs of hexadecimal digits, with or without colons between them. False unless they make exactly
 * len bytes. */
static bool hex_read(struct bytes text, uint8_t *out, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = tolower(text.ptr[i]);

		if (c == ':' && digits % 2 == 0)
			continue;
		if (!isxdigit(c) || digits == 2 * len)
			return false;
		out[digits / 2] =
			(uint8_t)(out[digits / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
		digits++;
	}
	return digits == 2 * len;
}

static void add_serial(struct selection *s, struct bytes text)
{
	uint8_t serial[SERIAL_LEN] = {0};

	if (!hex_read(text, serial, sizeof(serial)) || serial[0] != SERIAL_LEAD)
		die("%s: \"%.*s\" is no serial number of ours: those have %d hexadecimal digits "
		    "and "
		    "begin with %02x",
			s->command, (int)(text.len < 80 ? text.len : 80), (const char *)text.ptr,
			2 * SERIAL_LEN, SERIAL_LEAD);
	buf_add(&s->serials, serial, sizeof(serial));
}

static void load(const struct selection *s, const char *path, size_t max, struct buf *out)
{
	int err = file_load(path, max, out);

	if (err == ERR_LIMIT)
		die("%s: %s is larger than %zu bytes", s->command, path, max);
	if (err != OK)
		die("%s: %s: %s", s->command, path, strerror(errno));
}

/* Words between white space and commas, without what is behind a "#". */
static void add_list(struct selection *s, const char *path)
{
	CLEANUP_BUF struct buf text = {0};
	struct bytes word = {0};

	load(s, path, LIST_MAX_BYTES, &text);
	buf_add_byte(&text, '\n');
	for (size_t i = 0; i < text.len; i++) {
		const uint8_t *c = text.ptr + i;

		if (*c != '#' && *c != ',' && !isspace(*c)) {
			word.ptr = word.len == 0 ? c : word.ptr;
			word.len++;
			continue;
		}
		if (word.len > 0)
			add_serial(s, word);
		word.len = 0;
		while (*c == '#' && text.ptr[i + 1] != '\n')
			i++;
	}
}

static void first_certificate(const struct selection *s, const char *path, struct bytes pem,
	struct buf *ret)
{
	struct buf *blocks = NULL;
	size_t count = 0;

	if (pem_certificates(pem, &blocks, &count) != OK)
		die("%s: %s holds no PEM certificate", s->command, path);
	*ret = blocks[0];
	blocks[0] = (struct buf){0};
	for (size_t i = 0; i < count; i++)
		buf_done(&blocks[i]);
	free(blocks);
}

static void add_certificate(struct selection *s, const char *path)
{
	CLEANUP_BUF struct buf pem = {0};
	CLEANUP_BUF struct buf der = {0};
	struct certview_outline outline;

	load(s, path, PEM_MAX_BYTES, &pem);
	first_certificate(s, path, buf_bytes(&pem), &der);
	if (certview_walk(buf_bytes(&der), &outline) != OK)
		die("%s: %s holds no certificate", s->command, path);
	if (outline.serial.len != SERIAL_LEN || outline.serial.ptr[0] != SERIAL_LEAD)
		die("%s: the certificate in %s is not one of ours", s->command, path);
	buf_add(&s->serials, outline.serial.ptr, outline.serial.len);
}

/* As it stands in an account's URL, whole or its end; or as the database shows it. */
static void read_account(struct selection *s, const char *text)
{
	const char *end = strrchr(text, '/');
	char hex[33];
	size_t digits = 0;

	end = end != NULL ? end + 1 : text;
	s->wanted.account = &s->account;
	if (ident_parse(bytes_str(end), &s->account) == OK)
		return;
	for (const char *c = text; *c != '\0' && digits < 33; c++)
		if (*c != '-')
			hex[digits++] = *c;
	if (digits != 32 || !hex_read(bytes_of(hex, digits), s->account.b, sizeof(s->account.b)))
		die("%s: \"%s\" is no account: give its URL, the 22 characters at its end, or a "
		    "UUID",
			s->command, text);
}

static int no_passphrase(char *out, int size, int writing, void *arg)
{
	return -1;
}

/* The key of a PEM private or public key, encoded as certificates have it. */
static bool hash_key(struct bytes pem, uint8_t out[32])
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	CLEANUP(BIO_free_all) BIO *again = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	uint8_t *spki = NULL;
	int len;

	key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	if (key == NULL)
		key = PEM_read_bio_PrivateKey(again, NULL, no_passphrase, NULL);
	if (key == NULL) {
		ossl_drain("PEM_read_bio_PrivateKey");
		return false;
	}
	/* What we certify has its point uncompressed. */
	if (EVP_PKEY_is_a(key, "EC") &&
		EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
			"uncompressed") != 1)
		ossl_drain("EVP_PKEY_set_utf8_string_param");
	len = i2d_PUBKEY(key, &spki);
	if (len <= 0) {
		ossl_drain("i2d_PUBKEY");
		return false;
	}
	ossl_sha256_of(bytes_of(spki, (size_t)len), out);
	OPENSSL_free(spki);
	return true;
}

static void read_key_of(struct selection *s, const char *path)
{
	CLEANUP_BUF struct buf pem = {0};
	CLEANUP_BUF struct buf der = {0};
	struct certview_outline outline;

	load(s, path, PEM_MAX_BYTES, &pem);
	s->wanted.spki_sha256 = bytes_of(s->spki_sha256, sizeof(s->spki_sha256));
	if (strstr(buf_str(&pem), "-----BEGIN CERTIFICATE-----") != NULL) {
		first_certificate(s, path, buf_bytes(&pem), &der);
		if (certview_walk(buf_bytes(&der), &outline) != OK)
			die("%s: %s holds no certificate", s->command, path);
		ossl_sha256_of(outline.spki, s->spki_sha256);
	} else if (!hash_key(buf_bytes(&pem), s->spki_sha256)) {
		die("%s: %s holds no certificate and no key in PEM that can be read without a "
		    "passphrase",
			s->command, path);
	}
	OPENSSL_cleanse(pem.ptr, pem.len);
}

static int64_t read_time(const struct selection *s, const char *text)
{
	int64_t wall_us;

	if (clock_rfc3339_parse(bytes_str(text), &wall_us) != OK)
		die("%s: \"%s\" is no time: write 2026-11-21T14:00:00Z", s->command, text);
	return wall_us;
}

void selection_init(struct selection *s, const char *command)
{
	*s = (struct selection){
		.command = command,
		.wanted = {.from_us = INT64_MIN, .until_us = INT64_MIN},
	};
}

bool selection_option(struct selection *s, int option, const char *value)
{
	s->listed |=
		option == SELECT_SERIAL || option == SELECT_SERIALS || option == SELECT_CERTIFICATE;
	switch (option) {
	case SELECT_SERIAL:
		add_serial(s, bytes_str(value));
		return true;
	case SELECT_SERIALS:
		add_list(s, value);
		return true;
	case SELECT_CERTIFICATE:
		add_certificate(s, value);
		return true;
	case SELECT_ACCOUNT:
		read_account(s, value);
		return true;
	case SELECT_NAME:
		s->wanted.name = bytes_str(value);
		return true;
	case SELECT_KEY:
		memset(s->spki_sha256, 0, sizeof(s->spki_sha256));
		if (!hex_read(bytes_str(value), s->spki_sha256, sizeof(s->spki_sha256)))
			die("%s: \"%s\" is no SHA-256 of a key: those have 64 hexadecimal digits",
				s->command, value);
		s->wanted.spki_sha256 = bytes_of(s->spki_sha256, sizeof(s->spki_sha256));
		return true;
	case SELECT_KEY_OF:
		read_key_of(s, value);
		return true;
	case SELECT_FROM:
		s->wanted.from_us = read_time(s, value);
		return true;
	case SELECT_UNTIL:
		s->wanted.until_us = read_time(s, value);
		return true;
	case SELECT_ISSUER:
		s->wanted.issuer = bytes_str(value);
		return true;
	case SELECT_PROFILE:
		s->wanted.profile = bytes_str(value);
		return true;
	default:
		return false;
	}
}

void selection_complete(struct selection *s)
{
	size_t count = s->serials.len / SERIAL_LEN;
	const struct revocation_selection *w = &s->wanted;

	if (s->listed) {
		if (count == 0)
			die("%s: there is no serial number in the list", s->command);
		s->list = xcalloc(count, sizeof(*s->list));
		for (size_t i = 0; i < count; i++)
			s->list[i] = bytes_of(s->serials.ptr + i * SERIAL_LEN, SERIAL_LEN);
		s->wanted.serials = s->list;
		s->wanted.nserials = count;
	}
	if (w->serials == NULL && w->account == NULL && w->name.ptr == NULL &&
		w->spki_sha256.ptr == NULL && w->from_us == INT64_MIN)
		die("%s: which certificates? --serial, --serials, --certificate, --account, "
		    "--name, "
		    "--key, --key-of or --from is missing",
			s->command);
}

void selection_done(struct selection *s)
{
	buf_done(&s->serials);
	free(s->list);
	*s = (struct selection){0};
}
