/* rds.c — Redis connections: own socket handling with deadlines, hiredis as the reply parser.
 *
 * hiredis 0.14 has no element limit and its timeouts count from each read, so that a server which
 * trickles bytes holds a thread for ever. Here the parser's object functions count what they build
 * and refuse more, and every wait ends at a deadline. Replies that were never read make rds_ensure
 * reconnect: commands and replies cannot get out of step. */
#include "lib/queue/rds.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/queue/dial.h"

#define RUN_ID_LEN 40
#define READ_BYTES 65536

struct rds {
	char *where; /* path or ADDRESS:PORT */
	char *user;
	char *password; /* NULL: no AUTH */
	int fd;
	int timeout_ms;
	redisReader *reader;
	redisReplyObjectFunctions limited;         /* the parser's functions behind our limits */
	const redisReplyObjectFunctions *original; /* hiredis' own */
	size_t objects;                            /* of the reply being parsed */
	size_t kept;                               /* string bytes of the reply being parsed */
	struct buf out;
	size_t pending; /* replies not yet read */
	bool fresh;     /* connected since the last rds_ensure that said so */
	char run_id[RUN_ID_LEN + 1];
	char error[192];
	uint8_t in[READ_BYTES];
};

/* The four object functions: NULL makes the parser fail, which ends the connection. */
static bool object_allowed(const redisReadTask *task)
{
	struct rds *rds = task->privdata;

	return ++rds->objects <= RDS_OBJECTS_MAX;
}

static void *limited_string(const redisReadTask *task, char *text, size_t len)
{
	struct rds *rds = task->privdata;

	if (!object_allowed(task))
		return NULL;
	if (len > RDS_STRING_MAX_BYTES)
		len = RDS_STRING_MAX_BYTES;
	if (len > RDS_REPLY_MAX_BYTES - rds->kept)
		len = 0;
	rds->kept += len;
	return rds->original->createString(task, text, len);
}

static void *limited_array(const redisReadTask *task, int elements)
{
	/* Checked here, before hiredis allocates room for them all. */
	if (!object_allowed(task) || elements > RDS_OBJECTS_MAX)
		return NULL;
	return ((struct rds *)task->privdata)->original->createArray(task, elements);
}

static void *limited_integer(const redisReadTask *task, long long value)
{
	return object_allowed(task)
		? ((struct rds *)task->privdata)->original->createInteger(task, value)
		: NULL;
}

static void *limited_nil(const redisReadTask *task)
{
	return object_allowed(task) ? ((struct rds *)task->privdata)->original->createNil(task)
				    : NULL;
}

static void drop(struct rds *rds)
{
	if (rds->fd >= 0)
		close(rds->fd);
	rds->fd = -1;
	if (rds->reader != NULL)
		redisReaderFree(rds->reader);
	rds->reader = NULL;
	rds->pending = 0;
	buf_reset(&rds->out);
}

/* Remembers why, drops the connection. */
static int PRINTF_LIKE(2, 3) fail(struct rds *rds, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(rds->error, sizeof(rds->error), fmt, args);
	va_end(args);
	log_event(LOG_LEVEL_DEBUG, "redis connection dropped", F_STR("cause", rds->error));
	drop(rds);
	return ERR_QUEUE;
}

struct rds *rds_new(const char *where, const char *user, const char *password)
{
	struct rds *rds = xcalloc(1, sizeof(*rds));

	rds->where = xstrdup(where);
	rds->user = user != NULL ? xstrdup(user) : NULL;
	rds->password = password != NULL ? xstrdup(password) : NULL;
	rds->fd = -1;
	rds->timeout_ms = RDS_TIMEOUT_MS;
	snprintf(rds->error, sizeof(rds->error), "not connected");
	return rds;
}

void rds_close(struct rds *rds)
{
	if (rds == NULL)
		return;
	drop(rds);
	buf_done(&rds->out);
	if (rds->password != NULL)
		explicit_bzero(rds->password, strlen(rds->password));
	free(rds->password);
	free(rds->user);
	free(rds->where);
	free(rds);
}

