/* sample.c — see sample.h. */
#include "tools/sample.h"

/* Made from docs/assay.conf.sample: static const char sample[]. */
#include "tools/sample_text.h"

void sample_text(struct buf *out)
{
	buf_add_str(out, sample);
}

/* The line that begins at at, without its end; *ret_next is where the next one begins. */
static struct bytes line_at(struct bytes text, size_t at, size_t *ret_next)
{
	const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
	size_t len = end != NULL ? (size_t)(end - (text.ptr + at)) : text.len - at;

	*ret_next = at + len + (end != NULL);
	return bytes_of(text.ptr + at, len);
}

/* "key = …" or "#key = …"; never "# key = …", which is prose. */
static bool is_key(struct bytes line, const char *key)
{
	size_t len = strlen(key);

	if (line.len > 0 && line.ptr[0] == '#')
		line = bytes_of(line.ptr + 1, line.len - 1);
	if (line.len <= len || memcmp(line.ptr, key, len) != 0)
		return false;
	while (len < line.len && line.ptr[len] == ' ')
		len++;
	return len < line.len && line.ptr[len] == '=';
}

static bool is_head(struct bytes line, const char *section)
{
	size_t len = strlen(section);

	return line.len == len + 2 && line.ptr[0] == '[' && line.ptr[len + 1] == ']' &&
		memcmp(line.ptr + 1, section, len) == 0;
}

/* Replaces text[from, to) by one line. */
static void splice(struct buf *text, size_t from, size_t to, const char *key, const char *value)
{
	struct buf out = {0};

	buf_add(&out, text->ptr, from);
	buf_addf(&out, "%s = %s\n", key, value);
	buf_add(&out, text->ptr + to, text->len - to);
	buf_done(text);
	*text = out;
}

void sample_set(struct buf *text, const char *section, const char *key, const char *value)
{
	bool inside = false;
	size_t behind_head = 0, next;

	for (size_t at = 0; at < text->len; at = next) {
		struct bytes line = line_at(buf_bytes(text), at, &next);

		if (line.len > 0 && line.ptr[0] == '[') {
			if (inside)
				break;
			inside = is_head(line, section);
			behind_head = next;
		} else if (inside && is_key(line, key)) {
			splice(text, at, next, key, value);
			return;
		}
	}
	if (!inside) {
		buf_addf(text, "\n[%s]\n", section);
		behind_head = text->len;
	}
	splice(text, behind_head, behind_head, key, value);
}
