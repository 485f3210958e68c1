/* test_conf.c — assay.conf: what is read, what is assumed, and what an operator is told about a
 * mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "tests/unit/scratch_folder.h"

/* The least that a configuration must say; six lines. */
#define LEAST                                                                                      \
	"[server]\nbase_url = https://acme.example.org\n[database]\nuri = postgresql:///assay\n"   \
	"[redis]\nsocket = redis.sock\n"

#define ISSUER(name) "[issuer " name "]\ncertificate = " name ".pem\nkey = /keys/" name ".pem\n"

static struct conf *loaded(const char *text)
{
	CLEANUP_STR char *path = scratch_write("assay.conf", bytes_str(text), 0644);
	CLEANUP_STR char *error = NULL;
	struct conf *conf = NULL;

	if (conf_load(path, &conf, &error) != OK)
		fail_msg("refused: %s", error);
	return conf;
}

/* The message must be "PATH:" and want, to the end. */
static void assert_told_of(struct bytes text, const char *want)
{
	CLEANUP_STR char *path = scratch_write("assay.conf", text, 0644);
	CLEANUP_STR char *error = NULL;
	struct conf *conf = NULL;

	assert_int_equal(conf_load(path, &conf, &error), ERR_SYNTAX);
	assert_null(conf);
	assert_true(strncmp(error, path, strlen(path)) == 0 && error[strlen(path)] == ':');
	assert_string_equal(error + strlen(path) + 1, want);
}

static void assert_told(const char *text, const char *want)
{
	assert_told_of(bytes_str(text), want);
}

static void assert_list(const struct conf_list *list, const char *want)
{
	CLEANUP_BUF struct buf joined = {0};

	for (size_t i = 0; i < list->count; i++)
		buf_addf(&joined, "%s%s", i > 0 ? " " : "", list->items[i]);
	assert_string_equal(buf_str(&joined), want);
}

/* ---- reading ---- */

static void what_is_not_written_has_its_documented_default(void **state)
{
	CLEANUP(conf_free) struct conf *conf = loaded(LEAST);

	assert_null(conf->server.terms_of_service);
	assert_int_equal(conf->database.connections, 1);
	assert_null(conf->database.passwords);
	assert_string_equal(conf->handlers.socket_dir, "/run/assay");
	assert_int_equal(conf->handlers.threads, 3);
	assert_int_equal(conf->handlers.wait_ms, 4000);
	assert_int_equal(conf->handlers.wait_max, 1024);
	assert_list(&conf->handlers.contact_schemes, "mailto");
	assert_int_equal(conf->orders.order_secs, 7 * 86400);
	assert_int_equal(conf->orders.pending_authz_secs, 7 * 86400);
	assert_int_equal(conf->orders.valid_authz_secs, 30 * 86400);
	assert_int_equal(conf->orders.names_max, 100);
	assert_int_equal(conf->orders.renewal_check_secs, 6 * 3600);
	assert_int_equal(conf->validation.resolvers.count, 0);
	assert_int_equal(conf->validation.http01_port, 80);
	assert_int_equal(conf->validation.tlsalpn01_port, 443);
	assert_list(&conf->validation.redirect_ports, "80 443");
	assert_list(&conf->validation.challenges, "http-01 dns-01 tls-alpn-01");
	assert_false(conf->validation.dnssec_require);
	assert_int_equal(conf->validation.attempt_secs, 20);
	assert_int_equal(conf->validation.attempts, 4);
	assert_int_equal(conf->validation.retry_secs, 2);
	assert_int_equal(conf->validation.caa_secs, 7 * 3600);
	assert_int_equal(conf->validation.in_flight, 2000);
	assert_int_equal(conf->workers.batch, 64);
	assert_int_equal(conf->workers.linger_ms, 5);
	assert_int_equal(conf->workers.lease_secs, 8);
	assert_int_equal(conf->workers.sweep_secs, 3);
	assert_int_equal(conf->workers.retention_secs, 1200LL * 86400);
	assert_int_equal(conf->crl.validity_secs, 7 * 86400);
	assert_int_equal(conf->crl.refresh_secs, 86400);
	assert_int_equal(conf->crl.delay_secs, 60);
	assert_null(conf->crl.folder);
	assert_string_equal(conf->log.level, "info");
}

