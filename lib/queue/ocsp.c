/* ocsp.c — see ocsp.h. An entry's fields are, in this order: r (reply id), i (issuer), t (until
 * when), n (nonce, may be missing), then for each certificate 1 or 2 (hash) with its serial. */
#include "lib/queue/ocsp.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#define STREAM "q:ocsp"
#define STREAM_MAX "20000" /* entries: seconds of what one machine can sign */
#define GROUP "w"
#define CONSUMER "w"
#define CHANNEL "ocsp"
#define READ_MAX 512
#define FIELDS_MAX (2 * (4 + OCSP_ASK_CERTS_MAX))
#define NUMBER_MAX_LEN 18

void ocsp_ask_append(struct rds *rds, const struct ocsp_ask *ask)
{
	static const char *const hashes[] = {[OCSP_ASK_SHA1] = "1", [OCSP_ASK_SHA256] = "2"};
	struct bytes args[6 + FIELDS_MAX] = {bytes_str("XADD"), bytes_str(STREAM),
		bytes_str("MAXLEN"), bytes_str("~"), bytes_str(STREAM_MAX), bytes_str("*")};
	char reply[IDENT_TEXT_LEN + 1], issuer[16], until[24];
	int argc = 6;

	assert(ask->count > 0 && ask->count <= OCSP_ASK_CERTS_MAX);
	ident_format(&ask->reply, reply);
	snprintf(issuer, sizeof(issuer), "%d", (int)ask->issuer);
	snprintf(until, sizeof(until), "%lld", (long long)ask->until_us);
	args[argc++] = bytes_str("r");
	args[argc++] = bytes_str(reply);
	args[argc++] = bytes_str("i");
	args[argc++] = bytes_str(issuer);
	args[argc++] = bytes_str("t");
	args[argc++] = bytes_str(until);
	if (ask->nonce_len > 0) {
		args[argc++] = bytes_str("n");
		args[argc++] = bytes_of(ask->nonce, ask->nonce_len);
	}
	for (size_t i = 0; i < ask->count; i++) {
		args[argc++] = bytes_str(hashes[ask->certs[i].hash]);
		args[argc++] = bytes_of(ask->certs[i].serial, ask->certs[i].serial_len);
	}
	rds_append(rds, argc, args);
}

/* Reads all replies, so that the connection stays in step; the first error counts. */
static int read_all(struct rds *rds, size_t commands)
{
	int first = OK;

	while (commands-- > 0) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		int err = rds_read_ok(rds, &reply);

		if (err != OK && first == OK)
			first = err;
	}
	return first;
}

int ocsp_asks_ensure_group(struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err;

	rds_append(rds, 6,
		(struct bytes[]){bytes_str("XGROUP"), bytes_str("CREATE"), bytes_str(STREAM),
			bytes_str(GROUP), bytes_str("0"), bytes_str("MKSTREAM")});
	err = rds_read_ok(rds, &reply);
	if (err != OK && strncmp(rds_error(rds), "BUSYGROUP", 9) == 0)
		return OK;
	return err;
}

