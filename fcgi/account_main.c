/* account_main.c — assay-account: everything about accounts. */
#include "fcgi/resource.h"
#include "lib/store/sweep.h"

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&account_key_stmt, &account_new_stmt,
		&account_get_stmt, &account_update_stmt, &account_deactivate_stmt,
		&account_orders_stmt, &account_rekey_stmt, &heartbeat_stmt, NULL};
	const struct route routes[] = {account_new_route, account_route, account_orders_route,
		key_change_route};
	const struct app app = {
		.program = "assay-account",
		.role = "assay-account",
		.routes = routes,
		.nroutes = ARRAY_LEN(routes),
		.stmts = stmts,
		.socket_name = "account.sock",
	};

	return app_main(argc, argv, &app);
}
