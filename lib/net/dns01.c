/* dns01.c — see dns01.h. */
#include "lib/net/dns01.h"

#include "lib/base/b64url.h"
#include "lib/net/probe.h"
#include "lib/pki/ossl.h"

#define EVIDENCE_RECORDS_MAX 8

struct dns01 {
	struct probe *probe;
	struct dns_query *query;
	struct buf name;
};

void dns01_name(const char *name, struct buf *out)
{
	buf_addf(out, "_acme-challenge.%s", name);
}

void dns01_expected(const char *key_authorization, struct buf *out)
{
	uint8_t digest[32];

	ossl_sha256_of(bytes_str(key_authorization), digest);
	b64url_append(out, bytes_of(digest, sizeof(digest)));
}

/* Whether a record is the expected value; keeps the first other one for the message. */
static bool find_match(const struct dns_answer *answer, struct bytes want, struct jx_out *evidence,
	struct buf *first)
{
	bool found = false;

	jx_begin_array(evidence, "records");
	for (size_t i = 0; i < answer->nrecords; i++) {
		CLEANUP_BUF struct buf text = {0}, quoted = {0};

		if (dnsmsg_txt_join(answer->records[i], &text) != OK)
			continue;
		found = found || bytes_equal(buf_bytes(&text), want);
		problem_quote(&quoted, buf_bytes(&text), 100);
		if (i < EVIDENCE_RECORDS_MAX)
			jx_put_bytes(evidence, NULL, buf_bytes(&quoted));
		if (first->len == 0)
			buf_add(first, quoted.ptr, quoted.len);
	}
	jx_end_array(evidence);
	return found;
}

static void judge_records(struct dns01 *d, const struct dns_answer *answer)
{
	CLEANUP_BUF struct buf want = {0}, first = {0};

	dns01_expected(d->probe->key_authorization, &want);
	if (find_match(answer, buf_bytes(&want), d->probe->evidence, &first))
		return;
	problem_set(&d->probe->pb, PROBLEM_INCORRECT_RESPONSE,
		"%s has %zu TXT record%s, none of which is \"%s\"; the first is \"%s\"",
		buf_str(&d->name), answer->nrecords, answer->nrecords == 1 ? "" : "s",
		buf_str(&want), buf_str(&first));
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct dns01 *d = arg;
	struct probe *probe = d->probe;

	jx_put_bool(probe->evidence, "dnssec", answer->authenticated);
	switch (answer->status) {
	case DNS_FOUND:
		judge_records(d, answer);
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		problem_set(&probe->pb, PROBLEM_DNS, "no TXT record at %s (%s)", buf_str(&d->name),
			answer->status == DNS_NXDOMAIN ? "NXDOMAIN: there is no such name"
						       : "NODATA");
		break;
	case DNS_FAILED:
		jx_put_str(probe->evidence, "fault", answer->reason);
		problem_set(&probe->pb, PROBLEM_DNS, "looking up TXT records of %s: %s",
			buf_str(&d->name), answer->reason);
		break;
	}
	buf_done(&d->name);
	free(d);
	probe->done(probe->arg);
}

static void *dns01_start(struct probe *probe)
{
	struct dns01 *d = xcalloc(1, sizeof(*d));

	d->probe = probe;
	dns01_name(probe->name, &d->name);
	jx_put_bytes(probe->evidence, "query", buf_bytes(&d->name));
	d->query = dns_ask(probe->px->dns, buf_str(&d->name), DNS_TXT, on_answer, d);
	return d;
}

static void dns01_expire(void *state)
{
	struct dns01 *d = state;

	problem_set(&d->probe->pb, PROBLEM_DNS,
		"looking up TXT records of %s: no answer in time (timeout)", buf_str(&d->name));
	dns_cancel(d->query);
	buf_done(&d->name);
	free(d);
}

const struct probe_method dns01_method = {.name = "dns-01",
	.br_method = "3.2.2.4.7",
	.start = dns01_start,
	.expire = dns01_expire};
