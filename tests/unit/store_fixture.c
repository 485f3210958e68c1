/* store_fixture.c — see store_fixture.h. */
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"

static const struct db_stmt *const account_table[] = {&account_key_stmt, &account_new_stmt,
	&account_get_stmt, &account_update_stmt, &account_deactivate_stmt, &account_rekey_stmt,
	&account_orders_stmt, &heartbeat_stmt, NULL};
static const struct db_stmt *const order_table[] = {&account_key_stmt, &order_new_stmt,
	&order_new_replacing_stmt, &order_get_stmt, &order_finalize_stmt, &certificate_get_stmt,
	&revoke_stmt, &authz_get_stmt, &authz_deactivate_stmt, &challenge_respond_stmt,
	&heartbeat_stmt, NULL};
static const struct db_stmt *const validator_table[] = {&validation_claim_stmt,
	&validation_renew_stmt, &validation_finish_stmt, &caa_claim_stmt, &caa_finish_stmt,
	&heartbeat_stmt, NULL};
static const struct db_stmt *const signer_table[] = {&issuance_claim_stmt, &issuance_reserve_stmt,
	&issuance_issue_stmt, &issuance_refuse_stmt, &issuance_defer_caa_stmt, &issuer_record_stmt,
	&heartbeat_stmt, NULL};
static const struct db_stmt *const keeper_table[] = {&sweep_due_stmt, &sweep_dead_stmt,
	&partitions_stmt, &audit_seal_stmt, &heartbeat_stmt, NULL};

static const struct {
	const char *role;
	const struct db_stmt *const *table;
} ROLES[] = {
	{"assay-account", account_table},
	{"assay-order", order_table},
	{"assay-validator", validator_table},
	{"assay-signer", signer_table},
	{"assay-keeper", keeper_table},
};

/* The one issuing certificate of the tests: four bytes and their SHA-256. */
static const uint8_t ISSUER_DER[] = "test";
static const uint8_t ISSUER_SHA256[] = {0x9f, 0x86, 0xd0, 0x81, 0x88, 0x4c, 0x7d, 0x65, 0x9a, 0x2f,
	0xea, 0xa0, 0xc5, 0x5a, 0xd0, 0x15, 0xa3, 0xbf, 0x4f, 0x1b, 0x2b, 0x0b, 0x82, 0x2c, 0xd1,
	0x5d, 0x6c, 0x15, 0xb0, 0xf0, 0x0a, 0x08};
static const uint8_t SPKI_SHA256[32] = "the key of every test order";
static const uint8_t KEY_THUMBPRINT[32] = "its thumbprint";

void fixture_server(char **argv)
{
	const char *srcdir = getenv("srcdir");
	char *self = realpath("/proc/self/exe", NULL);
	char script[4096];

	if (getenv("SERVER_LOG") != NULL) {
		free(self);
		return;
	}
	snprintf(script, sizeof(script), "%s/tests/sql/server.sh", srcdir != NULL ? srcdir : ".");
	argv[0] = self;
	execl(script, script, self, (char *)NULL);
	perror(script);
	_exit(1);
}

struct db *role_open(const char *role)
{
	struct db *db = NULL;

	for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
		if (strcmp(ROLES[i].role, role) == 0)
			assert_int_equal(db_open("", role, NULL, ROLES[i].table, &db), OK);
	}
	assert_non_null(db);
	return db;
}

void must(struct db *db, struct db_call *call)
{
	int err = db_run_one(db, call);

	if (err != OK)
		fail_msg("%s: %s: %s", call->stmt->name, err_name(err), db_error(db));
}

void roles_open(struct roles *r)
{
	const struct bytes other = bytes_str("other chain");
	struct db_call call = {0};

	r->account = role_open("assay-account");
	r->order = role_open("assay-order");
	r->validator = role_open("assay-validator");
	r->signer = role_open("assay-signer");
	r->keeper = role_open("assay-keeper");
	issuer_record_call(&call,
		&(struct issuer_row){.sha256 = bytes_of(ISSUER_SHA256, 32),
			.certificate_der = bytes_of(ISSUER_DER, 4),
			.chain_pem = bytes_str("chain"),
			.name = bytes_str("test issuer"),
			.alternates = &other,
			.nalternates = 1});
	must(r->signer, &call);
	db_call_done(&call);
}

void roles_close(struct roles *r)
{
	db_close(r->account);
	db_close(r->order);
	db_close(r->validator);
	db_close(r->signer);
	db_close(r->keeper);
}

char *sql(const char *fmt, ...)
{
	char text[2000];
	char command[2100];
	char out[4000];
	size_t len;
	FILE *pipe;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	setenv("TEST_SQL", text, 1);
	snprintf(command, sizeof(command), "psql -X -q -A -t -v ON_ERROR_STOP=1 -c \"$TEST_SQL\"");
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(out, 1, sizeof(out) - 1, pipe);
	assert_int_equal(pclose(pipe), 0);
	while (len > 0 && out[len - 1] == '\n')
		len--;
	return xstrndup(out, len);
}

