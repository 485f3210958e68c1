/* conf_table.c — every section and key of assay.conf, with kind, default and limits.
 * Defaults are written as an operator would write them and go through the same reader. */
#include "lib/base/conf_table.h"

const char conf_required[] = "";

#define CHECKED(key, what, at, otherwise, test)                                                    \
	{                                                                                          \
		.name = (key), .kind = (what), .offset = (at), .fallback = (otherwise),            \
		.check = (test)                                                                    \
	}
#define TEXT(key, at, otherwise, test) CHECKED(key, CONF_TEXT, at, otherwise, test)
#define PATH(key, at, otherwise, test) CHECKED(key, CONF_PATH, at, otherwise, test)
#define LIST(key, at, otherwise, test) CHECKED(key, CONF_LIST, at, otherwise, test)
#define PATHS(key, at, otherwise, test) CHECKED(key, CONF_PATHS, at, otherwise, test)
#define SOURCE(key, at, otherwise, test) CHECKED(key, CONF_SOURCE, at, otherwise, test)
#define TIME(key, at, otherwise) CHECKED(key, CONF_TIME, at, otherwise, NULL)
#define CHOICE(key, at, otherwise, no, yes)                                                        \
	{                                                                                          \
		.name = (key), .kind = CONF_CHOICE, .offset = (at), .fallback = (otherwise),       \
		.word_for_false = (no), .word_for_true = (yes)                                     \
	}
#define NUMBER(key, unit, at, otherwise, least, most)                                              \
	{                                                                                          \
		.name = (key), .kind = (unit), .offset = (at), .fallback = (otherwise),            \
		.min = (least), .max = (most)                                                      \
	}
#define COUNT(key, at, otherwise, least, most) NUMBER(key, CONF_COUNT, at, otherwise, least, most)
#define SECS(key, at, otherwise, least, most) NUMBER(key, CONF_SECS, at, otherwise, least, most)
#define SPAN(key, at, otherwise, least, most) NUMBER(key, CONF_SPAN, at, otherwise, least, most)
#define MSECS(key, at, otherwise, least, most) NUMBER(key, CONF_MSECS, at, otherwise, least, most)

#define HOUR 3600
#define DAY 86400
#define PORT_MAX 65535

#define AT(field) offsetof(struct conf, field)

static const struct conf_key server_keys[] = {
	TEXT("base_url", AT(server.base_url), conf_required, conf_check_base_url),
	TEXT("terms_of_service", AT(server.terms_of_service), NULL, conf_check_url),
	TEXT("website", AT(server.website), NULL, conf_check_url),
	LIST("caa_identities", AT(server.caa_identities), "", conf_check_domain),
};

static const struct conf_key database_keys[] = {
	TEXT("uri", AT(database.uri), conf_required, conf_check_database_uri),
	PATH("passwords", AT(database.passwords), NULL, NULL),
	COUNT("connections", AT(database.connections), "1", 1, 64),
};

static const struct conf_key redis_keys[] = {
	PATH("socket", AT(redis.socket), "/run/redis/redis-server.sock", conf_check_socket),
	TEXT("address", AT(redis.address), NULL, conf_check_address),
	PATH("passwords", AT(redis.passwords), NULL, NULL),
};

static const struct conf_key handlers_keys[] = {
	PATH("socket_dir", AT(handlers.socket_dir), "/run/assay", conf_check_socket_dir),
	COUNT("threads", AT(handlers.threads), "3", 1, 64),
	MSECS("wait", AT(handlers.wait_ms), "4s", 0, 60000),
	COUNT("wait_max", AT(handlers.wait_max), "1024", 0, 1000000),
	LIST("contact_schemes", AT(handlers.contact_schemes), "mailto", conf_check_scheme),
};