static void without_a_profile_there_is_one_called_default(void **state)
{
	CLEANUP(conf_free) struct conf *conf = loaded(LEAST);
	const struct conf_profile *profile = conf_profile_find(conf, bytes_str("default"));

	assert_int_equal(conf->nprofiles, 1);
	assert_ptr_equal(profile, &conf->profiles[0]);
	assert_int_equal(profile->validity_secs, 90 * 86400);
	assert_int_equal(profile->names_max, 100);
	assert_false(profile->common_name || profile->client_auth);
	assert_true(profile->crl);
	assert_list(&profile->key_types, "rsa2048 rsa3072 rsa4096 p256 p384");
	assert_int_equal(profile->issuers.count, 0);
}

static void profiles_keep_their_order_and_are_found_by_name(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf =
		loaded(LEAST "[profile short]\nvalidity = 6d\ncommon_name = yes\n"
			     "description = six days, for the brave\n[profile classic]\n");

	assert_int_equal(conf->nprofiles, 2);
	assert_string_equal(conf->profiles[0].name, "short");
	assert_string_equal(conf->profiles[0].description, "six days, for the brave");
	assert_true(conf->profiles[0].common_name);
	assert_ptr_equal(conf_profile_find(conf, bytes_str("classic")), &conf->profiles[1]);
	assert_null(conf_profile_find(conf, bytes_str("default")));
	assert_null(conf_profile_find(conf, bytes_of("short\0", 6)));
}

static void a_profile_uses_every_issuer_unless_it_names_some(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = loaded(
		LEAST "[profile a]\n[profile b]\nissuers = two\n" ISSUER("one") ISSUER("two"));

	assert_list(&conf->profiles[0].issuers, "one two");
	assert_list(&conf->profiles[1].issuers, "two");
}

static void an_issuer_without_a_chain_sends_its_certificate(void **state)
{
	CLEANUP(conf_free) struct conf *conf = loaded(LEAST ISSUER("one"));

	assert_string_equal(conf->issuers[0].chain, conf->issuers[0].certificate);
}

static void relative_paths_begin_in_the_files_folder(void **state)
{
	CLEANUP(conf_free) struct conf *conf = loaded(LEAST ISSUER("one"));
	CLEANUP_BUF struct buf want = {0};

	buf_addf(&want, "%s/redis.sock", scratch_folder());
	assert_string_equal(conf->redis.socket, buf_str(&want));
	assert_string_equal(conf->issuers[0].key, "/keys/one.pem");
}

static void comments_blank_lines_and_spaces_do_not_matter(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = loaded("# comment\n;another\n\n \t\r\n" LEAST
				   "[ log ]\r\n\t level=debug  \r\n  # indented");

	assert_string_equal(conf->log.level, "debug");
}

static void a_value_may_hold_what_begins_a_comment_elsewhere(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = loaded(LEAST "[profile a]\ndescription = a = b # c ; d\n");

	assert_string_equal(conf->profiles[0].description, "a = b # c ; d");
}

static void lists_are_separated_by_spaces_or_commas(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = loaded(LEAST "[validation]\nredirect_ports = 80,443 , "
					 "8443\t,\nallow_addresses = 10.0.0.0/8 ::/0\n"
					 "resolvers = 127.0.0.1:53 [::1]:5353\n"
					 "[orders]\nblocked_names = example.com .example.net\n"
					 "[handlers]\ncontact_schemes =\n");

	assert_list(&conf->validation.redirect_ports, "80 443 8443");
	assert_list(&conf->validation.allow_addresses, "10.0.0.0/8 ::/0");
	assert_list(&conf->validation.resolvers, "127.0.0.1:53 [::1]:5353");
	assert_list(&conf->orders.blocked_names, "example.com .example.net");
	assert_list(&conf->handlers.contact_schemes, "");
}