void assert_sql(const char *expected, char *got)
{
	assert_string_equal(got, expected);
	free(got);
}

struct client client_new(struct roles *r)
{
	struct account_new in = {.id = ident_new(), .jwk = bytes_str("{}"), .terms_agreed = true};
	struct client c = {.id = in.id};
	struct db_call call = {0};
	struct account account = {0};
	bool created = false;

	rnd_bytes(in.thumbprint, sizeof(in.thumbprint));
	rnd_bytes(in.spki_sha256, sizeof(in.spki_sha256));
	memcpy(c.thumbprint, in.thumbprint, sizeof(c.thumbprint));
	account_new_call(&call, &in);
	must(r->account, &call);
	assert_int_equal(account_new_result(&call, &account, &created), STORE_OK);
	assert_true(created);
	account_done(&account);
	db_call_done(&call);
	return c;
}

static size_t split(const char *names, struct bytes out[NAMES_TEST_MAX])
{
	size_t count = 0;

	while (*names != '\0') {
		size_t len = strcspn(names, " ");

		assert_true(count < NAMES_TEST_MAX);
		out[count++] = bytes_of(names, len);
		names += len + strspn(names + len, " ");
	}
	return count;
}

struct placed order_place(struct roles *r, const struct client *c, const char *names)
{
	struct bytes list[NAMES_TEST_MAX];
	struct bytes tokens[NAMES_TEST_MAX];
	struct ident ids[NAMES_TEST_MAX];
	uint8_t secrets[NAMES_TEST_MAX][32];
	int64_t now = clock_wall_us();
	struct order_new in = {.id = ident_new(),
		.names = list,
		.authz_ids = ids,
		.tokens = tokens,
		.count = split(names, list),
		.profile = bytes_str("default"),
		.not_before_us = INT64_MIN,
		.not_after_us = INT64_MIN,
		.expires_us = now + 7 * DAYS,
		.authz_expires_us = now + 7 * DAYS,
		.min_reuse_us = now + 3600 * SECS};
	struct placed p = {.id = in.id};
	struct db_call call = {0};
	struct order o = {0};

	for (size_t i = 0; i < in.count; i++) {
		ids[i] = ident_new();
		rnd_bytes(secrets[i], 32);
		tokens[i] = bytes_of(secrets[i], 32);
	}
	order_new_call(&call, &c->id, c->thumbprint, &in);
	must(r->order, &call);
	p.code = order_result(&call, &o);
	if (p.code == STORE_OK) {
		assert_true(ident_equal(&o.id, &in.id));
		assert_int_equal(o.nnames, in.count);
		assert_int_equal(o.nauthzs, in.count);
		for (size_t i = 0; i < in.count; i++)
			assert_true(bytes_equal(o.names[i], list[i]));
		p.status = o.status;
		p.count = o.nauthzs;
		memcpy(p.authzs, o.authzs, o.nauthzs * sizeof(*o.authzs));
	}
	order_done(&o);
	db_call_done(&call);
	return p;
}

enum order_status order_status_of(struct roles *r, const struct client *c, const struct ident *id)
{
	struct db_call call = {0};
	struct order o = {0};
	enum order_status status;

	order_get_call(&call, &c->id, c->thumbprint, id);
	must(r->order, &call);
	assert_int_equal(order_result(&call, &o), STORE_OK);
	status = o.status;
	assert_true((status == ORDER_INVALID) == (o.error.ptr != NULL));
	assert_true((status == ORDER_VALID) == o.has_certificate);
	order_done(&o);
	db_call_done(&call);
	return status;
}

enum store_code order_finish_by(struct db *db, const struct client *c, const struct ident *id,
	const char *names)
{
	struct bytes list[NAMES_TEST_MAX];
	struct order_finalize in = {.id = *id,
		.names = list,
		.count = split(names, list),
		.csr = bytes_str("csr")};
	struct db_call call = {0};
	struct order o = {0};
	enum store_code code;

	memcpy(in.spki_sha256, SPKI_SHA256, 32);
	memcpy(in.key_thumbprint, KEY_THUMBPRINT, 32);
	order_finalize_call(&call, &c->id, c->thumbprint, &in);
	must(db, &call);
	code = order_result(&call, &o);
	if (code == STORE_OK)
		assert_int_equal(o.status, ORDER_PROCESSING);
	order_done(&o);
	db_call_done(&call);
	return code;
}

enum store_code respond(struct roles *r, const struct client *c, const struct ident *authz,
	enum challenge_type type, bool *queued)
{
	struct db_call call = {0};
	struct authz a;
	enum store_code code;

	challenge_respond_call(&call, &c->id, c->thumbprint, authz, type);
	must(r->order, &call);
	code = authz_result(&call, &a, queued);
	if (code == STORE_OK)
		assert_int_equal(a.attempted, type);
	db_call_done(&call);
	return code;
}