void rds_set_timeout(struct rds *rds, int timeout_ms)
{
	assert(timeout_ms > 0);
	if (rds->timeout_ms == timeout_ms)
		return;
	rds->timeout_ms = timeout_ms;
	if (rds->fd >= 0)
		dial_set_timeout(rds->fd, timeout_ms);
}

int rds_timeout(const struct rds *rds)
{
	return rds->timeout_ms;
}

int rds_fd(const struct rds *rds)
{
	return rds->fd;
}

const char *rds_run_id(const struct rds *rds)
{
	return rds->run_id;
}

const char *rds_error(const struct rds *rds)
{
	return rds->error;
}

static void make_reader(struct rds *rds)
{
	rds->reader = redisReaderCreate();
	assert(rds->reader != NULL);
	rds->original = rds->reader->fn;
	rds->limited = *rds->original;
	rds->limited.createString = limited_string;
	rds->limited.createArray = limited_array;
	rds->limited.createInteger = limited_integer;
	rds->limited.createNil = limited_nil;
	rds->reader->fn = &rds->limited;
	rds->reader->privdata = rds;
	rds->objects = 0;
	rds->kept = 0;
}

static int dial(struct rds *rds)
{
	char error[DIAL_ERROR_MAX];

	if (dial_redis(rds->where, rds->timeout_ms, error, &rds->fd) != OK)
		return fail(rds, "%s", error);
	make_reader(rds);
	return OK;
}

/* The value of "name:" at the start of a line of an INFO text; ptr NULL when absent. */
static struct bytes info_field(struct bytes info, const char *name)
{
	size_t len = strlen(name);
	const uint8_t *p = info.ptr, *end = info.ptr + info.len;

	while (p < end) {
		const uint8_t *eol = memchr(p, '\r', (size_t)(end - p));

		if (eol == NULL)
			eol = end;
		if ((size_t)(eol - p) > len && memcmp(p, name, len) == 0 && p[len] == ':')
			return bytes_of(p + len + 1, (size_t)(eol - p) - len - 1);
		p = eol + 1 < end && eol[1] == '\n' ? eol + 2 : eol + 1;
	}
	return bytes_of(NULL, 0);
}

static int take_run_id(struct rds *rds, struct bytes info)
{
	struct bytes id = info_field(info, "run_id");

	if (id.ptr == NULL || id.len != RUN_ID_LEN)
		return fail(rds, "INFO without run_id");
	for (size_t i = 0; i < id.len; i++)
		if (!isxdigit(id.ptr[i]))
			return fail(rds, "INFO with a malformed run_id");
	memcpy(rds->run_id, id.ptr, id.len);
	return OK;
}

/* Reads one reply of the greeting; an error reply ends the connection. */
static int greet_read(struct rds *rds, const char *what, struct rds_reply **ret)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = rds_read(rds, &reply);

	if (err != OK)
		return err;
	if (rds_is_error(reply, NULL))
		return fail(rds, "%s: %.*s", what, (int)rds_str(reply).len,
			(const char *)rds_str(reply).ptr);
	*ret = TAKE(reply);
	return OK;
}

/* AUTH, then who answers: its run id, whether it is the master, and (PING) whether its data set is
 * loaded. */
static int greet(struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *auth = NULL;
	CLEANUP(rds_reply_free) struct rds_reply *server = NULL;
	CLEANUP(rds_reply_free) struct rds_reply *replication = NULL;
	CLEANUP(rds_reply_free) struct rds_reply *pong = NULL;
	bool with_auth = rds->user != NULL && rds->password != NULL;
	int err;

	if (with_auth)
		rds_append(rds, 3,
			(struct bytes[]){bytes_str("AUTH"), bytes_str(rds->user),
				bytes_str(rds->password)});
	rds_append(rds, 2, (struct bytes[]){bytes_str("INFO"), bytes_str("server")});
	rds_append(rds, 2, (struct bytes[]){bytes_str("INFO"), bytes_str("replication")});
	rds_append(rds, 1, (struct bytes[]){bytes_str("PING")});

	if (with_auth && (err = greet_read(rds, "AUTH", &auth)) != OK)
		return err;
	if ((err = greet_read(rds, "INFO server", &server)) != OK ||
		(err = greet_read(rds, "INFO replication", &replication)) != OK ||
		(err = greet_read(rds, "PING", &pong)) != OK)
		return err;
	if (!bytes_is(info_field(rds_str(replication), "role"), "master"))
		return fail(rds, "this Redis is a replica");
	return take_run_id(rds, rds_str(server));
}

