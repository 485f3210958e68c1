/* view.h — the JSON documents of RFC 8555 section 7.1, made from rows and configuration. Each
 * appends one document to out. All URLs come from lib/acme/url. Used by the routes; view_directory
 * by the directory program. */
#pragma once

#include "lib/acme/challenge.h"
#include "lib/acme/renewal_rules.h"
#include "lib/base/buf.h"
#include "lib/store/order.h"

void view_directory(const struct conf *conf, struct buf *out);
void view_account(const struct conf *conf, const struct account *account, struct buf *out);
/* Section 7.1.2.1: the list of an account's orders. */
void view_orders(const struct conf *conf, const struct ident *ids, size_t count, struct buf *out);
void view_order(const struct conf *conf, const struct order *order, struct buf *out);
void view_authz(const struct conf *conf, const struct authz *authz, struct buf *out);
/* type must be shown (lib/acme/challenge.h). */
void view_challenge(const struct conf *conf, const struct authz *authz, enum challenge_type type,
	struct buf *out);
/* RFC 9773 section 4.2. explanation_url may be {0}. */
void view_renewal_info(const struct renewal_window *window, struct bytes explanation_url,
	struct buf *out);