static void durations_are_read_in_every_unit(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = loaded(LEAST
		"[handlers]\nwait = 1500ms\n[orders]\norder_lifetime = 90m\n"
		"pending_authz_lifetime = 3h\nvalid_authz_lifetime = 10d\n[workers]\nlinger = 0\n"
		"lease = 120000ms\n");

	assert_int_equal(conf->handlers.wait_ms, 1500);
	assert_int_equal(conf->orders.order_secs, 5400);
	assert_int_equal(conf->orders.pending_authz_secs, 10800);
	assert_int_equal(conf->orders.valid_authz_secs, 864000);
	assert_int_equal(conf->workers.linger_ms, 0);
	assert_int_equal(conf->workers.lease_secs, 120);
}

static void the_sample_is_a_valid_configuration(void **state)
{
	CLEANUP_BUF struct buf path = {0};
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP_STR char *error = NULL;

	buf_addf(&path, "%s/docs/assay.conf.sample",
		getenv("srcdir") != NULL ? getenv("srcdir") : ".");
	if (conf_load(buf_str(&path), &conf, &error) != OK)
		fail_msg("%s", error);
	assert_string_equal(conf->profiles[0].name, "default");
	assert_list(&conf->profiles[0].issuers, "main");
}

/* ---- mistakes ---- */

static void an_unknown_section_or_key_is_answered_with_the_nearest_word(void **state)
{
	assert_told("[servr]\n", "1: no section is called [servr]; did you mean [server]?");
	assert_told("[handlers]\n\ntreads = 2\n",
		"3: [handlers] has no key treads; did you mean threads?");
	assert_told("[validation]\nhttp_01_port = 80\n",
		"2: [validation] has no key http_01_port; did you mean http01_port?");
}

static void without_a_near_word_all_are_listed(void **state)
{
	assert_told("[redis]\nhost = localhost\n",
		"2: [redis] has no key host; choose from socket, address, passwords");
	assert_told("[acme]\n",
		"1: no section is called [acme]; choose from server, database, redis, handlers, "
		"orders, validation, workers, crl, ocsp, journal, log, profile, issuer");
}

static void a_key_of_another_section_is_sent_there(void **state)
{
	assert_told("[server]\nlinger = 5ms\n",
		"2: [server] has no key linger; move it to [workers]");
}

static void what_is_written_twice_is_refused(void **state)
{
	assert_told("[log]\nlevel = info\nlevel = debug\n",
		"3: level was written in line 2 already; remove one of them");
	assert_told("[log]\n[workers]\n[log]\n", "3: [log] was opened in line 1; join the two");
	assert_told("[profile a]\n[profile b]\n[profile a]\n",
		"3: [profile a] was there before; join the two");
}

static void what_must_be_written_is_named_with_the_line_of_its_section(void **state)
{
	assert_told("[server]\nwebsite = https://example.org\n\n[log]\n",
		"1: [server] lacks base_url; add the line base_url = …");
	assert_told(LEAST "[issuer one]\ncertificate = a.pem\n",
		"7: [issuer] lacks key; add the line key = …");
	assert_told("# nothing\n", "1: [server] lacks base_url; add the line base_url = …");
}

static void lines_of_no_shape_are_refused(void **state)
{
	assert_told("[log]\nlevel\n",
		"2: \"level\" is neither [section] nor key = value; '#' begins a comment");
	assert_told("level = info\n",
		"1: level stands before the first [section]; move it into one");
	assert_told("[log\n", "1: [log is not closed; end it with ]");
	assert_told("[profile]\n", "1: [profile] needs a name; write [profile NAME]");
	assert_told("[log a]\n", "1: [log] takes no name; write [log]");
	assert_told("[profile a b]\n", "1: a b is no name; use letters, digits, '-', '_' and '.'");
	assert_told("[log]\nlevel =\n", "2: level = : write a value, or remove the line");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	static const char want[] = "2: there are bytes that are no UTF-8 text; remove them";

	assert_told_of(bytes_of("[log]\nlevel = in\0fo\n", 20), want);
	assert_told("[log]\nlevel = \xe9\n", want);
	assert_told("[log]\nlevel = \x1b[2J\n", want);
}

