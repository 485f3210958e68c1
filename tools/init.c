/* init.c — assayctl init: everything that a new CA needs on disk, in one run and never over
 * anything that exists.
 *
 * The root key is written once, to the place that the operator names, and is not read by any
 * program of assay again. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tools/authority.h"
#include "tools/command.h"
#include "tools/credentials.h"
#include "tools/outfile.h"
#include "tools/root_list.h"
#include "tools/sample.h"
#include "workers/signer/keys.h"

#define SET_MAX 64
#define PASSPHRASE_MAX 1024

struct init_options {
	const char *folder;
	const char *root_key;
	const char *root_passphrase_file;
	const char *base_url;
	const char *name;
	const char *organization;
	const char *country;
	const char *key_type;
	const char *issuing_key; /* a PKCS#11 URI, or NULL: a new file */
	const char *issuing_pin;
	const char *root_key_type;
	const char *caa_identity;
	const char *public_url;
	const char *sets[SET_MAX]; /* SECTION.KEY=VALUE */
	size_t nsets;
};

/* Everything that is going to be written. */
struct init_work {
	struct outfiles out;
	struct buf root_certificate, root_key, root_list, certificate, key;
	struct buf conf, acl;
	/* Database, Redis; in order of credential_names. */
	char passwords[2][CREDENTIALS][CREDENTIAL_LEN + 1];
	char fingerprint[3 * 32 + 1];
};

static const char *const stores[] = {"database", "redis"};

static const char help[] =
	"usage: assayctl init --root-key FILE --base-url URL [options]\n\n"
	"Makes the keys and certificates of a new CA, passwords, the Redis ACL and assay.conf. "
	"Overwrites nothing.\n\n"
	"  --root-key FILE            where the root's private key goes: a medium that you can "
	"take away\n"
	"  --root-passphrase FILE     encrypt it with the first line of FILE\n"
	"  --base-url URL             where clients will find the server, for instance "
	"https://acme.example.org\n"
	"  --dir DIR                  where everything else goes (default: " SYSCONFDIR ")\n"
	"  --name TEXT                name of the CA in its certificates (default: the host of the "
	"base URL)\n"
	"  --organization TEXT        O of both certificates (default: none)\n"
	"  --country CC               C of both certificates (default: none)\n"
	"  --key-type TYPE            issuing key: p256 p384 rsa2048 rsa3072 rsa4096 (default: "
	"p256)\n"
	"  --issuing-key URI          take a key that is in a PKCS#11 token instead\n"
	"  --issuing-pin FILE         first line: the token's PIN\n"
	"  --root-key-type TYPE       root key (default: p384)\n"
	"  --caa-identity DOMAIN      what CAA records must name (default: the host of the base "
	"URL)\n"
	"  --public-url URL           where nginx serves revocation lists and certificates, for "
	"instance http://pki.example.org;\n"
	"                             sets crl_url and ca_issuers_url, and makes the root's first "
	"list (default: neither)\n"
	"  --set SECTION.KEY=VALUE    any setting of assay.conf; may be repeated\n";

static void check_options(const struct init_options *o)
{
	if (o->root_key == NULL)
		die("init: --root-key FILE is missing: name the place where the root's private key "
		    "is to be written");
	if (o->base_url == NULL)
		die("init: --base-url URL is missing, for instance --base-url "
		    "https://acme.example.org");
	if (strncmp(o->base_url, "https://", 8) != 0 || o->base_url[8] == '\0')
		die("init: --base-url must begin with https:// (RFC 8555 section 6.1)");
	if (o->issuing_key != NULL && strncmp(o->issuing_key, "pkcs11:", 7) != 0)
		die("init: --issuing-key takes a PKCS#11 URI; assayctl import takes key files "
		    "over");
	if (o->issuing_pin != NULL && o->issuing_pin[0] != '/')
		die("init: --issuing-pin takes an absolute path: the signer reads it at each "
		    "start");
	if (o->country != NULL && strlen(o->country) != 2)
		die("init: --country takes two letters");
	if (o->public_url != NULL &&
		(strncmp(o->public_url, "http://", 7) != 0 || o->public_url[7] == '\0' ||
			o->public_url[strlen(o->public_url) - 1] == '/'))
		die("init: --public-url must begin with http:// and end without a slash: what is "
		    "served there is signed");
}

