/* jobs.c — see jobs.h. Entries come from programs that may be compromised: whatever is not exactly
 * one known kind with one well-formed id is junk, goes to the dead letters and never reaches a
 * worker. */
#include "lib/queue/jobs.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"

#define STREAM_MAX "1000000" /* entries; about 100 MB */
#define DEAD "q:dead"
#define DEAD_MAX "10000"
#define GROUP "w"
#define CHANNEL "done"
#define JUNK_SHOWN_BYTES 128
#define ARGS_MAX 512      /* ids in one command */
#define RECLAIM_ROUNDS 64 /* XAUTOCLAIM looks at ten times its COUNT each */

static const char *const stream_keys[] =
	{[STREAM_VALIDATION] = "q:val", [STREAM_ISSUANCE] = "q:sign"};
static const uint8_t kind_letters[] = {[JOB_VALIDATE] = 'v',
	[JOB_CAA] = 'c',
	[JOB_SIGN] = 's',
	[JOB_RESPONDER] = 'r',
	[JOB_CRL] = 'l'};

static struct bytes key_of(enum job_stream stream)
{
	return bytes_str(stream_keys[stream]);
}

static enum job_stream stream_of(enum job_kind kind)
{
	return kind == JOB_VALIDATE || kind == JOB_CAA ? STREAM_VALIDATION : STREAM_ISSUANCE;
}

void job_append(struct rds *rds, enum job_kind kind, const struct ident *id)
{
	char text[IDENT_TEXT_LEN + 1];

	ident_format(id, text);
	rds_append(rds, 8,
		(struct bytes[]){bytes_str("XADD"), key_of(stream_of(kind)), bytes_str("MAXLEN"),
			bytes_str("~"), bytes_str(STREAM_MAX), bytes_str("*"),
			bytes_of(&kind_letters[kind], 1), bytes_of(text, IDENT_TEXT_LEN)});
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

int jobs_enqueue(struct rds *rds, enum job_kind kind, const struct ident *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		job_append(rds, kind, &ids[i]);
	return read_all(rds, count);
}

int jobs_ensure_group(struct rds *rds, enum job_stream stream)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err;

	rds_append(rds, 6,
		(struct bytes[]){bytes_str("XGROUP"), bytes_str("CREATE"), key_of(stream),
			bytes_str(GROUP), bytes_str("0"), bytes_str("MKSTREAM")});
	err = rds_read_ok(rds, &reply);
	if (err != OK && strncmp(rds_error(rds), "BUSYGROUP", 9) == 0)
		return OK;
	return err;
}

/* DIGITS-DIGITS, as Redis makes them. */
static bool entry_id_copy(struct bytes text, char out[static 40])
{
	bool dash = false;

	if (text.len < 3 || text.len >= 40)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '-' && !dash && i > 0 && i + 1 < text.len)
			dash = true;
		else if (!isdigit(text.ptr[i]))
			return false;
	}
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return dash;
}

static bool kind_parse(struct bytes text, enum job_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_letters); i++) {
		if (text.len == 1 && text.ptr[0] == kind_letters[i]) {
			*ret = (enum job_kind)i;
			return true;
		}
	}
	return false;
}

/* ERR_SYNTAX: junk. */
static int fields_parse(const struct rds_reply *fields, size_t expected, struct job *ret)
{
	if (rds_count(fields) != expected || !kind_parse(rds_str(rds_at(fields, 0)), &ret->kind))
		return ERR_SYNTAX;
	return ident_parse(rds_str(rds_at(fields, 1)), &ret->id);
}

/* The acknowledgement of entry ids that are read by ack_read. */
static size_t ack_append(struct rds *rds, enum job_stream stream, const struct job *jobs,
	size_t count)
{
	struct bytes args[3 + ARGS_MAX];
	size_t commands = 0;

	while (count > 0) {
		size_t n = count < ARGS_MAX ? count : ARGS_MAX;

		args[0] = bytes_str("XACK");
		args[1] = key_of(stream);
		args[2] = bytes_str(GROUP);
		for (size_t i = 0; i < n; i++)
			args[3 + i] = bytes_str(jobs[i].entry);
		rds_append(rds, (int)(3 + n), args);
		args[1] = bytes_str("XDEL");
		args[2] = key_of(stream);
		rds_append(rds, (int)(2 + n), args + 1);
		commands += 2;
		jobs += n;
		count -= n;
	}
	return commands;
}

