/* outfile.h — files that assayctl init makes: never over an existing one, with their mode and owner
 * from the first byte on. When something fails half way, what this run made is removed again. */
#pragma once

#include <sys/types.h>

#include "lib/base/buf.h"

struct outfiles {
	char **paths; /* made so far */
	size_t count;
	bool owners_missing; /* a user does not exist here, or we are not root: files belong to us
				instead */
};

/* Makes the folder and those above it where missing. Existing ones are left as they are. */
MUST_CHECK int outfiles_folder(struct outfiles *out, const char *path, mode_t mode, char **ret_why);
/* owner: a user's name; NULL = whoever runs this. */
MUST_CHECK int outfiles_write(struct outfiles *out, const char *path, mode_t mode,
	const char *owner, struct bytes content, char **ret_why);
/* Removes what was made. */
void outfiles_undo(struct outfiles *out);
void outfiles_done(struct outfiles *out);
