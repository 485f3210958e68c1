/* test_http.c — requests and answers over a real FastCGI connection: this file plays the web server
 * on the other end of a socket pair. */
#include "fcgi/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };
enum { KEEP_CONN = 1 };

struct wire {
	FCGX_Request fcgi;
	struct http_request in;
	int server; /* our end */
};

static int setup(void **state)
{
	struct wire *w = xcalloc(1, sizeof(*w));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	FCGX_InitRequest(&w->fcgi, -1, 0);
	w->fcgi.ipcFd = pair[0];
	w->fcgi.keepConnection = 1;
	w->server = pair[1];
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct wire *w = *state;

	FCGX_Free(&w->fcgi, 1);
	http_done(&w->in);
	close(w->server);
	free(w);
	return 0;
}

static void record(struct buf *out, int type, const void *content, size_t len)
{
	const uint8_t header[8] = {1, (uint8_t)type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len, 0, 0};

	buf_add(out, header, sizeof(header));
	buf_add(out, content, len);
}

static void param(struct buf *out, const char *name, const char *value)
{
	size_t len = strlen(value);

	buf_add_byte(out, (uint8_t)strlen(name));
	if (len < 128) {
		buf_add_byte(out, (uint8_t)len);
	} else {
		buf_add_byte(out, (uint8_t)(0x80 | len >> 24));
		buf_add_byte(out, (uint8_t)(len >> 16));
		buf_add_byte(out, (uint8_t)(len >> 8));
		buf_add_byte(out, (uint8_t)len);
	}
	buf_add_str(out, name);
	buf_add_str(out, value);
}

/* Sends one request; length NULL leaves CONTENT_LENGTH out. */
static void request(struct wire *w, const char *method, const char *uri, const char *length,
	struct bytes body)
{
	CLEANUP_BUF struct buf params = {0};
	CLEANUP_BUF struct buf out = {0};
	const uint8_t begin[8] = {0, 1, KEEP_CONN};

	param(&params, "REQUEST_METHOD", method);
	param(&params, "REQUEST_URI", uri);
	param(&params, "CONTENT_TYPE", "application/jose+json");
	param(&params, "HTTP_USER_AGENT", "test/1");
	param(&params, "HTTP_REPLAY_NONCE", "");
	if (length != NULL)
		param(&params, "CONTENT_LENGTH", length);
	record(&out, BEGIN_REQUEST, begin, sizeof(begin));
	record(&out, PARAMS, params.ptr, params.len);
	record(&out, PARAMS, NULL, 0);
	for (size_t at = 0; at < body.len; at += 32768)
		record(&out, STDIN, body.ptr + at, body.len - at < 32768 ? body.len - at : 32768);
	record(&out, STDIN, NULL, 0);
	assert_int_equal(write(w->server, out.ptr, out.len), (ssize_t)out.len);
}

static void receive(struct wire *w)
{
	assert_int_equal(FCGX_Accept_r(&w->fcgi), 0);
	http_read(&w->fcgi, &w->in);
}

static void nothing_is_left_in_the_socket(struct wire *w)
{
	uint8_t byte;

	assert_int_equal(recv(w->fcgi.ipcFd, &byte, 1, MSG_DONTWAIT), -1);
}

/* What the server got on the standard output stream up to the end of the request. */
static void answered(struct wire *w, struct buf *out)
{
	for (;;) {
		uint8_t header[8], content[65536 + 256];
		size_t len;

		assert_int_equal(recv(w->server, header, sizeof(header), MSG_WAITALL),
			sizeof(header));
		len = (size_t)header[4] << 8 | header[5];
		if (len + header[6] > 0)
			assert_int_equal(recv(w->server, content, len + header[6], MSG_WAITALL),
				len + header[6]);
		if (header[1] == STDOUT)
			buf_add(out, content, len);
		if (header[1] == END_REQUEST)
			return;
	}
}

static void a_request_is_read_whole(void **state)
{
	struct wire *w = *state;

	request(w, "POST", "/acme/new-order?x=1?y", "5", bytes_str("{\"a\"}"));
	receive(w);
	assert_string_equal(w->in.method, "POST");
	assert_string_equal(w->in.uri, "/acme/new-order?x=1?y");
	assert_true(bytes_is(w->in.path, "/acme/new-order"));
	assert_true(bytes_is(w->in.query, "x=1?y"));
	assert_string_equal(w->in.content_type, "application/jose+json");
	assert_string_equal(w->in.user_agent, "test/1");
	assert_false(w->in.replay_nonce);
	assert_null(w->in.accept);
	assert_int_equal(w->in.body_state, HTTP_BODY_WHOLE);
	assert_true(bytes_is(buf_bytes(&w->in.body), "{\"a\"}"));
	nothing_is_left_in_the_socket(w);
}

static void the_path_is_not_decoded(void **state)
{
	struct wire *w = *state;

	request(w, "GET", "//a/%2e%2e/b", NULL, bytes_of(NULL, 0));
	receive(w);
	assert_true(bytes_is(w->in.path, "//a/%2e%2e/b"));
	assert_int_equal(w->in.query.len, 0);
	assert_int_equal(w->in.body_state, HTTP_BODY_WHOLE);
	assert_int_equal(w->in.body.len, 0);
}

