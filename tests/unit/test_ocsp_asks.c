/* test_ocsp_asks.c — the stream of asks for OCSP responses and the channel of replies: at most
 * once, in time, and nothing malformed reaches a worker or a handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/queue/ocsp.h"
#include "tests/unit/private_redis.h"

#define MAX 64
#define SECOND_US 1000000

static struct private_redis server;
static struct rds *rds;

static int start_server(void **state)
{
	private_redis_start(&server, NULL);
	rds = private_redis_connect(&server);
	return 0;
}

static int stop_server(void **state)
{
	rds_close(rds);
	private_redis_stop(&server);
	return 0;
}

static int empty_stream(void **state)
{
	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(ocsp_asks_ensure_group(rds), OK);
	return 0;
}

static struct ocsp_ask an_ask(size_t certs, size_t nonce_len)
{
	struct ocsp_ask ask = {.reply = ident_new(),
		.issuer = 7,
		.until_us = clock_wall_us() + 60 * (int64_t)SECOND_US,
		.count = certs,
		.nonce_len = nonce_len};

	for (size_t i = 0; i < certs; i++) {
		ask.certs[i].hash = i % 2 == 0 ? OCSP_ASK_SHA1 : OCSP_ASK_SHA256;
		ask.certs[i].serial_len = (uint8_t)(OCSP_ASK_SERIAL_MAX_BYTES - i);
		/* NUL, LF and '\r' must pass. */
		memset(ask.certs[i].serial, (int)i, ask.certs[i].serial_len);
		ask.certs[i].serial[0] = '\r';
	}
	for (size_t i = 0; i < nonce_len; i++)
		ask.nonce[i] = (uint8_t)(i * 7);
	return ask;
}

static void send(const struct ocsp_ask *ask)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

	ocsp_ask_append(rds, ask);
	assert_int_equal(rds_read_ok(rds, &reply), OK);
}

static size_t take(struct ocsp_ask asks[MAX])
{
	size_t count = 99;

	assert_int_equal(ocsp_asks_read(rds, 0, asks, MAX, &count), OK);
	return count;
}

static void assert_same_ask(const struct ocsp_ask *a, const struct ocsp_ask *b)
{
	assert_true(ident_equal(&a->reply, &b->reply));
	assert_int_equal(a->issuer, b->issuer);
	assert_int_equal(a->until_us, b->until_us);
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(a->certs[i].hash, b->certs[i].hash);
		assert_int_equal(a->certs[i].serial_len, b->certs[i].serial_len);
		assert_memory_equal(a->certs[i].serial, b->certs[i].serial, a->certs[i].serial_len);
	}
	assert_int_equal(a->nonce_len, b->nonce_len);
	assert_memory_equal(a->nonce, b->nonce, a->nonce_len);
}

static void asks_arrive_whole_and_in_order(void **state)
{
	struct ocsp_ask sent[3] = {an_ask(1, 0), an_ask(OCSP_ASK_CERTS_MAX, 128), an_ask(2, 1)};
	struct ocsp_ask asks[MAX];

	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		send(&sent[i]);
	assert_int_equal(take(asks), 3);
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		assert_same_ask(&asks[i], &sent[i]);
}

static void what_was_read_is_gone(void **state)
{
	struct ocsp_ask ask = an_ask(1, 0), asks[MAX];

	send(&ask);
	assert_int_equal(take(asks), 1);
	assert_int_equal(take(asks), 0);
	assert_int_equal(private_redis_int(rds, "XLEN q:ocsp"), 0);
	CLEANUP(rds_reply_free)
	struct rds_reply *pending = private_redis_do(rds, "XPENDING q:ocsp w");
	assert_int_equal(rds_int(rds_at(pending, 0)), 0);
}

static void reading_takes_no_more_than_there_is_room_for(void **state)
{
	struct ocsp_ask asks[MAX];
	size_t count = 99;

	for (int i = 0; i < 5; i++) {
		struct ocsp_ask ask = an_ask(1, 0);

		send(&ask);
	}
	assert_int_equal(ocsp_asks_read(rds, 0, asks, 3, &count), OK);
	assert_int_equal(count, 3);
	assert_int_equal(take(asks), 2);
}