static const struct conf_key orders_keys[] = {
	SECS("order_lifetime", AT(orders.order_secs), "7d", 1, 90 * DAY),
	SECS("pending_authz_lifetime", AT(orders.pending_authz_secs), "7d", 1, 90 * DAY),
	/* CA/B BR 4.2.1 allowed 398 days at most, ever; a public CA stays far below. */
	SECS("valid_authz_lifetime", AT(orders.valid_authz_secs), "30d", 1, 398 * DAY),
	COUNT("names_max", AT(orders.names_max), "100", 1, 1000),
	/* RFC 9773 section 4.3.2: clients take less than a minute and more than a day for mistakes.
	 */
	SECS("renewal_check", AT(orders.renewal_check_secs), "6h", 60, DAY),
	COUNT("names_hourly", AT(orders.names_hourly), "20000", 0, 100000000),
	LIST("blocked_names", AT(orders.blocked_names), "", conf_check_blocked_name),
	PATH("public_suffixes", AT(orders.public_suffixes), NULL, NULL),
};

static const struct conf_key validation_keys[] = {
	LIST("resolvers", AT(validation.resolvers), "", conf_check_address),
	COUNT("http01_port", AT(validation.http01_port), "80", 1, PORT_MAX),
	COUNT("tlsalpn01_port", AT(validation.tlsalpn01_port), "443", 1, PORT_MAX),
	LIST("redirect_ports", AT(validation.redirect_ports), "80 443", conf_check_port),
	LIST("allow_addresses", AT(validation.allow_addresses), "", conf_check_cidr),
	LIST("challenges", AT(validation.challenges), "http-01 dns-01 tls-alpn-01",
		conf_check_challenge),
	CHOICE("dnssec", AT(validation.dnssec_require), "prefer", "prefer", "require"),
	SECS("attempt_timeout", AT(validation.attempt_secs), "20s", 1, 600),
	COUNT("attempts", AT(validation.attempts), "4", 1, 20),
	SECS("retry_pause", AT(validation.retry_secs), "2s", 0, HOUR),
	/* RFC 8659 section 2.2 and CA/B BR 3.2.2.8: a CAA answer serves for eight hours at most. */
	SECS("caa_max_age", AT(validation.caa_secs), "7h", 0, 8 * HOUR),
	COUNT("in_flight", AT(validation.in_flight), "2000", 1, 100000),
	COUNT("account_share", AT(validation.account_share), "100", 1, 100000),
};

static const struct conf_key workers_keys[] = {
	COUNT("batch", AT(workers.batch), "64", 1, 1024),
	MSECS("linger", AT(workers.linger_ms), "5ms", 0, 1000),
	SECS("lease", AT(workers.lease_secs), "8s", 2, HOUR),
	SECS("sweep", AT(workers.sweep_secs), "3s", 1, HOUR),
	/* CA/B BR 5.4.3 and 5.5.2: two years from the end of the certificate, of 398 days at most.
	 */
	SECS("retention", AT(workers.retention_secs), "1200d", DAY, 3650 * DAY),
};

static const struct conf_key crl_keys[] = {
	/* BR 4.9.7: nextUpdate at most ten days behind thisUpdate. */
	SECS("validity", AT(crl.validity_secs), "7d", 60, 10 * DAY),
	SECS("refresh", AT(crl.refresh_secs), "1d", 10, 7 * DAY),
	/* BR 4.9.7: a revocation is listed within 24 hours. */
	SECS("delay", AT(crl.delay_secs), "1m", 0, 12 * HOUR),
	PATH("folder", AT(crl.folder), NULL, NULL),
};

static const struct conf_key ocsp_keys[] = {
	PATH("state_dir", AT(ocsp.state_dir), "/var/lib/assay/ocsp", NULL),
	/* CA/B BR 4.9.10: from eight hours to ten days. */
	SECS("validity", AT(ocsp.validity_secs), "4d", 8 * HOUR, 10 * DAY),
	SECS("responder_validity", AT(ocsp.responder_secs), "30d", DAY, 398 * DAY),
	SECS("archive", AT(ocsp.archive_secs), "0s", 0, 3650 * DAY),
	CHOICE("never_issued", AT(ocsp.never_issued_revoked), "unauthorized", "unauthorized",
		"revoked"),
	COUNT("live_rate", AT(ocsp.live_rate), "200", 0, 1000000),
};