static void parse_options(int argc, char **argv, struct init_options *o)
{
	static const struct option options[] = {
		{"root-key", required_argument, NULL, 'r'},
		{"root-passphrase", required_argument, NULL, 'p'},
		{"base-url", required_argument, NULL, 'u'},
		{"dir", required_argument, NULL, 'd'},
		{"name", required_argument, NULL, 'n'},
		{"organization", required_argument, NULL, 'o'},
		{"country", required_argument, NULL, 'C'},
		{"key-type", required_argument, NULL, 'k'},
		{"issuing-key", required_argument, NULL, 'i'},
		{"issuing-pin", required_argument, NULL, 'I'},
		{"root-key-type", required_argument, NULL, 'K'},
		{"caa-identity", required_argument, NULL, 'a'},
		{"public-url", required_argument, NULL, 'U'},
		{"set", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char **const places[] = {['r'] = &o->root_key,
		['p'] = &o->root_passphrase_file,
		['u'] = &o->base_url,
		['d'] = &o->folder,
		['n'] = &o->name,
		['o'] = &o->organization,
		['C'] = &o->country,
		['k'] = &o->key_type,
		['i'] = &o->issuing_key,
		['I'] = &o->issuing_pin,
		['K'] = &o->root_key_type,
		['a'] = &o->caa_identity,
		['U'] = &o->public_url};
	int found;

	*o = (struct init_options){.folder = SYSCONFDIR,
		.key_type = "p256",
		.root_key_type = "p384"};
	while ((found = command_option(&command_init, argc, argv, options)) != -1) {
		if (found != 's') {
			*places[found] = optarg;
			continue;
		}
		if (o->nsets == SET_MAX)
			die("init: more than %d --set", SET_MAX);
		o->sets[o->nsets++] = optarg;
	}
	check_options(o);
}

/* The host of the base URL, without port. */
static char *host_of(const char *base_url)
{
	const char *host = base_url + 8;

	return xstrndup(host, strcspn(host, ":/"));
}

static char *path_in(const char *folder, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		abort();
	return path;
}

static void read_passphrase(const char *path, char out[PASSPHRASE_MAX])
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		die("init: cannot open %s: %s", path, strerror(errno));
	if (fgets(out, PASSPHRASE_MAX, f) == NULL)
		out[0] = '\0';
	fclose(f);
	out[strcspn(out, "\r\n")] = '\0';
	if (strlen(out) < 8)
		die("init: the first line of %s must be a passphrase of 8 characters or more",
			path);
}

static void make_fingerprint(X509 *x509, char *out)
{
	uint8_t hash[32];
	unsigned len = sizeof(hash);

	if (X509_digest(x509, ossl_sha256(), hash, &len) != 1)
		die("init: OpenSSL cannot hash the root certificate");
	for (unsigned i = 0; i < len; i++)
		snprintf(out + 3 * i, 4, i + 1 < len ? "%02X:" : "%02X", hash[i]);
}

static void make_key(const char *option, const char *type, EVP_PKEY **ret)
{
	int err = authority_key_new(type, ret);

	if (err == ERR_NOENT)
		die("init: %s %s: the types are p256 p384 rsa2048 rsa3072 rsa4096", option, type);
	if (err != OK)
		die("init: OpenSSL cannot make a key");
}

/* The first one, with nothing on it. The next is made by assayctl root-crl. */
static int make_root_list(struct init_work *w, X509 *root, EVP_PKEY *root_key, int64_t now_us)
{
	CLEANUP_BUF struct buf findings = {0};
	struct root_list nothing = {0};

	return root_list_make(&nothing, root, root_key, now_us, ROOT_LIST_DAYS_MAX, &w->root_list,
		&findings);
}

static void set_public(const struct init_options *o, struct init_work *w)
{
	CLEANUP_BUF struct buf crl_url = {0}, ca_issuers_url = {0};

	if (o->public_url == NULL)
		return;
	buf_addf(&crl_url, "%s/main", o->public_url);
	buf_addf(&ca_issuers_url, "%s/main.cer", o->public_url);
	sample_set(&w->conf, "issuer main", "crl_url", buf_str(&crl_url));
	sample_set(&w->conf, "issuer main", "ca_issuers_url", buf_str(&ca_issuers_url));
	sample_set(&w->conf, "crl", "folder", LOCALSTATEDIR "/lib/assay/public");
}

static void load_issuing_key(const struct init_options *o, EVP_PKEY **ret)
{
	CLEANUP_STR char *why = NULL;
	int err = key_load(o->issuing_key, o->issuing_pin, ret, &why);

	if (err != OK)
		die("init: %s", why != NULL ? why : err_name(err));
}

static void make_authority(const struct init_options *o, struct init_work *w)
{
	CLEANUP_STR char *host = host_of(o->base_url);
	CLEANUP_BUF struct buf root_name = {0}, issuing_name = {0}, crl_url = {0};
	CLEANUP(EVP_PKEY_free) EVP_PKEY *root_key = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP(X509_free) X509 *root = NULL;
	CLEANUP(X509_free) X509 *certificate = NULL;
	char passphrase[PASSPHRASE_MAX] = "";
	int64_t now = clock_wall_us();
	int err;

	buf_addf(&root_name, "%s Root", o->name != NULL ? o->name : host);
	buf_addf(&issuing_name, "%s Issuing 1", o->name != NULL ? o->name : host);
	const struct authority_name root_subject = {o->country, o->organization,
		buf_str(&root_name)};
	if (o->public_url != NULL)
		buf_addf(&crl_url, "%s/root.crl", o->public_url);
	const struct authority_name subject = {o->country, o->organization, buf_str(&issuing_name)};

	if (o->root_passphrase_file != NULL)
		read_passphrase(o->root_passphrase_file, passphrase);
	make_key("--root-key-type", o->root_key_type, &root_key);
	if (o->issuing_key != NULL)
		load_issuing_key(o, &key);
	else
		make_key("--key-type", o->key_type, &key);
	err = authority_root_new(root_key, &root_subject, now, &root);
	if (err == OK)
		err = authority_issuing_new(root_key, root, key, &subject,
			o->public_url != NULL ? buf_str(&crl_url) : NULL, now, &certificate);
	if (err == OK && o->public_url != NULL)
		err = make_root_list(w, root, root_key, now);
	if (err == OK)
		err = authority_certificate_pem(root, &w->root_certificate);
	if (err == OK)
		err = authority_certificate_pem(certificate, &w->certificate);
	if (err == OK && o->issuing_key == NULL)
		err = authority_key_pem(key, NULL, &w->key);
	if (err == OK)
		err = authority_key_pem(root_key, passphrase[0] != '\0' ? passphrase : NULL,
			&w->root_key);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	if (err != OK)
		die("init: OpenSSL cannot make the certificates: --name, --organization (64 "
		    "characters) or --country may not fit");
	make_fingerprint(root, w->fingerprint);
}

static void make_credentials(struct init_work *w)
{
	buf_add_str(&w->acl, "user default off\n");
	for (size_t i = 0; i < CREDENTIALS; i++) {
		for (size_t s = 0; s < ARRAY_LEN(stores); s++)
			credential_new(w->passwords[s][i]);
		credential_redis_acl(&w->acl, credential_names[i], w->passwords[1][i]);
	}
}

static void set_from_option(struct buf *conf, const char *option)
{
	CLEANUP_STR char *text = xstrdup(option);
	char *value = strchr(text, '=');
	char *dot;

	if (value != NULL)
		*value++ = '\0';
	dot = strrchr(text, '.');
	if (value == NULL || dot == NULL || strchr(option, '\n') != NULL)
		die("init: --set %s: write SECTION.KEY=VALUE, for instance \"profile "
		    "default.validity=6d\"",
			option);
	*dot = '\0';
	sample_set(conf, text, dot + 1, value);
}

static void make_conf(const struct init_options *o, struct init_work *w)
{
	CLEANUP_STR char *host = host_of(o->base_url);

	sample_text(&w->conf);
	sample_set(&w->conf, "server", "base_url", o->base_url);
	sample_set(&w->conf, "server", "caa_identities",
		o->caa_identity != NULL ? o->caa_identity : host);
	sample_set(&w->conf, "database", "passwords", "secrets/database");
	sample_set(&w->conf, "redis", "passwords", "secrets/redis");
	set_public(o, w);
	if (o->issuing_key != NULL)
		sample_set(&w->conf, "issuer main", "key", o->issuing_key);
	if (o->issuing_pin != NULL)
		sample_set(&w->conf, "issuer main", "key_passphrase", o->issuing_pin);
	for (size_t i = 0; i < o->nsets; i++)
		set_from_option(&w->conf, o->sets[i]);
}

static int write_in(struct init_work *w, const char *folder, const char *name, mode_t mode,
	const char *owner, const struct buf *content, char **ret_why)
{
	CLEANUP_STR char *path = path_in(folder, name);

	return outfiles_write(&w->out, path, mode, owner, buf_bytes(content), ret_why);
}

static int write_passwords(struct init_work *w, const char *folder, char **ret_why)
{
	int err = OK;

	for (size_t s = 0; err == OK && s < ARRAY_LEN(stores); s++) {
		for (size_t i = 0; err == OK && credential_names[i] != NULL; i++) {
			CLEANUP_BUF struct buf line = {0}, path = {0};
			/* assay-admin is a role for people, not a user of this machine. */
			const char *owner = strcmp(credential_names[i], "assay-admin") == 0
				? NULL
				: credential_names[i];

			buf_addf(&line, "%s\n", w->passwords[s][i]);
			buf_addf(&path, "%s/secrets/%s/%s", folder, stores[s], credential_names[i]);
			err = outfiles_write(&w->out, buf_str(&path), 0400, owner, buf_bytes(&line),
				ret_why);
		}
	}
	return err;
}

static int write_folders(struct init_work *w, const char *folder, char **ret_why)
{
	/* Each program may pass through secrets to its own file, and see no other's name. */
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{".", 0755}, {"pki", 0755}, {"secrets", 0711}, {"secrets/database", 0711},
		{"secrets/redis", 0711}};
	int err = OK;

	for (size_t i = 0; err == OK && i < ARRAY_LEN(folders); i++) {
		CLEANUP_STR char *path =
			i == 0 ? xstrdup(folder) : path_in(folder, folders[i].name);

		err = outfiles_folder(&w->out, path, folders[i].mode, ret_why);
	}
	return err;
}

