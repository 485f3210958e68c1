/* conf_secret.c — passwords live in files of their own, one for each role, never in assay.conf. */
#include <string.h>

#include "lib/base/conf.h"
#include "lib/base/file.h"

#define SECRET_MAX_BYTES 4096

static void cleanse(struct buf *buf)
{
	if (buf->ptr != NULL)
		explicit_bzero(buf->ptr, buf->cap);
	buf_done(buf);
}

int conf_secret_load(const char *folder, const char *name, char **ret)
{
	CLEANUP_BUF struct buf path = {0};
	__attribute__((cleanup(cleanse))) struct buf text = {0};
	size_t len;
	int err;

	if (folder == NULL)
		return ERR_NOENT;
	/* Room for everything at once: a buffer that grows would leave copies behind. */
	buf_reserve(&text, 2 * SECRET_MAX_BYTES);
	buf_addf(&path, "%s/%s", folder, name);
	err = file_load_secret(buf_str(&path), SECRET_MAX_BYTES, &text);
	if (err != OK)
		return err == ERR_NOENT ? ERR_NOENT : ERR_INTERNAL;
	len = strcspn(buf_str(&text), "\r\n");
	/* An empty password, or one that ends at a NUL, was not meant. */
	if (len == 0 || memchr(text.ptr, '\0', text.len) != NULL)
		return ERR_INTERNAL;
	*ret = xstrndup(buf_str(&text), len);
	return OK;
}

void conf_secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