static void numbers_out_of_range_are_refused(void **state)
{
	static const char *const values[] = {"0", "65536", "-1", "+1", "80x", "0x50", "8 0",
		"99999999999999999999"};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CLEANUP_BUF struct buf text = {0};
		CLEANUP_BUF struct buf want = {0};

		buf_addf(&text, "[validation]\nhttp01_port = %s\n", values[i]);
		buf_addf(&want, "2: http01_port = %s: write a number from 1 to 65535", values[i]);
		assert_told(buf_str(&text), buf_str(&want));
	}
}

static void durations_without_unit_or_out_of_range_are_refused(void **state)
{
	static const char *const values[] = {"5", "5 s", "5sec", "1500ms", "0s", "61m", "-1s", "s",
		"1h1m", "9223372036854775807d"};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CLEANUP_BUF struct buf text = {0};
		CLEANUP_BUF struct buf want = {0};

		buf_addf(&text, "[workers]\nsweep = %s\n", values[i]);
		buf_addf(&want, "2: sweep = %s: write a duration with its unit, from 1s to 1h",
			values[i]);
		assert_told(buf_str(&text), buf_str(&want));
	}
}

static void a_renewal_window_is_a_time_before_the_end_or_a_share(void **state)
{
	static const char *const values[] = {"0%", "100%", "%", "-1%", "5.5%", "50 %", "x%",
		"99999999999999999999%"};
	CLEANUP(conf_free)
	struct conf *conf = loaded(LEAST "[profile a]\nrenewal_window = 30d\n[profile b]\n"
					 "renewal_window = 50%\n[profile c]\n");

	assert_int_equal(conf->profiles[0].renewal.secs, 30 * 86400);
	assert_int_equal(conf->profiles[0].renewal.percent, 0);
	assert_int_equal(conf->profiles[1].renewal.secs, 0);
	assert_int_equal(conf->profiles[1].renewal.percent, 50);
	assert_true(conf->profiles[2].renewal.secs == 0 && conf->profiles[2].renewal.percent == 0);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CLEANUP_BUF struct buf text = {0};
		CLEANUP_BUF struct buf want = {0};

		buf_addf(&text, "[profile a]\nrenewal_window = %s\n", values[i]);
		buf_addf(&want, "2: renewal_window = %s: write a share from 1%% to 99%%",
			values[i]);
		assert_told(buf_str(&text), buf_str(&want));
	}
	assert_told("[profile a]\nrenewal_window = 30\n",
		"2: renewal_window = 30: write a duration with its unit, from 1s to 3650d");
	assert_told(LEAST "[profile a]\nvalidity = 30d\nrenewal_window = 30d\n",
		"9: [profile a] renewal_window is not shorter than validity; write how long before "
		"the end it shall be, or a share");
}

static void an_unknown_issuer_is_refused(void **state)
{
	assert_told(LEAST "[profile a]\nissuers = mian\n" ISSUER("main"),
		"11: [profile a] names the issuer mian; did you mean main?");
	assert_told(LEAST "[profile a]\nissuers = main\n",
		"8: [profile a] names the issuer main; add its section [issuer main]");
}

/* Every value is refused by its key, with advice. */
static void assert_values_are_refused(const char *section, const char *key,
	const char *const values[])
{
	for (; *values != NULL; values++) {
		CLEANUP_BUF struct buf text = {0};
		CLEANUP_STR char *path = NULL;
		CLEANUP_STR char *error = NULL;
		struct conf *conf = NULL;

		buf_addf(&text, "[%s]\n%s = %s\n", section, key, *values);
		path = scratch_write("assay.conf", buf_bytes(&text), 0644);
		assert_int_equal(conf_load(path, &conf, &error), ERR_SYNTAX);
		buf_reset(&text);
		buf_addf(&text, "%s:2: %s = %s: ", path, key, *values);
		if (strncmp(error, buf_str(&text), text.len) != 0)
			fail_msg("not about the value: %s", error);
	}
}

