/* fuzz_conf.c — assay.conf: any bytes are either a configuration without holes, or one line that
 * says what is wrong. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/conf.h"
#include "tests/fuzz/fuzz.h"

static void check_loaded(const struct conf *conf)
{
	assert(conf->server.base_url != NULL && conf->database.uri != NULL &&
		conf_redis(conf) != NULL);
	assert(conf->nprofiles >= 1);
	assert(conf_profile_find(conf, bytes_str(conf->profiles[0].name)) == &conf->profiles[0]);
	for (size_t i = 0; i < conf->nprofiles; i++) {
		assert(conf->profiles[i].validity_secs > 0 && conf->profiles[i].names_max > 0);
		assert(conf->nissuers == 0 || conf->profiles[i].issuers.count > 0);
	}
	for (size_t i = 0; i < conf->nissuers; i++)
		assert(conf->issuers[i].certificate != NULL && conf->issuers[i].chain != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP_STR char *error = NULL;
	int fd = memfd_create("assay.conf", MFD_CLOEXEC);
	char path[64];

	assert(fd >= 0);
	if (write(fd, data, size) != (ssize_t)size) {
		(void)close(fd);
		return 0;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (conf_load(path, &conf, &error) == OK) {
		assert(error == NULL);
		check_loaded(conf);
	} else {
		assert(conf == NULL && error != NULL);
		assert(strchr(error, '\n') == NULL && strncmp(error, path, strlen(path)) == 0);
	}
	(void)close(fd);
	return 0;
}
