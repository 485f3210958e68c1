/* test_ocsp_sign.c — when responses end and are replaced, and the responders' keys on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/scratch_folder.h"
#include "workers/ocsp_signer/keyfile.h"
#include "workers/ocsp_signer/sign.h"

#define NOW_US (1800000000 * USEC_PER_SEC + 654321)
#define THIS_US (1800000000 * USEC_PER_SEC)
#define HOUR_US (3600 * USEC_PER_SEC)
#define DAY_US (24 * HOUR_US)
#define FAR_US (NOW_US + 1000 * DAY_US)

/* BR 4.9.10, whatever the validity, the responder's end and the spread. */
static void responses_are_replaced_as_the_rules_say(void **state)
{
	(void)state;
	for (int64_t hours = 8; hours <= 240; hours++) {
		for (int64_t left = 1; left <= 240; left += 7) {
			for (int spread = 0; spread < 256; spread += 85) {
				struct ocsp_times t;
				int64_t end_us = THIS_US + left * HOUR_US;
				int64_t life_us = (hours < left ? hours : left) * HOUR_US;

				ocsp_times_choose(NOW_US, hours * 3600, end_us, FAR_US,
					(uint8_t)spread, &t);
				assert_true(t.this_us == THIS_US);
				assert_true(t.next_us == THIS_US + life_us);
				assert_true(t.next_us <= end_us);
				assert_true(t.refresh_us > t.this_us);
				/* A tenth of the time is there to do it in. */
				assert_true((t.refresh_us - t.this_us) * 10 <= life_us / 2 * 9);
				if (life_us >= 16 * HOUR_US) {
					assert_true(t.refresh_us <= t.next_us - 8 * HOUR_US);
					assert_true(t.refresh_us <= t.this_us + 4 * DAY_US);
				}
				/* Nor is it done much more often than that. */
				assert_true((t.refresh_us - t.this_us) * 10 >=
						(life_us / 2 < 4 * DAY_US ? life_us / 2
									  : 4 * DAY_US) *
							7 ||
					life_us >= 16 * HOUR_US);
			}
		}
	}
}

static void what_is_signed_together_comes_back_spread(void **state)
{
	struct ocsp_times first, last;

	(void)state;
	ocsp_times_choose(NOW_US, 4 * 86400, FAR_US, FAR_US, 0, &first);
	ocsp_times_choose(NOW_US, 4 * 86400, FAR_US, FAR_US, 255, &last);
	assert_true(first.refresh_us == THIS_US + 2 * DAY_US / 10 * 8);
	assert_true(last.refresh_us - first.refresh_us > 4 * HOUR_US);
	assert_true(first.next_us == last.next_us);
}

static void what_expires_before_is_not_signed_again(void **state)
{
	struct ocsp_times t;

	(void)state;
	ocsp_times_choose(NOW_US, 4 * 86400, FAR_US, NOW_US + DAY_US, 0, &t);
	assert_true(t.refresh_us == INT64_MIN);
	assert_true(t.next_us == THIS_US + 4 * DAY_US);
	ocsp_times_choose(NOW_US, 4 * 86400, FAR_US, NOW_US + 3 * DAY_US, 0, &t);
	assert_true(t.refresh_us != INT64_MIN);
}

/* RFC 6960 section 4.4.4: producedAt less the time that status is kept; not from before the issuer.
 */
static void the_archive_reaches_back_to_the_issuer_at_most(void **state)
{
	const struct ocsp_subject subject = {.serial = bytes_str("s"), .reason = -1};
	const struct ocsp_times times = {THIS_US, THIS_US + DAY_US, INT64_MIN};
	struct conf_ocsp conf = {0};
	struct ocsp_issue issue = {.not_before_us = THIS_US - 10 * DAY_US};
	struct ocsp_single single;

	(void)state;
	ocsp_single_of(&issue, &conf, &subject, OCSP_SHA1, &times, &single);
	assert_true(single.archive_cutoff_us == INT64_MIN);
	conf.archive_secs = 5 * 86400;
	ocsp_single_of(&issue, &conf, &subject, OCSP_SHA1, &times, &single);
	assert_true(single.archive_cutoff_us == THIS_US - 5 * DAY_US);
	conf.archive_secs = 50 * 86400;
	ocsp_single_of(&issue, &conf, &subject, OCSP_SHA1, &times, &single);
	assert_true(single.archive_cutoff_us == issue.not_before_us);
}

/* ---- keys ---- */

