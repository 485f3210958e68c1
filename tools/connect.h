/* connect.h — assayctl's connections, by the passwords that the configuration names. */
#pragma once

#include "lib/base/conf.h"
#include "lib/queue/rds.h"
#include "lib/store/db.h"

/* Connects as role. *ret_why: one line (free it), set on every failure. ERR_NOENT: the role's
 * password is not for us to read (another user's file), so nothing was tried. */
MUST_CHECK int connect_db(const struct conf *conf, const char *role,
	const struct db_stmt *const table[], struct db **ret, char **ret_why);
MUST_CHECK int connect_redis(const struct conf *conf, const char *user, struct rds **ret,
	char **ret_why);
