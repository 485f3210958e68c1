/* policy.h — which identifiers this CA takes: decisions without I/O, from configuration alone. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/problem.h"

#define NAME_MAX_BYTES 253

/* The canonical form of a dns identifier's value: lower-case ASCII A-labels, maybe a leading "*.".
 * Refuses (rejectedIdentifier, or malformed for what is no string of a name at all) IP literals in
 * any notation, a trailing dot, empty and over-long labels, underscores, R-LDH labels, xn-- labels
 * that are not valid IDNA2008, single labels, public suffixes and their wildcards, names under
 * in-addr.arpa and ip6.arpa, .onion, blocked names. out holds NAME_MAX_BYTES + 1. */
MUST_CHECK int policy_name(const struct conf *conf, struct bytes value, char *out,
	struct problem *pb);
