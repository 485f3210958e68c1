/* token_session.c — see token_session.h. PKCS#11 version 2.40, as every module speaks it. */
#include "workers/signer/token_session.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "lib/pki/pubkey.h"
#include "workers/signer/why.h"

#define SLOTS_MAX 256
#define POINT_MAX_BYTES 256
#define FILE_SCHEME "file:"

/* ---- what the URI says ---- */

struct token_uri {
	P11KitUri *parsed;
	const char *module_path; /* borrowed from parsed, as is pin_source */
	const char *pin_source;
};

void token_uri_free(struct token_uri *uri)
{
	if (uri == NULL)
		return;
	p11_kit_uri_free(uri->parsed);
	free(uri);
}

int token_uri_parse(const char *text, struct token_uri **ret, char **ret_why)
{
	CLEANUP(token_uri_free) struct token_uri *uri = xcalloc(1, sizeof(*uri));
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE *type;

	uri->parsed = p11_kit_uri_new();
	if (uri->parsed == NULL)
		abort();
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri->parsed) != P11_KIT_URI_OK ||
		p11_kit_uri_any_unrecognized(uri->parsed))
		return why_set(ret_why, ERR_SYNTAX,
			"this is no PKCS#11 URI as of RFC 7512, or has attributes that are unknown "
			"here");
	type = p11_kit_uri_get_attribute(uri->parsed, CKA_CLASS);
	if (type != NULL &&
		(type->ulValueLen != sizeof(class) ||
			memcmp(type->pValue, &class, sizeof(class)) != 0))
		return why_set(ret_why, ERR_SYNTAX,
			"the PKCS#11 URI names something else than a key: write type=private");
	if (p11_kit_uri_get_attribute(uri->parsed, CKA_ID) == NULL &&
		p11_kit_uri_get_attribute(uri->parsed, CKA_LABEL) == NULL)
		return why_set(ret_why, ERR_SYNTAX,
			"the PKCS#11 URI names no key: add object=LABEL or id=%%01");
	if (p11_kit_uri_get_pin_value(uri->parsed) != NULL)
		return why_set(ret_why, ERR_SYNTAX,
			"leave pin-value out of the PKCS#11 URI: name a file by key_passphrase");
	uri->module_path = p11_kit_uri_get_module_path(uri->parsed);
	if (uri->module_path == NULL || uri->module_path[0] != '/')
		return why_set(ret_why, ERR_SYNTAX,
			"the PKCS#11 URI must end with ?module-path=/ABSOLUTE/PATH.so of the "
			"token's module");
	uri->pin_source = p11_kit_uri_get_pin_source(uri->parsed);
	if (uri->pin_source != NULL &&
		strncmp(uri->pin_source, FILE_SCHEME, strlen(FILE_SCHEME)) == 0)
		uri->pin_source += strlen(FILE_SCHEME);
	if (uri->pin_source != NULL && uri->pin_source[0] != '/')
		return why_set(ret_why, ERR_SYNTAX,
			"pin-source of the PKCS#11 URI must be the absolute path of a file");
	*ret = TAKE(uri);
	return OK;
}

const char *token_uri_pin_source(const struct token_uri *uri)
{
	return uri->pin_source;
}

/* ---- modules, each loaded once for all sessions ---- */

struct module {
	struct module *next;
	char *path;
	CK_FUNCTION_LIST *f;
	size_t users;
	uint64_t generation; /* of its initialization: handles from an earlier one may be reused */
};

static struct module *modules;

static int initialize(CK_FUNCTION_LIST *f, const char *path, char **ret_why)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_RV rv = f->C_Initialize(&args);

	if (rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
		return OK;
	return why_set(ret_why, ERR_NET, "%s cannot be initialized: %s", path,
		p11_kit_strerror(rv));
}

