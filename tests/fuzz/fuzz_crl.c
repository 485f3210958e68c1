/* fuzz_crl.c — the reader and the lint of revocation lists: whatever is read is there, the entries
 * fill their sequence exactly, a file reads as memory does, and the lint always ends with a word.
 */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/pki/crl_lint.h"
#include "tests/fuzz/fuzz.h"

/* Its key signed two lists of the corpus, and is gone. */
static const uint8_t issuer[] = {
#include "tests/fuzz/crl_issuer.inc"
};

static void walk(const struct crl_source *src, const struct crl_view *view)
{
	struct crl_walk w;
	struct crl_item item;
	uint64_t before;
	int err;

	crl_walk_begin(src, view, &w);
	for (;;) {
		int64_t us;

		before = w.offset;
		err = crl_walk_next(&w, &item);
		if (err != OK)
			break;
		assert(w.offset > before && w.offset <= w.end);
		if (crl_time(item.date, &us) == OK)
			assert(us > INT64_MIN / 2 && us < INT64_MAX / 2);
	}
	assert(err == ERR_SYNTAX || (err == ERR_NOENT && w.offset == w.end));
	crl_walk_done(&w);
}

/* The same bytes in a file. */
static void compare_with_file(struct bytes der, int memory_err, int64_t memory_number)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct crl_source src;
	struct crl_view view;
	int64_t number = -1;
	int err;

	assert(fd >= 0 && write(fd, der.ptr, der.len) == (ssize_t)der.len);
	assert(crl_source_file(fd, &src) == OK);
	err = crl_view_read(&src, &view);
	assert(err == memory_err);
	if (err == OK && crl_view_number(&view, &number) != OK)
		number = -1;
	assert(number == memory_number);
	crl_view_done(&view);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf findings = {0};
	const struct crl_source src = crl_source_bytes(bytes_of(data, size));
	const struct crl_expectation want = {.issuer = bytes_of(issuer, sizeof(issuer)),
		.url = "http://pki.example/1.crl",
		.scope = CRL_SCOPE_USER,
		.validity_max_secs = 10 * 86400,
		.number = -1,
		.this_update_us = -1,
		.next_update_us = -1,
		.entries = -1,
		.any_order = size % 2 == 0};
	struct crl_view view;
	int64_t number = -1;
	int err = crl_view_read(&src, &view);

	if (err == OK) {
		assert(view.tbs_offset + view.tbs_len <= size);
		assert(view.entries_offset + view.entries_len <= size);
		walk(&src, &view);
		if (crl_view_number(&view, &number) == OK)
			assert(number >= 0);
		else
			number = -1;
	}
	crl_view_done(&view);
	compare_with_file(bytes_of(data, size), err, number);
	err = crl_lint(&src, &want, NULL, &findings);
	assert((err == OK && findings.len == 0) || (err == ERR_SYNTAX && findings.len > 0));
	return 0;
}