int32_t validation_take(struct db *db, const struct ident *authz, int lease_secs)
{
	struct db_call call = {0};
	struct validation_job job = {0};

	validation_claim_call(&call, authz, 1, lease_secs, NULL, 0);
	must(db, &call);
	if (validation_claim_count(&call) > 0) {
		validation_claim_at(&call, 0, &job);
		assert_true(ident_equal(&job.authz, authz));
		assert_int_equal(job.secret.len, 32);
		assert_int_equal(job.key_thumbprint.len, 32);
	}
	db_call_done(&call);
	return job.attempt;
}

size_t validation_end(struct db *db, const struct ident *authz, int32_t attempt,
	enum validation_outcome outcome)
{
	struct validation_result in = {.authz = *authz,
		.attempt = attempt,
		.outcome = outcome,
		.problem = bytes_str("{\"type\":\"urn:ietf:params:acme:error:dns\",\"detail\":"
				     "\"no\",\"status\":400}"),
		.retry_us = clock_wall_us(),
		.caa_us = clock_wall_us(),
		.evidence = bytes_str("{}")};
	struct db_call call = {0};
	size_t count;

	validation_finish_call(&call, &in, 1, clock_wall_us() + 30 * DAYS);
	must(db, &call);
	count = validation_finish_count(&call);
	db_call_done(&call);
	return count;
}

void order_validate(struct roles *r, const struct client *c, const struct placed *o)
{
	bool queued = false;

	for (size_t i = 0; i < o->count; i++) {
		if (respond(r, c, &o->authzs[i], CHALLENGE_DNS_01, &queued) != STORE_OK || !queued)
			continue;
		validation_end(r->validator, &o->authzs[i],
			validation_take(r->validator, &o->authzs[i], 60), VALIDATION_VALID);
	}
}

struct placed order_processing(struct roles *r, const struct client *c, const char *names)
{
	struct placed o = order_place(r, c, names);

	order_validate(r, c, &o);
	assert_int_equal(order_finish_by(r->order, c, &o.id, names), STORE_OK);
	return o;
}

int32_t issuance_take(struct db *db, const struct ident *order, int lease_secs)
{
	struct db_call call = {0};
	struct issuance_job job = {0};
	int32_t attempt = 0;

	issuance_claim_call(&call, order, 1, lease_secs);
	must(db, &call);
	if (issuance_claim_count(&call) > 0) {
		issuance_claim_at(&call, 0, &job);
		assert_true(ident_equal(&job.order, order));
		assert_int_equal(job.status, ORDER_PROCESSING);
		attempt = job.attempt;
		issuance_job_done(&job);
	}
	db_call_done(&call);
	return attempt;
}

struct issued issued_make(void)
{
	struct issued c;
	uint32_t now = (uint32_t)(clock_wall_us() / SECS);

	rnd_bytes(&c, sizeof(c));
	c.serial[0] = 0x40;
	for (int i = 0; i < 4; i++)
		c.serial[1 + i] = (uint8_t)(now >> (24 - 8 * i));
	c.der[0] = 0x30;
	c.der[1] = 0x82;
	memcpy(c.der + 4, c.tbs, sizeof(c.tbs));
	return c;
}

bool issuance_record(struct db *db, const struct ident *order, int32_t attempt,
	const struct issued *c)
{
	struct issuance_reservation in = {.order = *order,
		.attempt = attempt,
		.serial = bytes_of(c->serial, 18),
		.tbs = bytes_of(c->tbs, sizeof(c->tbs)),
		.spki_sha256 = bytes_of(SPKI_SHA256, 32),
		.issuer = bytes_of(ISSUER_SHA256, 32),
		.not_before_us = clock_wall_us(),
		.not_after_us = clock_wall_us() + 90 * DAYS};
	struct db_call call = {0};
	bool accepted;

	issuance_reserve_call(&call, &in, 1);
	must(db, &call);
	accepted = issuance_reserve_count(&call) == 1;
	db_call_done(&call);
	return accepted;
}

bool issuance_store(struct db *db, const struct ident *order, int32_t attempt,
	const struct issued *c)
{
	struct bytes serial = bytes_of(c->serial, 18);
	struct bytes der = bytes_of(c->der, sizeof(c->der));
	struct db_call call = {0};
	bool accepted;

	issuance_issue_call(&call, order, &attempt, &serial, &der, 1);
	must(db, &call);
	accepted = issuance_issue_count(&call) == 1;
	db_call_done(&call);
	return accepted;
}

struct issued order_issue(struct roles *r, const struct client *c, const char *names,
	struct placed *ret)
{
	struct placed o = order_processing(r, c, names);
	int32_t attempt = issuance_take(r->signer, &o.id, 60);
	struct issued cert = issued_make();

	assert_int_equal(attempt, 1);
	assert_true(issuance_record(r->signer, &o.id, attempt, &cert));
	assert_true(issuance_store(r->signer, &o.id, attempt, &cert));
	*ret = o;
	return cert;
}
