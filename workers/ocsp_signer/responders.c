/* responders.c — the responders of this machine: for each issuer served, a key with a certificate
 * that is good for a while yet.
 *
 * The folder says which keys there are, the database what became of them; both are looked at again
 * every few seconds, so that any number of processes can share a folder, and a crash anywhere
 * leaves something that the next look completes. A new key is made when the certificate in use has
 * less than a third of its time left; the old one serves until the new certificate is there. */
#include "workers/ocsp_signer/state.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "lib/store/responder.h"
#include "workers/failpoint.h"

#define PEM_MAX_BYTES 65536
#define TEND_MS 5000       /* when all is well */
#define TEND_SOON_MS 500   /* while something is awaited */
#define KEY_PAUSE_MS 30000 /* after a key was refused: not one after the other */
/* A key that is no longer used is kept for those that have not noticed yet. */
#define OLD_KEY_SECS 60

/* ---- issuers ---- */

static int not_before_of(X509 *x509, int64_t *ret_us)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notBefore(x509), &tm) != 1)
		return ossl_drain("ASN1_TIME_to_tm");
	*ret_us = (int64_t)timegm(&tm) * USEC_PER_SEC;
	return OK;
}

static int served_take(struct served *s, struct bytes der)
{
	CLEANUP(certview_free) struct certview *view = NULL;

	if (certview_parse(der, &view) != OK || ocsp_id_of(der, &s->id) != OK ||
		not_before_of(view->x509, &s->not_before_us) != OK)
		return ERR_SYNTAX;
	ossl_sha256_of(der, s->sha256);
	return OK;
}

static int served_read(struct served *s, const struct conf_issuer *conf)
{
	CLEANUP_BUF struct buf pem = {0};
	struct buf *ders = NULL;
	size_t count = 0;
	int err = file_load(conf->certificate, PEM_MAX_BYTES, &pem);

	if (err == OK)
		err = pem_certificates(buf_bytes(&pem), &ders, &count);
	if (err == OK)
		err = count == 1 ? served_take(s, buf_bytes(&ders[0])) : ERR_SYNTAX;
	for (size_t i = 0; i < count; i++)
		buf_done(&ders[i]);
	free(ders);
	if (err != OK) {
		log_event(LOG_LEVEL_ERROR, "an issuer's certificate cannot be read",
			F_STR("issuer", conf->name), F_STR("file", conf->certificate),
			F_STR("error", err_name(err)));
		return err;
	}
	s->name = xstrdup(conf->name);
	s->number = -1;
	return OK;
}

static void free_all(struct served *served, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(served[i].name);
	free(served);
}

int served_load(struct ocsp_signer *s)
{
	const struct conf *conf = s->process.conf;
	struct served *served = xcalloc(conf->nissuers + 1, sizeof(*served));
	size_t count = 0;

	for (size_t i = 0; i < conf->nissuers; i++) {
		int err;

		if (conf->issuers[i].ocsp_url == NULL)
			continue;
		err = served_read(&served[count], &conf->issuers[i]);
		if (err != OK) {
			free_all(served, count);
			return err;
		}
		count++;
	}
	served_done(s);
	s->served = served;
	s->nserved = count;
	s->tend_ms = 0;
	return OK;
}

void served_done(struct ocsp_signer *s)
{
	free_all(s->served, s->nserved);
	s->served = NULL;
	s->nserved = 0;
	s->all_ready = false;
}

const struct served *served_find(const struct ocsp_signer *s, int32_t number)
{
	for (size_t i = 0; i < s->nserved; i++) {
		if (s->served[i].number == number && number >= 0)
			return s->served[i].using != NULL ? &s->served[i] : NULL;
	}
	return NULL;
}

struct ocsp_issue issue_of(const struct served *served)
{
	return (struct ocsp_issue){
		.id = &served->id,
		.not_before_us = served->not_before_us,
		.responder = served->using,
	};
}

static struct served *served_of_key(struct ocsp_signer *s, const struct known_key *k)
{
	for (size_t i = 0; i < s->nserved; i++) {
		if (memcmp(s->served[i].sha256, k->file.issuer, sizeof(k->file.issuer)) == 0)
			return &s->served[i];
	}
	return NULL;
}

