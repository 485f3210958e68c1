/* fuzz_cert.c — certificates that others made: the view, PEM, and the lint. Input: two octets with
 * the length of an issuing certificate, that certificate, then the bytes to judge. */
#include <assert.h>

#include "lib/pki/certview.h"
#include "lib/pki/lint.h"
#include "tests/fuzz/fuzz.h"

static void check_view(struct bytes der)
{
	CLEANUP(certview_free) struct certview *view = NULL;
	int err = certview_parse(der, &view);

	assert(err == OK || (err == ERR_SYNTAX && view == NULL));
	assert(err != OK ||
		(view->serial.len > 0 && view->serial.ptr > der.ptr &&
			view->serial.ptr + view->serial.len < der.ptr + der.len));
}

static void check_pem(struct bytes any)
{
	CLEANUP_BUF struct buf pem = {0};
	struct buf *blocks = NULL;
	size_t count = 0;

	if (pem_certificates(any, &blocks, &count) == OK) {
		for (size_t i = 0; i < count; i++)
			buf_done(&blocks[i]);
		free(blocks);
	}
	if (any.len == 0)
		return;
	pem_append(&pem, "CERTIFICATE", any);
	assert(pem_certificates(buf_bytes(&pem), &blocks, &count) == OK && count == 1);
	assert(bytes_equal(buf_bytes(&blocks[0]), any));
	buf_done(&blocks[0]);
	free(blocks);
}

static void check_lint(struct bytes issuer, struct bytes der)
{
	static const char *const names[] = {"a.example"};
	const struct lint_expectation want = {.issuer = issuer,
		.validity_secs = 90 * 86400,
		.names = names,
		.nnames = 1};
	CLEANUP_BUF struct buf findings = {0};
	int err = lint_certificate(der, &want, &findings);

	assert(err == OK || err == ERR_SYNTAX || err == ERR_INTERNAL);
	assert((err == ERR_SYNTAX) == (findings.len > 0));
	/* What the lint passes, everyone must be able to read. */
	if (err == OK) {
		CLEANUP(certview_free) struct certview *view = NULL;

		assert(certview_parse(der, &view) == OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len;

	if (size < 2)
		return 0;
	len = (size_t)data[0] << 8 | data[1];
	if (len > size - 2)
		len = size - 2;
	check_lint(bytes_of(data + 2, len), bytes_of(data + 2 + len, size - 2 - len));
	check_view(bytes_of(data + 2 + len, size - 2 - len));
	check_pem(bytes_of(data + 2 + len, size - 2 - len));
	return 0;
}