#define REFUSED(section, key, ...)                                                                 \
	assert_values_are_refused((section), (key), (const char *const[]){__VA_ARGS__, NULL})

static void issuers_have_times_sources_and_chains(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf =
		loaded(LEAST "[issuer a]\ncertificate = a.pem\nkey = credential:a.key\n"
			     "key_passphrase = credential:a.pass\nactive_from = 2027-01-31\n"
			     "active_until = 2027-02-01T12:00:00Z\nretired = yes\n"
			     "alternate_chains = one.pem, /two.pem\nkey_types = p256 p384\n"
			     "[issuer b]\ncertificate = b.pem\nkey = pkcs11:object=a\n");
	const struct conf_issuer *a = &conf->issuers[0], *b = &conf->issuers[1];

	assert_string_equal(a->key, "credential:a.key");
	assert_string_equal(a->key_passphrase, "credential:a.pass");
	assert_int_equal(a->active_from_us, 1801353600LL * 1000000);
	assert_int_equal(a->active_until_us, 1801483200LL * 1000000);
	assert_true(a->retired);
	assert_int_equal(a->alternate_chains.count, 2);
	assert_true(a->alternate_chains.items[0][0] == '/' &&
		strstr(a->alternate_chains.items[0], "/one.pem") != NULL);
	assert_string_equal(a->alternate_chains.items[1], "/two.pem");
	assert_list(&a->key_types, "p256 p384");
	assert_string_equal(b->key, "pkcs11:object=a");
	assert_true(b->active_from_us == INT64_MIN && b->active_until_us == INT64_MAX);
	assert_false(b->retired);
	assert_int_equal(b->alternate_chains.count + b->key_types.count, 0);
}

static void base_urls_are_https_without_a_tail(void **state)
{
	REFUSED("server", "base_url", "http://a.example", "https://", "https:///a",
		"https://a.example/", "https://a.example/?x", "https://a.example#x",
		"https://a.example/a b", "a.example", "https://\xc3\xa9.example");
}

static void values_of_other_keys_are_checked_where_they_are_written(void **state)
{
	REFUSED("server", "website", "ftp://a.example", "https://", "https://a.example/\"x");
	REFUSED("server", "caa_identities", "Example.org", "-a.example", "a..example",
		".example.org", "a b/c");
	REFUSED("orders", "blocked_names", "*.example.org", "..example", "EXAMPLE.org");
	REFUSED("database", "uri", "postgresql://bob@db/assay", "postgresql://bob:x@/assay",
		"host=db user=bob", "host=db password=x", "postgresql:///assay?user=bob", "assay");
	REFUSED("handlers", "contact_schemes", "mailto:", "1a", "Mailto");
	REFUSED("validation", "challenges", "http", "tls-sni-01", "dns-01 dns-01");
	REFUSED("validation", "resolvers", "127.0.0.1", "ns.example.org:53", "::1:53", "[::1]",
		"127.0.0.1:0", "127.0.0.1:65536", ":53", "[127.0.0.1]:53", "[::1:53",
		"127.0.0.1:053");
	REFUSED("validation", "redirect_ports", "0", "65536", "http", "80 80", "080");
	REFUSED("validation", "allow_addresses", "10.0.0.0", "10.0.0.0/33", "10.1.2.3/8",
		"fd00::/129", "fd00::1/8", "/8", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "a/8");
	REFUSED("validation", "dnssec", "yes", "Require", "required");
	REFUSED("log", "level", "warn", "INFO");
	REFUSED("profile a", "key_types", "rsa1024", "P256", "ed25519");
	REFUSED("profile a", "common_name", "true", "1");
}