/* ---- keys ---- */

static void log_key(enum log_level level, const char *message, const struct known_key *k,
	const char *cause)
{
	char id[IDENT_TEXT_LEN + 1];

	ident_format(&k->file.id, id);
	log_event(level, message, F_STR("responder", id), F_STR("cause", cause));
}

static struct known_key *find_key(struct ocsp_signer *s, const struct ident *id)
{
	for (size_t i = 0; i < s->nkeys; i++)
		if (ident_equal(&s->keys[i].file.id, id))
			return &s->keys[i];
	return NULL;
}

/* Moves from the list before, so that a key is read and its certificate taken once. */
static bool take_known(struct ocsp_signer *s, const struct keyfile *file, struct known_key *ret)
{
	struct known_key *k = find_key(s, &file->id);

	if (k == NULL)
		return false;
	*ret = *k;
	*k = (struct known_key){0};
	return true;
}

static bool read_key(const struct ocsp_signer *s, const struct keyfile *file, struct known_key *ret)
{
	int err;

	*ret = (struct known_key){.file = *file};
	err = keyfile_load(s->folder, file, &ret->responder.key);
	if (err != OK && err != ERR_NOENT)
		log_key(LOG_LEVEL_ERROR, "a responder's key cannot be used", ret,
			err == ERR_CONFLICT ? "others may read it, or it is not ours"
					    : err_name(err));
	return err == OK;
}

static void free_keys(struct known_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		responder_done(&keys[i].responder);
	free(keys);
}

/* The folder, as it is now. */
static int scan(struct ocsp_signer *s)
{
	CLEANUP(free) struct keyfile *files = NULL;
	struct known_key *keys;
	size_t nfiles = 0, count = 0;

	if (keyfile_list(s->folder, &files, &nfiles) != OK) {
		log_event(LOG_LEVEL_ERROR, "the folder of responder keys cannot be read",
			F_STR("folder", s->process.conf->ocsp.state_dir),
			F_STR("cause", strerror(errno)));
		return ERR_INTERNAL;
	}
	keys = xcalloc(nfiles + 1, sizeof(*keys));
	for (size_t i = 0; i < nfiles; i++) {
		if (take_known(s, &files[i], &keys[count]) || read_key(s, &files[i], &keys[count]))
			count++;
	}
	/* Responders in use are chosen again before anything is signed. */
	for (size_t i = 0; i < s->nserved; i++)
		s->served[i].using = NULL;
	free_keys(s->keys, s->nkeys);
	s->keys = keys;
	s->nkeys = count;
	return OK;
}

static bool run(struct ocsp_signer *s, struct db_call *call)
{
	if (db_run_one(s->process.db, call) == OK)
		return true;
	log_event(LOG_LEVEL_WARNING, "responders not looked after",
		F_STR("cause", db_error(s->process.db)));
	return false;
}

/* Which number the database gave each issuer. */
static bool learn_numbers(struct ocsp_signer *s)
{
	struct db_call call = {0};
	bool ok;

	ocsp_issuers_call(&call);
	ok = run(s, &call);
	for (size_t i = 0; ok && i < ocsp_issuers_count(&call); i++) {
		struct ocsp_issuer issuer;

		ocsp_issuers_at(&call, i, &issuer);
		for (size_t j = 0; j < s->nserved; j++)
			if (bytes_equal(bytes_of(s->served[j].sha256, 32), issuer.sha256))
				s->served[j].number = issuer.id;
	}
	db_call_done(&call);
	return ok;
}

