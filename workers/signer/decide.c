/* decide.c — see decide.h. One rule is one function; each returns OK or fills the problem. */
#include "workers/signer/decide.h"

#include "lib/acme/policy.h"
#include "lib/base/clock.h"

static bool is_asked(int64_t time_us)
{
	return time_us != INT64_MIN;
}

/* RFC 8555 section 7.1.6: an order that ran out is invalid, even if only our delay made it so. */
static int check_order(const struct issuance_job *job, struct problem *pb)
{
	if (job->expires_us <= job->now_us)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the order expired before its certificate was made");
	return OK;
}

static int check_account(const struct issuance_job *job, struct problem *pb)
{
	if (job->account_status != ACCOUNT_VALID)
		return problem_set(pb, PROBLEM_UNAUTHORIZED, "the account is no longer valid");
	return OK;
}

/* A name that the configuration would not take today is not signed today. */
static int check_names(const struct conf *conf, const struct issuance_job *job, struct problem *pb)
{
	char canonical[NAME_MAX_BYTES + 1];

	if (job->nnames == 0)
		return problem_set(pb, PROBLEM_MALFORMED, "the order has no names");
	for (size_t i = 0; i < job->nnames; i++) {
		int err = policy_name(conf, job->names[i], canonical, pb);

		if (err != OK)
			return err;
		if (!bytes_is(job->names[i], canonical))
			return problem_set(pb, PROBLEM_REJECTED_IDENTIFIER,
				"\"%s\" is not how the order spells it", canonical);
		if (i > 0) {
			struct bytes a = job->names[i - 1], b = job->names[i];
			int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

			/* Strictly rising: a duplicate could stand in for a name that nobody
			 * proved. */
			if (order > 0 || (order == 0 && a.len >= b.len))
				return problem_set(pb, PROBLEM_MALFORMED,
					"the order's names are not a set");
		}
	}
	return OK;
}

/* The authorization is for exactly this name: "*." goes with the wildcard flag. */
static bool covers(const struct issuance_authz *authz, struct bytes name)
{
	bool wildcard = name.len > 2 && name.ptr[0] == '*' && name.ptr[1] == '.';

	if (wildcard)
		name = bytes_of(name.ptr + 2, name.len - 2);
	return authz->wildcard == wildcard && bytes_equal(authz->name, name);
}

/* Why this authorization does not carry its name; NULL when it does. */
static const char *authz_fault(const struct issuance_job *job, const struct issuance_authz *authz,
	struct bytes name)
{
	if (!covers(authz, name))
		return "the authorization is for another name";
	if (!authz->same_account)
		return "the authorization belongs to another account";
	if (authz->status != AUTHZ_VALID)
		return "the authorization is not valid";
	if (authz->expires_us <= job->now_us)
		return "the authorization has expired";
	if (!is_asked(authz->validated_us) || authz->validated_us > job->now_us + 2 * USEC_PER_SEC)
		return "the authorization was never validated";
	switch (authz->method) {
	case CHALLENGE_DNS_01:
		return NULL;
	case CHALLENGE_HTTP_01:
	case CHALLENGE_TLS_ALPN_01:
		/* BR sections 3.2.2.4.19 and 3.2.2.4.20: these prove one host, never what lies
		 * below it. */
		return authz->wildcard ? "a wildcard is proven by dns-01 alone" : NULL;
	case CHALLENGE_NONE:
		break;
	}
	return "the authorization was validated by no method we know";
}

static int check_authzs(const struct issuance_job *job, struct problem *pb)
{
	char text[NAME_MAX_BYTES + 1];

	if (job->nauthzs != job->nnames)
		return problem_set(pb, PROBLEM_UNAUTHORIZED,
			"the order has %zu names and %zu authorizations", job->nnames,
			job->nauthzs);
	for (size_t i = 0; i < job->nnames; i++) {
		const char *fault = authz_fault(job, &job->authzs[i], job->names[i]);

		if (fault == NULL)
			continue;
		/* check_names has bounded the length. */
		memcpy(text, job->names[i].ptr, job->names[i].len);
		text[job->names[i].len] = '\0';
		problem_add_sub(pb, text, PROBLEM_UNAUTHORIZED, "%s", fault);
	}
	return problem_seal(pb, "names of the order are not authorized (any more)");
}

static int find_profile(const struct conf *conf, const struct issuance_job *job, struct problem *pb,
	const struct conf_profile **ret)
{
	const struct conf_profile *profile = conf_profile_find(conf, job->profile);

	if (profile == NULL)
		return problem_set(pb, PROBLEM_INVALID_PROFILE,
			"the order's profile is not offered any more");
	if (job->nnames > (size_t)profile->names_max)
		return problem_set(pb, PROBLEM_REJECTED_IDENTIFIER,
			"the profile takes at most %d names", profile->names_max);
	*ret = profile;
	return OK;
}