static int module_use(const char *path, struct module **ret, char **ret_why)
{
	struct module *m = modules;

	while (m != NULL && strcmp(m->path, path) != 0)
		m = m->next;
	if (m == NULL) {
		CK_FUNCTION_LIST *f = p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED);
		int err;

		if (f == NULL)
			return why_set(ret_why, ERR_NOENT, "cannot load the PKCS#11 module %s: %s",
				path, p11_kit_message() != NULL ? p11_kit_message() : "unknown");
		err = initialize(f, path, ret_why);
		if (err != OK) {
			p11_kit_module_release(f);
			return err;
		}
		m = xcalloc(1, sizeof(*m));
		m->path = xstrdup(path);
		m->f = f;
		m->next = modules;
		modules = m;
	}
	m->users++;
	*ret = m;
	return OK;
}

static void module_drop(struct module *m)
{
	struct module **at = &modules;

	if (--m->users > 0)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->f->C_Finalize(NULL);
	p11_kit_module_release(m->f);
	free(m->path);
	free(m);
}

/* ---- a session ---- */

struct token_session {
	struct module *module;
	CK_FUNCTION_LIST *f; /* the module's */
	uint64_t generation; /* the module's when this was opened */
	const struct token_uri *uri;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	bool opened;
	CK_OBJECT_HANDLE object;
	CK_KEY_TYPE type;
	bool asks_each_time; /* CKA_ALWAYS_AUTHENTICATE */
	const char *pin;     /* borrowed */
};

void token_session_close(struct token_session *s)
{
	if (s == NULL)
		return;
	if (s->opened && s->generation == s->module->generation)
		s->f->C_CloseSession(s->session);
	if (s->module != NULL)
		module_drop(s->module);
	free(s);
}

/* The one token that the URI fits. */
static int find_slot(struct token_session *s, CK_TOKEN_INFO *ret_info, char **ret_why)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	size_t found = 0;
	CK_RV rv = s->f->C_GetSlotList(CK_TRUE, slots, &count);

	if (rv != CKR_OK)
		return why_set(ret_why, ERR_NET, "%s lists no tokens: %s", s->module->path,
			p11_kit_strerror(rv));
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO info;

		if (s->f->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
			(info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
			p11_kit_uri_match_token_info(s->uri->parsed, &info) != 1)
			continue;
		s->slot = slots[i];
		*ret_info = info;
		found++;
	}
	if (found == 0)
		return why_set(ret_why, ERR_NET,
			"%s has no token that the PKCS#11 URI fits, or it is away",
			s->module->path);
	if (found > 1)
		return why_set(ret_why, ERR_LIMIT,
			"the PKCS#11 URI fits %zu tokens: add token=LABEL or serial=NUMBER", found);
	return OK;
}

static bool is_pin_error(CK_RV rv)
{
	return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
		rv == CKR_PIN_EXPIRED || rv == CKR_PIN_LOCKED || rv == CKR_USER_PIN_NOT_INITIALIZED;
}

static CK_RV login(struct token_session *s, CK_USER_TYPE user)
{
	/* The module does not write to it, whatever its type says. */
	CK_UTF8CHAR *pin = (CK_UTF8CHAR *)s->pin;

	return s->f->C_Login(s->session, user, pin, s->pin != NULL ? strlen(s->pin) : 0);
}

static int log_in(struct token_session *s, const CK_TOKEN_INFO *info, char **ret_why)
{
	CK_RV rv;

	if ((info->flags & CKF_LOGIN_REQUIRED) == 0)
		return OK;
	if (s->pin == NULL && (info->flags & CKF_PROTECTED_AUTHENTICATION_PATH) == 0)
		return why_set(ret_why, ERR_CONFLICT,
			"the token wants a PIN: name a file that holds it by key_passphrase");
	/* A service that is restarted with a wrong PIN would lock the token for good. */
	if ((info->flags & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED)) != 0)
		return why_set(ret_why, ERR_CONFLICT,
			"the token's PIN is locked, or will be by one more that is wrong: log in "
			"by hand first (pkcs11-tool --login)");
	rv = login(s, CKU_USER);
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return OK;
	return why_set(ret_why, is_pin_error(rv) ? ERR_CONFLICT : ERR_NET,
		"cannot log in to the token: %s", p11_kit_strerror(rv));
}

