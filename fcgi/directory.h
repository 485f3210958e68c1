/* directory.h — the routes of assay-directory: what a client asks before it has an account, and
 * what a monitor asks. */
#pragma once

#include "fcgi/app.h"

extern const struct route directory_home_route, directory_route, directory_nonce_route,
	directory_health_route, directory_ready_route;
/* renewal.c */
extern const struct route renewal_route;
