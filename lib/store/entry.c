/* entry.c — see entry.h. */
#include "lib/store/entry.h"

#include "lib/base/utf8.h"

#define SERIAL_BYTES 18
#define DIGEST_BYTES 32
#define REASON_MAX 10

static void put_ident(struct buf *out, const struct ident *id)
{
	buf_add(out, id->b, sizeof(id->b));
}

static struct ident take_ident(struct wire *w)
{
	struct bytes in = wire_bytes(w, sizeof(struct ident));
	struct ident id = {0};

	if (in.len == sizeof(id.b))
		memcpy(id.b, in.ptr, in.len);
	return id;
}

static void put(struct buf *out, struct bytes in)
{
	buf_add(out, in.ptr, in.len);
}

/* PostgreSQL's texts have no NUL. */
static bool is_text(struct bytes in)
{
	return utf8_is_valid(in) && (in.len == 0 || memchr(in.ptr, 0, in.len) == NULL);
}

void entry_issue_append(struct buf *out, const struct entry_issue *e)
{
	wire_put_u8(out, (uint8_t)e->kind);
	put_ident(out, &e->order);
	put_ident(out, &e->account);
	put(out, e->serial);
	put(out, e->issuer);
	wire_put_u32(out, (uint32_t)e->crl_shard);
	wire_put_i64(out, e->not_before_us);
	wire_put_i64(out, e->not_after_us);
	put(out, e->spki_sha256);
	wire_put_run(out, e->names);
	wire_put_run(out, e->tbs);
}

int entry_issue_parse(struct bytes payload, struct entry_issue *ret)
{
	struct wire w = wire_of(payload);
	struct entry_issue e = {0};
	uint8_t kind = wire_u8(&w);

	e.kind = (enum entry_kind)kind;
	e.order = take_ident(&w);
	e.account = take_ident(&w);
	e.serial = wire_bytes(&w, SERIAL_BYTES);
	e.issuer = wire_bytes(&w, DIGEST_BYTES);
	e.crl_shard = (int32_t)wire_u32(&w);
	e.not_before_us = wire_i64(&w);
	e.not_after_us = wire_i64(&w);
	e.spki_sha256 = wire_bytes(&w, DIGEST_BYTES);
	e.names = wire_run(&w);
	e.tbs = wire_run(&w);
	if (!wire_is_whole(&w) || kind > ENTRY_RESPONDER || e.tbs.len == 0 ||
		e.not_before_us >= e.not_after_us || e.crl_shard < 0 || e.crl_shard > INT16_MAX ||
		!is_text(e.names))
		return ERR_SYNTAX;
	*ret = e;
	return OK;
}

void entry_settled_append(struct buf *out, const struct bytes *unsigned_serials, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put(out, unsigned_serials[i]);
}

int entry_settled_parse(struct bytes payload, void (*fn)(void *arg, struct bytes serial), void *arg)
{
	if (payload.len % SERIAL_BYTES != 0)
		return ERR_SYNTAX;
	for (size_t at = 0; at < payload.len; at += SERIAL_BYTES)
		fn(arg, bytes_of(payload.ptr + at, SERIAL_BYTES));
	return OK;
}

void entry_revoke_append(struct buf *out, const struct entry_revoke *e)
{
	put(out, e->serial);
	wire_put_i64(out, e->at_us);
	wire_put_u8(out, (uint8_t)e->reason);
}

int entry_revoke_parse(struct bytes payload, struct entry_revoke *ret)
{
	struct wire w = wire_of(payload);
	struct entry_revoke e = {0};

	e.serial = wire_bytes(&w, SERIAL_BYTES);
	e.at_us = wire_i64(&w);
	e.reason = wire_u8(&w);
	if (!wire_is_whole(&w) || e.reason > REASON_MAX || e.reason == 7)
		return ERR_SYNTAX;
	*ret = e;
	return OK;
}

void entry_block_append(struct buf *out, const struct entry_block *e)
{
	put(out, e->spki_sha256);
	wire_put_i64(out, e->at_us);
	wire_put_run(out, e->why);
}

int entry_block_parse(struct bytes payload, struct entry_block *ret)
{
	struct wire w = wire_of(payload);
	struct entry_block e = {0};

	e.spki_sha256 = wire_bytes(&w, DIGEST_BYTES);
	e.at_us = wire_i64(&w);
	e.why = wire_run(&w);
	if (!wire_is_whole(&w) || !is_text(e.why))
		return ERR_SYNTAX;
	*ret = e;
	return OK;
}

void entry_crl_append(struct buf *out, const struct entry_crl *e)
{
	put(out, e->issuer);
	wire_put_u32(out, (uint32_t)e->crl_shard);
	wire_put_i64(out, e->number);
}

int entry_crl_parse(struct bytes payload, struct entry_crl *ret)
{
	struct wire w = wire_of(payload);
	struct entry_crl e = {0};

	e.issuer = wire_bytes(&w, DIGEST_BYTES);
	e.crl_shard = (int32_t)wire_u32(&w);
	e.number = wire_i64(&w);
	if (!wire_is_whole(&w) || e.crl_shard < 0 || e.number < 0)
		return ERR_SYNTAX;
	*ret = e;
	return OK;
}
