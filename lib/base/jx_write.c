/* jx_write.c — JSON text into a buffer: always valid, whatever strings are put in. */
#include "lib/base/jx.h"
#include "lib/base/utf8.h"

static void put_name(struct jx_out *o, const char *name)
{
	if (o->comma)
		buf_add_byte(o->buf, ',');
	o->comma = true;
	if (name == NULL)
		return;
	buf_add_byte(o->buf, '"');
	buf_add_str(o->buf, name);
	buf_add_str(o->buf, "\":");
}

static void begin(struct jx_out *o, const char *name, char bracket)
{
	put_name(o, name);
	buf_add_byte(o->buf, (uint8_t)bracket);
	o->comma = false;
}

static void end(struct jx_out *o, char bracket)
{
	buf_add_byte(o->buf, (uint8_t)bracket);
	o->comma = true;
}

void jx_begin_object(struct jx_out *o, const char *name)
{
	begin(o, name, '{');
}

void jx_end_object(struct jx_out *o)
{
	end(o, '}');
}

void jx_begin_array(struct jx_out *o, const char *name)
{
	begin(o, name, '[');
}

void jx_end_array(struct jx_out *o)
{
	end(o, ']');
}

void jx_put_str(struct jx_out *o, const char *name, const char *value)
{
	if (value != NULL)
		jx_put_bytes(o, name, bytes_str(value));
}

static void put_escaped(struct buf *out, uint8_t c)
{
	switch (c) {
	case '"':
	case '\\':
		buf_add_byte(out, '\\');
		buf_add_byte(out, c);
		return;
	case '\n':
		buf_add_str(out, "\\n");
		return;
	case '\r':
		buf_add_str(out, "\\r");
		return;
	case '\t':
		buf_add_str(out, "\\t");
		return;
	default:
		buf_addf(out, "\\u%04x", c);
	}
}

void jx_put_bytes(struct jx_out *o, const char *name, struct bytes utf8)
{
	put_name(o, name);
	buf_add_byte(o->buf, '"');
	while (utf8.len > 0) {
		size_t len = utf8_char_len(utf8);

		if (len == 0) {
			buf_add_str(o->buf, "\xef\xbf\xbd"); /* U+FFFD */
			len = 1;
		} else if (utf8.ptr[0] < 0x20 || utf8.ptr[0] == '"' || utf8.ptr[0] == '\\') {
			put_escaped(o->buf, utf8.ptr[0]);
		} else {
			buf_add(o->buf, utf8.ptr, len);
		}
		utf8 = bytes_of(utf8.ptr + len, utf8.len - len);
	}
	buf_add_byte(o->buf, '"');
}

void jx_put_int(struct jx_out *o, const char *name, int64_t value)
{
	put_name(o, name);
	buf_addf(o->buf, "%lld", (long long)value);
}

void jx_put_bool(struct jx_out *o, const char *name, bool value)
{
	put_name(o, name);
	buf_add_str(o->buf, value ? "true" : "false");
}

void jx_put_raw(struct jx_out *o, const char *name, struct bytes json)
{
	put_name(o, name);
	buf_add(o->buf, json.ptr, json.len);
}
