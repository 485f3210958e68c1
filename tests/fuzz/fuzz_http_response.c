/* fuzz_http_response.c — httpmsg: the same response however it is cut, never more kept than
 * allowed; and weburl on whatever Location it carried: what resolves formats to something that
 * resolves to itself. */
#include <assert.h>

#include "lib/net/httpmsg.h"
#include "lib/net/weburl.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 64

static int feed(struct httpmsg *m, struct bytes text, size_t step)
{
	int rc = OK;

	httpmsg_init(m, BODY_MAX);
	for (size_t at = 0; rc == OK && at < text.len; at += step)
		rc = httpmsg_feed(m,
			bytes_of(text.ptr + at, step < text.len - at ? step : text.len - at));
	if (rc == OK)
		rc = httpmsg_end(m);
	assert((rc == OK) == (m->fault == NULL));
	assert(rc != OK || m->state == HTTPMSG_COMPLETE);
	assert(m->body.len <= BODY_MAX && m->head.len <= HTTPMSG_HEAD_MAX_BYTES);
	return rc;
}

static void check_location(const char *location)
{
	struct weburl base, first, second;
	CLEANUP_BUF struct buf text = {0}, again = {0};
	const char *fault = NULL;

	weburl_init_http(&base, "a.test", 80, "/b/c?d");
	if (weburl_resolve(&base, bytes_str(location), &fault, &first) == OK) {
		weburl_format(&first, &text);
		for (size_t i = 0; i < text.len; i++)
			assert(text.ptr[i] > 0x20 && text.ptr[i] < 0x7f);
		assert(first.target[0] == '/' && first.port != 0);
		assert(weburl_resolve(&base, buf_bytes(&text), &fault, &second) == OK);
		weburl_format(&second, &again);
		assert(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
		weburl_done(&first);
		weburl_done(&second);
	} else {
		assert(fault != NULL);
	}
	weburl_done(&base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct httpmsg whole, cut;
	int rc = feed(&whole, text, size + 1), cut_rc = feed(&cut, text, 1);

	assert((rc == OK) == (cut_rc == OK));
	assert(rc != OK ||
		(whole.status == cut.status &&
			bytes_equal(buf_bytes(&whole.body), buf_bytes(&cut.body))));
	if (rc == OK && whole.location != NULL)
		check_location(whole.location);
	httpmsg_done(&whole);
	httpmsg_done(&cut);
	return 0;
}
