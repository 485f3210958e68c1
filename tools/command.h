/* command.h — what assayctl.c knows of a command. Each has a file of its own that exports one
 * struct command. */
#pragma once

#include <getopt.h>

#include "lib/base/conf.h"

struct command {
	const char *name;
	const char *summary; /* one line of assayctl --help */
	const char *help;    /* assayctl NAME --help: usage and options, whole lines */
	/* argv[0] is the command's name. The exit status; errors are one line by die(). */
	int (*run)(const char *conf_path, int argc, char **argv);
};

extern const struct command command_init, command_check_config, command_doctor, command_migrate,
	command_status, command_revoke, command_incident, command_issuance, command_root_crl,
	command_publish_crl, command_responders, command_import, command_csr;

/* getopt_long with our messages: dies on an unknown option, a missing value or, at the end, words
 * that are left over.
 * --help prints the help and ends the program. -1 when there are no more options. */
int command_option(const struct command *command, int argc, char **argv,
	const struct option *options);
/* The configuration, or the end of the program. */
struct conf *command_conf(const char *conf_path);
