/* root_crl.c — assayctl root-crl: the revocation list of the root, made where the root's key is.
 * Reads no configuration and connects to nothing: publish-crl takes the file from there. */
#include <errno.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "tools/command.h"
#include "tools/outfile.h"
#include "tools/root_list.h"
#include "workers/signer/keys.h"

#define PEM_MAX_BYTES 65536
#define REVOKED_MAX 64
#define DAYS_DEFAULT 365

struct root_crl_options {
	const char *root;
	const char *key;
	const char *passphrase;
	const char *out;
	const char *previous;
	const char *revoked[REVOKED_MAX];
	size_t nrevoked;
	int reason;
	int days;
};

static const struct {
	const char *name;
	int reason;
} reasons[] = {
	{"unspecified", 0},
	{"keyCompromise", 1},
	{"cACompromise", 2},
	{"affiliationChanged", 3},
	{"superseded", 4},
	{"cessationOfOperation", 5},
	{"privilegeWithdrawn", 9},
};

static const char help[] =
	"usage: assayctl root-crl --root FILE --key FILE --out FILE [options]\n\n"
	"Makes the root's list of revoked CA certificates, where the root key is. Needs no "
	"configuration, database or network.\n\n"
	"  --root FILE         the root's certificate (PEM)\n"
	"  --key FILE          its private key (PEM, mode 0400)\n"
	"  --passphrase FILE   the first line of FILE decrypts the key\n"
	"  --out FILE          where the list goes (DER); nothing is overwritten\n"
	"  --previous FILE     the list before: what it lists stays listed, and the number rises\n"
	"  --revoke FILE       a CA certificate (PEM) to revoke; may be repeated\n"
	"  --reason REASON     of these: unspecified, keyCompromise, cACompromise, "
	"affiliationChanged, superseded,\n"
	"                      cessationOfOperation, privilegeWithdrawn (default: unspecified)\n"
	"  --days N            until the next list, 1 to 365 (default: 365)\n";

static int reason_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].name, text) == 0)
			return reasons[i].reason;
	die("root-crl: there is no reason \"%s\"; assayctl root-crl --help lists them", text);
}

static int days_parse(const char *text)
{
	char *end;
	long days = strtol(text, &end, 10);

	if (*end != '\0' || end == text || days < 1 || days > ROOT_LIST_DAYS_MAX)
		die("root-crl: --days is a number from 1 to %d", ROOT_LIST_DAYS_MAX);
	return (int)days;
}

static void parse_options(int argc, char **argv, struct root_crl_options *o)
{
	static const struct option options[] = {
		{"root", required_argument, NULL, 'r'},
		{"key", required_argument, NULL, 'k'},
		{"passphrase", required_argument, NULL, 'p'},
		{"out", required_argument, NULL, 'o'},
		{"previous", required_argument, NULL, 'P'},
		{"revoke", required_argument, NULL, 'R'},
		{"reason", required_argument, NULL, 'w'},
		{"days", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char **const places[] = {['r'] = &o->root,
		['k'] = &o->key,
		['p'] = &o->passphrase,
		['o'] = &o->out,
		['P'] = &o->previous};
	int found;

	*o = (struct root_crl_options){.days = DAYS_DEFAULT};
	while ((found = command_option(&command_root_crl, argc, argv, options)) != -1) {
		if (found == 'w')
			o->reason = reason_parse(optarg);
		else if (found == 'd')
			o->days = days_parse(optarg);
		else if (found != 'R')
			*places[found] = optarg;
		else if (o->nrevoked == REVOKED_MAX)
			die("root-crl: more than %d --revoke", REVOKED_MAX);
		else
			o->revoked[o->nrevoked++] = optarg;
	}
	if (o->root == NULL || o->key == NULL || o->out == NULL)
		die("root-crl: --root, --key and --out are needed");
}

static void load_file(const char *path, size_t max, struct buf *out)
{
	int err = file_load(path, max, out);

	if (err == ERR_LIMIT)
		die("root-crl: %s is longer than %zu bytes", path, max);
	if (err != OK)
		die("root-crl: cannot read %s: %s", path, strerror(errno));
}

/* Exactly one certificate. der must outlive *ret. */
static void load_certificate(const char *path, struct buf *der, struct certview **ret)
{
	CLEANUP_BUF struct buf pem = {0};
	struct buf *ders = NULL;
	size_t count = 0;

	load_file(path, PEM_MAX_BYTES, &pem);
	if (pem_certificates(buf_bytes(&pem), &ders, &count) != OK || count != 1)
		die("root-crl: %s must hold one PEM certificate", path);
	buf_add(der, ders[0].ptr, ders[0].len);
	buf_done(&ders[0]);
	free(ders);
	if (certview_parse(buf_bytes(der), ret) != OK)
		die("root-crl: %s holds no certificate", path);
}

static void revoke_one(const char *path, const struct certview *root, int reason, int64_t now_us,
	struct root_list *list)
{
	CLEANUP(certview_free) struct certview *view = NULL;
	CLEANUP_BUF struct buf der = {0};

	load_certificate(path, &der, &view);
	if (X509_verify(view->x509, X509_get0_pubkey(root->x509)) != 1)
		die("root-crl: %s was not issued by this root", path);
	if (root_list_add(list, view->serial, now_us, reason) != OK)
		die("root-crl: %s is on the list before already", path);
}

static void check_root(const struct root_crl_options *o, const struct certview *root,
	EVP_PKEY **ret_key)
{
	CLEANUP_STR char *why = NULL;

	if (key_load(o->key, o->passphrase, ret_key, &why) != OK)
		die("root-crl: %s", why != NULL ? why : "the key cannot be used");
	if (key_check_pair(*ret_key, X509_get0_pubkey(root->x509)) != OK)
		die("root-crl: %s is not the key of %s", o->key, o->root);
}

static void write_out(const char *path, const struct buf *der)
{
	struct outfiles out = {0};
	CLEANUP_STR char *why = NULL;

	if (outfiles_write(&out, path, 0644, NULL, buf_bytes(der), &why) != OK) {
		outfiles_undo(&out);
		die("root-crl: %s", why);
	}
	outfiles_done(&out);
}

static int run_root_crl(const char *conf_path, int argc, char **argv)
{
	CLEANUP(certview_free) struct certview *root = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP_BUF struct buf root_der = {0}, before = {0}, out = {0}, findings = {0};
	struct root_crl_options o;
	struct root_list list = {0};
	int64_t now = clock_wall_us();
	int err;

	parse_options(argc, argv, &o);
	load_certificate(o.root, &root_der, &root);
	check_root(&o, root, &key);
	if (o.previous != NULL) {
		load_file(o.previous, ROOT_LIST_MAX_BYTES, &before);
		if (root_list_read(buf_bytes(&before), buf_bytes(&root_der), &list, &findings) !=
			OK)
			die("root-crl: %s is no list of this root:\n%s", o.previous,
				buf_str(&findings));
	}
	for (size_t i = 0; i < o.nrevoked; i++)
		revoke_one(o.revoked[i], root, o.reason, now, &list);
	err = root_list_make(&list, root->x509, key, now, o.days, &out, &findings);
	if (err != OK)
		die("root-crl: the list cannot be made (%s)\n%s", err_name(err),
			buf_str(&findings));
	write_out(o.out, &out);
	printf("%s: %zu revoked, valid for %d days. Publish it with assayctl publish-crl.\n", o.out,
		list.count, o.days);
	root_list_done(&list);
	return 0;
}

const struct command command_root_crl = {"root-crl",
	"make the root's revocation list, where the root key is", help, run_root_crl};
