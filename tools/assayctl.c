/* assayctl.c — the operator's tool: sets up a CA, proves its configuration, looks at it and
 * revokes. Finds the command and hands over; each one is a file of its own. */
#include <stdio.h>

#include "lib/base/log.h"
#include "tools/command.h"

static const struct command *const commands[] = {
	&command_init,
	&command_check_config,
	&command_doctor,
	&command_migrate,
	&command_status,
	&command_revoke,
	&command_incident,
	&command_issuance,
	&command_import,
	&command_csr,
	&command_root_crl,
	&command_publish_crl,
	&command_responders,
};

static void print_help(void)
{
	printf("usage: assayctl [-c FILE] COMMAND [options]\n\n"
	       "  -c, --config FILE   configuration (default: %s/assay.conf)\n"
	       "      --version       print the version\n"
	       "      --help          print this; COMMAND --help prints the options of "
	       "one\n\ncommands:\n",
		SYSCONFDIR);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-14s %s\n", commands[i]->name, commands[i]->summary);
}

int command_option(const struct command *command, int argc, char **argv,
	const struct option *options)
{
	int found;

	opterr = 0;
	found = getopt_long(argc, argv, "+:", options, NULL);
	if (found == 'h') {
		fputs(command->help, stdout);
		exit(0);
	}
	if (found == ':')
		die("%s: %s needs a value", command->name, argv[optind - 1]);
	if (found == '?')
		die("%s: there is no option %s; assayctl %s --help lists them", command->name,
			argv[optind - 1], command->name);
	if (found == -1 && optind < argc)
		die("%s: \"%s\" is one word too many", command->name, argv[optind]);
	return found;
}

struct conf *command_conf(const char *conf_path)
{
	struct conf *conf = NULL;
	char *error = NULL;

	if (conf_load(conf_path, &conf, &error) != OK)
		die("%s", error != NULL ? error : "the configuration cannot be read");
	return conf;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *conf_path = SYSCONFDIR "/assay.conf";
	int found;

	log_init("assayctl", LOG_LEVEL_WARNING);
	opterr = 0;
	while ((found = getopt_long(argc, argv, "+:c:", options, NULL)) != -1) {
		switch (found) {
		case 'c':
			conf_path = optarg;
			break;
		case 'v':
			puts(PACKAGE_STRING);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			die("there is no option %s, or it needs a value; assayctl --help lists "
			    "them",
				argv[optind - 1]);
		}
	}
	if (optind == argc) {
		print_help();
		return 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *name = argv[optind];

		if (strcmp(commands[i]->name, name) != 0)
			continue;
		argc -= optind;
		argv += optind;
		optind = 0; /* glibc: start over */
		return commands[i]->run(conf_path, argc, argv);
	}
	die("there is no command \"%s\"; assayctl --help lists them", argv[optind]);
}