/* RFC 8555 section 7.4: the CSR asks for exactly the names of the order. Both are canonical and
 * sorted. */
static int check_csr_names(const struct issuance_job *job, const struct csr *csr,
	struct problem *pb)
{
	bool same = csr->nnames == job->nnames;

	for (size_t i = 0; same && i < job->nnames; i++)
		same = bytes_is(job->names[i], csr->names[i]);
	return same ? OK
		    : problem_set(pb, PROBLEM_BAD_CSR,
			      "the names of the CSR are not those of the order");
}

static bool list_has(const struct conf_list *list, const char *word)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
}

static int check_key(const struct issuance_job *job, const struct conf_profile *profile,
	const struct csr *csr, struct problem *pb)
{
	/* RFC 8555 section 11.1 and BR section 6.1.1.3. */
	if (job->key_is_account)
		return problem_set(pb, PROBLEM_BAD_CSR, "the key of the CSR is an account key");
	if (job->key_blocked)
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the key of the CSR is blocked: it is known to be compromised");
	if (!list_has(&profile->key_types, csr->key_type))
		return problem_set(pb, PROBLEM_BAD_CSR, "the profile does not take keys of type %s",
			csr->key_type);
	return OK;
}

static int64_t whole_secs(int64_t wall_us)
{
	return wall_us / USEC_PER_SEC * USEC_PER_SEC;
}

static int choose_not_before(const struct issuance_job *job, const struct conf_profile *profile,
	int64_t earliest_us, struct problem *pb, int64_t *ret)
{
	int64_t distance_us = NOT_BEFORE_DISTANCE_MAX_SECS * USEC_PER_SEC;
	int64_t backdate_secs = profile->validity_secs / 24;

	if (is_asked(job->not_before_us)) {
		*ret = whole_secs(job->not_before_us);
		if (*ret < job->now_us - distance_us || *ret > job->now_us + distance_us)
			return problem_set(pb, PROBLEM_MALFORMED,
				"notBefore is more than 48 hours from now");
		return OK;
	}
	if (backdate_secs > BACKDATE_MAX_SECS)
		backdate_secs = BACKDATE_MAX_SECS;
	*ret = whole_secs(job->now_us) - backdate_secs * USEC_PER_SEC;
	/* A young issuer: no backdating behind its own beginning. */
	if (*ret < earliest_us && earliest_us <= job->now_us)
		*ret = earliest_us;
	return OK;
}

/* RFC 8555 section 7.4: what was asked for is done exactly, or refused. Both ends are included (RFC
 * 5280 section 4.1.2.5): the certificate is valid for not_after - not_before + 1 s, and never
 * longer than the profile says. */
static int choose_validity(const struct issuance_job *job, const struct conf_profile *profile,
	int64_t earliest_us, struct problem *pb, struct verdict *ret)
{
	int64_t longest_us = (profile->validity_secs - 1) * USEC_PER_SEC;
	int64_t not_before, not_after;
	int err = choose_not_before(job, profile, earliest_us, pb, &not_before);

	if (err != OK)
		return err;
	not_after = not_before + longest_us;
	if (is_asked(job->not_after_us)) {
		not_after = whole_secs(job->not_after_us);
		/* Without a notBefore of the client's, the backdating gives way. */
		if (!is_asked(job->not_before_us) && not_after - longest_us > not_before &&
			not_after - longest_us <= job->now_us)
			not_before = not_after - longest_us;
		if (not_after < not_before || not_after - not_before > longest_us)
			return problem_set(pb, PROBLEM_MALFORMED,
				"notAfter must lie behind notBefore by less than %lld seconds",
				(long long)profile->validity_secs);
	}
	if (not_after <= job->now_us)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the certificate would have expired already");
	ret->not_before_us = not_before;
	ret->not_after_us = not_after;
	return OK;
}

/* The nth issuer of the profile, in its order of preference. NULL: it is not loaded. */
static const struct issuer *nth_issuer(const struct issuer_set *issuers,
	const struct conf_profile *profile, size_t n)
{
	if (profile->issuers.count == 0)
		return issuers->items[n];
	for (size_t i = 0; i < issuers->count; i++)
		if (strcmp(issuers->items[i]->name, profile->issuers.items[n]) == 0)
			return issuers->items[i];
	return NULL;
}

/* The operator lets it sign certificates today, for keys of this type. */
static bool may_sign(const struct issuer *issuer, int64_t now_us, const char *key_type)
{
	return !issuer->retired && issuer->active_from_us <= now_us &&
		now_us < issuer->active_until_us &&
		(issuer->key_types->count == 0 || list_has(issuer->key_types, key_type));
}

