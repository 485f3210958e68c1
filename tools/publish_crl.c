/* publish_crl.c — assayctl publish-crl: takes a list that was made elsewhere, a root's, into the
 * database, from which the keepers publish it. Nothing is taken that is not what verifiers want. */
#include <errno.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "lib/store/crl.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "tools/root_list.h"

#define PEM_MAX_BYTES 65536
#define YEAR_SECS (366LL * 86400) /* twelve months, BR 4.9.7 */

struct publish_options {
	const char *issuer;
	const char *url;
	const char *list;
};

static const char help[] =
	"usage: assayctl [-c FILE] publish-crl --issuer FILE --url URL --list FILE\n\n"
	"Checks a revocation list that was made elsewhere, such as a root's by assayctl root-crl, "
	"and has the keepers\n"
	"publish it. Connects as assay-admin.\n\n"
	"  --issuer FILE   the certificate (PEM) whose key signed it\n"
	"  --url URL       where certificates say that it is\n"
	"  --list FILE     the list (DER)\n";

static const struct db_stmt *const publish_stmts[] = {&admin_crl_import_stmt, NULL};

static void parse_options(int argc, char **argv, struct publish_options *o)
{
	static const struct option options[] = {
		{"issuer", required_argument, NULL, 'i'},
		{"url", required_argument, NULL, 'u'},
		{"list", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char **const places[] = {['i'] = &o->issuer, ['u'] = &o->url, ['l'] = &o->list};
	int found;

	*o = (struct publish_options){0};
	while ((found = command_option(&command_publish_crl, argc, argv, options)) != -1)
		*places[found] = optarg;
	if (o->issuer == NULL || o->url == NULL || o->list == NULL)
		die("publish-crl: --issuer, --url and --list are needed");
}

static void load_file(const char *path, size_t max, struct buf *out)
{
	int err = file_load(path, max, out);

	if (err == ERR_LIMIT)
		die("publish-crl: %s is longer than %zu bytes", path, max);
	if (err != OK)
		die("publish-crl: cannot read %s: %s", path, strerror(errno));
}

static void load_issuer(const char *path, struct buf *der)
{
	CLEANUP_BUF struct buf pem = {0};
	struct buf *ders = NULL;
	size_t count = 0;

	load_file(path, PEM_MAX_BYTES, &pem);
	if (pem_certificates(buf_bytes(&pem), &ders, &count) != OK || count != 1)
		die("publish-crl: %s must hold one PEM certificate", path);
	buf_add(der, ders[0].ptr, ders[0].len);
	buf_done(&ders[0]);
	free(ders);
}

/* With or without an issuingDistributionPoint; one that is there must say what is true. */
static void judge(const struct publish_options *o, struct bytes der, struct bytes issuer,
	struct crl_facts *ret)
{
	static const enum crl_scope scopes[] = {CRL_SCOPE_ALL, CRL_SCOPE_ALL, CRL_SCOPE_CA};
	CLEANUP_BUF struct buf first = {0};
	struct crl_source src = crl_source_bytes(der);

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		CLEANUP_BUF struct buf findings = {0};
		const struct crl_expectation want = {.issuer = issuer,
			.url = i > 0 ? o->url : NULL,
			.scope = scopes[i],
			.validity_max_secs = YEAR_SECS,
			.number = -1,
			.this_update_us = -1,
			.next_update_us = -1,
			.entries = -1,
			.any_order = true,
			.any_entry_extension = true};
		int err = crl_lint(&src, &want, ret, i == 0 ? &first : &findings);

		if (err == OK)
			return;
		if (err != ERR_SYNTAX)
			die("publish-crl: %s cannot be judged (%s)", o->list, err_name(err));
	}
	die("publish-crl: %s is not fit to be published:\n%s", o->list, buf_str(&first));
}

static void publish(const char *conf_path, const struct publish_options *o, struct bytes der,
	const struct crl_facts *facts)
{
	CLEANUP(conf_free) struct conf *conf = command_conf(conf_path);
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	struct db_call call = {0};
	int err;

	if (connect_db(conf, "assay-admin", publish_stmts, &db, &why) != OK)
		die("publish-crl: database: %s", why);
	admin_crl_import_call(&call, o->url, facts->number, facts->this_update_us,
		facts->next_update_us, facts->entries, der);
	if (db_run_one(db, &call) != OK)
		die("publish-crl: database: %s", db_error(db));
	err = admin_crl_import_result(&call);
	db_call_done(&call);
	if (err == ERR_NOENT)
		die("publish-crl: %s is no URL with a plain path below http://HOST/, or another "
		    "list's or file's",
			o->url);
	if (err != OK)
		die("publish-crl: a list with this number or a higher one is published at %s",
			o->url);
}

static int run_publish_crl(const char *conf_path, int argc, char **argv)
{
	CLEANUP_BUF struct buf issuer = {0}, der = {0};
	struct publish_options o;
	struct crl_facts facts = {0};
	char ends[CLOCK_RFC3339_LEN + 1];

	parse_options(argc, argv, &o);
	load_issuer(o.issuer, &issuer);
	load_file(o.list, ROOT_LIST_MAX_BYTES, &der);
	judge(&o, buf_bytes(&der), buf_bytes(&issuer), &facts);
	if (facts.next_update_us < clock_wall_us())
		die("publish-crl: %s has ended", o.list);
	publish(conf_path, &o, buf_bytes(&der), &facts);
	clock_rfc3339_format(facts.next_update_us, ends);
	printf("%s: number %lld, %lld revoked, ends %s\n", o.url, (long long)facts.number,
		(long long)facts.entries, ends);
	return 0;
}

const struct command command_publish_crl = {"publish-crl",
	"publish a revocation list that was made elsewhere", help, run_publish_crl};