static void key_got(struct ocsp_signer *s, struct known_key *k, const struct responder_state *state)
{
	struct served *served = served_of_key(s, k);

	if (state->error.ptr != NULL) {
		CLEANUP_STR char *error =
			xstrndup((const char *)state->error.ptr, state->error.len);

		log_key(LOG_LEVEL_ERROR, "the signer refused a responder", k, error);
		k->state = KEY_OVER;
		if (served != NULL)
			served->wait_ms = clock_mono_ms() + KEY_PAUSE_MS;
	} else if (state->der.ptr == NULL) {
		k->state = KEY_WAITING;
	} else if (k->state != KEY_READY) {
		int err = responder_adopt(&k->responder, k->responder.key, state->der,
			state->not_before_us, state->not_after_us);

		if (err == OK)
			log_key(LOG_LEVEL_INFO, "responder ready", k, NULL);
		else
			log_key(LOG_LEVEL_ERROR, "a responder's certificate cannot be used", k,
				err_name(err));
		k->state = err == OK ? KEY_READY : KEY_OVER;
	}
}

static bool learn_states(struct ocsp_signer *s)
{
	CLEANUP(free) struct ident *ids = xcalloc(s->nkeys + 1, sizeof(*ids));
	struct db_call call = {0};
	bool ok;

	for (size_t i = 0; i < s->nkeys; i++)
		ids[i] = s->keys[i].file.id;
	responder_get_call(&call, ids, s->nkeys);
	ok = run(s, &call);
	for (size_t i = 0; ok && i < responder_get_count(&call); i++) {
		struct responder_state state;
		struct known_key *k;

		responder_get_at(&call, i, &state);
		k = find_key(s, &state.id);
		if (k != NULL)
			key_got(s, k, &state);
	}
	db_call_done(&call);
	for (size_t i = 0; i < s->nkeys; i++) {
		struct known_key *k = &s->keys[i];

		if (k->state == KEY_READY && k->responder.not_after_us <= clock_wall_us())
			k->state = KEY_OVER;
	}
	return ok;
}

static void register_key(struct ocsp_signer *s, struct known_key *k, struct served *served)
{
	static const char *const causes[] = {
		[RESPONDER_ISSUER_UNKNOWN] = "no signer has registered its issuer yet",
		[RESPONDER_KEY_IN_USE] = "its id or key is another responder's",
		[RESPONDER_KEY_BLOCKED] = "its key is blocked",
		[RESPONDER_TOO_MANY] = "the issuer has as many responders as it may have",
	};
	CLEANUP(free) uint8_t *spki = NULL;
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(k->responder.key, &der);
	struct db_call call = {0};

	if (len <= 0) {
		ossl_drain("i2d_PUBKEY");
		return;
	}
	spki = xcalloc(1, (size_t)len);
	memcpy(spki, der, (size_t)len);
	OPENSSL_free(der);
	responder_register_call(&call, &k->file.id, bytes_of(served->sha256, 32),
		bytes_of(spki, (size_t)len), s->process.host);
	if (run(s, &call)) {
		enum responder_code code = responder_register_result(&call);

		FAILPOINT("responder_registered");
		if (code == RESPONDER_OK)
			k->state = KEY_WAITING;
		else {
			log_key(LOG_LEVEL_WARNING, "a responder cannot be registered", k,
				causes[code]);
			served->wait_ms = clock_mono_ms() + KEY_PAUSE_MS;
			if (code == RESPONDER_KEY_IN_USE || code == RESPONDER_KEY_BLOCKED)
				k->state = KEY_OVER;
		}
	}
	db_call_done(&call);
}

/* ---- what is missing ---- */

static bool is_young(const struct responder *r, int64_t now_us)
{
	return (r->not_after_us - now_us) >= (r->not_after_us - r->not_before_us) / 3;
}

/* The one whose certificate lasts longest. */
static void choose(struct ocsp_signer *s, struct served *served)
{
	for (size_t i = 0; i < s->nkeys; i++) {
		struct known_key *k = &s->keys[i];

		if (k->state != KEY_READY || served_of_key(s, k) != served)
			continue;
		if (served->using == NULL ||
			k->responder.not_after_us > served->using->not_after_us)
			served->using = &k->responder;
	}
}

static bool is_awaited(struct ocsp_signer *s, const struct served *served)
{
	for (size_t i = 0; i < s->nkeys; i++) {
		if ((s->keys[i].state == KEY_WAITING || s->keys[i].state == KEY_NEW) &&
			served_of_key(s, &s->keys[i]) == served)
			return true;
	}
	return false;
}