/* The object of that class that the URI names. ERR_NOENT, ERR_LIMIT. */
static int find_object(struct token_session *s, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret,
	char **ret_why)
{
	CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(s->uri->parsed, CKA_ID);
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(s->uri->parsed, CKA_LABEL);
	CK_OBJECT_HANDLE found[2];
	CK_ULONG n = 1, count = 0;
	CK_RV rv;

	if (id != NULL)
		template[n++] = *id;
	if (label != NULL)
		template[n++] = *label;
	rv = s->f->C_FindObjectsInit(s->session, template, n);
	if (rv == CKR_OK) {
		rv = s->f->C_FindObjects(s->session, found, ARRAY_LEN(found), &count);
		s->f->C_FindObjectsFinal(s->session);
	}
	if (rv != CKR_OK)
		return why_set(ret_why, ERR_NET, "cannot search the token: %s",
			p11_kit_strerror(rv));
	if (count == 0)
		return why_set(ret_why, ERR_NOENT, "the token has no %s key of that id and label",
			class == CKO_PRIVATE_KEY ? "private" : "public");
	if (count > 1)
		return why_set(ret_why, ERR_LIMIT,
			"the token has several keys of that id and label: name both in the PKCS#11 "
			"URI");
	*ret = found[0];
	return OK;
}

static CK_RV get(struct token_session *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
	void *out, CK_ULONG *len)
{
	CK_ATTRIBUTE attribute = {type, out, *len};
	CK_RV rv = s->f->C_GetAttributeValue(s->session, object, &attribute, 1);

	*len = attribute.ulValueLen;
	return rv == CKR_OK && *len == CK_UNAVAILABLE_INFORMATION ? CKR_ATTRIBUTE_TYPE_INVALID : rv;
}

static bool get_bool(struct token_session *s, CK_ATTRIBUTE_TYPE type, bool otherwise)
{
	CK_BBOOL value = CK_FALSE;
	CK_ULONG len = sizeof(value);

	if (get(s, s->object, type, &value, &len) != CKR_OK || len != sizeof(value))
		return otherwise;
	return value != CK_FALSE;
}

static int take_object(struct token_session *s, char **ret_why)
{
	CK_ULONG len = sizeof(s->type);
	int err = find_object(s, CKO_PRIVATE_KEY, &s->object, ret_why);

	if (err != OK)
		return err;
	if (get(s, s->object, CKA_KEY_TYPE, &s->type, &len) != CKR_OK || len != sizeof(s->type) ||
		(s->type != CKK_RSA && s->type != CKK_EC))
		return why_set(ret_why, ERR_LIMIT, "the token's key is neither RSA nor EC");
	if (!get_bool(s, CKA_SIGN, true))
		return why_set(ret_why, ERR_LIMIT, "the token does not let this key sign");
	s->asks_each_time = get_bool(s, CKA_ALWAYS_AUTHENTICATE, false);
	return OK;
}

int token_session_open(const struct token_uri *uri, const char *pin, bool anew,
	struct token_session **ret, char **ret_why)
{
	CLEANUP(token_session_close) struct token_session *s = xcalloc(1, sizeof(*s));
	CK_TOKEN_INFO info = {0};
	CK_RV rv;
	int err = module_use(uri->module_path, &s->module, ret_why);

	if (err != OK)
		return err;
	s->f = s->module->f;
	s->uri = uri;
	s->pin = pin;
	if (anew) {
		s->module->generation++;
		s->f->C_Finalize(NULL);
		err = initialize(s->f, s->module->path, ret_why);
	}
	s->generation = s->module->generation;
	if (err == OK)
		err = find_slot(s, &info, ret_why);
	if (err != OK)
		return err;
	rv = s->f->C_OpenSession(s->slot, CKF_SERIAL_SESSION, NULL, NULL, &s->session);
	if (rv != CKR_OK)
		return why_set(ret_why, ERR_NET, "cannot open a session with the token: %s",
			p11_kit_strerror(rv));
	s->opened = true;
	err = log_in(s, &info, ret_why);
	if (err == OK)
		err = take_object(s, ret_why);
	if (err == OK)
		*ret = TAKE(s);
	return err;
}

