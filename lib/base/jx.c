/* jx.c — JSON: a strict scan of our own, then json-c for the tree; and the writer.
 *
 * The scan accepts exactly RFC 8259 within our limits and counts members. json-c keeps the last of
 * two members of one name, so a tree with fewer members than the text had duplicates: no name is
 * compared twice with another, and a hostile object cannot make that slow. */
#include "lib/base/jx.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>

#include "lib/base/utf8.h"

/* A struct jx is json-c's object under our name. json-c shows null as NULL, we as this address. */
struct jx {
	char unused;
};
static const struct jx json_null;

static const struct jx *wrap(struct json_object *object)
{
	return object != NULL ? (const struct jx *)object : &json_null;
}

static struct json_object *unwrap(const struct jx *v)
{
	return v != &json_null ? (struct json_object *)v : NULL;
}

/* ---- the scan ---- */

struct scan {
	struct bytes rest;
	size_t members;
	int depth;
};

static int scan_value(struct scan *s);

/* The next byte, or -1 at the end. */
static int peek(const struct scan *s)
{
	return s->rest.len > 0 ? s->rest.ptr[0] : -1;
}

static void advance(struct scan *s, size_t len)
{
	s->rest = bytes_of(s->rest.ptr + len, s->rest.len - len);
}

static bool accept_byte(struct scan *s, char want)
{
	if (peek(s) != want)
		return false;
	advance(s, 1);
	return true;
}

static void skip_space(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
		advance(s, 1);
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* The four hexadecimal digits of \uXXXX. */
static int scan_hex4(struct scan *s, uint32_t *ret)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(s);

		if (is_digit(c))
			unit = unit << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return ERR_SYNTAX;
		advance(s, 1);
	}
	*ret = unit;
	return OK;
}

/* What follows a backslash. RFC 7493 section 2.1: a surrogate that stands alone is no character. */
static int scan_escape(struct scan *s, bool *nul)
{
	uint32_t unit, low;
	int err;

	if (peek(s) >= 0 && peek(s) != 0 && strchr("\"\\/bfnrt", peek(s)) != NULL) {
		advance(s, 1);
		return OK;
	}
	if (!accept_byte(s, 'u'))
		return ERR_SYNTAX;
	err = scan_hex4(s, &unit);
	if (err != OK)
		return err;
	if (unit == 0)
		*nul = true;
	if (unit < 0xd800 || unit > 0xdfff)
		return OK;
	if (unit > 0xdbff || !accept_byte(s, '\\') || !accept_byte(s, 'u'))
		return ERR_SYNTAX;
	err = scan_hex4(s, &low);
	if (err != OK)
		return err;
	return low >= 0xdc00 && low <= 0xdfff ? OK : ERR_SYNTAX;
}

/* A string; *nul tells whether it holds U+0000. */
static int scan_string(struct scan *s, bool *nul)
{
	*nul = false;
	if (!accept_byte(s, '"'))
		return ERR_SYNTAX;
	while (!accept_byte(s, '"')) {
		size_t len = utf8_char_len(s->rest);

		/* RFC 8259 section 7: control characters are escaped; section 8.1: UTF-8 only. */
		if (len == 0 || peek(s) < 0x20)
			return ERR_SYNTAX;
		if (!accept_byte(s, '\\')) {
			advance(s, len);
			continue;
		}
		int err = scan_escape(s, nul);

		if (err != OK)
			return err;
	}
	return OK;
}

static int scan_digits(struct scan *s)
{
	if (!is_digit(peek(s)))
		return ERR_SYNTAX;
	while (is_digit(peek(s)))
		advance(s, 1);
	return OK;
}

/* json-c clamps integers that it cannot hold: such a text would be read as another number. */
static int check_integer(struct bytes text)
{
	bool negative = text.ptr[0] == '-';
	int64_t value = 0;

	for (size_t i = negative ? 1 : 0; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, negative ? -digit : digit, &value))
			return ERR_LIMIT;
	}
	return OK;
}

