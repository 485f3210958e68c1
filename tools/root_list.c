/* root_list.c — see root_list.h. */
#include "tools/root_list.h"

#include "lib/base/clock.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "workers/signer/crl_write.h"

#define DAY_SECS 86400

void root_list_done(struct root_list *list)
{
	free(list->entries);
	*list = (struct root_list){0};
}

static int compare(const void *a, const void *b)
{
	const struct root_list_entry *x = a, *y = b;

	if (x->serial_len != y->serial_len)
		return x->serial_len < y->serial_len ? -1 : 1;
	return memcmp(x->serial, y->serial, x->serial_len);
}

int root_list_add(struct root_list *list, struct bytes serial, int64_t revoked_us, int reason)
{
	struct root_list_entry entry = {.revoked_us = revoked_us, .reason = reason};

	if (serial.len == 0 || serial.len > sizeof(entry.serial) || serial.ptr[0] >= 0x80)
		return ERR_SYNTAX;
	memcpy(entry.serial, serial.ptr, serial.len);
	entry.serial_len = serial.len;
	for (size_t i = 0; i < list->count; i++) {
		if (compare(&list->entries[i], &entry) == 0)
			return ERR_CONFLICT;
	}
	list->entries = xrealloc(list->entries, (list->count + 1) * sizeof(entry));
	list->entries[list->count++] = entry;
	return OK;
}

/* reasonCode of an entry that the lint has let pass: the only extension that is kept. */
static int reason_of(struct bytes list)
{
	while (list.len > 0) {
		struct bytes body, oid, value, reason;

		if (der_expect(&list, DER_SEQUENCE, &body) < 0 ||
			der_expect(&body, DER_OID, &oid) < 0)
			return 0;
		if (bytes_equal(oid, OID_CRL_REASON) &&
			der_expect(&body, DER_OCTET_STRING, &value) == OK &&
			der_expect(&value, DER_ENUMERATED, &reason) == OK && reason.len == 1)
			return reason.ptr[0];
	}
	return 0;
}

static int take_entries(const struct crl_source *src, const struct crl_view *view,
	struct root_list *list)
{
	struct crl_walk walk;
	struct crl_item item;
	int err;

	crl_walk_begin(src, view, &walk);
	while ((err = crl_walk_next(&walk, &item)) == OK) {
		int64_t revoked_us;

		err = crl_time(item.date, &revoked_us);
		if (err == OK)
			err = root_list_add(list, item.serial, revoked_us,
				reason_of(item.extensions));
		if (err != OK)
			break;
	}
	crl_walk_done(&walk);
	return err == ERR_NOENT ? OK : err;
}

int root_list_read(struct bytes der, struct bytes root_der, struct root_list *ret,
	struct buf *ret_findings)
{
	const struct crl_expectation want = {.issuer = root_der,
		.validity_max_secs = INT64_MAX,
		.number = -1,
		.this_update_us = -1,
		.next_update_us = -1,
		.entries = -1,
		.any_order = true,
		.any_entry_extension = true};
	struct crl_source src = crl_source_bytes(der);
	struct crl_facts facts;
	struct crl_view view;
	int err = crl_lint(&src, &want, &facts, ret_findings);

	if (err != OK)
		return err;
	ret->number = facts.number;
	err = crl_view_read(&src, &view);
	if (err == OK)
		err = take_entries(&src, &view, ret);
	crl_view_done(&view);
	return err;
}

static int write_list(const struct root_list *list, const struct crl_form *form,
	struct crl_made *ret)
{
	CLEANUP(crl_writer_free) struct crl_writer *w = NULL;
	int err = crl_writer_new(CRL_SCOPE_ALL, &w);

	for (size_t i = 0; i < list->count && err == OK; i++) {
		const struct root_list_entry *e = &list->entries[i];

		err = crl_writer_add(w,
			&(struct crl_entry){bytes_of(e->serial, e->serial_len), e->revoked_us,
				e->reason});
	}
	return err == OK ? crl_writer_finish(w, form, ret) : err;
}

static int prove(const struct crl_source *src, const struct crl_form *form, uint64_t entries,
	struct buf *findings)
{
	uint8_t *der = NULL;
	int len = i2d_X509(form->issuer, &der), err;
	const struct crl_expectation want = {.issuer = bytes_of(der, len > 0 ? (size_t)len : 0),
		.validity_max_secs = (int64_t)ROOT_LIST_DAYS_MAX * DAY_SECS,
		.number = form->number,
		.this_update_us = form->this_update_us,
		.next_update_us = form->next_update_us,
		.entries = (int64_t)entries};

	err = crl_lint(src, &want, NULL, findings);
	OPENSSL_free(der);
	return err;
}

int root_list_make(struct root_list *list, X509 *root, EVP_PKEY *key, int64_t now_us, int days,
	struct buf *out, struct buf *ret_findings)
{
	int64_t ms = now_us / 1000, now = now_us / USEC_PER_SEC;
	const struct crl_form form = {.issuer = root,
		.key = key,
		.number = ms > list->number ? ms : list->number + 1,
		.this_update_us = now * USEC_PER_SEC,
		.next_update_us = (now + (int64_t)days * DAY_SECS - 1) * USEC_PER_SEC};
	struct crl_made made = {.fd = -1};
	struct crl_source src;
	int err;

	if (list->count > 0)
		qsort(list->entries, list->count, sizeof(*list->entries), compare);
	err = write_list(list, &form, &made);
	if (err == OK)
		err = crl_source_file(made.fd, &src);
	if (err == OK)
		err = prove(&src, &form, made.entries, ret_findings);
	if (err == OK && made.size > ROOT_LIST_MAX_BYTES)
		err = ERR_LIMIT;
	if (err == OK) {
		buf_reserve(out, made.size);
		err = crl_source_read(&src, 0, out->ptr + out->len, made.size);
	}
	if (err == OK)
		out->len += made.size;
	crl_made_done(&made);
	return err;
}
