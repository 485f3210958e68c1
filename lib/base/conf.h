/* conf.h — assay.conf, read whole into a typed, immutable structure by every program.
 *
 * Grammar: [section] or [section name], key = value, '#' or ';' comments at the start of a line,
 * lists separated by white space or commas, durations with ms s m h d. A key may be written once.
 * Unknown sections and keys are errors naming file, line and the nearest known word. Relative paths
 * are relative to the file's folder. Keys are called as the fields are; where a field shows its
 * unit or says less, its key stands in quotes. docs/assay.conf.sample explains all of them to the
 * operator. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

/* certificates.crl_shard is a number of 1 to so many. */
#define CONF_CRL_SHARDS_MAX 1024
/* BR 1.6.1, "Short-lived Subscriber Certificate": needs no way to be revoked. */
#define CONF_SHORT_LIVED_SECS 604800

struct conf_list {
	char **items;
	size_t count;
};

/* A duration, or a share of another one; both 0: not written. */
struct conf_span {
	int64_t secs;
	int percent; /* 1 to 99 */
};

struct conf_profile { /* [profile NAME] */
	char *name;
	char *description;
	/* "validity", default 90d: valid for exactly this long, both ends included. */
	int64_t validity_secs;
	int names_max;    /* default 100 */
	bool common_name; /* default no: empty subject, critical SAN */
	bool client_auth; /* default no */
	/* "crl", default yes: its certificates name the list that they would be revoked by. */
	bool crl;
	struct conf_list key_types; /* default: rsa2048 rsa3072 rsa4096 p256 p384 */
	/* In order of preference; default: every issuer, in the order of the file. */
	struct conf_list issuers;
	/* "renewal_window": its middle lies so long before the end, or at this share of the
	 * validity; lib/acme/renewal_rules has the default. */
	struct conf_span renewal;
};

struct conf_issuer { /* [issuer NAME] */
	char *name;
	char *certificate; /* PEM file: the issuing certificate */
	/* PEM file: what a client gets behind its certificate; default: certificate. */
	char *chain;
	/* PEM files: other chains for the same issuer (RFC 8555 section 7.4.2), in order. */
	struct conf_list alternate_chains;
	char *roots; /* PEM file: every chain ends at one of them; or NULL */
	/* PEM file, 0400, or "credential:NAME", or a PKCS#11 URI; read by the signer alone. */
	char *key;
	char *key_passphrase; /* file or "credential:NAME", or NULL: of the file or the token */
	/* Of the certificates' keys; default: all. */
	struct conf_list key_types;
	/* "active_from", "active_until": signs certificates from and until then; INT64_MIN and
	 * INT64_MAX: no such time. */
	int64_t active_from_us, active_until_us;
	bool retired; /* default no: signs no certificates any more, but their revocation lists */
	char *ca_issuers_url; /* AIA caIssuers, or NULL */
	char *ocsp_url;       /* AIA OCSP, or NULL: no OCSP for its certificates */
	/* Certificates name CRL_URL/SHARD.crl as their distribution point; or NULL. */
	char *crl_url;
	int crl_shards; /* default 32 */
};

