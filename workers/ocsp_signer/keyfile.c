/* keyfile.c — see keyfile.h. */
#include "workers/ocsp_signer/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"

#define KEY_MAX_BYTES 4096
#define ISSUER_HEX 16
#define SUFFIX ".key"
#define NAME_LEN (ISSUER_HEX + 1 + IDENT_TEXT_LEN + sizeof(SUFFIX) - 1)
#define LOCK ".lock"
#define HALF_MADE ".new"

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
DEFINE_CLEANUP(fd_close, int)

int keyfile_folder(const char *path, int *ret_fd)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return ERR_INTERNAL;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_INTERNAL;
	if (fstat(fd, &st) != 0 || st.st_uid != geteuid() ||
		(st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		close(fd);
		errno = EPERM;
		return ERR_INTERNAL;
	}
	*ret_fd = fd;
	return OK;
}

static void name_of(const struct keyfile *file, char out[NAME_LEN + 1])
{
	char id[IDENT_TEXT_LEN + 1];

	for (size_t i = 0; i < sizeof(file->issuer); i++)
		snprintf(out + 2 * i, 3, "%02x", file->issuer[i]);
	ident_format(&file->id, id);
	snprintf(out + ISSUER_HEX, NAME_LEN + 1 - ISSUER_HEX, "-%s" SUFFIX, id);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int name_parse(const char *name, struct keyfile *ret)
{
	if (strlen(name) != NAME_LEN || name[ISSUER_HEX] != '-' ||
		strcmp(name + ISSUER_HEX + 1 + IDENT_TEXT_LEN, SUFFIX) != 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < sizeof(ret->issuer); i++) {
		int high = hex_digit(name[2 * i]), low = hex_digit(name[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		ret->issuer[i] = (uint8_t)(high << 4 | low);
	}
	return ident_parse(bytes_of(name + ISSUER_HEX + 1, IDENT_TEXT_LEN), &ret->id);
}

static int compare(const void *a, const void *b)
{
	const struct keyfile *x = a, *y = b;
	int order = memcmp(x->issuer, y->issuer, sizeof(x->issuer));

	return order != 0 ? order : ident_compare(&x->id, &y->id);
}

int keyfile_list(int folder, struct keyfile **ret, size_t *ret_count)
{
	/* A descriptor of its own: reading moves its position. */
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct keyfile *list = NULL, file;
	const struct dirent *entry;
	size_t count = 0;

	if (dir == NULL) {
		fd_close(fd);
		return ERR_INTERNAL;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (name_parse(entry->d_name, &file) != OK)
			continue;
		list = xrealloc(list, (count + 1) * sizeof(*list));
		list[count++] = file;
	}
	closedir(dir);
	if (count > 1)
		qsort(list, count, sizeof(*list), compare);
	*ret = list;
	*ret_count = count;
	return OK;
}

int keyfile_load(int folder, const struct keyfile *file, EVP_PKEY **ret)
{
	char name[NAME_LEN + 1];
	uint8_t der[KEY_MAX_BYTES];
	const uint8_t *at = der;
	EVP_PKEY *key = NULL;
	struct stat st;
	ssize_t len;

	name_of(file, name);
	CLEANUP(fd_close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_INTERNAL;
	/* Whoever else could read or write it may have, so it counts as disclosed. */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		(st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return ERR_CONFLICT;
	len = read(fd, der, sizeof(der));
	if (len > 0)
		key = d2i_AutoPrivateKey(NULL, &at, (long)len);
	if (key != NULL &&
		(at != der + len || !EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_bits(key) != 256)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	OPENSSL_cleanse(der, sizeof(der));
	if (key == NULL)
		return ossl_drain("d2i_AutoPrivateKey");
	*ret = key;
	return OK;
}

static int write_all(int fd, const uint8_t *ptr, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, ptr, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_INTERNAL;
		ptr += n;
		len -= (size_t)n;
	}
	return fsync(fd) == 0 ? OK : ERR_INTERNAL;
}

/* Under its final name only when all of it is on disk. */
static int write_new(int folder, const char *name, const uint8_t *der, size_t len)
{
	CLEANUP(fd_close) int fd = -1;

	/* Left behind by one that died; we hold the lock. */
	(void)unlinkat(folder, HALF_MADE, 0);
	fd = openat(folder, HALF_MADE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0 || write_all(fd, der, len) != OK ||
		renameat(folder, HALF_MADE, folder, name) != 0 || fsync(folder) != 0)
		return ERR_INTERNAL;
	return OK;
}

int keyfile_make(int folder, const uint8_t issuer[8], struct keyfile *ret, EVP_PKEY **ret_key)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	struct keyfile file = {.id = ident_new()};
	char name[NAME_LEN + 1];
	PKCS8_PRIV_KEY_INFO *p8;
	uint8_t *der = NULL;
	int len, err;

	if (key == NULL)
		return ossl_drain("EVP_EC_gen");
	p8 = EVP_PKEY2PKCS8(key);
	len = p8 == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (len <= 0)
		return ossl_drain("i2d_PKCS8_PRIV_KEY_INFO");
	memcpy(file.issuer, issuer, sizeof(file.issuer));
	name_of(&file, name);
	err = write_new(folder, name, der, (size_t)len);
	OPENSSL_clear_free(der, (size_t)len);
	if (err != OK)
		return err;
	*ret = file;
	*ret_key = TAKE(key);
	return OK;
}

void keyfile_remove(int folder, const struct keyfile *file)
{
	char name[NAME_LEN + 1];

	name_of(file, name);
	(void)unlinkat(folder, name, 0);
}

int keyfile_lock(int folder, int *ret_lock)
{
	int fd = openat(folder, LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return ERR_INTERNAL;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int err = errno == EWOULDBLOCK ? ERR_BUSY : ERR_INTERNAL;

		close(fd);
		return err;
	}
	*ret_lock = fd;
	return OK;
}

void keyfile_unlock(int lock)
{
	fd_close(lock);
}