static bool number_parse(struct bytes text, int64_t max, int64_t *ret)
{
	int64_t value = 0;

	if (text.len == 0 || text.len > NUMBER_MAX_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	*ret = value;
	return value <= max;
}

/* The value of field at when it is called name. */
static bool field_take(const struct rds_reply *fields, size_t *at, const char *name,
	struct bytes *ret)
{
	if (!bytes_is(rds_str(rds_at(fields, *at)), name))
		return false;
	*ret = rds_str(rds_at(fields, *at + 1));
	*at += 2;
	return ret->ptr != NULL;
}

static bool certs_parse(const struct rds_reply *fields, size_t at, struct ocsp_ask *ret)
{
	struct bytes serial;

	for (; at < rds_count(fields); ret->count++) {
		struct ocsp_ask_cert *cert = &ret->certs[ret->count];

		if (ret->count == OCSP_ASK_CERTS_MAX)
			return false;
		if (field_take(fields, &at, "1", &serial))
			cert->hash = OCSP_ASK_SHA1;
		else if (field_take(fields, &at, "2", &serial))
			cert->hash = OCSP_ASK_SHA256;
		else
			return false;
		if (serial.len == 0 || serial.len > sizeof(cert->serial))
			return false;
		memcpy(cert->serial, serial.ptr, serial.len);
		cert->serial_len = (uint8_t)serial.len;
	}
	return ret->count > 0;
}

static bool ask_parse(const struct rds_reply *fields, struct ocsp_ask *ret)
{
	struct bytes value;
	size_t at = 0;
	int64_t issuer;

	*ret = (struct ocsp_ask){0};
	if (rds_count(fields) % 2 != 0 || !field_take(fields, &at, "r", &value) ||
		ident_parse(value, &ret->reply) != OK || !field_take(fields, &at, "i", &value) ||
		!number_parse(value, INT32_MAX, &issuer) || !field_take(fields, &at, "t", &value) ||
		!number_parse(value, INT64_MAX, &ret->until_us))
		return false;
	ret->issuer = (int32_t)issuer;
	if (field_take(fields, &at, "n", &value)) {
		if (value.len == 0 || value.len > sizeof(ret->nonce))
			return false;
		memcpy(ret->nonce, value.ptr, value.len);
		ret->nonce_len = value.len;
	}
	return certs_parse(fields, at, ret);
}

/* The entries go from the stream at once: they are nobody's to try again. */
static int remove_entries(struct rds *rds, const struct rds_reply *entries)
{
	struct bytes args[2 + READ_MAX] = {bytes_str("XDEL"), bytes_str(STREAM)};
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int argc = 2;

	for (size_t i = 0; i < rds_count(entries); i++) {
		args[argc] = rds_str(rds_at(rds_at(entries, i), 0));
		if (args[argc++].ptr == NULL)
			return ERR_QUEUE;
	}
	rds_append(rds, argc, args);
	return rds_read_ok(rds, &reply);
}

static int read_group(struct rds *rds, int block_ms, size_t max, struct rds_reply **ret)
{
	char count_text[24], block_text[16];
	struct bytes args[13] = {bytes_str("XREADGROUP"), bytes_str("GROUP"), bytes_str(GROUP),
		bytes_str(CONSUMER), bytes_str("NOACK"), bytes_str("COUNT")};
	int usual = rds_timeout(rds), argc = 7, err;

	snprintf(count_text, sizeof(count_text), "%zu", max);
	args[6] = bytes_str(count_text);
	if (block_ms > 0) {
		snprintf(block_text, sizeof(block_text), "%d", block_ms);
		args[argc++] = bytes_str("BLOCK");
		args[argc++] = bytes_str(block_text);
	}
	args[argc++] = bytes_str("STREAMS");
	args[argc++] = bytes_str(STREAM);
	args[argc++] = bytes_str(">");
	rds_set_timeout(rds, block_ms + usual);
	err = rds_command(rds, argc, args, ret);
	rds_set_timeout(rds, usual);
	return err;
}

int ocsp_asks_read(struct rds *rds, int block_ms, struct ocsp_ask *asks, size_t max,
	size_t *ret_count)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	const struct rds_reply *entries;
	int64_t now = clock_wall_us();
	int err;

	*ret_count = 0;
	if (max > READ_MAX)
		max = READ_MAX;
	err = read_group(rds, block_ms, max, &reply);
	if (err != OK)
		return err;
	if (rds_is_error(reply, "NOGROUP"))
		return ocsp_asks_ensure_group(rds);
	if (rds_is_nil(reply))
		return OK;
	if (rds_count(reply) != 1 || rds_count(rds_at(reply, 0)) != 2)
		return ERR_QUEUE;
	entries = rds_at(rds_at(reply, 0), 1);
	if (rds_count(entries) == 0 || rds_count(entries) > max)
		return ERR_QUEUE;
	for (size_t i = 0; i < rds_count(entries); i++) {
		if (ask_parse(rds_at(rds_at(entries, i), 1), &asks[*ret_count]) &&
			asks[*ret_count].until_us > now)
			++*ret_count;
	}
	return remove_entries(rds, entries);
}

int ocsp_replies_publish(struct rds *rds, const struct ocsp_reply *replies, size_t count)
{
	CLEANUP_BUF struct buf message = {0};
	size_t commands = 0;

	for (size_t i = 0; i < count; i++) {
		char id[IDENT_TEXT_LEN + 1];

		if (replies[i].response.len == 0 || replies[i].response.len > OCSP_REPLY_MAX_BYTES)
			continue;
		ident_format(&replies[i].reply, id);
		buf_reset(&message);
		buf_add(&message, id, IDENT_TEXT_LEN);
		buf_add(&message, replies[i].response.ptr, replies[i].response.len);
		rds_append(rds, 3,
			(struct bytes[]){bytes_str("PUBLISH"), bytes_str(CHANNEL),
				buf_bytes(&message)});
		commands++;
	}
	return read_all(rds, commands);
}

int ocsp_replies_subscribe(struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err;

	rds_append(rds, 2, (struct bytes[]){bytes_str("SUBSCRIBE"), bytes_str(CHANNEL)});
	err = rds_read_ok(rds, &reply);
	if (err != OK)
		return err;
	return bytes_is(rds_str(rds_at(reply, 0)), "subscribe") ? OK : ERR_QUEUE;
}

int ocsp_replies_listen(struct rds *rds, int timeout_ms,
	void (*fn)(void *arg, const struct ident *reply, struct bytes response), void *arg)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = rds_listen(rds, timeout_ms, &reply);
	struct bytes message;
	struct ident id;

	if (err == ERR_TIMEOUT)
		return OK;
	if (err != OK)
		return err;
	if (rds_count(reply) != 3 || !bytes_is(rds_str(rds_at(reply, 0)), "message"))
		return OK;
	message = rds_str(rds_at(reply, 2));
	if (message.len <= IDENT_TEXT_LEN || message.len > IDENT_TEXT_LEN + OCSP_REPLY_MAX_BYTES ||
		ident_parse(bytes_of(message.ptr, IDENT_TEXT_LEN), &id) != OK)
		return OK;
	fn(arg, &id, bytes_of(message.ptr + IDENT_TEXT_LEN, message.len - IDENT_TEXT_LEN));
	return OK;
}
