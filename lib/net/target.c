/* target.c — see target.h. */
#include "lib/net/target.h"

#define EVIDENCE_ADDRESSES_MAX 16

enum { V6, V4 };

static const enum dns_type type_of[2] = {DNS_AAAA, DNS_A};

static void see_address(struct target *t, int family, const struct ipaddr *address)
{
	struct target_family *f = &t->families[family];
	const char *objection = ipguard_objection(t->px->guard, address);
	char text[IPADDR_TEXT_LEN + 1];

	ipaddr_format(address, text);
	if (f->nseen++ < EVIDENCE_ADDRESSES_MAX)
		buf_addf(&f->seen, "%s\"%s\"", f->seen.len > 0 ? "," : "", text);
	if (objection == NULL && !f->usable) {
		f->usable = true;
		f->pick = *address;
	} else if (objection != NULL && f->objection == NULL) {
		f->objection = objection;
		f->refused = *address;
	}
}

/* IPv6 first, then one IPv4 address. */
static void choose(struct target *t)
{
	for (int i = V6; i <= V4; i++)
		if (t->families[i].usable)
			t->addresses[t->naddresses++] = t->families[i].pick;
}

static void on_answer(struct target *t, int family, const struct dns_answer *answer)
{
	struct target_family *f = &t->families[family];

	t->queries[family] = NULL;
	f->status = answer->status;
	f->authenticated = answer->authenticated;
	if (answer->status == DNS_FAILED)
		f->reason = xstrdup(answer->reason);
	for (size_t i = 0; i < answer->nrecords; i++) {
		struct ipaddr address;

		if (answer->records[i].len == (family == V6 ? 16u : 4u) &&
			ipaddr_of_bytes(answer->records[i], &address) == OK)
			see_address(t, family, &address);
	}
	if (t->queries[V6] == NULL && t->queries[V4] == NULL) {
		choose(t);
		t->fn(t->arg);
	}
}

static void on_aaaa(void *arg, const struct dns_answer *answer)
{
	on_answer(arg, V6, answer);
}

static void on_a(void *arg, const struct dns_answer *answer)
{
	on_answer(arg, V4, answer);
}

void target_resolve(struct target *t, struct perspective *px, const char *host,
	void (*fn)(void *arg), void *arg)
{
	*t = (struct target){.px = px, .host = host, .fn = fn, .arg = arg};
	t->queries[V6] = dns_ask(px->dns, host, DNS_AAAA, on_aaaa, t);
	t->queries[V4] = dns_ask(px->dns, host, DNS_A, on_a, t);
}

void target_take(struct target *t, struct perspective *px, const char *host,
	const struct ipaddr *address)
{
	*t = (struct target){.px = px, .host = host};
	for (int i = V6; i <= V4; i++)
		t->families[i].status = DNS_NODATA;
	see_address(t, address->family == AF_INET6 ? V6 : V4, address);
	choose(t);
}

int target_check(const struct target *t, struct problem *pb, bool *ret_hopeless)
{
	char text[IPADDR_TEXT_LEN + 1];

	*ret_hopeless = false;
	if (t->naddresses > 0)
		return OK;
	for (int i = V6; i <= V4; i++) {
		const struct target_family *f = &t->families[i];

		if (f->status == DNS_FAILED)
			return problem_set(pb, PROBLEM_DNS, "looking up %s records of %s: %s",
				dns_type_name(type_of[i]), t->host, f->reason);
	}
	for (int i = V6; i <= V4; i++) {
		const struct target_family *f = &t->families[i];

		if (f->objection == NULL)
			continue;
		ipaddr_format(&f->refused, text);
		*ret_hopeless = true;
		return problem_set(pb, PROBLEM_CONNECTION,
			"%s has the address %s, which is %s: this CA does not contact such "
			"addresses",
			t->host, text, f->objection);
	}
	return problem_set(pb, PROBLEM_DNS, "%s has no A or AAAA records (%s)", t->host,
		t->families[V4].status == DNS_NXDOMAIN ? "NXDOMAIN: there is no such name"
						       : "NODATA");
}

void target_put_evidence(const struct target *t, struct jx_out *out)
{
	CLEANUP_BUF struct buf list = {0};

	buf_add_byte(&list, '[');
	for (int i = V6; i <= V4; i++) {
		const struct buf *seen = &t->families[i].seen;

		if (list.len > 1 && seen->len > 0)
			buf_add_byte(&list, ',');
		buf_add(&list, seen->ptr, seen->len);
	}
	buf_add_byte(&list, ']');
	jx_put_raw(out, "addresses", buf_bytes(&list));
	jx_put_bool(out, "dnssec", t->families[V6].authenticated && t->families[V4].authenticated);
}

void target_done(struct target *t)
{
	for (int i = V6; i <= V4; i++) {
		dns_cancel(t->queries[i]);
		free(t->families[i].reason);
		buf_done(&t->families[i].seen);
	}
	*t = (struct target){0};
}
