/* db_value.c — fields of a result out of PostgreSQL's binary format. The server's answers to our
 * own functions are trusted in shape: a column of another type than the caller expects is a bug and
 * ends the process. */
#include "lib/store/db_raw.h"

#include <assert.h>

static const uint8_t *field(const struct db_result *r, int row, int col, unsigned type, size_t len)
{
	struct bytes b = db_raw(r, row, col);

	assert(db_raw_type(r, col) == type && b.len == len);
	return b.ptr;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get_i64(const uint8_t *p)
{
	return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

int32_t db_int(const struct db_result *r, int row, int col)
{
	const uint8_t *p;

	if (db_raw_type(r, col) == OID_INT2) {
		p = field(r, row, col, OID_INT2, 2);
		return (int16_t)(p[0] << 8 | p[1]);
	}
	return (int32_t)get_u32(field(r, row, col, OID_INT4, 4));
}

int64_t db_bigint(const struct db_result *r, int row, int col)
{
	return get_i64(field(r, row, col, OID_INT8, 8));
}

bool db_bool(const struct db_result *r, int row, int col)
{
	return field(r, row, col, OID_BOOL, 1)[0] != 0;
}

int64_t db_time(const struct db_result *r, int row, int col)
{
	return get_i64(field(r, row, col, OID_TIMESTAMPTZ, 8)) + PG_EPOCH_US;
}

struct ident db_ident(const struct db_result *r, int row, int col)
{
	struct ident id;

	memcpy(id.b, field(r, row, col, OID_UUID, sizeof(id.b)), sizeof(id.b));
	return id;
}

struct bytes db_bytes(const struct db_result *r, int row, int col)
{
	unsigned type = db_raw_type(r, col);

	assert(type == OID_TEXT || type == OID_BYTEA);
	return db_raw(r, row, col);
}

/* Where the first element stands, and how many there are: one dimension, none when it is empty. */
static const uint8_t *array_start(const struct db_result *r, int row, int col, int *ret_count)
{
	struct bytes b = db_raw(r, row, col);
	uint32_t ndim;

	assert(b.len >= 12);
	ndim = get_u32(b.ptr);
	assert(ndim == 0 || (ndim == 1 && b.len >= 20));
	*ret_count = ndim == 0 ? 0 : (int)get_u32(b.ptr + 12);
	return b.ptr + (ndim == 0 ? 12 : 20);
}

int db_array_count(const struct db_result *r, int row, int col)
{
	int count;

	array_start(r, row, col, &count);
	return count;
}

struct bytes db_array_at(const struct db_result *r, int row, int col, int i)
{
	int count;
	const uint8_t *p = array_start(r, row, col, &count);

	assert(i >= 0 && i < count);
	for (;; i--) {
		uint32_t len = get_u32(p);

		p += 4;
		if (i == 0)
			return len == UINT32_MAX ? bytes_of(NULL, 0) : bytes_of(p, len);
		if (len != UINT32_MAX)
			p += len;
	}
}

struct ident db_array_ident(const struct db_result *r, int row, int col, int i)
{
	struct bytes b = db_array_at(r, row, col, i);
	struct ident id;

	assert(b.len == sizeof(id.b));
	memcpy(id.b, b.ptr, sizeof(id.b));
	return id;
}

int32_t db_array_int(const struct db_result *r, int row, int col, int i)
{
	struct bytes b = db_array_at(r, row, col, i);

	assert(b.len == 4);
	return (int32_t)get_u32(b.ptr);
}

int64_t db_array_time(const struct db_result *r, int row, int col, int i)
{
	struct bytes b = db_array_at(r, row, col, i);

	if (b.ptr == NULL)
		return INT64_MIN;
	assert(b.len == 8);
	return get_i64(b.ptr) + PG_EPOCH_US;
}
