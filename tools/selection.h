/* selection.h — which certificates an operator means: the options of assayctl's commands that act
 * on many, read into what the database takes. Every mistake ends the program with one line. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/ident.h"
#include "lib/store/revocation.h"

enum {
	SELECT_SERIAL = 1000,
	SELECT_SERIALS,
	SELECT_CERTIFICATE,
	SELECT_ACCOUNT,
	SELECT_NAME,
	SELECT_KEY,
	SELECT_KEY_OF,
	SELECT_FROM,
	SELECT_UNTIL,
	SELECT_ISSUER,
	SELECT_PROFILE
};

/* For the table of getopt_long. */
/* clang-format off */
#define SELECTION_OPTIONS                                                                          \
	{"serial", required_argument, NULL, SELECT_SERIAL},                                        \
	{"serials", required_argument, NULL, SELECT_SERIALS},                                      \
	{"certificate", required_argument, NULL, SELECT_CERTIFICATE},                              \
	{"account", required_argument, NULL, SELECT_ACCOUNT},                                      \
	{"name", required_argument, NULL, SELECT_NAME},                                            \
	{"key", required_argument, NULL, SELECT_KEY},                                              \
	{"key-of", required_argument, NULL, SELECT_KEY_OF},                                        \
	{"from", required_argument, NULL, SELECT_FROM},                                            \
	{"until", required_argument, NULL, SELECT_UNTIL},                                          \
	{"issuer", required_argument, NULL, SELECT_ISSUER},                                        \
	{"profile", required_argument, NULL, SELECT_PROFILE}
/* clang-format on */

#define SELECTION_HELP                                                                             \
	"  --serial HEX        serial number in hexadecimal, with or without colons; may be "      \
	"repeated\n"                                                                               \
	"  --serials FILE      serial numbers, separated by white space; \"#\" begins a comment\n" \
	"  --certificate FILE  the first certificate in a PEM file; may be repeated\n"             \
	"  --account ID        an account, as in its URL or as a UUID\n"                           \
	"  --name NAME         a name as it stands in certificates (\"*.example.org\" is one)\n"   \
	"  --key HEX           SHA-256 of a key (SubjectPublicKeyInfo)\n"                          \
	"  --key-of FILE       the key in a PEM file: certificate, public or private key\n"        \
	"  --from TIME         issued since then: 2026-11-21T14:00:00Z\n"                          \
	"  --until TIME        issued before then\n"                                               \
	"  --issuer NAME       by that issuer: its name, or SHA-256 of its certificate\n"          \
	"  --profile NAME      with that profile\n"

struct selection {
	const char *command; /* for messages */
	bool listed;         /* one by one, by serial number */
	struct revocation_selection wanted;
	struct buf serials; /* SERIAL_LEN bytes each */
	struct bytes *list;
	struct ident account;
	uint8_t spki_sha256[32];
};

void selection_init(struct selection *s, const char *command);
/* One option and its value. False: it is none of SELECTION_OPTIONS. */
bool selection_option(struct selection *s, int option, const char *value);
/* After the last option: s->wanted is complete. Something that narrows the search must have been
 * given. */
void selection_complete(struct selection *s);
void selection_done(struct selection *s);