/* True when the server has closed an idle connection. */
static bool closed_by_peer(const struct rds *rds)
{
	uint8_t byte;
	ssize_t n = recv(rds->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int rds_ensure(struct rds *rds, bool *ret_new)
{
	int err;

	if (rds->fd >= 0 && (rds->pending > 0 || closed_by_peer(rds)))
		drop(rds);
	if (rds->fd < 0) {
		if ((err = dial(rds)) != OK || (err = greet(rds)) != OK)
			return err;
		rds->fresh = true;
		rds->error[0] = '\0';
	}
	if (ret_new != NULL) {
		*ret_new = rds->fresh;
		rds->fresh = false;
	}
	return OK;
}

int rds_open(const char *where, const char *user, const char *password, struct rds **ret)
{
	CLEANUP(rds_close) struct rds *rds = rds_new(where, user, password);
	int err = rds_ensure(rds, NULL);

	if (err != OK)
		return err;
	*ret = TAKE(rds);
	return OK;
}

static void append_length(struct buf *out, char mark, size_t n)
{
	char text[24];
	char *p = text + sizeof(text);

	*--p = '\n';
	*--p = '\r';
	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	*--p = mark;
	buf_add(out, p, (size_t)(text + sizeof(text) - p));
}

void rds_append(struct rds *rds, int argc, const struct bytes argv[])
{
	assert(argc > 0);
	if (rds->fd < 0) /* rds_read says so */
		return;
	append_length(&rds->out, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		append_length(&rds->out, '$', argv[i].len);
		buf_add(&rds->out, argv[i].ptr, argv[i].len);
		buf_add(&rds->out, "\r\n", 2);
	}
	rds->pending++;
}

static int flush_out(struct rds *rds)
{
	int64_t deadline = clock_mono_ms() + rds->timeout_ms;
	size_t sent = 0;

	while (sent < rds->out.len) {
		ssize_t n = send(rds->fd, rds->out.ptr + sent, rds->out.len - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return fail(rds, "timeout while sending");
		else
			return fail(rds, "send: %s", strerror(errno));
		if (sent < rds->out.len && clock_mono_ms() > deadline)
			return fail(rds, "timeout while sending");
	}
	buf_reset(&rds->out);
	return OK;
}

/* A complete reply out of what was received already, or NULL. */
static int parse(struct rds *rds, struct rds_reply **ret)
{
	void *reply = NULL;

	if (redisReaderGetReply(rds->reader, &reply) != REDIS_OK)
		return fail(rds, "protocol error or reply over the limits: %s",
			rds->reader->errstr);
	if (reply == NULL && rds->reader->len - rds->reader->pos > RDS_PARTIAL_MAX_BYTES)
		return fail(rds, "reply element over %d bytes", RDS_PARTIAL_MAX_BYTES);
	if (reply != NULL) {
		rds->objects = 0;
		rds->kept = 0;
	}
	*ret = reply;
	return OK;
}

/* Waits in recv(2) for more bytes of the reply. */
static int receive(struct rds *rds)
{
	ssize_t n;

	do
		n = recv(rds->fd, rds->in, sizeof(rds->in), 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return fail(rds, "closed by the server");
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return fail(rds, "timeout after %d ms", rds->timeout_ms);
	if (n < 0)
		return fail(rds, "recv: %s", strerror(errno));
	if (redisReaderFeed(rds->reader, (const char *)rds->in, (size_t)n) != REDIS_OK)
		return fail(rds, "protocol error: %s", rds->reader->errstr);
	return OK;
}

/* The server cannot serve us in this state: treat it as away, so that rds_ensure looks again. */
static bool is_away(const struct rds_reply *reply)
{
	return rds_is_error(reply, "LOADING") || rds_is_error(reply, "READONLY") ||
		rds_is_error(reply, "MASTERDOWN") || rds_is_error(reply, "NOAUTH");
}

int rds_read(struct rds *rds, struct rds_reply **ret)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int64_t deadline = 0;
	int err;

	if (rds->fd < 0)
		return ERR_QUEUE;
	if (rds->out.len > 0 && (err = flush_out(rds)) != OK)
		return err;
	while ((err = parse(rds, &reply)) == OK && reply == NULL) {
		/* Each recv is bounded by SO_RCVTIMEO; the deadline bounds their sum. */
		if (deadline == 0)
			deadline = clock_mono_ms() + rds->timeout_ms;
		else if (clock_mono_ms() > deadline)
			return fail(rds, "timeout after %d ms", rds->timeout_ms);
		if ((err = receive(rds)) != OK)
			return err;
	}
	if (err != OK)
		return err;
	if (rds->pending > 0)
		rds->pending--;
	if (is_away(reply))
		return fail(rds, "%.*s", (int)rds_str(reply).len, (const char *)rds_str(reply).ptr);
	*ret = TAKE(reply);
	return OK;
}

int rds_read_ok(struct rds *rds, struct rds_reply **ret)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = rds_read(rds, &reply);

	if (err != OK)
		return err;
	if (rds_is_error(reply, NULL)) {
		snprintf(rds->error, sizeof(rds->error), "%.*s", (int)rds_str(reply).len,
			(const char *)rds_str(reply).ptr);
		return ERR_QUEUE;
	}
	*ret = TAKE(reply);
	return OK;
}

int rds_listen(struct rds *rds, int timeout_ms, struct rds_reply **ret)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int err;

	if (rds->fd < 0)
		return ERR_QUEUE;
	if (rds->out.len > 0 && (err = flush_out(rds)) != OK)
		return err;
	for (;;) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		struct pollfd p = {.fd = rds->fd, .events = POLLIN};
		int64_t left;

		if ((err = parse(rds, &reply)) != OK)
			return err;
		if (reply != NULL) {
			*ret = TAKE(reply);
			return OK;
		}
		left = deadline - clock_mono_ms();
		if (poll(&p, 1, left > 0 ? (int)left : 0) <= 0) {
			if (left <= 0)
				return ERR_TIMEOUT;
			continue;
		}
		if ((err = receive(rds)) != OK)
			return err;
	}
}

