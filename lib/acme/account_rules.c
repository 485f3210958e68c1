/* account_rules.c — see account_rules.h. */
#include "lib/acme/account_rules.h"

#include <strings.h>

#define DOMAIN_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

void account_rules_done(struct account_wish *wish)
{
	free(wish->contacts);
	*wish = (struct account_wish){0};
}

/* An optional boolean; absent reads as false. */
static int read_bool(const struct jx *payload, const char *name, struct problem *pb, bool *ret)
{
	int err = jx_get_bool(payload, name, ret);

	if (err == OK || err == ERR_NOENT)
		return OK;
	return problem_set(pb, PROBLEM_MALFORMED, "\"%s\" is not true or false", name);
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 5322 dot-atom: atoms of atext, parted by single dots; without '/', '#' and '?', which RFC
 * 6068 section 2 wants escaped in a URL, and without escapes. */
static bool is_local_part(struct bytes text)
{
	bool atom = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		if (c == '.' && !atom)
			return false;
		atom = c != '.';
		if (atom && !is_alnum(c) && (c == '\0' || strchr("!$&'*+-=^_`{|}~", c) == NULL))
			return false;
	}
	return atom;
}

/* At least two LDH labels. */
static bool is_domain(struct bytes text)
{
	size_t label = 0;
	size_t dots = 0;

	if (text.len > DOMAIN_MAX_BYTES)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		bool last = i + 1 == text.len || text.ptr[i + 1] == '.';

		if (c == '.' && label == 0)
			return false;
		if (c == '.') {
			dots++;
			label = 0;
			continue;
		}
		if (!is_alnum(c) && (c != '-' || label == 0 || last))
			return false;
		if (++label > LABEL_MAX_BYTES)
			return false;
	}
	return label > 0 && dots > 0;
}

/* RFC 8555 section 7.3: a mailto URL must hold exactly one addr-spec and no header fields. */
static int check_mailto(struct bytes address, struct problem *pb)
{
	const uint8_t *at = address.len > 0 ? memrchr(address.ptr, '@', address.len) : NULL;
	size_t local_len;

	if (address.len > 0 && memchr(address.ptr, '?', address.len) != NULL)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a mailto contact must not have header fields (?…)");
	if (address.len > 0 && memchr(address.ptr, ',', address.len) != NULL)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a mailto contact must hold exactly one address");
	if (at == NULL)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a mailto contact holds no e-mail address");
	local_len = (size_t)(at - address.ptr);
	if (!is_local_part(bytes_of(address.ptr, local_len)) ||
		!is_domain(bytes_of(at + 1, address.len - local_len - 1)))
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a mailto contact is not a valid e-mail address");
	return OK;
}

static bool is_printable_ascii(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f)
			return false;
	}
	return true;
}

static bool scheme_is_accepted(const struct conf *conf, struct bytes scheme)
{
	for (size_t i = 0; i < conf->handlers.contact_schemes.count; i++) {
		const char *known = conf->handlers.contact_schemes.items[i];

		if (strlen(known) == scheme.len &&
			strncasecmp(known, (const char *)scheme.ptr, scheme.len) == 0)
			return true;
	}
	return false;
}

static int check_contact(const struct conf *conf, struct bytes url, struct problem *pb)
{
	const uint8_t *colon;
	struct bytes scheme;
	struct bytes rest;

	if (url.len == 0 || url.len > CONTACT_MAX_BYTES)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a contact is empty or longer than %d bytes", CONTACT_MAX_BYTES);
	if (!is_printable_ascii(url))
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a contact is not a URL in printable ASCII");
	colon = memchr(url.ptr, ':', url.len);
	if (colon == NULL)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a contact is not a URL (mailto:user@example.org)");
	scheme = bytes_of(url.ptr, (size_t)(colon - url.ptr));
	rest = bytes_of(colon + 1, url.len - scheme.len - 1);
	if (!scheme_is_accepted(conf, scheme))
		return problem_set(pb, PROBLEM_UNSUPPORTED_CONTACT,
			"contacts of the scheme \"%.*s\" are not supported", (int)scheme.len,
			(const char *)scheme.ptr);
	if (scheme.len == strlen("mailto") &&
		strncasecmp("mailto", (const char *)scheme.ptr, scheme.len) == 0)
		return check_mailto(rest, pb);
	if (rest.len == 0)
		return problem_set(pb, PROBLEM_INVALID_CONTACT,
			"a contact has nothing behind its scheme");
	return OK;
}

static int read_contacts(const struct conf *conf, const struct jx *payload, struct problem *pb,
	struct account_wish *wish)
{
	const struct jx *list = NULL;
	int err = jx_get_array(payload, "contact", &list);

	if (err == ERR_NOENT)
		return OK;
	if (err != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"contact\" is not an array");
	if (jx_count(list) > CONTACTS_MAX)
		return problem_set(pb, PROBLEM_MALFORMED, "there are more than %d contacts",
			CONTACTS_MAX);
	wish->contacts = xcalloc(jx_count(list) + 1, sizeof(*wish->contacts));
	for (size_t i = 0; i < jx_count(list); i++) {
		struct bytes *contact = &wish->contacts[wish->ncontacts];

		if (jx_str(jx_at(list, i), contact) != OK)
			return problem_set(pb, PROBLEM_MALFORMED,
				"\"contact\" holds something that is no string");
		err = check_contact(conf, *contact, pb);
		if (err != OK)
			return err;
		wish->ncontacts++;
	}
	wish->has_contacts = true;
	return OK;
}

int account_rules_new(const struct conf *conf, const struct jx *payload, struct problem *pb,
	struct account_wish *ret)
{
	int err = read_bool(payload, "onlyReturnExisting", pb, &ret->only_existing);

	if (err != OK || ret->only_existing)
		return err;
	err = read_bool(payload, "termsOfServiceAgreed", pb, &ret->terms_agreed);
	if (err != OK)
		return err;
	/* RFC 8555 section 7.3: with terms in the directory, a new account must agree to them. */
	if (conf->server.terms_of_service != NULL && !ret->terms_agreed)
		return problem_set(pb, PROBLEM_MALFORMED, "must agree to terms of service: %s",
			conf->server.terms_of_service);
	return read_contacts(conf, payload, pb, ret);
}

/* RFC 8555 section 7.3.6: "deactivated" is the one status a client may set; section 7.3.2: other
 * updates of the status are ignored (clients send whole account objects back). */
static int read_status(const struct jx *payload, struct problem *pb, struct account_wish *wish)
{
	struct bytes status;
	int err = jx_get_str(payload, "status", &status);

	if (err == ERR_NOENT)
		return OK;
	if (err != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"status\" is not a string");
	wish->deactivate = bytes_is(status, "deactivated");
	return OK;
}

int account_rules_update(const struct conf *conf, const struct jx *payload, struct problem *pb,
	struct account_wish *ret)
{
	int err;

	if (payload == NULL)
		return OK;
	err = read_status(payload, pb, ret);
	if (err != OK || ret->deactivate)
		return err;
	return read_contacts(conf, payload, pb, ret);
}
