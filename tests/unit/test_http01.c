/* test_http01.c — http-01 against servers on loopback: bodies, redirects, address choice, slow and
 * silent peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/net/http01.h"
#include "tests/unit/alpn_cert.h"
#include "tests/unit/net_world.h"

#define NAME "www.example.test"
#define PATH HTTP01_PATH WORLD_TOKEN
#define TARPITS_MAX 2000
#define GOOD 100

/* What the server is to do; the script is chosen by the test. */
struct script {
	struct world world;
	struct fake_web *web; /* on 127.0.0.1, the http-01 port */
	char reply[20000];
	char request[4096]; /* the last one */
	bool hold, dribble;
	char ports[3][8];
	char *port_items[3];
	int (*route)(struct script *s, const char *request);
	int nrequests;
};

static struct fake_reply serve(void *arg, const char *request)
{
	struct script *s = arg;

	s->nrequests++;
	snprintf(s->request, sizeof(s->request), "%s", request);
	if (s->route != NULL)
		s->route(s, request);
	return (struct fake_reply){.bytes = bytes_str(s->reply),
		.hold = s->hold,
		.dribble = s->dribble};
}

static void answer(struct script *s, const char *status, const char *fields, const char *body)
{
	snprintf(s->reply, sizeof(s->reply), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
		status, fields, strlen(body), body);
}

static int setup(void **state)
{
	struct script *s = xcalloc(1, sizeof(*s));

	world_init(&s->world);
	s->web = fake_web_new(s->world.loop, "127.0.0.1", 0, NULL, serve, s);
	s->world.conf.validation.http01_port = fake_web_port(s->web);
	snprintf(s->ports[0], sizeof(s->ports[0]), "80");
	snprintf(s->ports[1], sizeof(s->ports[1]), "443");
	for (int i = 0; i < 3; i++)
		s->port_items[i] = s->ports[i];
	s->world.conf.validation.redirect_ports =
		(struct conf_list){.items = s->port_items, .count = 2};
	world_open(&s->world);
	fake_dns_add_address(s->world.dns, NAME, "127.0.0.1");
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct script *s = *state;

	fake_web_free(s->web);
	world_done(&s->world);
	free(s);
	return 0;
}

static void attempt(struct script *s)
{
	world_attempt(&s->world, &http01_method, NAME, false);
}

static void the_key_authorization_proves_the_name(void **state)
{
	struct script *s = *state;

	answer(s, "200 OK", "Content-Type: text/html\r\n", WORLD_KEY_AUTHORIZATION);
	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	world_expect_evidence(&s->world, "\"tried_ipv4\":\"127.0.0.1\"");
	world_expect_evidence(&s->world, "\"br_method\":\"3.2.2.4.19\"");
	assert_non_null(strstr(s->request, "GET " PATH " HTTP/1.1\r\nHost: " NAME ":"));
	assert_non_null(strstr(s->request, "User-Agent: assay/"));
	assert_non_null(strstr(s->request, "+https://acme.test"));
}

static void bodies_are_compared_whole(void **state)
{
	static const struct {
		const char *status, *body;
		enum problem_type type;
		const char *detail;
	} cases[] = {
		{"200 OK", WORLD_KEY_AUTHORIZATION "\r\n", PROBLEM_NONE, NULL},
		{"200 OK", WORLD_KEY_AUTHORIZATION " \t\n\n", PROBLEM_NONE, NULL},
		{"201 Created", WORLD_KEY_AUTHORIZATION, PROBLEM_NONE, NULL},
		{"200 OK", " " WORLD_KEY_AUTHORIZATION, PROBLEM_INCORRECT_RESPONSE,
			"not the key authorization"},
		{"200 OK", "x" WORLD_KEY_AUTHORIZATION "x", PROBLEM_INCORRECT_RESPONSE,
			"not the key authorization"},
		{"200 OK", WORLD_TOKEN, PROBLEM_INCORRECT_RESPONSE, "token alone"},
		{"200 OK", WORLD_TOKEN ".0000000000000000000000000000000000000000000",
			PROBLEM_INCORRECT_RESPONSE, "another account key"},
		{"200 OK", "", PROBLEM_INCORRECT_RESPONSE, "empty"},
		{"200 OK", "<html>secret</html>", PROBLEM_INCORRECT_RESPONSE,
			"not the key authorization"},
		{"404 Not Found", WORLD_KEY_AUTHORIZATION, PROBLEM_INCORRECT_RESPONSE, "404"},
		{"500 Oops", WORLD_KEY_AUTHORIZATION, PROBLEM_INCORRECT_RESPONSE, "500"},
		{"303 See Other", WORLD_KEY_AUTHORIZATION, PROBLEM_INCORRECT_RESPONSE, "303"},
		{"302 Found", WORLD_KEY_AUTHORIZATION, PROBLEM_INCORRECT_RESPONSE, "302"},
	};
	struct script *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		answer(s, cases[i].status, "", cases[i].body);
		attempt(s);
		world_expect(&s->world, cases[i].type, cases[i].detail);
		if (cases[i].type != PROBLEM_NONE)
			assert_null(strstr(s->world.result.problem.detail, "secret"));
	}
}