int jobs_ack(struct rds *rds, enum job_stream stream, const struct job *jobs, size_t count)
{
	return read_all(rds, ack_append(rds, stream, jobs, count));
}

/* Moves one entry of the stream to the dead letters: first there, then away here. A crash in
 * between leaves it in both, which does no harm. */
static size_t bury_append(struct rds *rds, enum job_stream stream, const char *entry,
	struct bytes field, struct bytes value, const char *why)
{
	struct job job;

	snprintf(job.entry, sizeof(job.entry), "%s", entry);
	if (value.len > JUNK_SHOWN_BYTES)
		value.len = JUNK_SHOWN_BYTES;
	rds_append(rds, 12,
		(struct bytes[]){bytes_str("XADD"), bytes_str(DEAD), bytes_str("MAXLEN"),
			bytes_str("~"), bytes_str(DEAD_MAX), bytes_str("*"), field, value,
			bytes_str("from"), bytes_str(entry), bytes_str("why"), bytes_str(why)});
	return 1 + ack_append(rds, stream, &job, 1);
}

/* Sorts the entries of a reply into jobs (room for all of them) and junk, which is buried. */
static int take_entries(struct rds *rds, enum job_stream stream, const struct rds_reply *entries,
	struct job *jobs, size_t max, size_t *ret_count)
{
	size_t commands = 0, count = 0;

	if (rds_count(entries) > max)
		return ERR_QUEUE;
	for (size_t i = 0; i < rds_count(entries); i++) {
		const struct rds_reply *entry = rds_at(entries, i);
		const struct rds_reply *fields = rds_at(entry, 1);
		struct job *job = &jobs[count];

		if (!entry_id_copy(rds_str(rds_at(entry, 0)), job->entry))
			return ERR_QUEUE;
		if (fields_parse(fields, 2, job) == OK && stream_of(job->kind) == stream)
			count++;
		else
			commands += bury_append(rds, stream, job->entry, bytes_str("junk"),
				rds_str(rds_at(fields, 1)), "not a job");
	}
	*ret_count = count;
	return read_all(rds, commands);
}

static int read_group(struct rds *rds, enum job_stream stream, const char *consumer, int block_ms,
	size_t max, struct rds_reply **ret)
{
	char count_text[24], block_text[16];
	struct bytes args[12] = {bytes_str("XREADGROUP"), bytes_str("GROUP"), bytes_str(GROUP),
		bytes_str(consumer), bytes_str("COUNT")};
	int usual = rds_timeout(rds), argc = 6, err;

	snprintf(count_text, sizeof(count_text), "%zu", max);
	args[5] = bytes_str(count_text);
	if (block_ms > 0) {
		snprintf(block_text, sizeof(block_text), "%d", block_ms);
		args[argc++] = bytes_str("BLOCK");
		args[argc++] = bytes_str(block_text);
	}
	args[argc++] = bytes_str("STREAMS");
	args[argc++] = key_of(stream);
	args[argc++] = bytes_str(">");
	rds_set_timeout(rds, block_ms + usual);
	err = rds_command(rds, argc, args, ret);
	rds_set_timeout(rds, usual);
	return err;
}

int jobs_read(struct rds *rds, enum job_stream stream, const char *consumer, int block_ms,
	struct job *jobs, size_t max, size_t *ret_count)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = read_group(rds, stream, consumer, block_ms, max, &reply);

	if (err != OK)
		return err;
	*ret_count = 0;
	if (rds_is_error(reply, "NOGROUP"))
		return jobs_ensure_group(rds, stream);
	if (rds_is_nil(reply))
		return OK;
	if (rds_count(reply) != 1 || rds_count(rds_at(reply, 0)) != 2)
		return ERR_QUEUE;
	return take_entries(rds, stream, rds_at(rds_at(reply, 0), 1), jobs, max, ret_count);
}

/* How often each was delivered: XPENDING of exactly that entry, all in one pipeline. */
static int read_deliveries(struct rds *rds, enum job_stream stream, const struct job *jobs,
	size_t count, int64_t *ret)
{
	for (size_t i = 0; i < count; i++)
		rds_append(rds, 6,
			(struct bytes[]){bytes_str("XPENDING"), key_of(stream), bytes_str(GROUP),
				bytes_str(jobs[i].entry), bytes_str(jobs[i].entry),
				bytes_str("1")});
	for (size_t i = 0; i < count; i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		int err = rds_read_ok(rds, &reply);

		if (err != OK)
			return err;
		ret[i] = rds_int(rds_at(rds_at(reply, 0), 3));
	}
	return OK;
}

