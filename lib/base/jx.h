/* jx.h — the only place that includes json-c: strict reading, sticky-failure writing.
 *
 * Reading refuses what json-c lets pass: duplicate members, bytes behind the value, an embedded
 * NUL, invalid UTF-8, depth over JX_DEPTH_MAX. Typed getters return ERR_NOENT when the member is
 * absent and ERR_SYNTAX when it has another type. Writing appends text to a struct buf. */
#pragma once

#include "lib/base/buf.h"

#define JX_DEPTH_MAX 8

struct jx; /* a parsed document or a borrowed part of one */

/* One JSON value and nothing else. ERR_SYNTAX, or ERR_LIMIT when it is too deep or a number is out
 * of range (integers are int64_t). U+0000 is allowed in strings, not in member names. Free with
 * jx_free. */
MUST_CHECK int jx_parse(struct bytes text, struct jx **ret);
void jx_free(struct jx *root);
DEFINE_CLEANUP(jx_free, struct jx *)

bool jx_is_object(const struct jx *v);
bool jx_is_array(const struct jx *v);
bool jx_is_string(const struct jx *v);
size_t jx_count(const struct jx *v); /* members or elements */
/* Borrowed children, valid while the root lives. */
MUST_CHECK int jx_get(const struct jx *object, const char *name, const struct jx **ret);
const struct jx *jx_at(const struct jx *array, size_t i);
MUST_CHECK int jx_get_object(const struct jx *object, const char *name, const struct jx **ret);
MUST_CHECK int jx_get_array(const struct jx *object, const char *name, const struct jx **ret);
MUST_CHECK int jx_get_str(const struct jx *object, const char *name, struct bytes *ret);
MUST_CHECK int jx_get_bool(const struct jx *object, const char *name, bool *ret);
MUST_CHECK int jx_get_int(const struct jx *object, const char *name, int64_t *ret);
MUST_CHECK int jx_str(const struct jx *v, struct bytes *ret);
/* True when every member of object is one of the NULL-terminated names. */
bool jx_has_only(const struct jx *object, const char *const names[]);

/* Writing: a comma is put where one is needed. Names are literals of ours and are not escaped. */
struct jx_out {
	struct buf *buf;
	bool comma;
};
void jx_begin_object(struct jx_out *o, const char *name); /* name NULL: in an array or at the top */
void jx_end_object(struct jx_out *o);
void jx_begin_array(struct jx_out *o, const char *name);
void jx_end_array(struct jx_out *o);
/* value NULL writes nothing, so that optional members need no condition. */
void jx_put_str(struct jx_out *o, const char *name, const char *value);
/* Always valid JSON: bytes that are not UTF-8 become U+FFFD. */
void jx_put_bytes(struct jx_out *o, const char *name, struct bytes utf8);
void jx_put_int(struct jx_out *o, const char *name, int64_t value);
void jx_put_bool(struct jx_out *o, const char *name, bool value);
/* value is JSON already (for instance an error stored in the database). */
void jx_put_raw(struct jx_out *o, const char *name, struct bytes json);