static void waiting_ends_after_block_ms_or_with_an_ask(void **state)
{
	struct ocsp_ask ask = an_ask(1, 0), asks[MAX];
	int64_t started = clock_mono_ms();
	size_t count = 99;

	assert_int_equal(ocsp_asks_read(rds, 100, asks, MAX, &count), OK);
	assert_int_equal(count, 0);
	assert_in_range(clock_mono_ms() - started, 90, 1500);
	send(&ask);
	assert_int_equal(ocsp_asks_read(rds, 1500, asks, MAX, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(rds_timeout(rds), RDS_TIMEOUT_MS);
}

static void what_is_too_late_is_dropped(void **state)
{
	struct ocsp_ask late = an_ask(1, 0), good = an_ask(1, 0), asks[MAX];

	late.until_us = clock_wall_us() - 1;
	send(&late);
	send(&good);
	assert_int_equal(take(asks), 1);
	assert_same_ask(&asks[0], &good);
	assert_int_equal(private_redis_int(rds, "XLEN q:ocsp"), 0);
}

#define ID "AAAAAAAAAAAAAAAAAAAAAA"
#define UNTIL "99999999999999999" /* the year 5138 */

static void junk_is_dropped(void **state)
{
	static const char *const entries[] = {
		"XADD q:ocsp * r " ID " i 1 t " UNTIL,             /* no certificate */
		"XADD q:ocsp * r " ID " i 1 t " UNTIL " n abc",    /* nor here */
		"XADD q:ocsp * r " ID " i 1 t " UNTIL " 3 serial", /* unknown hash */
		"XADD q:ocsp * r " ID " i 1 t " UNTIL " 1 serialserialserialserial",
		"XADD q:ocsp * r " ID " i -1 t " UNTIL " 1 serial",
		"XADD q:ocsp * r " ID " i 2147483648 t " UNTIL " 1 serial",
		"XADD q:ocsp * r " ID " i 1 t x 1 serial",
		"XADD q:ocsp * r " ID " i 1 t 9999999999999999999 1 serial",
		"XADD q:ocsp * r short i 1 t " UNTIL " 1 serial",
		"XADD q:ocsp * i 1 r " ID " t " UNTIL " 1 serial",
		"XADD q:ocsp * 1 serial",
		"XADD q:ocsp * r " ID " i 1 t " UNTIL " 1 s n late",
		"XADD q:ocsp * r " ID " i 1 t " UNTIL
		" 1 a 1 b 1 c 1 d 1 e 1 f 1 g 1 h 1 i", /* nine */
		"XADD q:ocsp * junk junk",
	};
	struct ocsp_ask good = an_ask(1, 0), asks[MAX];

	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		rds_reply_free(private_redis_do(rds, entries[i]));
	assert_int_equal(private_redis_int(rds, "XLEN q:ocsp"), ARRAY_LEN(entries));
	send(&good);
	assert_int_equal(take(asks), 1);
	assert_same_ask(&asks[0], &good);
	assert_int_equal(private_redis_int(rds, "XLEN q:ocsp"), 0);
}

static void long_and_empty_fields_are_junk(void **state)
{
	static char large[1 << 20];
	struct ocsp_ask ask = an_ask(1, 0), asks[MAX];

	memset(large, 'x', sizeof(large));
	for (size_t len = 0; len <= sizeof(large); len += sizeof(large)) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

		assert_int_equal(rds_command(rds, 13,
					 (struct bytes[]){bytes_str("XADD"), bytes_str("q:ocsp"),
						 bytes_str("*"), bytes_str("r"), bytes_str(ID),
						 bytes_str("i"), bytes_str("1"), bytes_str("t"),
						 bytes_str(UNTIL), bytes_str("n"),
						 bytes_of(large, len), bytes_str("1"),
						 bytes_str("serial")},
					 &reply),
			OK);
	}
	send(&ask);
	assert_int_equal(take(asks), 1);
	assert_same_ask(&asks[0], &ask);
}

static void a_lost_group_is_made_again(void **state)
{
	struct ocsp_ask ask = an_ask(1, 0), asks[MAX];

	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(take(asks), 0);
	send(&ask);
	assert_int_equal(take(asks), 1);
	assert_int_equal(ocsp_asks_ensure_group(rds), OK);
}

static void the_stream_is_bounded(void **state)
{
	struct ocsp_ask ask = an_ask(1, 0);

	for (int i = 0; i < 21000; i++) {
		ocsp_ask_append(rds, &ask);
		if (i % 1000 == 999) {
			for (int n = 0; n < 1000; n++) {
				CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

				assert_int_equal(rds_read_ok(rds, &reply), OK);
			}
		}
	}
	assert_in_range(private_redis_int(rds, "XLEN q:ocsp"), 20000, 20200);
}

struct heard {
	size_t count;
	struct ident reply;
	struct buf response;
};

static void hear(void *arg, const struct ident *reply, struct bytes response)
{
	struct heard *heard = arg;

	heard->count++;
	heard->reply = *reply;
	buf_reset(&heard->response);
	buf_add(&heard->response, response.ptr, response.len);
}

static void replies_reach_who_listens(void **state)
{
	CLEANUP(rds_close) struct rds *ears = private_redis_connect(&server);
	static uint8_t long_response[OCSP_REPLY_MAX_BYTES + 1];
	struct ocsp_reply replies[] = {{ident_new(), bytes_of("\x30\x03\x0a\x01\x06", 5)},
		{ident_new(), bytes_of(NULL, 0)},
		{ident_new(), bytes_of(long_response, sizeof(long_response))},
		{ident_new(), bytes_of(long_response, sizeof(long_response) - 1)}};
	struct heard heard = {0};

	assert_int_equal(ocsp_replies_subscribe(ears), OK);
	assert_int_equal(ocsp_replies_listen(ears, 50, hear, &heard), OK);
	assert_int_equal(heard.count, 0);
	assert_int_equal(ocsp_replies_publish(rds, replies, ARRAY_LEN(replies)), OK);
	assert_int_equal(ocsp_replies_publish(rds, replies, 0), OK);
	for (size_t i = 0; i < ARRAY_LEN(replies); i += 3) {
		assert_int_equal(ocsp_replies_listen(ears, 1000, hear, &heard), OK);
		assert_true(ident_equal(&heard.reply, &replies[i].reply));
		assert_true(bytes_equal(buf_bytes(&heard.response), replies[i].response));
	}
	assert_int_equal(heard.count, 2);
	assert_int_equal(ocsp_replies_listen(ears, 50, hear, &heard), OK);
	assert_int_equal(heard.count, 2);
	buf_done(&heard.response);
}

static void junk_on_the_channel_is_not_heard(void **state)
{
	CLEANUP(rds_close) struct rds *ears = private_redis_connect(&server);
	static const char *const junk[] = {"PUBLISH ocsp x", ("PUBLISH ocsp " ID),
		"PUBLISH ocsp *AAAAAAAAAAAAAAAAAAAAA-der"};
	struct ocsp_reply good = {ident_new(), bytes_of("x", 1)};
	struct heard heard = {0};

	assert_int_equal(ocsp_replies_subscribe(ears), OK);
	for (size_t i = 0; i < ARRAY_LEN(junk); i++)
		assert_int_equal(private_redis_int(rds, junk[i]), 1);
	assert_int_equal(ocsp_replies_publish(rds, &good, 1), OK);
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		assert_int_equal(ocsp_replies_listen(ears, 1000, hear, &heard), OK);
		assert_int_equal(heard.count, 0);
	}
	assert_int_equal(ocsp_replies_listen(ears, 1000, hear, &heard), OK);
	assert_int_equal(heard.count, 1);
	buf_done(&heard.response);
}

