/* test_validator.c — assay-validator itself, with a real PostgreSQL, a real Redis and a resolver of
 * the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/acme/challenge.h"
#include "lib/base/b64url.h"
#include "lib/base/clock.h"
#include "lib/net/dns01.h"
#include "lib/queue/jobs.h"
#include "tests/unit/child.h"
#include "tests/unit/fakes.h"
#include "tests/unit/private_redis.h"
#include "tests/unit/store_fixture.h"

#define PROGRAM "workers/validator/assay-validator"
#define PATIENCE_MS 20000

static struct private_redis server;
static struct rds *rds, *listener;
static struct roles roles;
static struct client client;
static struct loop *loop;
static struct fake_dns *dns;
static char conf_path[128];
static pid_t validator;

static void write_conf(const char *more)
{
	FILE *file = fopen(conf_path, "w");

	assert_non_null(file);
	fprintf(file,
		"[server]\nbase_url = https://validator.example\ncaa_identities = ca.example\n"
		"[database]\nuri = postgresql:///assay?host=%s\n[redis]\nsocket = %s\n"
		"[validation]\nresolvers = %s\nallow_addresses = 127.0.0.0/8\n"
		"attempt_timeout = 3s\nattempts = 3\nretry_pause = 1s\n%s"
		"[profile default]\n[issuer main]\ncertificate = none.pem\nkey = none.key\n",
		getenv("PGHOST"), server.socket, fake_dns_address(dns), more);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	private_redis_start(&server, NULL);
	rds = private_redis_connect(&server);
	listener = private_redis_connect(&server);
	assert_int_equal(jobs_subscribe(listener), OK);
	assert_int_equal(jobs_ensure_group(rds, STREAM_VALIDATION), OK);
	assert_int_equal(jobs_ensure_group(rds, STREAM_ISSUANCE), OK);
	assert_int_equal(loop_new(&loop), OK);
	dns = fake_dns_new(loop);
	snprintf(conf_path, sizeof(conf_path), "%s/assay.conf", server.dir);
	write_conf("");
	roles_open(&roles);
	client = client_new(&roles);
	validator = child_start(PROGRAM, conf_path);
	return 0;
}

static int tear_down(void **state)
{
	roles_close(&roles);
	rds_close(rds);
	rds_close(listener);
	private_redis_stop(&server);
	fake_dns_free(dns);
	loop_free(loop);
	return 0;
}

/* Runs the resolver until the query says so. */
static void await_text(const char *want, const char *query)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	for (;;) {
		CLEANUP_STR char *text = sql("%s", query);

		if (strcmp(text, want) == 0)
			return;
		if (clock_mono_ms() > deadline)
			fail_msg("%s: %s, expected %s", query, text, want);
		for (int i = 0; i < 10; i++)
			assert_int_equal(loop_once(loop, 5), OK);
	}
}

static char *uuid_of(const struct ident *id)
{
	CLEANUP_BUF struct buf text = {0};

	for (size_t i = 0; i < sizeof(id->b); i++)
		buf_addf(&text, "%02x", id->b[i]);
	return buf_take_str(&text);
}

static void await_status(const char *table, const struct ident *id, const char *want)
{
	CLEANUP_STR char *uuid = uuid_of(id);
	CLEANUP_BUF struct buf query = {0};

	buf_addf(&query, "SELECT status FROM assay.%s WHERE id = '%s'", table, uuid);
	await_text(want, buf_str(&query));
}

static void expect_text(const char *table, const char *column, const struct ident *id,
	const char *part)
{
	CLEANUP_STR char *uuid = uuid_of(id);
	CLEANUP_STR char *text = sql("SELECT %s FROM assay.%s WHERE %s = '%s' ORDER BY 1 DESC",
		column, table, strcmp(table, "validations") == 0 ? "authz_id" : "id", uuid);

	if (strstr(text, part) == NULL)
		fail_msg("%s is not in: %s", part, text);
}

/* The TXT record for dns-01 of this authorization. */
static void publish_proof(const struct ident *authz, const char *name)
{
	CLEANUP_STR char *uuid = uuid_of(authz);
	CLEANUP_STR char *hex =
		sql("SELECT encode(secret, 'hex') FROM assay.authorizations WHERE id = '%s'", uuid);
	CLEANUP_BUF struct buf key_authorization = {0}, want = {0}, query = {0};
	char token[CHALLENGE_TOKEN_LEN + 1];
	uint8_t secret[32];

	for (size_t i = 0; i < sizeof(secret); i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		secret[i] = (uint8_t)byte;
	}
	challenge_token(bytes_of(secret, sizeof(secret)), CHALLENGE_DNS_01, token);
	buf_addf(&key_authorization, "%s.", token);
	b64url_append(&key_authorization, bytes_of(client.thumbprint, THUMBPRINT_LEN));
	dns01_expected(buf_str(&key_authorization), &want);
	dns01_name(name, &query);
	fake_dns_add_txt(dns, buf_str(&query), buf_str(&want));
}

