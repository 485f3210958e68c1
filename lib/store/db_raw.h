/* db_raw.h — what db.c, db_bind.c and db_value.c share: PostgreSQL's binary format. Of no interest
 * to callers. */
#pragma once

#include "lib/store/db.h"

/* PostgreSQL counts microseconds from 2000-01-01. */
#define PG_EPOCH_US 946684800000000LL

/* As in pg_type; these never change. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
	OID_BYTEA_ARRAY = 1001,
	OID_INT4_ARRAY = 1007,
	OID_TEXT_ARRAY = 1009,
	OID_TIMESTAMPTZ_ARRAY = 1185,
	OID_UUID_ARRAY = 2951,
};

/* Whether the calls may run as they stand. */
bool db_is_ordered(struct db_call *const calls[], size_t count);
/* The calls in order of rank and row, those that run alone last; how many others there are. */
size_t db_order(struct db_call *const calls[], size_t count, struct db_call *ret[]);

/* The type that a parameter is sent as. */
unsigned db_type_oid(enum db_type type);
unsigned db_raw_type(const struct db_result *r, int col);
/* A field's bytes; asserts that there is one, in binary, and that it is not NULL. */
struct bytes db_raw(const struct db_result *r, int row, int col);
