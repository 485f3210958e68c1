/* publish.c — see publish.h. The database decides about paths, but only plain ones are followed:
 * nothing is written outside of the folder, and no link is. */
#include "workers/keeper/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/rnd.h"
#include "lib/base/stop.h"
#include "lib/pki/crl.h"
#include "lib/pki/ossl.h"
#include "lib/store/crl.h"

#define WHOLE_MS 600000 /* between two comparisons of everything */
#define RECENT_SECS 60  /* otherwise what is this new */
#define FILES_MAX 200   /* written in one sweep; the rest waits for the next */
#define LEFTOVER_SECS 3600
#define NEW_FOLDER                                                                                 \
	".new" /* what is being written; on the same file system, so it can be renamed             \
		*/
#define CHUNK 65536

/* One pass. */
struct pass {
	struct process *p;
	int folder; /* open; -1: none */
	int fresh;  /* NEW_FOLDER, open */
	int written;
	bool failed; /* something is to be tried again */
};

/* Where one file belongs. */
struct place {
	int folder; /* open; -1: none */
	char name[256];
};

/* What will be a file: under a name of its own in NEW_FOLDER. */
struct fresh {
	int fd;
	char name[40];
	EVP_MD_CTX *hash;
	uint64_t size;
};

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define CLEANUP_FD __attribute__((cleanup(close_fd)))

static void place_done(const struct place *place)
{
	close_fd(&place->folder);
}

#define CLEANUP_PLACE __attribute__((cleanup(place_done)))

static void tell(struct bytes path, const char *what, const char *cause)
{
	CLEANUP_STR char *text = xstrndup((const char *)path.ptr, path.len);

	log_event(LOG_LEVEL_ERROR, what, F_STR("file", text), F_STR("cause", cause));
}

/* The same, and the next sweep tries again. */
static void fail(struct pass *pass, struct bytes path, const char *what, const char *cause)
{
	pass->failed = true;
	tell(path, what, cause);
}

/* ---- where ---- */

/* A name of [A-Za-z0-9._~-] that is neither hidden nor "..". */
static bool is_plain_name(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	return name[0] != '\0' && name[0] != '.' && name[strspn(name, allowed)] == '\0';
}

/* The folder of that name, made when it is missing. Everybody may read what is published. */
static int enter(int folder, const char *name)
{
	int fd;

	if (!is_plain_name(name)) {
		errno = EINVAL;
		return -1;
	}
	if (mkdirat(folder, name, 0755) != 0 && errno != EEXIST)
		return -1;
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Whatever the umask is. Another keeper may have made it. */
	if (fd >= 0)
		(void)fchmod(fd, 0755);
	return fd;
}

/* ERR_INTERNAL (errno). ret->folder is the caller's to close. */
static int find_place(int folder, struct bytes path, struct place *ret)
{
	CLEANUP_STR char *text = xstrndup((const char *)path.ptr, path.len);
	int at = dup(folder);
	char *rest = text, *slash;

	while (at >= 0 && (slash = strchr(rest, '/')) != NULL) {
		int next;

		*slash = '\0';
		next = enter(at, rest);
		(void)close(at);
		at = next;
		rest = slash + 1;
	}
	if (at < 0)
		return ERR_INTERNAL;
	if (!is_plain_name(rest) || strlen(rest) >= sizeof(ret->name)) {
		(void)close(at);
		errno = EINVAL;
		return ERR_INTERNAL;
	}
	snprintf(ret->name, sizeof(ret->name), "%s", rest);
	ret->folder = at;
	return OK;
}

/* ---- writing ---- */