/* Nothing outlives its issuer (RFC 5280 section 6.1 would refuse it from then on), and nothing is
 * cut short for it. */
static bool spans(const struct issuer *issuer, int64_t now_us, const struct verdict *v)
{
	return issuer->not_before_us <= now_us && issuer->not_before_us <= v->not_before_us &&
		v->not_after_us <= issuer->not_after_us;
}

static bool is_ecdsa(const char *key_type)
{
	return strncmp(key_type, "rsa", 3) != 0;
}

/* Of the profile's issuers that may sign this key today and span the certificate's time: the first
 * whose key is of the same kind, ECDSA or RSA, since a client that can use the one kind may not
 * know the other; else the first. One whose key is out of reach is passed over; ERR_BUSY when no
 * other is left. */
static int choose_issuer(const struct issuer_set *issuers, const struct issuance_job *job,
	const struct conf_profile *profile, struct problem *pb, struct verdict *ret)
{
	size_t count = profile->issuers.count > 0 ? profile->issuers.count : issuers->count;
	bool ecdsa = is_ecdsa(ret->csr->key_type), waiting = false;

	for (size_t n = 0; n < count; n++) {
		const struct issuer *issuer = nth_issuer(issuers, profile, n);
		struct verdict here = *ret;
		int err;

		if (issuer == NULL || !may_sign(issuer, job->now_us, ret->csr->key_type))
			continue;
		err = choose_validity(job, profile, issuer->not_before_us, pb, &here);
		if (err != OK)
			return err;
		if (!spans(issuer, job->now_us, &here))
			continue;
		waiting = waiting || issuer->unreachable;
		if (issuer->unreachable ||
			(ret->issuer != NULL &&
				(ret->issuer->ecdsa == ecdsa || issuer->ecdsa != ecdsa)))
			continue;
		*ret = here;
		ret->issuer = issuer;
	}
	if (ret->issuer != NULL)
		return OK;
	if (waiting)
		return ERR_BUSY;
	return problem_set(pb, PROBLEM_SERVER_INTERNAL,
		"this CA has no issuing certificate for such a key that is valid for all of the "
		"certificate's time");
}

/* BR section 3.2.2.8: every name's CAA result is at most 8 hours old; the configuration may ask for
 * less. */
static bool caa_is_fresh(const struct conf *conf, const struct issuance_job *job)
{
	int64_t secs = conf->validation.caa_secs < CAA_AGE_MAX_SECS ? conf->validation.caa_secs
								    : CAA_AGE_MAX_SECS;

	for (size_t i = 0; i < job->nauthzs; i++) {
		int64_t caa_us = job->authzs[i].caa_us;

		if (!is_asked(caa_us) || caa_us < job->now_us - secs * USEC_PER_SEC ||
			caa_us > job->now_us + 2 * USEC_PER_SEC)
			return false;
	}
	return true;
}

static int decide_all(const struct conf *conf, const struct issuer_set *issuers,
	const struct issuance_job *job, struct problem *pb, struct verdict *ret)
{
	int err = check_order(job, pb);

	if (err == OK)
		err = check_account(job, pb);
	if (err == OK)
		err = check_names(conf, job, pb);
	if (err == OK)
		err = check_authzs(job, pb);
	if (err == OK)
		err = find_profile(conf, job, pb, &ret->profile);
	if (err == OK)
		err = csr_parse(job->csr, (size_t)ret->profile->names_max, pb, &ret->csr);
	if (err == OK)
		err = check_csr_names(job, ret->csr, pb);
	if (err == OK)
		err = check_key(job, ret->profile, ret->csr, pb);
	if (err == OK)
		err = choose_issuer(issuers, job, ret->profile, pb, ret);
	return err;
}

void decide(const struct conf *conf, const struct issuer_set *issuers,
	const struct issuance_job *job, struct problem *pb, struct verdict *ret)
{
	int err;

	*ret = (struct verdict){.action = VERDICT_DROP};
	if (job->status != ORDER_PROCESSING)
		return;
	err = decide_all(conf, issuers, job, pb, ret);
	if (err == OK) {
		ret->action = caa_is_fresh(conf, job) ? VERDICT_ISSUE : VERDICT_CAA;
		return;
	}
	if (err == ERR_PROBLEM)
		ret->action = VERDICT_REFUSE;
	if (err == ERR_BUSY)
		ret->action = VERDICT_WAIT;
}

void verdict_done(struct verdict *verdict)
{
	csr_free(verdict->csr);
	*verdict = (struct verdict){0};
}
