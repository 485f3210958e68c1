/* test_accept.c — the Accept header of a certificate download. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fcgi/accept.h"
#include "lib/base/err.h"

static const char *const types[] = {"application/pem-certificate-chain", "application/pkix-cert"};

static void the_best_liked_type_wins(void **state)
{
	static const struct {
		const char *header;
		int chosen;
	} rows[] = {
		{NULL, 0},
		{"", 0},
		{" ", 0},
		{",", 0},
		{"*/*", 0},
		{"application/*", 0},
		{"application/pem-certificate-chain", 0},
		{"Application/PEM-Certificate-Chain", 0},
		{"application/pkix-cert", 1},
		{"application/pem-certificate-chain, application/pkix-cert", 0},
		{"application/pkix-cert, application/pem-certificate-chain", 0},
		{"application/pem-certificate-chain;q=0.5, application/pkix-cert;q=0.8", 1},
		{"application/pem-certificate-chain;q=0.5,application/pkix-cert;q=0.49", 0},
		{"application/pkix-cert;q=0.001", 1},
		{"*/*;q=0.1, application/pkix-cert", 1},
		{"*/*, application/pem-certificate-chain;q=0", 1},
		{"application/*;q=0, */*", -1},
		{"*/*;q=0", -1},
		{"text/html", -1},
		{"text/html, */*;q=0.8", 0},
		{"application/pkcs7-mime", -1},
		{"application/pkix-cert ; charset=x ; Q=0.3 , text/plain", 1},
		{"application/pkix-certificate", -1},
		{"application/pem-certificate-chain;q=x", -1},
		{"application/pem-certificate-chain;q=", -1},
		{"application/pem-certificate-chain;q=7", 0},
		{"*", -1},
		{"/", -1},
		{";q=1", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int chosen = accept_choose(rows[i].header, types, ARRAY_LEN(types));

		if (chosen != rows[i].chosen)
			print_error("%s: %d\n", rows[i].header, chosen);
		assert_int_equal(chosen, rows[i].chosen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_liked_type_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