/* Under the folder's lock, and only when nobody else has just made one. */
static void make_key(struct ocsp_signer *s, struct served *served)
{
	CLEANUP(free) struct keyfile *files = NULL;
	size_t count = 0;
	struct known_key k = {0};
	int lock = -1, err = keyfile_lock(s->folder, &lock);

	if (err == ERR_BUSY)
		return;
	if (err == OK)
		err = keyfile_list(s->folder, &files, &count);
	for (size_t i = 0; err == OK && i < count; i++) {
		if (memcmp(files[i].issuer, served->sha256, sizeof(files[i].issuer)) == 0 &&
			find_key(s, &files[i].id) == NULL)
			err = ERR_BUSY;
	}
	if (err == OK)
		err = keyfile_make(s->folder, served->sha256, &k.file, &k.responder.key);
	FAILPOINT("responder_key_made");
	if (err == OK) {
		log_key(LOG_LEVEL_INFO, "made a new responder's key", &k, NULL);
		register_key(s, &k, served);
		responder_done(&k.responder); /* the next look finds it */
	} else if (err != ERR_BUSY) {
		log_event(LOG_LEVEL_ERROR, "no responder's key can be made",
			F_STR("issuer", served->name), F_STR("cause", strerror(errno)));
		served->wait_ms = clock_mono_ms() + KEY_PAUSE_MS;
	}
	keyfile_unlock(lock);
}

/* Refused, expired, and those that another one has replaced for a while. */
static void remove_old(struct ocsp_signer *s)
{
	int64_t now_us = clock_wall_us();

	for (size_t i = 0; i < s->nkeys; i++) {
		struct known_key *k = &s->keys[i];
		const struct served *served = served_of_key(s, k);
		bool replaced = k->state == KEY_READY && served != NULL && served->using != NULL &&
			served->using != &k->responder &&
			now_us - served->using->not_before_us >
				(3600 + OLD_KEY_SECS) * USEC_PER_SEC;

		if (k->state != KEY_OVER && !replaced)
			continue;
		log_key(LOG_LEVEL_INFO, "removed a responder's key", k,
			replaced ? "replaced" : "refused or expired");
		keyfile_remove(s->folder, &k->file);
	}
}

static void tend(struct ocsp_signer *s)
{
	int64_t now_us = clock_wall_us();

	bool learned = scan(s) == OK && learn_numbers(s) && learn_states(s);

	/* Whatever could not be learned now, what was ready before is ready. */
	s->all_ready = s->nserved > 0;
	for (size_t i = 0; i < s->nserved; i++) {
		choose(s, &s->served[i]);
		if (s->served[i].using == NULL || s->served[i].number < 0)
			s->all_ready = false;
	}
	if (!learned)
		return;
	for (size_t i = 0; i < s->nkeys; i++) {
		struct served *served = served_of_key(s, &s->keys[i]);

		if (s->keys[i].state == KEY_NEW && served != NULL &&
			clock_mono_ms() >= served->wait_ms)
			register_key(s, &s->keys[i], served);
	}
	for (size_t i = 0; i < s->nserved; i++) {
		struct served *served = &s->served[i];

		if ((served->using == NULL || !is_young(served->using, now_us)) &&
			!is_awaited(s, served) && clock_mono_ms() >= served->wait_ms)
			make_key(s, served);
	}
	remove_old(s);
}

/* Something is under way that a few seconds would be long for. */
static bool is_urgent(struct ocsp_signer *s)
{
	for (size_t i = 0; i < s->nserved; i++)
		if (s->served[i].using == NULL || is_awaited(s, &s->served[i]))
			return true;
	return false;
}

void responders_tend(struct ocsp_signer *s)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms < s->tend_ms)
		return;
	tend(s);
	s->tend_ms = now_ms + (is_urgent(s) ? TEND_SOON_MS : TEND_MS);
}

void responders_done(struct ocsp_signer *s)
{
	free_keys(s->keys, s->nkeys);
	s->keys = NULL;
	s->nkeys = 0;
}