/* RFC 8259 section 6. */
static int scan_number(struct scan *s)
{
	const uint8_t *start = s->rest.ptr;
	bool integer = true;

	(void)accept_byte(s, '-');
	if (!accept_byte(s, '0') && scan_digits(s) != OK)
		return ERR_SYNTAX;
	if (accept_byte(s, '.')) {
		integer = false;
		if (scan_digits(s) != OK)
			return ERR_SYNTAX;
	}
	if (accept_byte(s, 'e') || accept_byte(s, 'E')) {
		integer = false;
		if (!accept_byte(s, '+'))
			(void)accept_byte(s, '-');
		if (scan_digits(s) != OK)
			return ERR_SYNTAX;
	}
	return integer ? check_integer(bytes_of(start, (size_t)(s->rest.ptr - start))) : OK;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if (s->rest.len < len || memcmp(s->rest.ptr, word, len) != 0)
		return ERR_SYNTAX;
	advance(s, len);
	return OK;
}

static int scan_member(struct scan *s)
{
	bool nul;
	int err;

	skip_space(s);
	err = scan_string(s, &nul);
	if (err != OK)
		return err;
	/* json-c cuts names at a NUL: {"a\u0000b":…} would become "a". */
	if (nul)
		return ERR_SYNTAX;
	s->members++;
	skip_space(s);
	return accept_byte(s, ':') ? scan_value(s) : ERR_SYNTAX;
}

/* Members or elements and the closing bracket; the opening one was read. */
static int scan_container(struct scan *s, char closing)
{
	int err;

	if (++s->depth > JX_DEPTH_MAX)
		return ERR_LIMIT;
	skip_space(s);
	if (!accept_byte(s, closing)) {
		do {
			err = closing == '}' ? scan_member(s) : scan_value(s);
			if (err != OK)
				return err;
		} while (accept_byte(s, ','));
		if (!accept_byte(s, closing))
			return ERR_SYNTAX;
	}
	s->depth--;
	return OK;
}

