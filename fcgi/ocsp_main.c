/* ocsp_main.c — assay-ocsp: certificate status. */
#include "fcgi/ocsp.h"
#include "lib/queue/ocsp.h"
#include "lib/store/ocsp.h"
#include "lib/store/sweep.h"

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&ocsp_issuers_stmt, &ocsp_get_stmt,
		&heartbeat_stmt, NULL};
	const struct app app = {
		.program = "assay-ocsp",
		.role = "assay-ocsp",
		.routes = &ocsp_route,
		.nroutes = 1,
		.stmts = stmts,
		.socket_name = "ocsp.sock",
		.plain = true,
		.subscribe = ocsp_replies_subscribe,
		.listen = ocsp_replies_listen,
		.tick = {.bind = ocsp_issuers_bind,
			.take = ocsp_issuers_take,
			.secs = OCSP_ISSUERS_SECS},
	};
	int status = app_main(argc, argv, &app);

	ocsp_issuers_done();
	return status;
}
