/* oid.h — the object identifiers we read and write, as the contents of a DER OBJECT IDENTIFIER. */
#pragma once

#include "lib/base/bytes.h"

#define OID_BYTES(literal) bytes_of((literal), sizeof(literal) - 1)

/* Public keys (RFC 3279, RFC 5480, RFC 8410). */
#define OID_RSA_ENCRYPTION OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_EC_PUBLIC_KEY OID_BYTES("\x2a\x86\x48\xce\x3d\x02\x01")

/* Signatures (RFC 4055, RFC 5758). */
#define OID_SHA1_WITH_RSA OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05")
#define OID_SHA256_WITH_RSA OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")
#define OID_SHA384_WITH_RSA OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
#define OID_SHA512_WITH_RSA OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")
#define OID_ECDSA_WITH_SHA1 OID_BYTES("\x2a\x86\x48\xce\x3d\x04\x01")
#define OID_ECDSA_WITH_SHA256 OID_BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x02")
#define OID_ECDSA_WITH_SHA384 OID_BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x03")
#define OID_ECDSA_WITH_SHA512 OID_BYTES("\x2a\x86\x48\xce\x3d\x04\x03\x04")

/* Names and request attributes (X.520, RFC 2985). */
#define OID_COMMON_NAME OID_BYTES("\x55\x04\x03")
#define OID_EXTENSION_REQUEST OID_BYTES("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e")

/* Extensions (RFC 5280 section 4.2, RFC 7633). */
#define OID_SUBJECT_KEY_IDENTIFIER OID_BYTES("\x55\x1d\x0e")
#define OID_KEY_USAGE OID_BYTES("\x55\x1d\x0f")
#define OID_SUBJECT_ALT_NAME OID_BYTES("\x55\x1d\x11")
#define OID_CRL_NUMBER OID_BYTES("\x55\x1d\x14")
#define OID_CRL_REASON OID_BYTES("\x55\x1d\x15")
#define OID_ISSUING_DISTRIBUTION_POINT OID_BYTES("\x55\x1d\x1c")
#define OID_BASIC_CONSTRAINTS OID_BYTES("\x55\x1d\x13")
#define OID_NAME_CONSTRAINTS OID_BYTES("\x55\x1d\x1e")
#define OID_CRL_DISTRIBUTION_POINTS OID_BYTES("\x55\x1d\x1f")
#define OID_CERTIFICATE_POLICIES OID_BYTES("\x55\x1d\x20")
#define OID_AUTHORITY_KEY_IDENTIFIER OID_BYTES("\x55\x1d\x23")
#define OID_EXT_KEY_USAGE OID_BYTES("\x55\x1d\x25")
#define OID_AUTHORITY_INFO_ACCESS OID_BYTES("\x2b\x06\x01\x05\x05\x07\x01\x01")
#define OID_TLS_FEATURE OID_BYTES("\x2b\x06\x01\x05\x05\x07\x01\x18")

/* OCSP (RFC 6960 section 4.4): the only kind of response, and extensions. */
#define OID_OCSP_BASIC OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")
#define OID_OCSP_NONCE OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x02")
#define OID_OCSP_RESPONSE OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x04")
#define OID_OCSP_NOCHECK OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x05")
#define OID_OCSP_ARCHIVE_CUTOFF OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x06")
#define OID_OCSP_EXTENDED_REVOKE OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01\x09")

/* What the extensions contain: access methods, key purposes, the reserved policy of domain
 * validation (BR 7.1.6.1). */
#define OID_AD_OCSP OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x01")
#define OID_AD_CA_ISSUERS OID_BYTES("\x2b\x06\x01\x05\x05\x07\x30\x02")
#define OID_SERVER_AUTH OID_BYTES("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_CLIENT_AUTH OID_BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define OID_OCSP_SIGNING OID_BYTES("\x2b\x06\x01\x05\x05\x07\x03\x09")
#define OID_DOMAIN_VALIDATED OID_BYTES("\x67\x81\x0c\x01\x02\x01")