static void a_long_body_is_refused_without_reading_it(void **state)
{
	struct script *s = *state;

	snprintf(s->reply, sizeof(s->reply),
		"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" WORLD_KEY_AUTHORIZATION);
	s->hold = true;
	attempt(s);
	world_expect(&s->world, PROBLEM_INCORRECT_RESPONSE, "too long a body");
}

static void a_response_that_is_no_http_is_named_so(void **state)
{
	struct script *s = *state;

	snprintf(s->reply, sizeof(s->reply), "SSH-2.0-OpenSSH_9.2\r\n\r\n");
	attempt(s);
	world_expect(&s->world, PROBLEM_INCORRECT_RESPONSE, "HTTP/1 status line");
	snprintf(s->reply, sizeof(s->reply), "HTTP/1.1 200 OK\r\nContent-Le");
	attempt(s);
	world_expect(&s->world, PROBLEM_INCORRECT_RESPONSE, "ends too early");
}

/* /1 → /2 → … → the answer, as many as the path begins with. */
static int chain(struct script *s, const char *request)
{
	char fields[64];
	int n = 0;

	if (sscanf(request, "GET /%d", &n) != 1)
		n = s->port_items[2][0] == '+' ? 11 : 10;
	snprintf(fields, sizeof(fields), "Location: /%d\r\n", n - 1);
	if (n == 0)
		answer(s, "200 OK", "", WORLD_KEY_AUTHORIZATION);
	else
		answer(s, "307 Again", fields, "body of a redirect");
	return 0;
}

static void ten_redirects_are_followed_and_no_more(void **state)
{
	struct script *s = *state;

	s->route = chain;
	attempt(s);
	/* The first request counts down from 10: nine more and the answer. */
	world_expect(&s->world, PROBLEM_NONE, NULL);
	assert_int_equal(s->nrequests, 11);
	s->ports[2][0] = '+';
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "one redirect too many");
	assert_int_equal(s->nrequests, 22);
	assert_true(s->world.result.hopeless);
}

static void redirects_out_of_bounds_are_refused(void **state)
{
	static const struct {
		const char *location, *detail;
	} cases[] = {
		{"http://" NAME ":6379/", "port"},
		{"http://" NAME ":22/", "port"},
		{"ftp://" NAME "/", "neither http nor https"},
		{"file:///etc/passwd", "neither http nor https"},
		{"gopher://127.0.0.1:6379/_FLUSHALL", "neither http nor https"},
		{"http://user@" NAME "/", "user information"},
		{"http://10.0.0.1/", "10.0.0.1, which is private"},
		{"http://169.254.169.254/latest/meta-data/", "link-local"},
		{"http://[::ffff:127.0.0.1]/", "IPv4-mapped"},
		{"http://[64:ff9b::7f00:1]/", "NAT64"},
		{"http://[fd00::1]/", "unique local"},
		{"http://0.0.0.0/", "this network"},
		{"http://0x7f.1/", "no usable host"},
		{"http://2130706433/", "no usable host"},
		{PATH, "redirect loop"},
		{"http://internal.test/", "192.168.1.1, which is private"},
	};
	struct script *s = *state;

	fake_dns_add_address(s->world.dns, "internal.test", "192.168.1.1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char fields[128];

		snprintf(fields, sizeof(fields), "Location: %s\r\n", cases[i].location);
		answer(s, "302 Found", fields, WORLD_KEY_AUTHORIZATION);
		attempt(s);
		world_expect(&s->world, PROBLEM_CONNECTION, cases[i].detail);
		assert_true(s->world.result.hopeless);
	}
	assert_int_equal(s->nrequests, ARRAY_LEN(cases));
}