static void a_kept_connection_carries_the_next_request(void **state)
{
	struct wire *w = *state;

	for (int i = 0; i < 3; i++) {
		static uint8_t body[BODY_MAX_BYTES];
		char length[16];
		size_t len = i == 1 ? sizeof(body) : 10;
		CLEANUP_BUF struct buf out = {0};

		memset(body, 'a' + i, len);
		snprintf(length, sizeof(length), "%zu", len);
		request(w, "POST", "/x", length, bytes_of(body, len));
		receive(w);
		assert_int_equal(w->in.body_state, HTTP_BODY_WHOLE);
		assert_int_equal(w->in.body.len, len);
		assert_memory_equal(w->in.body.ptr, body, len);
		http_write(&w->fcgi,
			&(struct http_answer){.status = 200, .content_type = "text/plain"});
		FCGX_Finish_r(&w->fcgi);
		assert_true(w->fcgi.ipcFd >= 0);
		answered(w, &out);
		nothing_is_left_in_the_socket(w);
	}
}

static void a_body_of_another_length_is_broken_and_ends_the_connection(void **state)
{
	static const char *const lengths[] = {"4", "6", "-5", "5x", "0x5", " 5", "+5"};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct wire *w;

		setup((void **)&w);
		request(w, "POST", "/x", lengths[i], bytes_str("12345"));
		receive(w);
		assert_int_equal(w->in.body_state, HTTP_BODY_BROKEN);
		assert_int_equal(w->in.body.len, 0);
		FCGX_Finish_r(&w->fcgi);
		assert_int_equal(w->fcgi.ipcFd, -1);
		teardown((void **)&w);
	}
}

static void a_body_without_a_length_is_broken(void **state)
{
	struct wire *w = *state;

	request(w, "POST", "/x", NULL, bytes_str("12345"));
	receive(w);
	assert_int_equal(w->in.body_state, HTTP_BODY_BROKEN);
}

static void a_large_body_is_thrown_away_and_its_refusal_arrives(void **state)
{
	static uint8_t body[BODY_MAX_BYTES + 1];
	struct wire *w = *state;
	CLEANUP_BUF struct buf out = {0};

	request(w, "POST", "/x", "65537", bytes_of(body, sizeof(body)));
	receive(w);
	assert_int_equal(w->in.body_state, HTTP_BODY_LARGE);
	assert_int_equal(w->in.body.len, 0);
	http_write(&w->fcgi,
		&(struct http_answer){.status = 413,
			.content_type = "text/plain",
			.body = bytes_str("no")});
	FCGX_Finish_r(&w->fcgi);
	answered(w, &out);
	assert_string_equal(buf_str(&out),
		"Status: 413 Content Too Large\r\nContent-Type: text/plain\r\nContent-Length: "
		"2\r\n\r\nno");
}

static void an_absurd_length_does_not_overflow(void **state)
{
	struct wire *w = *state;

	request(w, "POST", "/x", "99999999999999999999999999999999999999", bytes_str("12345"));
	receive(w);
	assert_int_equal(w->in.body_state, HTTP_BODY_LARGE);
}

static void answer_of(struct wire *w, const struct http_answer *answer, struct buf *out)
{
	request(w, "GET", "/x", NULL, bytes_of(NULL, 0));
	receive(w);
	http_write(&w->fcgi, answer);
	FCGX_Finish_r(&w->fcgi);
	answered(w, out);
}

static void head_tells_the_length_and_sends_no_body(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	answer_of(*state,
		&(struct http_answer){.status = 200,
			.content_type = "text/plain",
			.body = bytes_str("hello"),
			.headers = bytes_str("X: 1\r\n"),
			.head = true},
		&out);
	assert_string_equal(buf_str(&out),
		"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nX: 1\r\n\r\n");
}

static void no_content_has_neither_length_nor_type(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	answer_of(*state,
		&(struct http_answer){.status = 204,
			.content_type = "text/plain",
			.headers = bytes_str("X: 1\r\n")},
		&out);
	assert_string_equal(buf_str(&out), "Status: 204 No Content\r\nX: 1\r\n\r\n");
}

static void an_answer_larger_than_the_stream_buffer_arrives_whole(void **state)
{
	static char body[40000];
	CLEANUP_BUF struct buf out = {0};

	memset(body, 'z', sizeof(body));
	answer_of(*state,
		&(struct http_answer){.status = 200,
			.content_type = "text/plain",
			.body = bytes_of(body, sizeof(body))},
		&out);
	assert_memory_equal(out.ptr + out.len - sizeof(body), body, sizeof(body));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_is_read_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(the_path_is_not_decoded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_kept_connection_carries_the_next_request, setup,
			teardown),
		cmocka_unit_test(a_body_of_another_length_is_broken_and_ends_the_connection),
		cmocka_unit_test_setup_teardown(a_body_without_a_length_is_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_body_is_thrown_away_and_its_refusal_arrives,
			setup, teardown),
		cmocka_unit_test_setup_teardown(an_absurd_length_does_not_overflow, setup,
			teardown),
		cmocka_unit_test_setup_teardown(head_tells_the_length_and_sends_no_body, setup,
			teardown),
		cmocka_unit_test_setup_teardown(no_content_has_neither_length_nor_type, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			an_answer_larger_than_the_stream_buffer_arrives_whole, setup, teardown),
	};

	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0 || FCGX_Init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
