/* fuzz_json.c — jx_parse: walking a parsed document never fails, and what the writer makes of it
 * parses again. */
#include <assert.h>

#include "lib/base/jx.h"
#include "lib/base/utf8.h"
#include "tests/fuzz/fuzz.h"

/* Writes any input as a string; it comes back as it was, or with U+FFFD for what is no UTF-8. */
static void check_string(struct bytes data)
{
	CLEANUP_BUF struct buf text = {0};
	CLEANUP(jx_free) struct jx *back = NULL;
	struct jx_out o = {.buf = &text};
	struct bytes value;

	jx_begin_object(&o, NULL);
	jx_put_bytes(&o, "value", data);
	jx_put_int(&o, "len", (int64_t)data.len);
	jx_end_object(&o);
	assert(jx_parse(buf_bytes(&text), &back) == OK);
	assert(jx_get_str(back, "value", &value) == OK && utf8_is_valid(value));
	assert(!utf8_is_valid(data) || bytes_equal(value, data));
}

static void walk(const struct jx *v, int depth)
{
	struct bytes text;

	assert(depth <= JX_DEPTH_MAX);
	assert(jx_is_object(v) + jx_is_array(v) + jx_is_string(v) <= 1);
	assert((jx_str(v, &text) == OK) == jx_is_string(v));
	assert(!jx_is_string(v) || utf8_is_valid(text));
	for (size_t i = 0; jx_is_array(v) && i < jx_count(v); i++)
		walk(jx_at(v, i), depth + 1);
}

static void check_members(const struct jx *v)
{
	static const char *const names[] = {"a", "protected", "payload", "signature", NULL};
	const struct jx *child;
	struct bytes text;
	int64_t number;
	bool flag;

	for (size_t i = 0; names[i] != NULL; i++) {
		int err = jx_get(v, names[i], &child);

		assert(err == OK || err == ERR_NOENT || (err == ERR_SYNTAX && !jx_is_object(v)));
		assert((jx_get_str(v, names[i], &text) == OK) +
				(jx_get_int(v, names[i], &number) == OK) +
				(jx_get_bool(v, names[i], &flag) == OK) <=
			1);
		if (err == OK)
			walk(child, 1);
	}
	assert(!jx_has_only(v, names) || jx_count(v) <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(jx_free) struct jx *root = NULL;

	check_string(bytes_of(data, size));
	if (jx_parse(bytes_of(data, size), &root) != OK) {
		assert(root == NULL);
		return 0;
	}
	assert(utf8_is_valid(bytes_of(data, size)));
	walk(root, 0);
	check_members(root);
	return 0;
}