static void what_is_published_has_a_plain_path(void **state)
{
	REFUSED("issuer a", "crl_url", "https://a.example/crl", "http://a.example",
		"http://a.example/", "http://a.example/crl/", "http://a.example//crl",
		"http://a.example/../crl", "http://a.example/.crl", "http://a.example/a%2fb",
		"http://a.example/crl?x", "http://a.example/a b");
	REFUSED("issuer a", "ca_issuers_url", "http://a.example/", "ftp://a.example/a.cer");
	REFUSED("issuer a", "crl_shards", "0", "1025", "many");
	REFUSED("issuer a", "retired", "true", "1");
	REFUSED("issuer a", "active_from", "tomorrow", "2027-13-01", "2027-02-30", "2027-1-1",
		"2027-01-01T25:00:00Z", "2027-01-01 12:00:00", "12:00:00");
	REFUSED("issuer a", "key_types", "rsa", "p256 ed25519", "p256 p256");
	REFUSED("issuer a", "key", "credential:", "credential:../a", "credential:a/b",
		"credential:..", "pkcs11:object=a?module-path=/m.so&pin-value=1234");
	REFUSED("issuer a", "key_passphrase", "pkcs11:object=a", "credential:");
	REFUSED("issuer a", "alternate_chains", "a.pem a.pem");
}

static void revocation_lists_must_fit_their_rules(void **state)
{
	assert_told(LEAST "[crl]\nvalidity = 11d\n",
		"8: validity = 11d: write a duration with its "
		"unit, from 1m to 10d");
	assert_told(LEAST "[crl]\nvalidity = 2d\nrefresh = 25h\n",
		"9: [crl] refresh is more than half of validity; shorten it, so that a list is "
		"replaced well before its end");
	assert_told(LEAST "[profile a]\nvalidity = 8d\ncrl = no\n",
		"9: [profile a] has crl = no, and certificates of more than 7d must be revocable; "
		"leave it out, or shorten validity");
	conf_free(loaded(LEAST "[profile a]\nvalidity = 7d\ncrl = no\n"));
	assert_told(LEAST ISSUER("a") "crl_url = http://x.org/c\n" ISSUER(
			    "b") "crl_url = http://y.org/c\n",
		"14: [issuer a] and [issuer b] would publish the same files; give each its own "
		"path "
		"in crl_url and ca_issuers_url");
}

static void ocsp_must_fit_its_rules(void **state)
{
	assert_told(LEAST "[ocsp]\nvalidity = 7h\n",
		"8: validity = 7h: write a duration with its unit, from 8h to 10d");
	assert_told(LEAST "[ocsp]\nvalidity = 11d\n",
		"8: validity = 11d: write a duration with its unit, from 8h to 10d");
	assert_told(LEAST "[ocsp]\nvalidity = 10d\nresponder_validity = 719h\n",
		"9: [ocsp] responder_validity is less than three times validity; lengthen it, so "
		"that no response ends early for its responder's sake");
	conf_free(loaded(LEAST "[ocsp]\nvalidity = 10d\n"));
	REFUSED("issuer a", "ocsp_url", "https://a.example/", "ocsp.example");
}

static void urls_are_short_enough_for_a_header(void **state)
{
	char url[600 + 1] = "https://a.example/";

	memset(url + 18, 'x', 512 - 18);
	CLEANUP_BUF struct buf fits = {0};

	buf_addf(&fits,
		"[server]\nbase_url = https://a.example\nterms_of_service = %s\n"
		"[database]\nuri = postgresql:///assay\n",
		url);
	conf_free(loaded(buf_str(&fits)));
	url[512] = 'x';
	REFUSED("server", "terms_of_service", url);
	REFUSED("server", "website", url);
	REFUSED("server", "base_url", url);
	REFUSED("issuer a", "crl_url", url);
}

static void a_socket_path_must_fit_its_address(void **state)
{
	char path[108 + 1] = "/";

	/* sun_path holds 108 bytes with the NUL; a handler puts up to 15 behind the folder. */
	memset(path + 1, 'x', 107);
	REFUSED("redis", "socket", path);
	path[108 - 15] = '\0';
	REFUSED("handlers", "socket_dir", path);
}