struct conf {
	char *path;
	/* [server] */
	struct {
		char *base_url;         /* no trailing slash; every URL sent out begins so */
		char *terms_of_service; /* URL or NULL */
		char *website;          /* URL or NULL */
		struct conf_list caa_identities;
	} server;
	/* [database] */
	struct {
		char *uri; /* libpq conninfo or URI without user; each program has its own role */
		char *passwords; /* folder, one 0400 file per role; NULL: peer authentication */
		int connections; /* per handler program, default 1 */
	} database;
	/* [redis] */
	struct {
		char *socket;    /* path of the Unix socket, default Debian's */
		char *address;   /* instead, when not NULL: ADDRESS:PORT or [IPV6]:PORT */
		char *passwords; /* folder, one 0400 file per user (assay-order …), or NULL */
	} redis;
	/* [handlers] */
	struct {
		char *socket_dir; /* of the handlers' own sockets, default /run/assay */
		int threads;      /* per program, default 3 */
		int64_t wait_ms; /* "wait" for the workers before an answer, default 4s, 0: never */
		int wait_max;    /* parked requests per program, default 1024 */
		struct conf_list contact_schemes; /* default mailto */
	} handlers;
	/* [orders] */
	struct {
		int64_t order_secs;         /* "order_lifetime", default 7d */
		int64_t pending_authz_secs; /* "pending_authz_lifetime", default 7d */
		int64_t valid_authz_secs;   /* "valid_authz_lifetime", default 30d */
		int names_max;              /* default 100 */
		/* "renewal_check": how often clients ask for renewal information, default 6h. */
		int64_t renewal_check_secs;
		int names_hourly; /* of an account, in each assay-order; default 20000, 0: any */
		struct conf_list blocked_names; /* exact names and .suffixes */
		char *public_suffixes;          /* file, or NULL for libpsl's built-in list */
	} orders;
	/* [validation] */
	struct {
		struct conf_list resolvers; /* ADDRESS:PORT or [IPV6]:PORT; default: the system's */
		int http01_port;            /* default 80 */
		int tlsalpn01_port;         /* default 443 */
		struct conf_list redirect_ports; /* default 80 443 */
		/* CIDRs of special-purpose ranges that may be contacted. */
		struct conf_list allow_addresses;
		struct conf_list challenges; /* default http-01 dns-01 tls-alpn-01 */
		bool dnssec_require;         /* "dnssec" = require|prefer, default prefer */
		int64_t attempt_secs; /* "attempt_timeout": one attempt in all, default 20s */
		int attempts;         /* default 4 */
		/* "retry_pause" before the second attempt, doubled after each, default 2s. */
		int64_t retry_secs;
		/* "caa_max_age": older CAA results are checked again before signing; default 7h. */
		int64_t caa_secs;
		int in_flight; /* concurrent validations per validator, default 2000 */
		/* of one account, once half of in_flight is under way; default 100 */
		int account_share;
	} validation;
	/* [workers] */
	struct {
		int batch;          /* default 64 */
		int64_t linger_ms;  /* "linger": wait for a batch to fill, default 5ms */
		int64_t lease_secs; /* "lease", default 8s */
		int64_t sweep_secs; /* "sweep" of the keeper, default 3s */
		/* "retention": partitions wholly older are dropped, default 1200d. */
		int64_t retention_secs;
	} workers;
	/* [crl] */
	struct conf_crl {
		int64_t validity_secs; /* "validity": nextUpdate, default 7d */
		int64_t refresh_secs;  /* "refresh": a new one at least so often, default 1d */
		/* "delay": from the first revocation to the list that shows it, default 1m. */
		int64_t delay_secs;
		char *folder; /* where the keeper writes what nginx serves; or NULL */
	} crl;
	/* [ocsp] */
	struct conf_ocsp {
		char *state_dir;       /* responder keys, default /var/lib/assay/ocsp */
		int64_t validity_secs; /* "validity": nextUpdate, default 4d */
		/* "responder_validity" of a responder's certificate, default 30d. */
		int64_t responder_secs;
		/* "archive": status is kept so long after expiry, default 0s: not at all. */
		int64_t archive_secs;
		/* "never_issued" = unauthorized|revoked, default unauthorized. */
		bool never_issued_revoked;
		int live_rate; /* signatures a second that a process of assay-ocsp asks for */
	} ocsp;
	/* [journal] */
	struct {
		char *folder; /* each program's files are in FOLDER/PROGRAM; NULL: no journal */
		int file_mib; /* default 64: then a new file is begun */
		int64_t file_secs; /* "file_age", default 1d: the same */
		int64_t keep_secs; /* "keep", default 400d: older files are deleted */
	} journal;
	/* [log] */
	struct {
		char *level; /* debug info warning error */
	} log;
	struct conf_profile *profiles; /* the first is the default profile */
	size_t nprofiles;
	struct conf_issuer *issuers;
	size_t nissuers;
};

/* Reads and checks the whole file. On failure *ret_error is one line, "FILE:LINE: what, and what
 * to do" (free it). */
MUST_CHECK int conf_load(const char *path, struct conf **ret, char **ret_error);
void conf_free(struct conf *conf);
DEFINE_CLEANUP(conf_free, struct conf *)
/* NULL when there is none of that name. */
const struct conf_profile *conf_profile_find(const struct conf *conf, struct bytes name);
/* Where Redis is, for rds_new: [redis] address or else socket. */
const char *conf_redis(const struct conf *conf);
/* First line of a secret file, for passwords. ERR_NOENT, or ERR_INTERNAL when the file is readable
 * by others. */
MUST_CHECK int conf_secret_load(const char *folder, const char *name, char **ret);
/* Cleanses it first. */
void conf_secret_free(char *secret);
DEFINE_CLEANUP(conf_secret_free, char *)