static void submit(const struct placed *o, size_t i)
{
	bool queued = false;

	respond(&roles, &client, &o->authzs[i], CHALLENGE_DNS_01, &queued);
	assert_true(queued);
	assert_int_equal(jobs_enqueue(rds, JOB_VALIDATE, &o->authzs[i], 1), OK);
}

static void await_empty_stream(void)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	while (private_redis_int(rds, "XLEN q:val") > 0) {
		assert_true(clock_mono_ms() < deadline);
		assert_int_equal(loop_once(loop, 10), OK);
	}
}

struct heard {
	struct ident want[2];
	int nheard;
};

static void hear(void *arg, const struct ident *id)
{
	struct heard *h = arg;

	h->nheard += ident_equal(id, &h->want[0]) || ident_equal(id, &h->want[1]);
}

static void a_proved_name_makes_its_order_ready_and_wakes_the_client(void **state)
{
	struct placed o = order_place(&roles, &client, "good.example");
	struct heard heard = {.want = {o.id, o.authzs[0]}};

	publish_proof(&o.authzs[0], "good.example");
	submit(&o, 0);
	await_status("orders", &o.id, "1");
	await_status("authorizations", &o.authzs[0], "1");
	expect_text("validations", "evidence", &o.authzs[0], "\"br_method\":\"3.2.2.4.7\"");
	await_empty_stream();
	for (int i = 0; i < 20 && heard.nheard < 2; i++)
		assert_int_equal(jobs_listen(listener, 100, hear, &heard), OK);
	assert_int_equal(heard.nheard, 2);
}

static void a_failure_is_shown_and_tried_again_by_the_validator_itself(void **state)
{
	struct placed o = order_place(&roles, &client, "later.example");
	CLEANUP_STR char *uuid = uuid_of(&o.authzs[0]);
	CLEANUP_BUF struct buf query = {0};

	submit(&o, 0);
	buf_addf(&query, "SELECT tries FROM assay.authorizations WHERE id = '%s'", uuid);
	await_text("1", buf_str(&query));
	expect_text("authorizations", "error", &o.authzs[0],
		"no TXT record at _acme-challenge.later.example");
	await_status("authorizations", &o.authzs[0], "0");
	publish_proof(&o.authzs[0], "later.example");
	await_status("authorizations", &o.authzs[0], "1");
	await_status("orders", &o.id, "1");
}

static void the_last_failure_ends_the_order(void **state)
{
	struct placed o = order_place(&roles, &client, "never.example one.example");

	submit(&o, 0);
	await_status("authorizations", &o.authzs[0], "2");
	await_status("orders", &o.id, "4");
	expect_text("orders", "error", &o.id, "never.example");
	assert_int_equal(fake_dns_count(dns, "_acme-challenge.never.example", DNS_TXT), 3);
}

static void caa_refuses_at_once(void **state)
{
	struct placed o = order_place(&roles, &client, "forbidden.example");

	publish_proof(&o.authzs[0], "forbidden.example");
	fake_dns_add_caa(dns, "forbidden.example", 0, "issue", ";");
	submit(&o, 0);
	await_status("authorizations", &o.authzs[0], "2");
	expect_text("authorizations", "error", &o.authzs[0], "acme:error:caa");
	assert_int_equal(fake_dns_count(dns, "_acme-challenge.forbidden.example", DNS_TXT), 1);
}

/* An order in processing that the signer gave back because its CAA results are too old. */
static struct placed deferred_order(const char *names)
{
	struct placed o = order_processing(&roles, &client, names);
	CLEANUP_STR char *uuid = uuid_of(&o.id);

	free(sql("UPDATE assay.orders SET caa_due = true, due_at = now(), held_until = NULL WHERE "
		 "id = '%s'",
		uuid));
	assert_int_equal(jobs_enqueue(rds, JOB_CAA, &o.id, 1), OK);
	return o;
}

static void a_permitted_recheck_goes_on_to_the_signer(void **state)
{
	struct placed o = deferred_order("a.recheck.example b.recheck.example");
	CLEANUP_STR char *uuid = uuid_of(&o.id);
	CLEANUP_BUF struct buf query = {0};
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct job job;
	size_t count = 0;

	buf_addf(&query, "SELECT caa_due FROM assay.orders WHERE id = '%s'", uuid);
	await_text("f", buf_str(&query));
	while (count == 0) {
		assert_true(clock_mono_ms() < deadline);
		assert_int_equal(jobs_read(rds, STREAM_ISSUANCE, "test", 100, &job, 1, &count), OK);
	}
	assert_int_equal(job.kind, JOB_SIGN);
	assert_true(ident_equal(&job.id, &o.id));
	assert_int_equal(fake_dns_count(dns, "a.recheck.example", DNS_CAA), 1);
	assert_int_equal(fake_dns_count(dns, "b.recheck.example", DNS_CAA), 1);
	buf_reset(&query);
	buf_addf(&query,
		"SELECT json_array_length(detail::json) FROM assay.audit_log WHERE action = "
		"'order.caa' AND object = '%s'::uuid::text",
		uuid);
	await_text("2", buf_str(&query));
}