static int fresh_open(struct pass *pass, struct fresh *f)
{
	uint8_t random[8];

	*f = (struct fresh){.fd = -1};
	rnd_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(f->name + 2 * i, 3, "%02x", random[i]);
	f->hash = EVP_MD_CTX_new();
	if (f->hash == NULL || EVP_DigestInit_ex2(f->hash, ossl_sha256(), NULL) != 1)
		return ossl_drain("EVP_DigestInit_ex2");
	f->fd = openat(pass->fresh, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return f->fd >= 0 ? OK : ERR_INTERNAL;
}

static int fresh_add(struct fresh *f, struct bytes bytes)
{
	if (EVP_DigestUpdate(f->hash, bytes.ptr, bytes.len) != 1)
		return ossl_drain("EVP_DigestUpdate");
	f->size += bytes.len;
	while (bytes.len > 0) {
		ssize_t n = write(f->fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_INTERNAL;
		bytes = bytes_of(bytes.ptr + n, bytes.len - (size_t)n);
	}
	return OK;
}

/* To its place, when it is what it should be. ERR_CONFLICT: it is not. */
static int fresh_move(struct pass *pass, struct fresh *f, const struct place *place,
	struct bytes sha256)
{
	uint8_t hash[32];

	if (EVP_DigestFinal_ex(f->hash, hash, NULL) != 1)
		return ossl_drain("EVP_DigestFinal_ex");
	if (!bytes_equal(bytes_of(hash, sizeof(hash)), sha256))
		return ERR_CONFLICT;
	if (fchmod(f->fd, 0644) != 0 || fsync(f->fd) != 0 ||
		renameat(pass->fresh, f->name, place->folder, place->name) != 0)
		return ERR_INTERNAL;
	f->name[0] = '\0';
	pass->written++;
	return fsync(place->folder) == 0 ? OK : ERR_INTERNAL;
}

static void fresh_done(struct pass *pass, struct fresh *f)
{
	int saved_errno = errno;

	if (f->fd >= 0) {
		(void)close(f->fd);
		if (f->name[0] != '\0')
			(void)unlinkat(pass->fresh, f->name, 0);
	}
	EVP_MD_CTX_free(f->hash);
	errno = saved_errno;
}

/* ---- what is there ---- */

static int open_published(const struct place *place)
{
	return openat(place->folder, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* The file's bytes are those of this hash. */
static bool has_hash(int fd, uint64_t size, struct bytes sha256)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP_BUF struct buf window = {0};
	struct crl_source src;
	uint8_t hash[32];

	if (crl_source_file(fd, &src) != OK || src.size != size || ctx == NULL ||
		EVP_DigestInit_ex2(ctx, ossl_sha256(), NULL) != 1)
		return false;
	buf_reserve(&window, CHUNK);
	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		if (crl_source_read(&src, at, window.ptr, n) != OK ||
			EVP_DigestUpdate(ctx, window.ptr, n) != 1)
			return false;
	}
	return EVP_DigestFinal_ex(ctx, hash, NULL) == 1 &&
		bytes_equal(bytes_of(hash, sizeof(hash)), sha256);
}

/* Of a list that is there; 0 when there is none, or not one that can be read. */
static int64_t number_of(int fd)
{
	struct crl_source src;
	struct crl_view view;
	int64_t number = 0;

	if (fd < 0 || crl_source_file(fd, &src) != OK)
		return 0;
	if (crl_view_read(&src, &view) != OK || crl_view_number(&view, &number) != OK)
		number = 0;
	crl_view_done(&view);
	return number;
}

/* ---- lists ---- */

/* The parts, one after the other. ERR_NOENT: a newer list has taken their place. */
static int fetch_parts(struct pass *pass, const struct crl_file *file, struct fresh *f)
{
	int err = OK;

	for (int part = 0; err == OK && f->size < (uint64_t)file->size; part++) {
		struct db_call call = {0};

		crl_part_call(&call, &file->id, file->number, part);
		err = db_run_one(pass->p->db, &call);
		if (err == OK) {
			struct bytes bytes = crl_part_result(&call);

			err = bytes.ptr == NULL ? ERR_NOENT : fresh_add(f, bytes);
		}
		db_call_done(&call);
	}
	return err;
}

static void write_list(struct pass *pass, const struct crl_file *file, const struct place *place)
{
	struct fresh f;
	int err = fresh_open(pass, &f);

	if (err == OK)
		err = fetch_parts(pass, file, &f);
	if (err == OK)
		err = fresh_move(pass, &f, place, file->sha256);
	fresh_done(pass, &f);
	if (err == ERR_CONFLICT)
		fail(pass, file->path, "revocation list not published: it is not what was signed",
			"sha256");
	else if (err == ERR_INTERNAL)
		fail(pass, file->path, "revocation list not published, the one before stays",
			strerror(errno));
	else if (err != OK && err != ERR_NOENT)
		fail(pass, file->path, "revocation list not published, the one before stays",
			err == ERR_CRYPTO ? err_name(err) : db_error(pass->p->db));
}

/* RFC 5280 section 5.2.3: clients that have seen the higher number may refuse a lower one. The
 * database is one that was restored from an older state; its next list goes beyond. Until then this
 * one is not tried again at each sweep. */
static void report_overtaken(struct pass *pass, const struct crl_file *file, int64_t number)
{
	struct db_call call = {0};

	tell(file->path, "revocation list not published: the file's number is higher",
		"the database is older than the file");
	crl_overtaken_call(&call, &file->id, number);
	if (db_run_one(pass->p->db, &call) != OK)
		log_event(LOG_LEVEL_WARNING, "database not told of the higher number",
			F_STR("cause", db_error(pass->p->db)));
	db_call_done(&call);
}

static void publish_list(struct pass *pass, const struct crl_file *file)
{
	CLEANUP_PLACE struct place place = {.folder = -1};
	CLEANUP_FD int there = -1;
	int64_t number;

	if (find_place(pass->folder, file->path, &place) != OK) {
		fail(pass, file->path, "there is no place for a revocation list", strerror(errno));
		return;
	}
	there = open_published(&place);
	if (there >= 0 && has_hash(there, (uint64_t)file->size, file->sha256))
		return;
	number = number_of(there);
	if (number > file->number)
		report_overtaken(pass, file, number);
	else
		write_list(pass, file, &place);
}

static void publish_lists(struct pass *pass, bool whole)
{
	struct db_call call = {0};

	crl_files_call(&call, whole ? 0 : RECENT_SECS);
	if (db_run_one(pass->p->db, &call) != OK) {
		log_event(LOG_LEVEL_WARNING, "revocation lists not looked up",
			F_STR("cause", db_error(pass->p->db)));
		pass->failed = true;
	} else {
		for (size_t i = 0; i < crl_files_count(&call) && !stop_requested(); i++) {
			struct crl_file file;

			crl_files_at(&call, i, &file);
			if (pass->written < FILES_MAX)
				publish_list(pass, &file);
			else
				pass->failed = true;
		}
	}
	db_call_done(&call);
}

/* ---- certificates ---- */

static int write_certificate(struct pass *pass, struct bytes der, const struct place *place,
	struct bytes sha256)
{
	struct fresh f;
	int err = fresh_open(pass, &f);

	if (err == OK)
		err = fresh_add(&f, der);
	if (err == OK)
		err = fresh_move(pass, &f, place, sha256);
	fresh_done(pass, &f);
	return err;
}

static void publish_certificate(struct pass *pass, struct bytes path, struct bytes der)
{
	CLEANUP_PLACE struct place place = {.folder = -1};
	CLEANUP_FD int there = -1;
	struct bytes sha256;
	uint8_t hash[32];
	int err = find_place(pass->folder, path, &place);

	ossl_sha256_of(der, hash);
	sha256 = bytes_of(hash, sizeof(hash));
	if (err == OK) {
		there = open_published(&place);
		if (there >= 0 && has_hash(there, der.len, sha256))
			return;
		err = write_certificate(pass, der, &place, sha256);
	}
	if (err != OK)
		fail(pass, path, "issuing certificate not published",
			err == ERR_INTERNAL ? strerror(errno) : err_name(err));
}

static void publish_certificates(struct pass *pass)
{
	struct db_call call = {0};

	issuer_files_call(&call);
	if (db_run_one(pass->p->db, &call) != OK) {
		log_event(LOG_LEVEL_WARNING, "issuing certificates not looked up",
			F_STR("cause", db_error(pass->p->db)));
		pass->failed = true;
	} else {
		for (size_t i = 0; i < issuer_files_count(&call); i++) {
			struct bytes path, der;

			issuer_files_at(&call, i, &path, &der);
			publish_certificate(pass, path, der);
		}
	}
	db_call_done(&call);
}

/* ---- a pass ---- */

/* What a keeper left that was killed while it wrote. Another's that is being written is younger. */
static void remove_leftovers(const struct pass *pass)
{
	int fd = dup(pass->fresh);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	time_t now = time(NULL);
	struct stat st;

	if (dir == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' &&
			fstatat(pass->fresh, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && now - st.st_mtime > LEFTOVER_SECS)
			(void)unlinkat(pass->fresh, entry->d_name, 0);
	}
	(void)closedir(dir);
}

static bool open_folders(struct pass *pass, const char *path)
{
	pass->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pass->folder < 0 || (mkdirat(pass->folder, NEW_FOLDER, 0700) != 0 && errno != EEXIST))
		return false;
	pass->fresh =
		openat(pass->folder, NEW_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return pass->fresh >= 0;
}

/* True when a whole pass went well. */
static bool run_pass(struct pass *pass, bool whole)
{
	publish_lists(pass, whole);
	publish_certificates(pass);
	if (whole)
		remove_leftovers(pass);
	if (pass->written > 0)
		log_event(LOG_LEVEL_INFO, "files published", F_INT("files", pass->written));
	return !pass->failed;
}

void publish_run(struct publisher *pub, struct process *p)
{
	struct pass pass = {.p = p, .folder = -1, .fresh = -1};
	const char *path = p->conf->crl.folder;
	int64_t now = clock_mono_ms();
	bool whole = now >= pub->whole_ms;

	if (path == NULL)
		return;
	if (open_folders(&pass, path)) {
		pub->told = false;
		/* After a failure everything is compared again at the next sweep. */
		if (!run_pass(&pass, whole))
			pub->whole_ms = 0;
		else if (whole)
			pub->whole_ms = now + WHOLE_MS;
	} else if (!pub->told) {
		log_event(LOG_LEVEL_ERROR, "nothing can be published", F_STR("folder", path),
			F_STR("cause", strerror(errno)));
		pub->told = true;
		pub->whole_ms = 0;
	}
	close_fd(&pass.fresh);
	close_fd(&pass.folder);
}