static int write_everything(const struct init_options *o, struct init_work *w, char **ret_why)
{
	int err = write_folders(w, o->folder, ret_why);

	/* The root key first: where it cannot be written there is nothing to begin. */
	if (err == OK)
		err = outfiles_write(&w->out, o->root_key, 0400, NULL, buf_bytes(&w->root_key),
			ret_why);
	if (err == OK)
		err = write_in(w, o->folder, "assay.conf", 0644, NULL, &w->conf, ret_why);
	if (err == OK)
		err = write_in(w, o->folder, "pki/root.pem", 0644, NULL, &w->root_certificate,
			ret_why);
	if (err == OK && o->public_url != NULL)
		err = write_in(w, o->folder, "pki/root.crl", 0644, NULL, &w->root_list, ret_why);
	if (err == OK)
		err = write_in(w, o->folder, "pki/issuer.pem", 0644, NULL, &w->certificate,
			ret_why);
	if (err == OK && o->issuing_key == NULL)
		err = write_in(w, o->folder, "pki/issuer.key", 0400, "assay-signer", &w->key,
			ret_why);
	if (err == OK)
		err = write_in(w, o->folder, "redis.acl", 0400, "redis", &w->acl, ret_why);
	if (err == OK)
		err = write_passwords(w, o->folder, ret_why);
	return err;
}