static int scan_bare_value(struct scan *s)
{
	bool nul;

	switch (peek(s)) {
	case '{':
		advance(s, 1);
		return scan_container(s, '}');
	case '[':
		advance(s, 1);
		return scan_container(s, ']');
	case '"':
		return scan_string(s, &nul);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

/* A value with the white space around it. */
static int scan_value(struct scan *s)
{
	int err;

	skip_space(s);
	err = scan_bare_value(s);
	if (err == OK)
		skip_space(s);
	return err;
}

/* ---- the tree ---- */

/* Members of the whole tree; *finite becomes false at a number that overflowed. */
static size_t count_members(struct json_object *v, bool *finite)
{
	size_t members = 0;

	if (json_object_is_type(v, json_type_double) && !isfinite(json_object_get_double(v)))
		*finite = false;
	if (json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++)
			members += count_members(json_object_array_get_idx(v, i), finite);
	}
	if (json_object_is_type(v, json_type_object)) {
		json_object_object_foreach (v, name, child) {
			(void)name;
			members += 1 + count_members(child, finite);
		}
	}
	return members;
}

/* text passed the scan already. */
static int build_tree(struct bytes text, struct json_object **ret)
{
	struct json_tokener *tok = json_tokener_new_ex(JX_DEPTH_MAX + 1);
	enum json_tokener_error outcome;

	assert(tok != NULL);
	*ret = json_tokener_parse_ex(tok, (const char *)text.ptr, (int)text.len);
	/* A number at the end of the text might go on: the NUL says that it does not. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		*ret = json_tokener_parse_ex(tok, "", 1);
	outcome = json_tokener_get_error(tok);
	json_tokener_free(tok);
	return outcome == json_tokener_success ? OK : ERR_SYNTAX;
}

int jx_parse(struct bytes text, struct jx **ret)
{
	struct scan s = {.rest = text};
	struct json_object *tree;
	bool finite = true;
	int err;

	if (text.len > INT32_MAX)
		return ERR_LIMIT;
	err = scan_value(&s);
	if (err != OK)
		return err;
	if (s.rest.len != 0)
		return ERR_SYNTAX;
	err = build_tree(text, &tree);
	if (err != OK)
		return err;
	/* RFC 8259 section 4 leaves duplicates open, RFC 7515 section 4 lets us refuse them. */
	if (count_members(tree, &finite) != s.members)
		err = ERR_SYNTAX;
	else if (!finite)
		err = ERR_LIMIT;
	if (err != OK) {
		json_object_put(tree);
		return err;
	}
	*ret = (struct jx *)wrap(tree);
	return OK;
}

void jx_free(struct jx *root)
{
	if (root != NULL)
		json_object_put(unwrap(root));
}

bool jx_is_object(const struct jx *v)
{
	return json_object_is_type(unwrap(v), json_type_object) != 0;
}

bool jx_is_array(const struct jx *v)
{
	return json_object_is_type(unwrap(v), json_type_array) != 0;
}

bool jx_is_string(const struct jx *v)
{
	return json_object_is_type(unwrap(v), json_type_string) != 0;
}

size_t jx_count(const struct jx *v)
{
	if (jx_is_object(v))
		return (size_t)json_object_object_length(unwrap(v));
	return jx_is_array(v) ? json_object_array_length(unwrap(v)) : 0;
}

int jx_get(const struct jx *object, const char *name, const struct jx **ret)
{
	struct json_object *child;

	if (!jx_is_object(object))
		return ERR_SYNTAX;
	if (!json_object_object_get_ex(unwrap(object), name, &child))
		return ERR_NOENT;
	*ret = wrap(child);
	return OK;
}

const struct jx *jx_at(const struct jx *array, size_t i)
{
	assert(jx_is_array(array) && i < jx_count(array));
	return wrap(json_object_array_get_idx(unwrap(array), i));
}

static int get_typed(const struct jx *object, const char *name, json_type type,
	const struct jx **ret)
{
	const struct jx *child;
	int err = jx_get(object, name, &child);

	if (err != OK)
		return err;
	if (!json_object_is_type(unwrap(child), type))
		return ERR_SYNTAX;
	*ret = child;
	return OK;
}

int jx_get_object(const struct jx *object, const char *name, const struct jx **ret)
{
	return get_typed(object, name, json_type_object, ret);
}

int jx_get_array(const struct jx *object, const char *name, const struct jx **ret)
{
	return get_typed(object, name, json_type_array, ret);
}

int jx_get_str(const struct jx *object, const char *name, struct bytes *ret)
{
	const struct jx *child;
	int err = get_typed(object, name, json_type_string, &child);

	return err == OK ? jx_str(child, ret) : err;
}

int jx_get_bool(const struct jx *object, const char *name, bool *ret)
{
	const struct jx *child;
	int err = get_typed(object, name, json_type_boolean, &child);

	if (err == OK)
		*ret = json_object_get_boolean(unwrap(child)) != 0;
	return err;
}

int jx_get_int(const struct jx *object, const char *name, int64_t *ret)
{
	const struct jx *child;
	int err = get_typed(object, name, json_type_int, &child);

	if (err == OK)
		*ret = json_object_get_int64(unwrap(child));
	return err;
}

int jx_str(const struct jx *v, struct bytes *ret)
{
	struct json_object *string = unwrap(v);

	if (!jx_is_string(v))
		return ERR_SYNTAX;
	*ret = bytes_of(json_object_get_string(string), (size_t)json_object_get_string_len(string));
	return OK;
}

static bool is_one_of(const char *name, const char *const names[])
{
	for (; *names != NULL; names++) {
		if (strcmp(name, *names) == 0)
			return true;
	}
	return false;
}

bool jx_has_only(const struct jx *object, const char *const names[])
{
	if (!jx_is_object(object))
		return false;
	json_object_object_foreach (unwrap(object), name, child) {
		(void)child;
		if (!is_one_of(name, names))
			return false;
	}
	return true;
}

/* ---- writing ---- */

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
