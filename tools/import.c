/* import.c — assayctl import: an issuing certificate and key that exist already become an issuer of
 * assay. They are judged as the signer will judge them; what is refused leaves no file behind. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "tools/authority.h"
#include "tools/command.h"
#include "tools/outfile.h"
#include "workers/signer/issuer.h"
#include "workers/signer/keys.h"
#include "workers/signer/token.h"
#include "workers/signer/why.h"

#define PASSPHRASE_MAX 1024
#define FILE_MAX_BYTES 65536
#define WARN_DAYS 90
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static const char help[] =
	"usage: assayctl import --certificate FILE --key SOURCE [options]\n\n"
	"Takes over an issuing certificate and key that exist, after proving them as the signer "
	"does: pair, CA, key usage,\n"
	"path length, algorithms, dates, chain. Writes its files, overwrites nothing, and prints "
	"the section for assay.conf.\n\n"
	"  --certificate FILE   the issuing certificate, PEM\n"
	"  --key SOURCE         its key: a PEM file, or a PKCS#11 URI, which stays where it is\n"
	"  --passphrase FILE    first line: the passphrase of the key file, or the PIN of the "
	"token; without it, the\n"
	"                       passphrase of an encrypted file is asked for on the terminal\n"
	"  --keep-encrypted     keep the key file encrypted; the signer then needs the file of "
	"--passphrase, too\n"
	"  --chain FILE         what clients get behind their certificate, the issuing one first\n"
	"  --name NAME          of the issuer in assay.conf (default: imported)\n"
	"  --dir DIR            where pki/NAME.* goes (default: " SYSCONFDIR ")\n";

struct import_options {
	const char *certificate;
	const char *key;
	const char *passphrase;
	const char *chain;
	const char *name;
	const char *folder;
	bool keep_encrypted;
};

static void parse_options(int argc, char **argv, struct import_options *o)
{
	static const struct option options[] = {
		{"certificate", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{"passphrase", required_argument, NULL, 'p'},
		{"keep-encrypted", no_argument, NULL, 'e'},
		{"chain", required_argument, NULL, 'i'},
		{"name", required_argument, NULL, 'n'},
		{"dir", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char **const places[] = {['c'] = &o->certificate,
		['k'] = &o->key,
		['p'] = &o->passphrase,
		['i'] = &o->chain,
		['n'] = &o->name,
		['d'] = &o->folder};
	int found;

	*o = (struct import_options){.name = "imported", .folder = SYSCONFDIR};
	while ((found = command_option(&command_import, argc, argv, options)) != -1) {
		if (found == 'e')
			o->keep_encrypted = true;
		else
			*places[found] = optarg;
	}
	if (o->certificate == NULL || o->key == NULL)
		die("import: --certificate FILE and --key SOURCE must be given");
	if (o->name[0] == '\0' || strlen(o->name) > 64 ||
		o->name[strspn(o->name, NAME_CHARS)] != '\0')
		die("import: --name takes letters, digits, '-' and '_'");
	if (o->keep_encrypted && (o->passphrase == NULL || o->passphrase[0] != '/'))
		die("import: --keep-encrypted needs --passphrase with an absolute path: the signer "
		    "reads it at each start");
}

/* From the terminal, without showing it; dies where there is none. */
static void ask_passphrase(const char *path, char out[PASSPHRASE_MAX])
{
	struct termios shown, hidden;
	FILE *tty = fopen("/dev/tty", "r+e");

	if (tty == NULL || tcgetattr(fileno(tty), &shown) != 0)
		die("import: %s is encrypted: name a file with its passphrase by --passphrase, or "
		    "run this on a terminal",
			path);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(tty, "Passphrase of %s: ", path);
	fflush(tty);
	if (tcsetattr(fileno(tty), TCSAFLUSH, &hidden) != 0 ||
		fgets(out, PASSPHRASE_MAX, tty) == NULL)
		out[0] = '\0';
	(void)tcsetattr(fileno(tty), TCSAFLUSH, &shown);
	fputc('\n', tty);
	fclose(tty);
	out[strcspn(out, "\r\n")] = '\0';
}

static bool is_encrypted(const char *path)
{
	CLEANUP_BUF struct buf pem = {0};
	bool found;

	if (file_load(path, FILE_MAX_BYTES, &pem) != OK)
		return false;
	found = strstr(buf_str(&pem), "ENCRYPTED") != NULL;
	OPENSSL_cleanse(pem.ptr, pem.cap);
	return found;
}

/* The key file as it shall lie there: PKCS#8 without a passphrase, or as it was. */
static int read_key(const struct import_options *o, struct buf *out, char **ret_why)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	char passphrase[PASSPHRASE_MAX] = "";
	int err;

	if (o->passphrase == NULL && is_encrypted(o->key)) {
		ask_passphrase(o->key, passphrase);
		err = key_load_told(o->key, passphrase, &key, ret_why);
		OPENSSL_cleanse(passphrase, sizeof(passphrase));
	} else {
		err = key_load(o->key, o->passphrase, &key, ret_why);
	}
	if (err == OK && o->keep_encrypted) {
		if (!is_encrypted(o->key))
			return why_set(ret_why, ERR_CONFLICT, "%s is not encrypted", o->key);
		return file_load(o->key, FILE_MAX_BYTES, out);
	}
	return err == OK ? authority_key_pem(key, NULL, out) : err;
}

