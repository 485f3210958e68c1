/* jx_scan.h — is a text exactly one JSON value (RFC 8259) within our limits? Private to jx.c. */
#pragma once

#include "lib/base/jx.h"

/* Sets *ret_members to the members of all objects together. ERR_SYNTAX or ERR_LIMIT. */
MUST_CHECK int jx_scan(struct bytes text, size_t *ret_members);