static void redis_is_where_its_address_says_and_asks_for_a_password_there(void **state)
{
	CLEANUP(conf_free) struct conf *local = loaded(LEAST);
	CLEANUP(conf_free)
	struct conf *remote = loaded(LEAST "address = [fd00::1]:6379\npasswords = /secrets\n");

	assert_string_equal(conf_redis(local), local->redis.socket);
	assert_string_equal(conf_redis(remote), "[fd00::1]:6379");
	assert_told(LEAST "address = 10.0.0.1:6379\n",
		"7: [redis] address needs passwords; add the folder that assayctl init made");
	REFUSED("redis", "address", "10.0.0.1", "redis.example.org:6379", "localhost:6379",
		"10.0.0.1:0", "fd00::1:6379", "/run/redis.sock");
}

static void usual_database_strings_are_accepted(void **state)
{
	static const char *const uris[] = {
		"postgresql://db1:5432,db2/assay?target_session_attrs=primary",
		"postgres:///assay?host=/run/postgresql",
		"host=db dbname=assay sslpassword=x sslmode=verify-full",
	};

	for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
		CLEANUP(conf_free) struct conf *conf = NULL;
		CLEANUP_BUF struct buf text = {0};

		buf_addf(&text,
			"[server]\nbase_url = https://a.example:8443/acme\n[redis]\nsocket = s\n"
			"[database]\nuri = %s\n",
			uris[i]);
		conf = loaded(buf_str(&text));
		assert_string_equal(conf->database.uri, uris[i]);
	}
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
	CLEANUP_STR char *error = NULL;
	struct conf *conf = NULL;

	assert_int_equal(conf_load("/nonexistent/assay.conf", &conf, &error), ERR_NOENT);
	assert_null(conf);
	assert_string_equal(error,
		"/nonexistent/assay.conf:0: cannot be read (No such file or directory); "
		"assay.conf.sample is a file to begin with");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_written_has_its_documented_default),
		cmocka_unit_test(without_a_profile_there_is_one_called_default),
		cmocka_unit_test(profiles_keep_their_order_and_are_found_by_name),
		cmocka_unit_test(a_profile_uses_every_issuer_unless_it_names_some),
		cmocka_unit_test(an_issuer_without_a_chain_sends_its_certificate),
		cmocka_unit_test(relative_paths_begin_in_the_files_folder),
		cmocka_unit_test(comments_blank_lines_and_spaces_do_not_matter),
		cmocka_unit_test(a_value_may_hold_what_begins_a_comment_elsewhere),
		cmocka_unit_test(lists_are_separated_by_spaces_or_commas),
		cmocka_unit_test(durations_are_read_in_every_unit),
		cmocka_unit_test(the_sample_is_a_valid_configuration),
		cmocka_unit_test(an_unknown_section_or_key_is_answered_with_the_nearest_word),
		cmocka_unit_test(without_a_near_word_all_are_listed),
		cmocka_unit_test(a_key_of_another_section_is_sent_there),
		cmocka_unit_test(what_is_written_twice_is_refused),
		cmocka_unit_test(what_must_be_written_is_named_with_the_line_of_its_section),
		cmocka_unit_test(lines_of_no_shape_are_refused),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(durations_without_unit_or_out_of_range_are_refused),
		cmocka_unit_test(a_renewal_window_is_a_time_before_the_end_or_a_share),
		cmocka_unit_test(an_unknown_issuer_is_refused),
		cmocka_unit_test(issuers_have_times_sources_and_chains),
		cmocka_unit_test(base_urls_are_https_without_a_tail),
		cmocka_unit_test(values_of_other_keys_are_checked_where_they_are_written),
		cmocka_unit_test(what_is_published_has_a_plain_path),
		cmocka_unit_test(revocation_lists_must_fit_their_rules),
		cmocka_unit_test(ocsp_must_fit_its_rules),
		cmocka_unit_test(urls_are_short_enough_for_a_header),
		cmocka_unit_test(a_socket_path_must_fit_its_address),
		cmocka_unit_test(redis_is_where_its_address_says_and_asks_for_a_password_there),
		cmocka_unit_test(usual_database_strings_are_accepted),
		cmocka_unit_test(a_file_that_cannot_be_read_says_why),
	};

	return cmocka_run_group_tests_name("conf", tests, scratch_folder_make,
		scratch_folder_remove);
}