static int to_second_server(struct script *s, const char *request)
{
	char fields[128];

	snprintf(fields, sizeof(fields), "Location: https://other.test:%s/here?x=1\r\n",
		s->ports[2]);
	if (strstr(request, "Host: other.test:") != NULL)
		answer(s, "200 OK", "", WORLD_KEY_AUTHORIZATION);
	else
		answer(s, "301 Moved", fields, "");
	return 0;
}

static SSL_CTX *server_context(int max_version)
{
	static const uint8_t digest[32];
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = NULL;
	X509 *cert = alpn_cert_make("unrelated.test", digest, ALPN_RIGHT, &key);

	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, max_version);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* An attempt that is redirected to a server which speaks TLS up to this version. */
static void attempt_by_https(struct script *s, int max_version)
{
	SSL_CTX *ctx = server_context(max_version);
	struct fake_web *other = fake_web_new(s->world.loop, "127.0.0.1", 0, ctx, serve, s);

	fake_dns_add_address(s->world.dns, "other.test", "127.0.0.1");
	snprintf(s->ports[2], sizeof(s->ports[2]), "%d", fake_web_port(other));
	s->world.conf.validation.redirect_ports.count = 3;
	s->route = to_second_server;
	attempt(s);
	fake_web_free(other);
	SSL_CTX_free(ctx);
}

static void https_redirects_are_followed_without_verification(void **state)
{
	struct script *s = *state;

	attempt_by_https(s, TLS1_3_VERSION);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	world_expect_evidence(&s->world, "\"url\":\"https://other.test:");
	assert_non_null(strstr(s->request, "GET /here?x=1 HTTP/1.1"));
}

static void https_redirects_need_tls_1_2(void **state)
{
	struct script *s = *state;

	attempt_by_https(s, TLS1_1_VERSION);
	world_expect(&s->world, PROBLEM_TLS, "https://other.test:");
}

static void ipv6_is_tried_first_and_ipv4_once_after_it(void **state)
{
	struct script *s = *state;

	answer(s, "200 OK", "", WORLD_KEY_AUTHORIZATION);
	fake_dns_add_address(s->world.dns, NAME, "::1");
	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	world_expect_evidence(&s->world,
		"\"tried_ipv6\":\"::1\",\"fault_ipv6\":\"Connection refused\"");
	struct fake_web *six =
		fake_web_new(s->world.loop, "::1", fake_web_port(s->web), NULL, serve, s);

	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
	assert_int_equal(fake_web_connections(six), 1);
	assert_int_equal(fake_web_connections(s->web), 1);
	/* A wrong answer is an answer: no second chance by IPv4. */
	answer(s, "404 Not Found", "", "");
	attempt(s);
	world_expect(&s->world, PROBLEM_INCORRECT_RESPONSE, "address ::1");
	assert_int_equal(fake_web_connections(s->web), 1);
	fake_web_free(six);
}

static void forbidden_addresses_are_never_contacted(void **state)
{
	static const char *const addresses[] = {"10.0.0.1", "192.168.0.1", "169.254.169.254",
		"0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1", "fe80::1", "64:ff9b::7f00:1",
		"2002:7f00:1::", "fd00::1"};
	struct script *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		fake_dns_clear(s->world.dns);
		fake_dns_add_address(s->world.dns, NAME, addresses[i]);
		attempt(s);
		world_expect(&s->world, PROBLEM_CONNECTION, addresses[i]);
		assert_true(s->world.result.hopeless);
	}
	assert_int_equal(fake_web_connections(s->web), 0);
	/* One good address among them is enough, and is the one that is used. */
	fake_dns_add_address(s->world.dns, NAME, "10.0.0.1");
	fake_dns_add_address(s->world.dns, NAME, "127.0.0.1");
	answer(s, "200 OK", "", WORLD_KEY_AUTHORIZATION);
	attempt(s);
	world_expect(&s->world, PROBLEM_NONE, NULL);
}

static void dns_failures_are_dns_problems(void **state)
{
	struct script *s = *state;

	fake_dns_clear(s->world.dns);
	attempt(s);
	world_expect(&s->world, PROBLEM_DNS, "no A or AAAA records (NXDOMAIN");
	fake_dns_fail(s->world.dns, NAME, DNS_A, DNS_RCODE_SERVFAIL);
	attempt(s);
	world_expect(&s->world, PROBLEM_DNS, "SERVFAIL");
	fake_dns_fail(s->world.dns, NAME, DNS_A, 0);
	fake_dns_set_mode(s->world.dns, NAME, DNS_AAAA, FAKE_SILENT);
	attempt(s);
	world_expect(&s->world, PROBLEM_DNS, "timeout");
}