static void a_forbidden_recheck_ends_the_order(void **state)
{
	struct placed o;

	fake_dns_add_caa(dns, "b.changed.example", 0, "issue", "other.example");
	o = deferred_order("a.changed.example b.changed.example");
	await_status("orders", &o.id, "4");
	expect_text("orders", "error", &o.id, "b.changed.example");
	expect_text("orders", "error", &o.id, "acme:error:caa");
}

static void what_hangs_at_sigterm_is_left_to_another_validator(void **state)
{
	struct placed o = order_place(&roles, &client, "hanging.example");
	CLEANUP_STR char *uuid = uuid_of(&o.authzs[0]);
	int64_t begin_ms;

	fake_dns_set_mode(dns, "_acme-challenge.hanging.example", DNS_TXT, FAKE_SILENT);
	submit(&o, 0);
	while (fake_dns_count(dns, "_acme-challenge.hanging.example", DNS_TXT) == 0)
		assert_int_equal(loop_once(loop, 100), OK);
	begin_ms = clock_mono_ms();
	child_stop(validator);
	assert_true(clock_mono_ms() - begin_ms < 8000);
	/* Ended by itself within the drain, or left: either way it goes on. */
	fake_dns_set_mode(dns, "_acme-challenge.hanging.example", DNS_TXT, FAKE_ANSWER);
	publish_proof(&o.authzs[0], "hanging.example");
	free(sql("UPDATE assay.authorizations SET held_until = NULL WHERE id = '%s'", uuid));
	assert_int_equal(jobs_enqueue(rds, JOB_VALIDATE, &o.authzs[0], 1), OK);
	validator = child_start(PROGRAM, conf_path);
	await_status("orders", &o.id, "1");
	child_stop(validator);
}

/* Of an account of its own; the resolver is silent about its names. */
static void submit_tarpits(size_t count)
{
	struct client hostile = client_new(&roles);

	for (size_t i = 0; i < count; i++) {
		char name[64], query[96];
		struct placed o;
		bool queued = false;

		snprintf(name, sizeof(name), "tarpit%zu.example", i);
		snprintf(query, sizeof(query), "_acme-challenge.%s", name);
		fake_dns_set_mode(dns, query, DNS_TXT, FAKE_SILENT);
		o = order_place(&roles, &hostile, name);
		respond(&roles, &hostile, &o.authzs[0], CHALLENGE_DNS_01, &queued);
		assert_int_equal(jobs_enqueue(rds, JOB_VALIDATE, &o.authzs[0], 1), OK);
	}
}

static void tarpits_of_one_account_hold_up_no_other(void **state)
{
	struct placed o = order_place(&roles, &client, "prompt.example");

	write_conf("in_flight = 20\naccount_share = 4\n[workers]\nbatch = 4\n");
	validator = child_start(PROGRAM, conf_path);
	submit_tarpits(60);
	await_text("t",
		"SELECT count(*) >= 10 FROM assay.authorizations WHERE held_until > now() AND "
		"name LIKE 'tarpit%'");
	publish_proof(&o.authzs[0], "prompt.example");
	submit(&o, 0);
	await_status("orders", &o.id, "1");
	/* In turn it would have waited for the first attempts of 40 at least. */
	await_text("t",
		"SELECT count(DISTINCT v.authz_id) < 40 FROM assay.validations v JOIN "
		"assay.authorizations a ON a.id = v.authz_id AND a.name LIKE 'tarpit%'");
	child_stop(validator);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proved_name_makes_its_order_ready_and_wakes_the_client),
		cmocka_unit_test(a_failure_is_shown_and_tried_again_by_the_validator_itself),
		cmocka_unit_test(the_last_failure_ends_the_order),
		cmocka_unit_test(caa_refuses_at_once),
		cmocka_unit_test(a_permitted_recheck_goes_on_to_the_signer),
		cmocka_unit_test(a_forbidden_recheck_ends_the_order),
		cmocka_unit_test(what_hangs_at_sigterm_is_left_to_another_validator),
		cmocka_unit_test(tarpits_of_one_account_hold_up_no_other),
	};

	private_redis_require();
	fixture_server(argv);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