/* The configuration is judged as every program will read it; a --set that is wrong ends the run
 * without a trace. */
static int check_written_conf(const struct init_options *o, char **ret_why)
{
	CLEANUP_STR char *path = path_in(o->folder, "assay.conf");
	CLEANUP(conf_free) struct conf *conf = NULL;

	return conf_load(path, &conf, ret_why);
}

static void print_next_steps(const struct init_options *o, const struct init_work *w)
{
	printf("A new CA in %s\n\n"
	       "  root certificate   %s/pki/root.pem\n"
	       "  SHA-256            %s\n"
	       "  root key           %s\n\n"
	       "Next:\n"
	       "  1. Take the root key away from this machine: nothing here will read it again.\n"
	       "  2. Let clients trust the root:\n"
	       "       cp %s/pki/root.pem /usr/local/share/ca-certificates/assay-root.crt && "
	       "update-ca-certificates\n"
	       "  3. Redis: end redis.conf with \"include " SYSCONFDIR "/assay-redis.conf\" and\n"
	       "     \"aclfile %s/redis.acl\", and restart it.\n"
	       "  4. PostgreSQL: above \"local all all peer\" in pg_hba.conf write \"local assay "
	       "all "
	       "scram-sha-256\" and reload it;\n"
	       "     createdb assay as user postgres, then as root:\n"
	       "       assayctl -c %s/assay.conf migrate --run-as postgres\n"
	       "  5. As root, try everything that the configuration names:\n"
	       "       assayctl -c %s/assay.conf check-config\n"
	       "  6. systemctl enable --now assay.target, and include assay's nginx files in a "
	       "server of yours.\n",
		o->folder, o->folder, w->fingerprint, o->root_key, o->folder, o->folder, o->folder,
		o->folder);
	if (w->out.owners_missing)
		printf("\nThe users of assay do not exist here, or this was not run as root: all "
		       "files belong to you. Programs that\n"
		       "run as users of their own need their key or password files chowned (see "
		       "\"ls -lR %s\").\n",
			o->folder);
}

