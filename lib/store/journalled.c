/* journalled.c — see journalled.h. Column numbers are those of sql/api/journal.sql. */
#include "lib/store/journalled.h"

#include <assert.h>
#include <stdio.h>

const struct db_stmt journal_position_stmt = {"journal_position",
	"SELECT assay.journal_position($1)", DB_ONE_ROW, 1, {DB_T_IDENT}};
const struct db_stmt journal_reached_stmt = {"journal_reached",
	"SELECT assay.journal_reached($1, $2, $3, $4)", DB_NOTHING, 4,
	{DB_T_IDENT, DB_T_TEXT, DB_T_TEXT, DB_T_BIGINT}};
const struct db_stmt journal_unknown_stmt = {"journal_unknown",
	"SELECT x FROM assay.journal_unknown($1) x", DB_ROWS, 1, {DB_T_BYTESES}};
const struct db_stmt journal_restore_stmt = {"journal_restore",
	"SELECT r_serial, r_outcome FROM assay.journal_restore($1, $2, $3, $4, $5, $6, $7, $8, $9, "
	"$10, $11, $12, $13, $14)",
	DB_ROWS, 14,
	{DB_T_IDENT, DB_T_TEXTS, DB_T_INTS, DB_T_INTS, DB_T_BYTESES, DB_T_IDENTS, DB_T_IDENTS,
		DB_T_BYTESES, DB_T_INTS, DB_T_BYTESES, DB_T_TIMES, DB_T_TIMES, DB_T_TEXTS,
		DB_T_BYTESES}};
const struct db_stmt journal_revoke_stmt = {"journal_revoke",
	"SELECT r_serial, r_known FROM assay.journal_revoke($1, $2, $3, $4)", DB_ROWS, 4,
	{DB_T_BYTESES, DB_T_TIMES, DB_T_INTS, DB_T_BOOL}};
const struct db_stmt journal_block_stmt = {"journal_block",
	"SELECT x FROM assay.journal_block($1, $2, $3, $4) x", DB_ROWS, 4,
	{DB_T_BYTESES, DB_T_TIMES, DB_T_TEXTS, DB_T_BOOL}};
const struct db_stmt journal_outbox_stmt = {"journal_outbox",
	"SELECT r_id, r_serial, r_at, r_reason FROM assay.journal_outbox($1)", DB_ROWS, 1,
	{DB_T_INT}};
const struct db_stmt journal_outbox_keys_stmt = {"journal_outbox_keys",
	"SELECT r_spki_sha256, r_at, r_why FROM assay.journal_outbox_keys($1)", DB_ROWS, 1,
	{DB_T_INT}};
const struct db_stmt journal_outbox_done_stmt = {"journal_outbox_done",
	"SELECT assay.journal_outbox_done($1, $2)", DB_NOTHING, 2, {DB_T_TEXTS, DB_T_BYTESES}};
const struct db_stmt journal_tidy_stmt = {"journal_tidy", "SELECT assay.journal_tidy()", DB_NOTHING,
	0, {0}};
const struct db_stmt revocation_journalled_stmt = {"revocation_journalled",
	"SELECT assay.revocation_journalled($1)", DB_ONE_ROW, 1, {DB_T_BYTES}};

void journal_position_call(struct db_call *c, const struct ident *file)
{
	db_call_init(c, &journal_position_stmt);
	db_bind_ident(c, file);
}

uint64_t journal_position_result(const struct db_call *c)
{
	return (uint64_t)db_bigint(c->result, 0, 0);
}

void journal_reached_call(struct db_call *c, const struct ident *file, struct bytes program,
	struct bytes host, uint64_t position)
{
	db_call_init(c, &journal_reached_stmt);
	db_bind_ident(c, file);
	db_bind_text(c, program);
	db_bind_text(c, host);
	db_bind_bigint(c, (int64_t)position);
}

void journal_unknown_call(struct db_call *c, const struct bytes *serials, size_t count)
{
	db_call_init(c, &journal_unknown_stmt);
	db_bind_byteses(c, serials, count);
}

/* Numbers of 64 bits as an array of texts; an array of those has no binary form in lib/store/db. */
static void bind_numbers(struct db_call *c, const int64_t *numbers, size_t count)
{
	CLEANUP(free) char(*digits)[24] = xcalloc(count + 1, sizeof(*digits));
	CLEANUP(free) struct bytes *texts = xcalloc(count + 1, sizeof(*texts));

	for (size_t i = 0; i < count; i++) {
		snprintf(digits[i], sizeof(digits[i]), "%lld", (long long)numbers[i]);
		texts[i] = bytes_str(digits[i]);
	}
	db_bind_texts(c, texts, count);
}

/* One member of each entry, gathered for binding. */
static void bind_member(struct db_call *c, const struct restore_entry *entries, size_t count,
	size_t offset, void (*bind)(struct db_call *, const struct bytes *, size_t))
{
	CLEANUP(free) struct bytes *values = xcalloc(count + 1, sizeof(*values));

	for (size_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&entries[i].issue + offset, sizeof(values[i]));
	bind(c, values, count);
}