static void without_redis_there_are_no_asks(void **state)
{
	CLEANUP(rds_close) struct rds *lonely = rds_new("/nonexistent/redis.sock", NULL, NULL);
	struct ocsp_ask asks[MAX];
	size_t count = 99;

	assert_int_equal(ocsp_asks_read(lonely, 0, asks, MAX, &count), ERR_QUEUE);
	assert_int_equal(count, 0);
	assert_int_equal(ocsp_replies_subscribe(lonely), ERR_QUEUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(asks_arrive_whole_and_in_order, empty_stream),
		cmocka_unit_test_setup(what_was_read_is_gone, empty_stream),
		cmocka_unit_test_setup(reading_takes_no_more_than_there_is_room_for, empty_stream),
		cmocka_unit_test_setup(waiting_ends_after_block_ms_or_with_an_ask, empty_stream),
		cmocka_unit_test_setup(what_is_too_late_is_dropped, empty_stream),
		cmocka_unit_test_setup(junk_is_dropped, empty_stream),
		cmocka_unit_test_setup(long_and_empty_fields_are_junk, empty_stream),
		cmocka_unit_test_setup(a_lost_group_is_made_again, empty_stream),
		cmocka_unit_test_setup(the_stream_is_bounded, empty_stream),
		cmocka_unit_test(replies_reach_who_listens),
		cmocka_unit_test(junk_on_the_channel_is_not_heard),
		cmocka_unit_test(without_redis_there_are_no_asks),
	};

	private_redis_require();
	return cmocka_run_group_tests_name("ocsp_asks", tests, start_server, stop_server);
}
