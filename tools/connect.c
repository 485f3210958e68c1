/* connect.c — see connect.h. */
#include "tools/connect.h"

#include <errno.h>
#include <unistd.h>

#include "workers/signer/why.h"

static int load_password(const char *folder, const char *name, char **ret, char **ret_why)
{
	int err;

	*ret = NULL;
	if (folder == NULL)
		return OK;
	errno = 0;
	err = conf_secret_load(folder, name, ret);
	if (err == OK)
		return OK;
	if (errno == EACCES)
		return why_set(ret_why, ERR_NOENT, "%s/%s is not for this user to read", folder,
			name);
	return why_set(ret_why, ERR_INTERNAL, "%s/%s %s", folder, name,
		err == ERR_NOENT ? "does not exist"
				 : "is empty, unreadable, or readable by others (chmod 0400)");
}

int connect_db(const struct conf *conf, const char *role, const struct db_stmt *const table[],
	struct db **ret, char **ret_why)
{
	CLEANUP(conf_secret_free) char *password = NULL;
	struct db *db = NULL;
	int err = load_password(conf->database.passwords, role, &password, ret_why);

	if (err != OK)
		return err;
	err = db_open(conf->database.uri, role, password, table, &db);
	if (err != OK)
		return why_set(ret_why, err, "%s", db_error(NULL));
	*ret = db;
	return OK;
}

int connect_redis(const struct conf *conf, const char *user, struct rds **ret, char **ret_why)
{
	CLEANUP(conf_secret_free) char *password = NULL;
	struct rds *rds = NULL;
	int err = load_password(conf->redis.passwords, user, &password, ret_why);

	if (err != OK)
		return err;
	rds = rds_new(conf_redis(conf), user, password);
	err = rds_ensure(rds, NULL);
	if (err != OK) {
		why_set(ret_why, err, "%s", rds_error(rds));
		rds_close(rds);
		return err;
	}
	*ret = rds;
	return OK;
}