int rds_command(struct rds *rds, int argc, const struct bytes argv[], struct rds_reply **ret)
{
	rds_append(rds, argc, argv);
	return rds_read(rds, ret);
}

static const redisReply *inner(const struct rds_reply *r)
{
	return (const redisReply *)r;
}

void rds_reply_free(struct rds_reply *r)
{
	if (r != NULL)
		freeReplyObject(r);
}

bool rds_is_error(const struct rds_reply *r, const char *prefix_or_null)
{
	size_t len;

	if (r == NULL || inner(r)->type != REDIS_REPLY_ERROR)
		return false;
	if (prefix_or_null == NULL)
		return true;
	len = strlen(prefix_or_null);
	return inner(r)->len >= len && memcmp(inner(r)->str, prefix_or_null, len) == 0;
}

bool rds_is_nil(const struct rds_reply *r)
{
	return r == NULL || inner(r)->type == REDIS_REPLY_NIL;
}

bool rds_is_array(const struct rds_reply *r)
{
	return r != NULL && inner(r)->type == REDIS_REPLY_ARRAY;
}

int64_t rds_int(const struct rds_reply *r)
{
	return r != NULL && inner(r)->type == REDIS_REPLY_INTEGER ? inner(r)->integer : 0;
}

struct bytes rds_str(const struct rds_reply *r)
{
	if (r == NULL ||
		(inner(r)->type != REDIS_REPLY_STRING && inner(r)->type != REDIS_REPLY_STATUS &&
			inner(r)->type != REDIS_REPLY_ERROR))
		return bytes_of(NULL, 0);
	return bytes_of(inner(r)->str, inner(r)->len);
}

size_t rds_count(const struct rds_reply *r)
{
	return rds_is_array(r) ? inner(r)->elements : 0;
}

const struct rds_reply *rds_at(const struct rds_reply *r, size_t i)
{
	return i < rds_count(r) ? (const struct rds_reply *)inner(r)->element[i] : NULL;
}
