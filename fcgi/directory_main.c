/* directory_main.c — assay-directory: the directory, nonces, renewal information and the probes of
 * monitors. */
#include "fcgi/directory.h"
#include "lib/store/renewal.h"
#include "lib/store/sweep.h"

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&account_key_stmt, &heartbeat_stmt,
		&workers_alive_stmt, &renewal_info_stmt, NULL};
	const struct route routes[] = {directory_nonce_route, directory_route, directory_home_route,
		directory_health_route, directory_ready_route, renewal_route};
	const struct app app = {
		.program = "assay-directory",
		.role = "assay-directory",
		.routes = routes,
		.nroutes = ARRAY_LEN(routes),
		.stmts = stmts,
		.socket_name = "directory.sock",
	};

	return app_main(argc, argv, &app);
}
