/* migrate.c — assayctl migrate: brings the database to this version by sql/apply.sh, then gives
 * each role its password.
 *
 * Passwords travel as SCRAM verifiers through psql's standard input: never in an argument, never
 * readable in a server's log. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "tools/command.h"
#include "tools/credentials.h"

static const char help[] =
	"usage: assayctl [-c FILE] migrate [--run-as USER] [--sql DIR] [--no-passwords]\n\n"
	"Makes or updates roles, schema and functions in the database of assay.conf (which must "
	"exist: createdb assay), and sets\n"
	"the roles' passwords. psql connects with libpq's usual environment (PGUSER, PGPASSFILE "
	"...), and must be a superuser.\n\n"
	"  --run-as USER     Unix user that psql runs as, for peer authentication: postgres (needs "
	"root)\n"
	"  --sql DIR         folder with apply.sh (default: " PKGDATADIR "/sql)\n"
	"  --no-passwords    leave the roles' passwords as they are\n";

struct migrate_options {
	const char *run_as;
	const char *sql;
	bool no_passwords;
};

static void parse_options(int argc, char **argv, struct migrate_options *o)
{
	static const struct option options[] = {
		{"run-as", required_argument, NULL, 'u'},
		{"sql", required_argument, NULL, 's'},
		{"no-passwords", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int found;

	*o = (struct migrate_options){.sql = PKGDATADIR "/sql"};
	while ((found = command_option(&command_migrate, argc, argv, options)) != -1) {
		if (found == 'u')
			o->run_as = optarg;
		else if (found == 's')
			o->sql = optarg;
		else
			o->no_passwords = true;
	}
	if (o->run_as != NULL && geteuid() != 0)
		die("migrate: --run-as needs root");
}

/* In the child: becomes the user, for good. */
static void become(const char *name)
{
	struct passwd *user = getpwnam(name);

	if (user == NULL)
		die("migrate: there is no user %s", name);
	if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
		setuid(user->pw_uid) != 0)
		die("migrate: cannot become %s: %s", name, strerror(errno));
	if (chdir("/") != 0)
		die("migrate: cannot leave this folder: %s", strerror(errno));
}

static void feed(int fd, struct bytes input)
{
	while (input.len > 0) {
		ssize_t n = write(fd, input.ptr, input.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* the program is gone; its exit status says so */
		input = bytes_of(input.ptr + n, input.len - (size_t)n);
	}
	close(fd);
}

/* Runs a program with this standard input to its end; dies when it failed. */
static void run_program(const struct migrate_options *o, char *const argv[], struct bytes input)
{
	int ends[2], status;
	pid_t pid;

	fflush(NULL);
	if (pipe(ends) != 0 || (pid = fork()) < 0)
		die("migrate: cannot start %s: %s", argv[0], strerror(errno));
	if (pid == 0) {
		dup2(ends[0], STDIN_FILENO);
		close(ends[0]);
		close(ends[1]);
		if (o->run_as != NULL)
			become(o->run_as);
		execvp(argv[0], argv);
		die("migrate: cannot start %s: %s", argv[0], strerror(errno));
	}
	close(ends[0]);
	feed(ends[1], input);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("migrate: lost %s: %s", argv[0], strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		die("migrate: %s failed; what it said stands above", argv[0]);
}

static void apply(const struct migrate_options *o, const struct conf *conf)
{
	CLEANUP_BUF struct buf script = {0};

	buf_addf(&script, "%s/apply.sh", o->sql);
	if (access(buf_str(&script), R_OK) != 0)
		die("migrate: cannot read %s: %s", buf_str(&script), strerror(errno));
	char *const argv[] = {(char *)"sh", (char *)buf_str(&script), conf->database.uri, NULL};

	run_program(o, argv, bytes_of("", 0));
	printf("schema, functions and rights are up to date\n");
}

static void add_password(struct buf *sql, const struct conf *conf, const char *role)
{
	CLEANUP_BUF struct buf verifier = {0};
	CLEANUP(conf_secret_free) char *password = NULL;

	if (conf_secret_load(conf->database.passwords, role, &password) != OK)
		die("migrate: %s/%s cannot be read (root can), or --no-passwords",
			conf->database.passwords, role);
	if (credential_scram(&verifier, password) != OK)
		die("migrate: OpenSSL cannot make a SCRAM verifier");
	/* Role and verifier are our own words: letters, digits and $:+/=-. */
	buf_addf(sql, "ALTER ROLE \"%s\" PASSWORD '%s';\n", role, buf_str(&verifier));
}

static void set_passwords(const struct migrate_options *o, const struct conf *conf)
{
	CLEANUP_BUF struct buf sql = {0};
	char *const argv[] = {(char *)"psql", (char *)"-X", (char *)"-q", (char *)"-v",
		(char *)"ON_ERROR_STOP=1", (char *)"-d", conf->database.uri, (char *)"-f",
		(char *)"-", NULL};

	buf_add_str(&sql, "BEGIN;\n");
	for (size_t i = 0; credential_names[i] != NULL; i++)
		add_password(&sql, conf, credential_names[i]);
	buf_add_str(&sql, "COMMIT;\n");
	run_program(o, argv, buf_bytes(&sql));
	printf("passwords of the roles are set\n");
}

static int run_migrate(const char *conf_path, int argc, char **argv)
{
	struct migrate_options options;
	CLEANUP(conf_free) struct conf *conf = NULL;

	parse_options(argc, argv, &options);
	conf = command_conf(conf_path);
	signal(SIGPIPE, SIG_IGN);
	apply(&options, conf);
	if (conf->database.passwords != NULL && !options.no_passwords)
		set_passwords(&options, conf);
	return 0;
}

const struct command command_migrate = {"migrate",
	"bring the database to this version and set the roles' passwords", help, run_migrate};
