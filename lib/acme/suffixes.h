/* suffixes.h — the public suffix list: the only user of libpsl. Used by policy and, before a start,
 * by configuration checks. Thread safe. A list is kept from when it is first needed; suffixes_load
 * reads it again when its file has changed. */
#pragma once

#include "lib/base/conf.h"

/* Reads orders.public_suffixes (default: the list built into libpsl), unless the file as it is now
 * was read before: so at start, and when the configuration is read again. ERR_INTERNAL when the
 * file cannot be read, is no list, or has so few rules that something is wrong with it; the list as
 * it was before goes on being used then. */
MUST_CHECK int suffixes_load(const struct conf *conf);
/* Whether name (lower-case A-labels) is itself a public suffix by a rule of the list's ICANN
 * section. Names under top-level domains that the list does not know are not. ERR_INTERNAL when the
 * list cannot be loaded. */
MUST_CHECK int suffixes_is_public(const struct conf *conf, const char *name, bool *ret);