static void bind_idents(struct db_call *c, const struct restore_entry *entries, size_t count,
	size_t offset)
{
	CLEANUP(free) struct ident *ids = xcalloc(count + 1, sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		memcpy(&ids[i], (const char *)&entries[i].issue + offset, sizeof(ids[i]));
	db_bind_idents(c, ids, count);
}

#define ISSUE(member) offsetof(struct entry_issue, member)

void journal_restore_call(struct db_call *c, const struct ident *file,
	const struct restore_entry *entries, size_t count)
{
	CLEANUP(free) int64_t *offsets = xcalloc(count + 1, sizeof(*offsets));
	CLEANUP(free) int32_t *kinds = xcalloc(count + 1, sizeof(*kinds));
	CLEANUP(free) int32_t *settled = xcalloc(count + 1, sizeof(*settled));
	CLEANUP(free) int32_t *shards = xcalloc(count + 1, sizeof(*shards));
	CLEANUP(free) int64_t *befores = xcalloc(count + 1, sizeof(*befores));
	CLEANUP(free) int64_t *afters = xcalloc(count + 1, sizeof(*afters));

	for (size_t i = 0; i < count; i++) {
		offsets[i] = (int64_t)entries[i].offset;
		kinds[i] = (int32_t)entries[i].issue.kind;
		settled[i] = entries[i].settled;
		shards[i] = entries[i].issue.crl_shard;
		befores[i] = entries[i].issue.not_before_us;
		afters[i] = entries[i].issue.not_after_us;
	}
	db_call_init(c, &journal_restore_stmt);
	db_bind_ident(c, file);
	bind_numbers(c, offsets, count);
	db_bind_ints(c, kinds, count);
	db_bind_ints(c, settled, count);
	bind_member(c, entries, count, ISSUE(serial), db_bind_byteses);
	bind_idents(c, entries, count, ISSUE(order));
	bind_idents(c, entries, count, ISSUE(account));
	bind_member(c, entries, count, ISSUE(issuer), db_bind_byteses);
	db_bind_ints(c, shards, count);
	bind_member(c, entries, count, ISSUE(spki_sha256), db_bind_byteses);
	db_bind_times(c, befores, count);
	db_bind_times(c, afters, count);
	bind_member(c, entries, count, ISSUE(names), db_bind_texts);
	bind_member(c, entries, count, ISSUE(tbs), db_bind_byteses);
}

void journal_revoke_call(struct db_call *c, const struct entry_revoke *entries, size_t count,
	bool apply)
{
	CLEANUP(free) struct bytes *serials = xcalloc(count + 1, sizeof(*serials));
	CLEANUP(free) int64_t *ats = xcalloc(count + 1, sizeof(*ats));
	CLEANUP(free) int32_t *reasons = xcalloc(count + 1, sizeof(*reasons));

	for (size_t i = 0; i < count; i++) {
		serials[i] = entries[i].serial;
		ats[i] = entries[i].at_us;
		reasons[i] = entries[i].reason;
	}
	db_call_init(c, &journal_revoke_stmt);
	db_bind_byteses(c, serials, count);
	db_bind_times(c, ats, count);
	db_bind_ints(c, reasons, count);
	db_bind_bool(c, apply);
}

void journal_block_call(struct db_call *c, const struct entry_block *entries, size_t count,
	bool apply)
{
	CLEANUP(free) struct bytes *keys = xcalloc(count + 1, sizeof(*keys));
	CLEANUP(free) int64_t *ats = xcalloc(count + 1, sizeof(*ats));
	CLEANUP(free) struct bytes *whys = xcalloc(count + 1, sizeof(*whys));

	for (size_t i = 0; i < count; i++) {
		keys[i] = entries[i].spki_sha256;
		ats[i] = entries[i].at_us;
		whys[i] = entries[i].why;
	}
	db_call_init(c, &journal_block_stmt);
	db_bind_byteses(c, keys, count);
	db_bind_times(c, ats, count);
	db_bind_texts(c, whys, count);
	db_bind_bool(c, apply);
}

void journal_outbox_call(struct db_call *c, int limit)
{
	db_call_init(c, &journal_outbox_stmt);
	db_bind_int(c, limit);
}

size_t journal_outbox_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void journal_outbox_at(const struct db_call *c, size_t i, int64_t *ret_id, struct entry_revoke *ret)
{
	int row = (int)i;

	*ret_id = db_bigint(c->result, row, 0);
	*ret = (struct entry_revoke){
		.serial = db_bytes(c->result, row, 1),
		.at_us = db_time(c->result, row, 2),
		.reason = db_int(c->result, row, 3),
	};
}

void journal_outbox_keys_call(struct db_call *c, int limit)
{
	db_call_init(c, &journal_outbox_keys_stmt);
	db_bind_int(c, limit);
}

size_t journal_outbox_keys_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void journal_outbox_keys_at(const struct db_call *c, size_t i, struct entry_block *ret)
{
	int row = (int)i;

	*ret = (struct entry_block){
		.spki_sha256 = db_bytes(c->result, row, 0),
		.at_us = db_time(c->result, row, 1),
		.why = db_bytes(c->result, row, 2),
	};
}

void journal_outbox_done_call(struct db_call *c, const int64_t *ids, size_t nids,
	const struct bytes *keys, size_t nkeys)
{
	db_call_init(c, &journal_outbox_done_stmt);
	bind_numbers(c, ids, nids);
	db_bind_byteses(c, keys, nkeys);
}

void journal_tidy_call(struct db_call *c)
{
	db_call_init(c, &journal_tidy_stmt);
}

void revocation_journalled_call(struct db_call *c, struct bytes serial)
{
	db_call_init(c, &revocation_journalled_stmt);
	db_bind_bytes(c, serial);
}

bool revocation_journalled_result(const struct db_call *c)
{
	return db_bool(c->result, 0, 0);
}

struct ident revocation_ident(struct bytes serial)
{
	struct ident id;

	/* The random bytes and the end of the time: as good as the whole. */
	assert(serial.len >= sizeof(id.b));
	memcpy(id.b, serial.ptr + serial.len - sizeof(id.b), sizeof(id.b));
	return id;
}