/* Splits claimed jobs into those to work on (kept at the front) and the poisonous, which are
 * buried. */
static int part_poison(struct rds *rds, enum job_stream stream, struct job *jobs, size_t *count,
	struct job *dead, size_t *dead_count)
{
	int64_t deliveries[ARGS_MAX];
	size_t commands = 0, kept = 0;
	int err;

	assert(*count <= ARGS_MAX);
	*dead_count = 0;
	if ((err = read_deliveries(rds, stream, jobs, *count, deliveries)) != OK)
		return err;
	for (size_t i = 0; i < *count; i++) {
		char text[IDENT_TEXT_LEN + 1];

		if (deliveries[i] <= JOB_DELIVERIES_MAX) {
			jobs[kept++] = jobs[i];
			continue;
		}
		ident_format(&jobs[i].id, text);
		commands += bury_append(rds, stream, jobs[i].entry,
			bytes_of(&kind_letters[jobs[i].kind], 1), bytes_of(text, IDENT_TEXT_LEN),
			"delivered too often");
		dead[(*dead_count)++] = jobs[i];
	}
	*count = kept;
	return read_all(rds, commands);
}

static int autoclaim(struct rds *rds, enum job_stream stream, const char *consumer, int64_t idle_ms,
	const char *cursor, size_t count, struct rds_reply **ret)
{
	char idle_text[24], count_text[24];

	snprintf(idle_text, sizeof(idle_text), "%lld", (long long)idle_ms);
	snprintf(count_text, sizeof(count_text), "%zu", count);
	return rds_command(rds, 8,
		(struct bytes[]){bytes_str("XAUTOCLAIM"), key_of(stream), bytes_str(GROUP),
			bytes_str(consumer), bytes_str(idle_text), bytes_str(cursor),
			bytes_str("COUNT"), bytes_str(count_text)},
		ret);
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

int jobs_reclaim(struct rds *rds, enum job_stream stream, const char *consumer, int64_t idle_ms,
	struct job *jobs, size_t max, size_t *ret_count, struct job *dead, size_t max_dead,
	size_t *ret_dead)
{
	char cursor[40] = "0-0";

	*ret_count = 0;
	*ret_dead = 0;
	for (int round = 0; round < RECLAIM_ROUNDS; round++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		/* Any of them may turn out to be dead, and any alive. */
		size_t room = least(max - *ret_count, max_dead - *ret_dead, ARGS_MAX);
		size_t count = 0, dead_count = 0;
		int err;

		if (room == 0)
			return OK;
		if ((err = autoclaim(rds, stream, consumer, idle_ms, cursor, room, &reply)) != OK)
			return err;
		if (rds_is_error(reply, "NOGROUP"))
			return jobs_ensure_group(rds, stream);
		if (rds_count(reply) < 2 || !entry_id_copy(rds_str(rds_at(reply, 0)), cursor))
			return ERR_QUEUE;
		if ((err = take_entries(rds, stream, rds_at(reply, 1), jobs + *ret_count, room,
			     &count)) != OK ||
			(err = part_poison(rds, stream, jobs + *ret_count, &count, dead + *ret_dead,
				 &dead_count)) != OK)
			return err;
		*ret_count += count;
		*ret_dead += dead_count;
		if (strcmp(cursor, "0-0") == 0)
			return OK;
	}
	return OK;
}

int jobs_publish(struct rds *rds, const struct ident *ids, size_t count)
{
	size_t commands = 0;

	while (count > 0) {
		size_t n = count < ARGS_MAX ? count : ARGS_MAX;
		char text[ARGS_MAX * IDENT_TEXT_LEN + 1];

		for (size_t i = 0; i < n; i++)
			ident_format(&ids[i], text + i * IDENT_TEXT_LEN);
		rds_append(rds, 3,
			(struct bytes[]){bytes_str("PUBLISH"), bytes_str(CHANNEL),
				bytes_of(text, n * IDENT_TEXT_LEN)});
		commands++;
		ids += n;
		count -= n;
	}
	return read_all(rds, commands);
}

int jobs_subscribe(struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err;

	rds_append(rds, 2, (struct bytes[]){bytes_str("SUBSCRIBE"), bytes_str(CHANNEL)});
	err = rds_read_ok(rds, &reply);
	if (err != OK)
		return err;
	return bytes_is(rds_str(rds_at(reply, 0)), "subscribe") ? OK : ERR_QUEUE;
}

int jobs_listen(struct rds *rds, int timeout_ms, void (*fn)(void *arg, const struct ident *id),
	void *arg)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = rds_listen(rds, timeout_ms, &reply);
	struct bytes ids;

	if (err == ERR_TIMEOUT)
		return OK;
	if (err != OK)
		return err;
	if (rds_count(reply) != 3 || !bytes_is(rds_str(rds_at(reply, 0)), "message"))
		return OK;
	ids = rds_str(rds_at(reply, 2));
	for (size_t at = 0; at + IDENT_TEXT_LEN <= ids.len; at += IDENT_TEXT_LEN) {
		struct ident id;

		if (ident_parse(bytes_of(ids.ptr + at, IDENT_TEXT_LEN), &id) == OK)
			fn(arg, &id);
	}
	return OK;
}

