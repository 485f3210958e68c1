/* db_bind.c — the parameters of a db_call in PostgreSQL's binary format, all in one buffer. Called
 * by the typed calls of this folder; db.c sends them. A bind asserts that the statement wants this
 * type at this place. */
#include "lib/store/db_raw.h"

#include <assert.h>

static const unsigned TYPE_OIDS[] = {
	[DB_T_IDENT] = OID_UUID,
	[DB_T_TEXT] = OID_TEXT,
	[DB_T_BYTES] = OID_BYTEA,
	[DB_T_INT] = OID_INT4,
	[DB_T_BIGINT] = OID_INT8,
	[DB_T_BOOL] = OID_BOOL,
	[DB_T_TIME] = OID_TIMESTAMPTZ,
	[DB_T_IDENTS] = OID_UUID_ARRAY,
	[DB_T_TEXTS] = OID_TEXT_ARRAY,
	[DB_T_BYTESES] = OID_BYTEA_ARRAY,
	[DB_T_INTS] = OID_INT4_ARRAY,
	[DB_T_TIMES] = OID_TIMESTAMPTZ_ARRAY,
};

unsigned db_type_oid(enum db_type type)
{
	return TYPE_OIDS[type];
}

static void put_u32(struct buf *buf, uint32_t v)
{
	const uint8_t be[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		(uint8_t)v};

	buf_add(buf, be, sizeof(be));
}

static void put_u64(struct buf *buf, uint64_t v)
{
	put_u32(buf, (uint32_t)(v >> 32));
	put_u32(buf, (uint32_t)v);
}

static void begin(struct db_call *call, enum db_type type)
{
	assert(call->nbound < call->stmt->nparams && call->stmt->params[call->nbound] == type);
	call->offset[call->nbound] = call->data.len;
}

static void end(struct db_call *call)
{
	call->length[call->nbound] = (int)(call->data.len - call->offset[call->nbound]);
	call->nbound++;
}

void db_bind_null(struct db_call *call)
{
	assert(call->nbound < call->stmt->nparams);
	call->offset[call->nbound] = call->data.len;
	call->length[call->nbound] = -1;
	call->nbound++;
}

void db_bind_ident(struct db_call *call, const struct ident *id)
{
	begin(call, DB_T_IDENT);
	buf_add(&call->data, id->b, sizeof(id->b));
	end(call);
}

void db_bind_text(struct db_call *call, struct bytes utf8)
{
	begin(call, DB_T_TEXT);
	buf_add(&call->data, utf8.ptr, utf8.len);
	end(call);
}

void db_bind_str(struct db_call *call, const char *text_or_null)
{
	if (text_or_null == NULL)
		db_bind_null(call);
	else
		db_bind_text(call, bytes_str(text_or_null));
}

void db_bind_bytes(struct db_call *call, struct bytes value)
{
	begin(call, DB_T_BYTES);
	buf_add(&call->data, value.ptr, value.len);
	end(call);
}

void db_bind_int(struct db_call *call, int32_t value)
{
	begin(call, DB_T_INT);
	put_u32(&call->data, (uint32_t)value);
	end(call);
}

void db_bind_bigint(struct db_call *call, int64_t value)
{
	begin(call, DB_T_BIGINT);
	put_u64(&call->data, (uint64_t)value);
	end(call);
}

void db_bind_bool(struct db_call *call, bool value)
{
	begin(call, DB_T_BOOL);
	buf_add_byte(&call->data, value ? 1 : 0);
	end(call);
}

void db_bind_time(struct db_call *call, int64_t wall_us)
{
	begin(call, DB_T_TIME);
	put_u64(&call->data, (uint64_t)(wall_us - PG_EPOCH_US));
	end(call);
}

void db_bind_time_or_null(struct db_call *call, int64_t wall_us)
{
	if (wall_us == INT64_MIN)
		db_bind_null(call);
	else
		db_bind_time(call, wall_us);
}

/* One dimension, lower bound 1; an empty array has none. */
static void begin_array(struct db_call *call, enum db_type type, uint32_t element, size_t count,
	bool nulls)
{
	begin(call, type);
	put_u32(&call->data, count > 0 ? 1 : 0);
	put_u32(&call->data, nulls ? 1 : 0);
	put_u32(&call->data, element);
	if (count > 0) {
		assert(count <= INT32_MAX);
		put_u32(&call->data, (uint32_t)count);
		put_u32(&call->data, 1);
	}
}

void db_bind_idents(struct db_call *call, const struct ident *ids, size_t count)
{
	begin_array(call, DB_T_IDENTS, OID_UUID, count, false);
	for (size_t i = 0; i < count; i++) {
		put_u32(&call->data, sizeof(ids[i].b));
		buf_add(&call->data, ids[i].b, sizeof(ids[i].b));
	}
	end(call);
}

static void bind_runs(struct db_call *call, enum db_type type, uint32_t element,
	const struct bytes *values, size_t count)
{
	begin_array(call, type, element, count, true);
	for (size_t i = 0; i < count; i++) {
		if (values[i].ptr == NULL) {
			put_u32(&call->data, UINT32_MAX);
			continue;
		}
		assert(values[i].len <= INT32_MAX);
		put_u32(&call->data, (uint32_t)values[i].len);
		buf_add(&call->data, values[i].ptr, values[i].len);
	}
	end(call);
}

void db_bind_texts(struct db_call *call, const struct bytes *texts, size_t count)
{
	bind_runs(call, DB_T_TEXTS, OID_TEXT, texts, count);
}

void db_bind_byteses(struct db_call *call, const struct bytes *values, size_t count)
{
	bind_runs(call, DB_T_BYTESES, OID_BYTEA, values, count);
}

void db_bind_ints(struct db_call *call, const int32_t *values, size_t count)
{
	begin_array(call, DB_T_INTS, OID_INT4, count, false);
	for (size_t i = 0; i < count; i++) {
		put_u32(&call->data, 4);
		put_u32(&call->data, (uint32_t)values[i]);
	}
	end(call);
}

void db_bind_times(struct db_call *call, const int64_t *wall_us, size_t count)
{
	begin_array(call, DB_T_TIMES, OID_TIMESTAMPTZ, count, true);
	for (size_t i = 0; i < count; i++) {
		if (wall_us[i] == INT64_MIN) {
			put_u32(&call->data, UINT32_MAX);
			continue;
		}
		put_u32(&call->data, 8);
		put_u64(&call->data, (uint64_t)(wall_us[i] - PG_EPOCH_US));
	}
	end(call);
}