static char *path_of(const struct import_options *o, const char *suffix)
{
	char *path = NULL;

	if (asprintf(&path, "%s/pki/%s%s", o->folder, o->name, suffix) < 0)
		abort();
	return path;
}

static int copy(const char *from, const char *to, struct outfiles *out, char **ret_why)
{
	CLEANUP_BUF struct buf content = {0};

	if (file_load(from, FILE_MAX_BYTES, &content) != OK)
		return why_set(ret_why, ERR_NOENT, "cannot read %s: %s", from, strerror(errno));
	return outfiles_write(out, to, 0644, NULL, buf_bytes(&content), ret_why);
}

static int write_files(const struct import_options *o, const struct conf_issuer *conf,
	struct outfiles *out, char **ret_why)
{
	CLEANUP_BUF struct buf key = {0};
	CLEANUP_STR char *folder = NULL;
	int err = OK;

	if (!token_is_uri(o->key))
		err = read_key(o, &key, ret_why);
	if (asprintf(&folder, "%s/pki", o->folder) < 0)
		abort();
	if (err == OK)
		err = outfiles_folder(out, folder, 0755, ret_why);
	if (err == OK)
		err = copy(o->certificate, conf->certificate, out, ret_why);
	if (err == OK && o->chain != NULL)
		err = copy(o->chain, conf->chain, out, ret_why);
	if (err == OK && !token_is_uri(o->key))
		err = outfiles_write(out, conf->key, 0400, "assay-signer", buf_bytes(&key),
			ret_why);
	if (key.ptr != NULL)
		OPENSSL_cleanse(key.ptr, key.cap);
	return err;
}

/* What the signer does not ask for, since old issuers may lack it, and a new one must not. */
static int judge(X509 *x509, char **ret_why)
{
	int md = NID_undef;

	if ((X509_get_key_usage(x509) & KU_CRL_SIGN) == 0)
		return why_set(ret_why, ERR_CONFLICT,
			"the certificate lacks the key usage cRLSign: it could not revoke");
	if (X509_get_signature_info(x509, &md, NULL, NULL, NULL) != 1 ||
		(md != NID_sha256 && md != NID_sha384 && md != NID_sha512))
		return why_set(ret_why, ERR_CONFLICT,
			"the certificate is signed with a digest other than SHA-256, SHA-384 and "
			"SHA-512");
	return OK;
}

static int prove(const struct conf_issuer *conf, char **ret_why)
{
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	int64_t now = clock_wall_us();
	int err = issuer_load(conf, now, &issuer, ret_why);

	if (err != OK)
		return err;
	if (issuer->unreachable) {
		char complaint[512];

		token_complaint(issuer->key, complaint, sizeof(complaint));
		return why_set(ret_why, ERR_NET, "%s", complaint);
	}
	err = judge(issuer->x509, ret_why);
	if (err == OK && (issuer->not_after_us - now) / USEC_PER_SEC < WARN_DAYS * 86400LL)
		fprintf(stderr, "assayctl: import: the certificate ends in less than %d days\n",
			WARN_DAYS);
	return err;
}

static void print_section(const struct import_options *o, const struct conf_issuer *conf)
{
	printf("# Proved and written. Put this into assay.conf, name the issuer in the profiles, "
	       "then: assayctl check-config,\n"
	       "# systemctl reload 'assay-signer@*'. See ca_issuers_url and crl_url in "
	       "assay.conf(5) before it signs.\n"
	       "[issuer %s]\ncertificate = %s\n",
		o->name, conf->certificate);
	if (o->chain != NULL)
		printf("chain = %s\n", conf->chain);
	printf("key = %s\n", conf->key);
	if (conf->key_passphrase != NULL)
		printf("key_passphrase = %s\n", conf->key_passphrase);
}

static int run_import(const char *conf_path, int argc, char **argv)
{
	struct import_options o;
	struct outfiles out = {0};
	CLEANUP_STR char *why = NULL;
	int err;

	umask(022);
	parse_options(argc, argv, &o);
	CLEANUP_STR char *certificate = path_of(&o, ".pem");
	CLEANUP_STR char *chain = path_of(&o, "-chain.pem");
	CLEANUP_STR char *key = path_of(&o, ".key");
	CLEANUP_STR char *name = xstrdup(o.name);
	CLEANUP_STR char *uri = token_is_uri(o.key) ? xstrdup(o.key) : NULL;
	CLEANUP_STR char *passphrase = o.passphrase != NULL ? xstrdup(o.passphrase) : NULL;
	bool token = uri != NULL;
	const struct conf_issuer conf = {.name = name,
		.certificate = certificate,
		.chain = o.chain != NULL ? chain : NULL,
		.key = token ? uri : key,
		.key_passphrase = token || o.keep_encrypted ? passphrase : NULL,
		.active_from_us = INT64_MIN,
		.active_until_us = INT64_MAX};

	err = write_files(&o, &conf, &out, &why);
	if (err == OK)
		err = prove(&conf, &why);
	if (err != OK) {
		outfiles_undo(&out);
		outfiles_done(&out);
		die("import: %s", why != NULL ? why : err_name(err));
	}
	print_section(&o, &conf);
	if (out.owners_missing && !token)
		fprintf(stderr, "assayctl: import: %s belongs to you: chown it to assay-signer\n",
			key);
	outfiles_done(&out);
	return 0;
}

const struct command command_import = {"import",
	"take over an issuing certificate and key that exist", help, run_import};
