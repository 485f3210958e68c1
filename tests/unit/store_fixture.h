/* store_fixture.h — the moves of an order's life as one-line calls, for the tests of lib/store.
 * Every function fails the test when the database call itself fails; what the function answered is
 * returned. */
#pragma once

#include "lib/store/issuance.h"
#include "lib/store/order.h"
#include "lib/store/sweep.h"
#include "lib/store/validation.h"

#define SECS 1000000LL
#define DAYS (86400 * SECS)
#define NAMES_TEST_MAX 8

/* First in main: runs the program again below tests/sql/server.sh, unless that has happened; never
 * returns then. */
void fixture_server(char **argv);

/* One connection for each role. Threads open their own. */
struct roles {
	struct db *account, *order, *validator, *signer, *keeper;
};
void roles_open(struct roles *r);
void roles_close(struct roles *r);
struct db *role_open(const char *role);
/* A superuser's statements, for looking and for breaking things: psql -c. Returns trimmed output
 * (free it). */
char *sql(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* assert_sql("1", sql("SELECT …")): frees the output. */
void assert_sql(const char *expected, char *got);
/* Runs the call; the test has failed when it did not come back. */
void must(struct db *db, struct db_call *call);

struct client { /* an account */
	struct ident id;
	uint8_t thumbprint[THUMBPRINT_LEN];
};
struct client client_new(struct roles *r);

struct placed { /* an order and its authorizations, in order of names */
	enum store_code code;
	struct ident id;
	enum order_status status;
	size_t count;
	struct ident authzs[NAMES_TEST_MAX];
};
/* names: sorted, separated by spaces. */
struct placed order_place(struct roles *r, const struct client *c, const char *names);
/* As its account sees it. */
enum order_status order_status_of(struct roles *r, const struct client *c, const struct ident *id);
enum store_code order_finish_by(struct db *db, const struct client *c, const struct ident *id,
	const char *names);
enum store_code respond(struct roles *r, const struct client *c, const struct ident *authz,
	enum challenge_type type, bool *queued);
/* Claims one; 0 when it was not given, else the attempt. */
int32_t validation_take(struct db *db, const struct ident *authz, int lease_secs);
/* Ends one; how many orders came to ready or invalid. */
size_t validation_end(struct db *db, const struct ident *authz, int32_t attempt,
	enum validation_outcome outcome);
/* respond, claim and a valid result for every pending authorization. */
void order_validate(struct roles *r, const struct client *c, const struct placed *o);
/* order_place, order_validate, finalize: an order in processing. */
struct placed order_processing(struct roles *r, const struct client *c, const char *names);
int32_t issuance_take(struct db *db, const struct ident *order, int lease_secs);
struct issued {
	uint8_t serial[18];
	uint8_t tbs[200];
	uint8_t der[300];
};
/* A fresh serial and something shaped like a certificate. */
struct issued issued_make(void);
bool issuance_record(struct db *db, const struct ident *order, int32_t attempt,
	const struct issued *c);
bool issuance_store(struct db *db, const struct ident *order, int32_t attempt,
	const struct issued *c);
/* The whole way. */
struct issued order_issue(struct roles *r, const struct client *c, const char *names,
	struct placed *ret);