static const struct conf_key journal_keys[] = {
	PATH("folder", AT(journal.folder), NULL, NULL),
	COUNT("file_mib", AT(journal.file_mib), "64", 1, 4096),
	SECS("file_age", AT(journal.file_secs), "1d", 60, 30 * DAY),
	SECS("keep", AT(journal.keep_secs), "400d", DAY, 3650 * DAY),
};

static const struct conf_key log_keys[] = {
	TEXT("level", AT(log.level), "info", conf_check_log_level),
};

#undef AT
#define AT(field) offsetof(struct conf_profile, field)

static const struct conf_key profile_keys[] = {
	TEXT("description", AT(description), NULL, NULL),
	SECS("validity", AT(validity_secs), "90d", 60, 3650 * DAY),
	COUNT("names_max", AT(names_max), "100", 1, 1000),
	CHOICE("common_name", AT(common_name), "no", "no", "yes"),
	CHOICE("client_auth", AT(client_auth), "no", "no", "yes"),
	CHOICE("crl", AT(crl), "yes", "no", "yes"),
	LIST("key_types", AT(key_types), "rsa2048 rsa3072 rsa4096 p256 p384", conf_check_key_type),
	LIST("issuers", AT(issuers), "", NULL),
	SPAN("renewal_window", AT(renewal), NULL, 1, 3650 * DAY),
};

#undef AT
#define AT(field) offsetof(struct conf_issuer, field)

static const struct conf_key issuer_keys[] = {
	PATH("certificate", AT(certificate), conf_required, NULL),
	PATH("chain", AT(chain), NULL, NULL),
	PATHS("alternate_chains", AT(alternate_chains), "", NULL),
	PATH("roots", AT(roots), NULL, NULL),
	SOURCE("key", AT(key), conf_required, conf_check_key_source),
	SOURCE("key_passphrase", AT(key_passphrase), NULL, conf_check_passphrase_source),
	LIST("key_types", AT(key_types), "", conf_check_key_type),
	TIME("active_from", AT(active_from_us), "always"),
	TIME("active_until", AT(active_until_us), "never"),
	CHOICE("retired", AT(retired), "no", "no", "yes"),
	TEXT("ca_issuers_url", AT(ca_issuers_url), NULL, conf_check_file_url),
	TEXT("ocsp_url", AT(ocsp_url), NULL, conf_check_http_url),
	TEXT("crl_url", AT(crl_url), NULL, conf_check_file_url),
	COUNT("crl_shards", AT(crl_shards), "32", 1, CONF_CRL_SHARDS_MAX),
};

#undef AT

#define ONCE(word, table)                                                                          \
	{                                                                                          \
		.name = (word), .keys = (table), .nkeys = ARRAY_LEN(table)                         \
	}
#define NAMED(word, table, field, counter, element)                                                \
	{                                                                                          \
		.name = (word), .keys = (table), .nkeys = ARRAY_LEN(table),                        \
		.array = offsetof(struct conf, field), .count = offsetof(struct conf, counter),    \
		.size = sizeof(element)                                                            \
	}

const struct conf_section conf_sections[] = {
	ONCE("server", server_keys),
	ONCE("database", database_keys),
	ONCE("redis", redis_keys),
	ONCE("handlers", handlers_keys),
	ONCE("orders", orders_keys),
	ONCE("validation", validation_keys),
	ONCE("workers", workers_keys),
	ONCE("crl", crl_keys),
	ONCE("ocsp", ocsp_keys),
	ONCE("journal", journal_keys),
	ONCE("log", log_keys),
	NAMED("profile", profile_keys, profiles, nprofiles, struct conf_profile),
	NAMED("issuer", issuer_keys, issuers, nissuers, struct conf_issuer),
};
const size_t conf_sections_count = ARRAY_LEN(conf_sections);