static void work_done(struct init_work *w)
{
	outfiles_done(&w->out);
	if (w->key.ptr != NULL)
		OPENSSL_cleanse(w->key.ptr, w->key.cap);
	if (w->root_key.ptr != NULL)
		OPENSSL_cleanse(w->root_key.ptr, w->root_key.cap);
	buf_done(&w->root_certificate);
	buf_done(&w->root_key);
	buf_done(&w->root_list);
	buf_done(&w->certificate);
	buf_done(&w->key);
	buf_done(&w->conf);
	buf_done(&w->acl);
	OPENSSL_cleanse(w, sizeof(*w));
}

static int run_init(const char *conf_path, int argc, char **argv)
{
	struct init_options options;
	struct init_work work = {0};
	CLEANUP_STR char *why = NULL;
	int err;

	umask(022);
	parse_options(argc, argv, &options);
	make_authority(&options, &work);
	make_credentials(&work);
	make_conf(&options, &work);
	err = write_everything(&options, &work, &why);
	if (err == OK)
		err = check_written_conf(&options, &why);
	if (err != OK) {
		outfiles_undo(&work.out);
		work_done(&work);
		die("init: %s", why != NULL ? why : err_name(err));
	}
	print_next_steps(&options, &work);
	work_done(&work);
	return 0;
}

const struct command command_init = {"init",
	"make a new CA: keys, certificates, passwords, Redis ACL, assay.conf", help, run_init};