int jobs_dead_read(struct rds *rds, struct job *jobs, size_t *ret_jobs, struct job *junk,
	size_t *ret_junk, size_t max)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	char count_text[24];
	int err;

	snprintf(count_text, sizeof(count_text), "%zu", max);
	rds_append(rds, 6,
		(struct bytes[]){bytes_str("XRANGE"), bytes_str(DEAD), bytes_str("-"),
			bytes_str("+"), bytes_str("COUNT"), bytes_str(count_text)});
	if ((err = rds_read_ok(rds, &reply)) != OK)
		return err;
	*ret_jobs = 0;
	*ret_junk = 0;
	if (rds_count(reply) > max)
		return ERR_QUEUE;
	for (size_t i = 0; i < rds_count(reply); i++) {
		struct job job;

		if (!entry_id_copy(rds_str(rds_at(rds_at(reply, i), 0)), job.entry))
			return ERR_QUEUE;
		if (fields_parse(rds_at(rds_at(reply, i), 1), 6, &job) == OK)
			jobs[(*ret_jobs)++] = job;
		else
			junk[(*ret_junk)++] = job;
	}
	return OK;
}

int jobs_dead_remove(struct rds *rds, const struct job *jobs, size_t count)
{
	struct bytes args[2 + ARGS_MAX] = {bytes_str("XDEL"), bytes_str(DEAD)};
	size_t commands = 0;

	while (count > 0) {
		size_t n = count < ARGS_MAX ? count : ARGS_MAX;

		for (size_t i = 0; i < n; i++)
			args[2 + i] = bytes_str(jobs[i].entry);
		rds_append(rds, (int)(2 + n), args);
		commands++;
		jobs += n;
		count -= n;
	}
	return read_all(rds, commands);
}

/* One row of XINFO CONSUMERS: name → value pairs in any order. */
static bool consumer_is_gone(const struct rds_reply *row, int64_t idle_ms, struct bytes *ret_name)
{
	int64_t pending = -1, idle = -1;

	*ret_name = bytes_of(NULL, 0);
	for (size_t i = 0; i + 1 < rds_count(row); i += 2) {
		struct bytes field = rds_str(rds_at(row, i));

		if (bytes_is(field, "name"))
			*ret_name = rds_str(rds_at(row, i + 1));
		else if (bytes_is(field, "pending"))
			pending = rds_int(rds_at(row, i + 1));
		else if (bytes_is(field, "idle"))
			idle = rds_int(rds_at(row, i + 1));
	}
	return ret_name->ptr != NULL && pending == 0 && idle > idle_ms;
}

int jobs_prune_consumers(struct rds *rds, enum job_stream stream, int64_t idle_ms,
	size_t *ret_count)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	size_t commands = 0;
	int err;

	*ret_count = 0;
	err = rds_command(rds, 4,
		(struct bytes[]){bytes_str("XINFO"), bytes_str("CONSUMERS"), key_of(stream),
			bytes_str(GROUP)},
		&reply);
	if (err != OK)
		return err;
	if (!rds_is_array(reply)) /* no stream or no group yet */
		return rds_is_error(reply, "NOGROUP") || rds_is_error(reply, "ERR no such key")
			? OK
			: ERR_QUEUE;
	for (size_t i = 0; i < rds_count(reply); i++) {
		struct bytes name;

		if (!consumer_is_gone(rds_at(reply, i), idle_ms, &name))
			continue;
		rds_append(rds, 5,
			(struct bytes[]){bytes_str("XGROUP"), bytes_str("DELCONSUMER"),
				key_of(stream), bytes_str(GROUP), name});
		commands++;
	}
	*ret_count = commands;
	return read_all(rds, commands);
}
