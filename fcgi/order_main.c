/* order_main.c — assay-order: orders, authorizations, challenges, certificates and their
 * revocation. */
#include "fcgi/resource.h"
#include "lib/acme/suffixes.h"
#include "lib/store/authz.h"
#include "lib/store/journalled.h"
#include "lib/store/sweep.h"

static int check_conf(const struct conf *conf, char **ret_error)
{
	int err = suffixes_load(conf);

	if (err != OK)
		*ret_error = xstrdup("orders.public_suffixes: the public suffix list cannot be "
				     "read, or is none");
	return err;
}

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&account_key_stmt, &order_new_stmt,
		&order_new_replacing_stmt, &order_get_stmt, &order_finalize_stmt,
		&certificate_get_stmt, &authz_get_stmt, &authz_deactivate_stmt,
		&challenge_respond_stmt, &revoke_stmt, &revocation_journalled_stmt, &heartbeat_stmt,
		NULL};
	const struct route routes[] = {order_new_route, order_route, finalize_route, authz_route,
		challenge_route, certificate_route, certificate_alternate_route, revoke_route};
	const struct app app = {
		.program = "assay-order",
		.role = "assay-order",
		.routes = routes,
		.nroutes = ARRAY_LEN(routes),
		.stmts = stmts,
		.socket_name = "order.sock",
		.check_conf = check_conf,
	};

	return app_main(argc, argv, &app);
}