static void slow_peers_end_by_the_clock(void **state)
{
	struct script *s = *state;
	int64_t begin_ms = clock_mono_ms();

	s->hold = true;
	snprintf(s->reply, sizeof(s->reply), "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n");
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "timeout");
	s->dribble = true;
	answer(s, "200 OK", "X: a long header that takes its time to arrive\r\n",
		WORLD_KEY_AUTHORIZATION);
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "timeout");
	world_expect_evidence(&s->world, "\"result\":\"connection\"");
	assert_true(clock_mono_ms() - begin_ms < 5000);
}

static void refused_connections_name_the_address(void **state)
{
	struct script *s = *state;

	fake_web_free(TAKE(s->web));
	attempt(s);
	world_expect(&s->world, PROBLEM_CONNECTION, "(address 127.0.0.1, port ");
	assert_non_null(strstr(s->world.result.problem.detail, "Connection refused"));
	assert_false(s->world.result.hopeless);
}

struct tally {
	int ndone, nvalid;
	int64_t last_good_ms;
	bool all;
	int expected;
};

static void count_result(void *arg, struct attempt_result *result_take)
{
	struct tally *t = arg;

	t->nvalid += result_take->problem.type == PROBLEM_NONE;
	if (result_take->problem.type == PROBLEM_NONE)
		t->last_good_ms = clock_mono_ms();
	t->all = ++t->ndone == t->expected;
	attempt_result_done(result_take);
}

static int tarpit_or_answer(struct script *s, const char *request)
{
	s->hold = strstr(request, "Host: tarpit.test") != NULL;
	if (s->hold)
		s->reply[0] = '\0';
	else
		answer(s, "200 OK", "", WORLD_KEY_AUTHORIZATION);
	return 0;
}

/* As many as there can be with two sockets each. */
static int choose_tarpits(void)
{
	struct rlimit limit;
	int room;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	room = limit.rlim_cur > 10000 ? 10000 : (int)limit.rlim_cur;
	room = (room - 100) / 2 - GOOD;
	return room < TARPITS_MAX ? room : TARPITS_MAX;
}

static void tarpits_do_not_hold_up_others(void **state)
{
	struct script *s = *state;
	int ntarpits = choose_tarpits();
	struct tally t = {.expected = ntarpits + GOOD};
	int64_t begun_ms;
	struct attempt_request rq = {.method = &http01_method,
		.token = WORLD_TOKEN,
		.key_authorization = WORLD_KEY_AUTHORIZATION,
		.account_uri = WORLD_ACCOUNT};

	s->route = tarpit_or_answer;
	fake_dns_add_address(s->world.dns, "tarpit.test", "127.0.0.1");
	for (int i = 0; i < ntarpits + GOOD; i++) {
		rq.name = i < ntarpits ? "tarpit.test" : NAME;
		attempt_start(s->world.px, &rq, count_result, &t);
		/* As they come from the stream: not all in one moment, which would only flood the
		 * resolver's socket. */
		for (int round = 0; i % 16 == 0 && round < 8; round++)
			assert_int_equal(loop_once(s->world.loop, 0), OK);
	}
	begun_ms = clock_mono_ms();
	run_until(s->world.loop, &t.all, 20000);
	assert_int_equal(t.nvalid, GOOD);
	/* The tarpits take one phase of a second; the good ones, begun last, do not queue up
	 * behind them: they end before an attempt that began now would have to. */
	assert_true(t.last_good_ms - begun_ms < 2000);
	while (fake_web_open(s->web) > 0)
		assert_int_equal(loop_once(s->world.loop, 100), OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_key_authorization_proves_the_name),
		TEST(bodies_are_compared_whole),
		TEST(a_long_body_is_refused_without_reading_it),
		TEST(a_response_that_is_no_http_is_named_so),
		TEST(ten_redirects_are_followed_and_no_more),
		TEST(redirects_out_of_bounds_are_refused),
		TEST(https_redirects_are_followed_without_verification),
		TEST(https_redirects_need_tls_1_2),
		TEST(ipv6_is_tried_first_and_ipv4_once_after_it),
		TEST(forbidden_addresses_are_never_contacted),
		TEST(dns_failures_are_dns_problems),
		TEST(slow_peers_end_by_the_clock),
		TEST(refused_connections_name_the_address),
		TEST(tarpits_do_not_hold_up_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