static int folder_open(const char *name, char path[4096])
{
	int fd = -1;

	snprintf(path, 4096, "%s/%s", scratch_folder(), name);
	assert_int_equal(keyfile_folder(path, &fd), OK);
	return fd;
}

static void a_key_is_found_again(void **state)
{
	static const uint8_t issuer[8] = {0, 1, 2, 0xfd, 0xfe, 0xff, 0x10, 0x20};
	char path[4096];
	int folder = folder_open("keys", path), junk;
	struct keyfile made, *found = NULL;
	EVP_PKEY *key = NULL, *again = NULL;
	size_t count = 0;
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(keyfile_make(folder, issuer, &made, &key), OK);
	junk = openat(folder, "0001.key", O_CREAT | O_WRONLY, 0400);
	close(junk);
	assert_int_equal(keyfile_list(folder, &found, &count), OK);
	assert_int_equal(count, 1);
	assert_true(ident_equal(&found[0].id, &made.id));
	assert_memory_equal(found[0].issuer, issuer, sizeof(issuer));
	assert_int_equal(keyfile_load(folder, &found[0], &again), OK);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	free(found);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	keyfile_remove(folder, &made);
	assert_int_equal(keyfile_list(folder, &found, &count), OK);
	assert_int_equal(count, 0);
	free(found);
	assert_int_equal(keyfile_load(folder, &made, &again), ERR_NOENT);
	close(folder);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	static const uint8_t issuer[8] = {7};
	char path[4096], file[8192];
	int folder = folder_open("open", path);
	struct keyfile made, *found = NULL;
	EVP_PKEY *key = NULL;
	size_t count = 0;
	char id[IDENT_TEXT_LEN + 1];

	(void)state;
	assert_int_equal(keyfile_make(folder, issuer, &made, &key), OK);
	EVP_PKEY_free(key);
	ident_format(&made.id, id);
	snprintf(file, sizeof(file), "%s/0700000000000000-%s.key", path, id);
	assert_int_equal(chmod(file, 0440), 0);
	assert_int_equal(keyfile_load(folder, &made, &key), ERR_CONFLICT);
	assert_int_equal(chmod(file, 0600), 0);
	assert_int_equal(truncate(file, 20), 0);
	assert_int_equal(keyfile_load(folder, &made, &key), ERR_CRYPTO);
	assert_int_equal(keyfile_list(folder, &found, &count), OK);
	assert_int_equal(count, 1);
	free(found);
	close(folder);
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
	char path[4096];
	int fd = folder_open("wide", path);

	(void)state;
	close(fd);
	assert_int_equal(chmod(path, 0710), 0);
	assert_int_equal(keyfile_folder(path, &fd), ERR_INTERNAL);
	snprintf(path, sizeof(path), "%s/no/such", scratch_folder());
	assert_int_equal(keyfile_folder(path, &fd), ERR_INTERNAL);
}

static void only_one_makes_a_key_at_a_time(void **state)
{
	char path[4096];
	int folder = folder_open("lock", path), lock = -1, other = -1;

	(void)state;
	assert_int_equal(keyfile_lock(folder, &lock), OK);
	assert_int_equal(keyfile_lock(folder, &other), ERR_BUSY);
	keyfile_unlock(lock);
	assert_int_equal(keyfile_lock(folder, &other), OK);
	keyfile_unlock(other);
	close(folder);
}

static int empty_folders(void **state)
{
	static const char *const names[] = {"keys", "open", "wide", "lock"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[4096], file[8192];
		const struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "%s/%s", scratch_folder(), names[i]);
		dir = opendir(path);
		if (dir == NULL)
			return -1;
		while ((entry = readdir(dir)) != NULL) {
			snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
			unlink(file);
		}
		closedir(dir);
		rmdir(path);
	}
	return scratch_folder_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_replaced_as_the_rules_say),
		cmocka_unit_test(what_is_signed_together_comes_back_spread),
		cmocka_unit_test(what_expires_before_is_not_signed_again),
		cmocka_unit_test(the_archive_reaches_back_to_the_issuer_at_most),
		cmocka_unit_test(a_key_is_found_again),
		cmocka_unit_test(a_key_that_others_may_read_is_refused),
		cmocka_unit_test(a_folder_that_others_may_enter_is_refused),
		cmocka_unit_test(only_one_makes_a_key_at_a_time),
	};

	return cmocka_run_group_tests(tests, scratch_folder_make, empty_folders);
}