/* ---- the public key beside it ---- */

static int read_rsa(struct token_session *s, CK_OBJECT_HANDLE object, struct pubkey *ret)
{
	uint8_t n[PUBKEY_RSA_MAX_BITS / 8], e[8];
	CK_ULONG n_len = sizeof(n), e_len = sizeof(e);
	size_t zeros = 0;

	if (get(s, object, CKA_MODULUS, n, &n_len) != CKR_OK ||
		get(s, object, CKA_PUBLIC_EXPONENT, e, &e_len) != CKR_OK)
		return ERR_LIMIT;
	while (zeros < n_len && n[zeros] == 0)
		zeros++;
	return pubkey_set_rsa(ret, bytes_of(n + zeros, n_len - zeros), bytes_of(e, e_len));
}

/* PKCS#11 section 2.3.5: a DER OCTET STRING around 04 || x || y; some modules leave it out. */
static int read_ec(struct token_session *s, CK_OBJECT_HANDLE object, struct pubkey *ret)
{
	static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	static const uint8_t p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
	uint8_t params[16], point[POINT_MAX_BYTES];
	CK_ULONG params_len = sizeof(params), len = sizeof(point);
	size_t from = 0, whole;

	if (get(s, object, CKA_EC_PARAMS, params, &params_len) != CKR_OK ||
		get(s, object, CKA_EC_POINT, point, &len) != CKR_OK)
		return ERR_LIMIT;
	if (params_len == sizeof(p256) && memcmp(params, p256, sizeof(p256)) == 0)
		ret->kind = PUBKEY_P256;
	else if (params_len == sizeof(p384) && memcmp(params, p384, sizeof(p384)) == 0)
		ret->kind = PUBKEY_P384;
	else
		return ERR_LIMIT;
	whole = 1 + 2 * pubkey_coordinate_len(ret->kind);
	if (len == whole + 2 && point[0] == 0x04 && point[1] == whole)
		from = 2;
	if (len != whole + from || point[from] != 0x04)
		return ERR_LIMIT;
	memcpy(ret->octets, point + from, whole);
	ret->len = whole;
	return OK;
}

int token_session_public_key(struct token_session *s, EVP_PKEY **ret, char **ret_why)
{
	struct pubkey *numbers = xcalloc(1, sizeof(*numbers));
	CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
	int err = find_object(s, CKO_PUBLIC_KEY, &object, ret_why);

	if (err == OK) {
		err = s->type == CKK_RSA ? read_rsa(s, object, numbers)
					 : read_ec(s, object, numbers);
		if (err == OK)
			err = pubkey_make(numbers, ret);
		if (err != OK)
			why_set(ret_why, err,
				"the token's public key is not one of RSA (4096 bits at most), "
				"P-256 or P-384");
	}
	free(numbers);
	return err;
}

/* ---- signing ---- */

int token_session_sign(struct token_session *s, struct bytes input, uint8_t *out, size_t *len,
	char **ret_why)
{
	CK_MECHANISM mechanism = {s->type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
	CK_BYTE *data = (CK_BYTE *)input.ptr; /* not written to */
	CK_ULONG room = *len;
	CK_RV rv = CKR_SESSION_HANDLE_INVALID;

	if (s->generation == s->module->generation)
		rv = s->f->C_SignInit(s->session, &mechanism, s->object);
	if (rv == CKR_OK && s->asks_each_time)
		rv = login(s, CKU_CONTEXT_SPECIFIC);
	if (rv == CKR_OK)
		rv = s->f->C_Sign(s->session, data, input.len, out, &room);
	if (rv != CKR_OK)
		return why_set(ret_why, is_pin_error(rv) ? ERR_CONFLICT : ERR_NET,
			"the token does not sign: %s", p11_kit_strerror(rv));
	*len = room;
	return OK;
}
