/* conf_whole.c — what only the whole of assay.conf can show: settings that do not fit each other,
 * and those whose default depends on others. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/conf_table.h"
#include "lib/base/nearest.h"

static int PRINTF_LIKE(2, 3) advise(char **ret_advice, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(ret_advice, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	return ERR_SYNTAX;
}

static bool issuer_exists(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nissuers; i++) {
		if (strcmp(conf->issuers[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A profile without issuers uses every one; those that it names must exist. */
static int resolve_issuers(const struct conf *conf, struct conf_profile *profile, char **ret_advice)
{
	struct conf_list *list = &profile->issuers;

	for (size_t i = 0; i < list->count; i++) {
		struct nearest n = {.word = list->items[i]};

		if (issuer_exists(conf, list->items[i]))
			continue;
		for (size_t j = 0; j < conf->nissuers; j++)
			nearest_offer(&n, conf->issuers[j].name);
		return advise(ret_advice, "[profile %s] names the issuer %s; %s%s%s", profile->name,
			list->items[i],
			n.best != NULL ? "did you mean " : "add its section [issuer ",
			n.best != NULL ? n.best : list->items[i], n.best != NULL ? "?" : "]");
	}
	if (list->count > 0 || conf->nissuers == 0)
		return OK;
	list->items = xcalloc(conf->nissuers, sizeof(*list->items));
	for (; list->count < conf->nissuers; list->count++)
		list->items[list->count] = xstrdup(conf->issuers[list->count].name);
	return OK;
}

/* Before a certificate is valid it cannot be renewed. */
static int check_renewal(const struct conf_profile *profile, char **ret_advice)
{
	if (profile->renewal.secs < profile->validity_secs)
		return OK;
	return advise(ret_advice,
		"[profile %s] renewal_window is not shorter than validity; write how long before "
		"the end it shall be, or a share",
		profile->name);
}

/* TCP is open to whoever can reach it: nobody is let in without a password there. */
static int check_redis(const struct conf *conf, char **ret_advice)
{
	if (conf->redis.address != NULL && conf->redis.passwords == NULL)
		return advise(ret_advice,
			"[redis] address needs passwords; add the folder that assayctl init made");
	return OK;
}

/* BR 7.1.2.11.2: only what is over within seven days may go without a list (or OCSP). */
static int check_profile_crl(const struct conf_profile *profile, char **ret_advice)
{
	if (profile->crl || profile->validity_secs <= CONF_SHORT_LIVED_SECS)
		return OK;
	return advise(ret_advice,
		"[profile %s] has crl = no, and certificates of more than 7d must be revocable; "
		"leave it out, or shorten validity",
		profile->name);
}

/* What the keeper writes below one folder, so the host does not tell two files apart. */
static bool is_same_file(const char *a_url, const char *b_url)
{
	size_t scheme = strlen("http://");

	return a_url != NULL && b_url != NULL &&
		strcmp(strchr(a_url + scheme, '/'), strchr(b_url + scheme, '/')) == 0;
}

static int check_issuer_files(const struct conf *conf, size_t i, char **ret_advice)
{
	const struct conf_issuer *issuers = conf->issuers;

	for (size_t j = 0; j < i; j++) {
		if (is_same_file(issuers[i].crl_url, issuers[j].crl_url) ||
			is_same_file(issuers[i].ca_issuers_url, issuers[j].ca_issuers_url))
			return advise(ret_advice,
				"[issuer %s] and [issuer %s] would publish the same files; give "
				"each its own path in crl_url and ca_issuers_url",
				issuers[j].name, issuers[i].name);
	}
	return OK;
}

static int check_crl(const struct conf *conf, char **ret_advice)
{
	int err = OK;

	if (conf->crl.refresh_secs * 2 > conf->crl.validity_secs)
		return advise(ret_advice,
			"[crl] refresh is more than half of validity; shorten it, so that a list "
			"is replaced well before its end");
	for (size_t i = 0; err == OK && i < conf->nprofiles; i++)
		err = check_profile_crl(&conf->profiles[i], ret_advice);
	for (size_t i = 0; err == OK && i < conf->nissuers; i++)
		err = check_issuer_files(conf, i, ret_advice);
	return err;
}

static int check_ocsp(const struct conf *conf, char **ret_advice)
{
	/* A responder is replaced when a third of its time is left, and no response outlives its
	 * responder. */
	if (conf->ocsp.responder_secs < 3 * conf->ocsp.validity_secs)
		return advise(ret_advice,
			"[ocsp] responder_validity is less than three times validity; lengthen it, "
			"so that no response ends early for its responder's sake");
	return OK;
}

int conf_check_whole(struct conf *conf, char **ret_advice)
{
	int err = check_redis(conf, ret_advice);

	for (size_t i = 0; err == OK && i < conf->nprofiles; i++) {
		err = resolve_issuers(conf, &conf->profiles[i], ret_advice);
		if (err == OK)
			err = check_renewal(&conf->profiles[i], ret_advice);
	}
	if (err == OK)
		err = check_crl(conf, ret_advice);
	if (err == OK)
		err = check_ocsp(conf, ret_advice);
	if (err != OK)
		return err;
	for (size_t i = 0; i < conf->nissuers; i++) {
		if (conf->issuers[i].active_from_us >= conf->issuers[i].active_until_us)
			return advise(ret_advice,
				"[issuer %s] is active until before it is active from",
				conf->issuers[i].name);
		if (conf->issuers[i].chain == NULL)
			conf->issuers[i].chain = xstrdup(conf->issuers[i].certificate);
	}
	return OK;
}
