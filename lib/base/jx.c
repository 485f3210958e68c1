/* jx.c — JSON as it is read: a strict scan of our own (jx_scan.c), then json-c for the tree.
 *
 * The scan counts members. json-c keeps the last of two members of one name, so a tree with fewer
 * members than the text had duplicates: names are compared by json-c's hash table alone, and a
 * hostile object cannot make that slow. */
#include "lib/base/jx.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>

#include "lib/base/jx_scan.h"

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
	struct json_object *tree;
	bool finite = true;
	size_t members;
	int err;

	if (text.len > INT32_MAX)
		return ERR_LIMIT;
	err = jx_scan(text, &members);
	if (err != OK)
		return err;
	err = build_tree(text, &tree);
	if (err != OK)
		return err;
	/* RFC 8259 section 4 leaves duplicates open, RFC 7515 section 4 lets us refuse them. */
	if (count_members(tree, &finite) != members)
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
