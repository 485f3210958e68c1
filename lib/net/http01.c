/* http01.c — see http01.h. One struct http01 is one try: a chain of hops, each resolve → connect →
 * ask → read. */
#include "lib/net/http01.h"

#include <stdio.h>

#include "lib/net/httpmsg.h"
#include "lib/net/probe.h"
#include "lib/net/stream.h"
#include "lib/net/target.h"
#include "lib/net/weburl.h"

#define READ_BYTES 2048
#define LOCATION_EVIDENCE_MAX 500

struct http01 {
	struct probe *probe;
	struct weburl url; /* of this hop */
	struct target target;
	size_t next_address;
	struct stream stream;
	struct httpmsg msg;
	struct buf request;
	size_t sent;
	bool hop_open; /* its evidence object is begun */
	int redirects;
	char *seen[HTTP01_REDIRECTS_MAX + 1]; /* URLs asked, to notice loops */
};

static void begin_hop(struct http01 *h);

static void end_hop_evidence(struct http01 *h)
{
	if (!h->hop_open)
		return;
	h->hop_open = false;
	jx_end_object(h->probe->evidence);
}

static void close_hop(struct http01 *h)
{
	target_done(&h->target);
	stream_close(&h->stream);
	httpmsg_done(&h->msg);
	buf_done(&h->request);
	h->request = (struct buf){0};
	h->sent = 0;
	h->next_address = 0;
	end_hop_evidence(h);
}

static struct probe *release(struct http01 *h)
{
	struct probe *probe = h->probe;

	close_hop(h);
	jx_end_array(probe->evidence);
	weburl_done(&h->url);
	for (size_t i = 0; i < ARRAY_LEN(h->seen); i++)
		free(h->seen[i]);
	free(h);
	return probe;
}

static void finish(struct http01 *h)
{
	struct probe *probe = release(h);

	probe->done(probe->arg);
}

/* "URL (address 192.0.2.1 port 80)" for messages. */
static char *describe_hop(const struct http01 *h)
{
	CLEANUP_BUF struct buf text = {0};
	char address[IPADDR_TEXT_LEN + 1];

	problem_quote(&text, bytes_str(h->seen[h->redirects]), PROBE_QUOTE_MAX);
	if (h->next_address > 0) {
		ipaddr_format(&h->target.addresses[h->next_address - 1], address);
		buf_addf(&text, " (address %s, port %u)", address, h->url.port);
	}
	return buf_take_str(&text);
}

static void fail_stream(struct http01 *h)
{
	CLEANUP_STR char *hop = describe_hop(h);

	jx_put_str(h->probe->evidence, "fault", h->stream.fault);
	probe_fail_stream(h->probe, &h->stream, hop);
	finish(h);
}

static void fail_response(struct http01 *h, const char *what)
{
	CLEANUP_STR char *hop = describe_hop(h);

	jx_put_str(h->probe->evidence, "fault", what);
	problem_set(&h->probe->pb, PROBLEM_INCORRECT_RESPONSE, "%s: the answer %s", hop, what);
	finish(h);
}

enum http01_match http01_compare(struct bytes body, const char *token,
	const char *key_authorization)
{
	struct bytes want = bytes_str(key_authorization), head = bytes_str(token);

	/* RFC 8555 section 8.3: "SHOULD ignore whitespace characters at the end of the body". */
	while (body.len > 0 && body.ptr[body.len - 1] != '\0' &&
		strchr(" \t\r\n\v\f", body.ptr[body.len - 1]) != NULL)
		body.len--;
	if (bytes_equal(body, want))
		return HTTP01_EQUAL;
	if (body.len == 0)
		return HTTP01_EMPTY;
	if (bytes_equal(body, head))
		return HTTP01_TOKEN_ONLY;
	if (body.len == want.len && memcmp(body.ptr, want.ptr, head.len + 1) == 0)
		return HTTP01_OTHER_ACCOUNT;
	return HTTP01_DIFFERENT;
}

static void judge_body(struct http01 *h)
{
	static const char *const faults[] = {
		[HTTP01_OTHER_ACCOUNT] =
			"has the right token but the thumbprint of another account key",
		[HTTP01_TOKEN_ONLY] = ("is the token alone; the key authorization is token, dot, "
				       "thumbprint of the account key"),
		[HTTP01_EMPTY] = "has an empty body",
		[HTTP01_DIFFERENT] =
			"is not the key authorization (something else answers at this URL)",
	};
	enum http01_match match = http01_compare(buf_bytes(&h->msg.body), h->probe->token,
		h->probe->key_authorization);

	if (match == HTTP01_EQUAL)
		finish(h);
	else
		fail_response(h, faults[match]);
}

static void refuse_redirect(struct http01 *h, const char *location, const char *fault)
{
	CLEANUP_STR char *hop = describe_hop(h);
	CLEANUP_BUF struct buf quoted = {0};

	problem_quote(&quoted, bytes_str(location), PROBE_QUOTE_MAX);
	jx_put_str(h->probe->evidence, "fault", fault);
	h->probe->hopeless = true;
	problem_set(&h->probe->pb, PROBLEM_CONNECTION, "%s: redirects to \"%s\", which %s", hop,
		buf_str(&quoted), fault);
	finish(h);
}

/* Loops and too long chains. */
static const char *object_to_chain(const struct http01 *h, const struct weburl *url)
{
	CLEANUP_BUF struct buf text = {0};

	if (h->redirects == HTTP01_REDIRECTS_MAX)
		return "would be one redirect too many";
	weburl_format(url, &text);
	for (int i = 0; i <= h->redirects; i++)
		if (strcmp(h->seen[i], buf_str(&text)) == 0)
			return "was asked before (a redirect loop)";
	return NULL;
}

static void follow(struct http01 *h)
{
	CLEANUP_STR char *location = TAKE(h->msg.location);
	CLEANUP_BUF struct buf quoted = {0};
	const char *fault = NULL;
	struct weburl next;

	problem_quote(&quoted, bytes_str(location), LOCATION_EVIDENCE_MAX);
	jx_put_bytes(h->probe->evidence, "location", buf_bytes(&quoted));
	if (weburl_resolve(&h->url, bytes_str(location), &fault, &next) != OK) {
		refuse_redirect(h, location, fault);
		return;
	}
	if (!perspective_allows_port(h->probe->px, next.port))
		fault = "has a port to which redirects are not followed";
	else
		fault = object_to_chain(h, &next);
	if (fault != NULL) {
		weburl_done(&next);
		refuse_redirect(h, location, fault);
		return;
	}
	close_hop(h);
	weburl_done(&h->url);
	h->url = next;
	h->redirects++;
	begin_hop(h);
}

static void judge_head(struct http01 *h)
{
	int status = h->msg.status;
	char what[64];

	/* CA/B BR 3.2.2.4.19: these redirects and no others. */
	if ((status == 301 || status == 302 || status == 307 || status == 308) &&
		h->msg.location != NULL) {
		follow(h);
		return;
	}
	if (status >= 300 && status <= 399)
		snprintf(what, sizeof(what), "has status %d, a redirect that is not followed",
			status);
	else
		snprintf(what, sizeof(what), "has status %d, not 200", status);
	fail_response(h, what);
}

/* The response is whole as far as it matters. */
static void judge(struct http01 *h)
{
	jx_put_int(h->probe->evidence, "status", h->msg.status);
	if (h->msg.status < 200 || h->msg.status > 299)
		judge_head(h);
	else
		judge_body(h);
}

static void read_response(struct http01 *h)
{
	uint8_t chunk[READ_BYTES];

	for (;;) {
		size_t len = 0;
		int rc = stream_read(&h->stream, chunk, sizeof(chunk), &len);

		if (rc == ERR_BUSY)
			return;
		if (rc != OK) {
			fail_stream(h);
			return;
		}
		rc = len == 0 ? httpmsg_end(&h->msg) : httpmsg_feed(&h->msg, bytes_of(chunk, len));
		if (rc != OK) {
			fail_response(h, h->msg.fault);
			return;
		}
		if (h->msg.state == HTTPMSG_COMPLETE) {
			judge(h);
			return;
		}
	}
}

static void write_request(struct http01 *h)
{
	while (h->sent < h->request.len) {
		size_t n = 0;
		int rc = stream_write(&h->stream, h->request.ptr + h->sent,
			h->request.len - h->sent, &n);

		if (rc == ERR_BUSY)
			return;
		if (rc != OK) {
			fail_stream(h);
			return;
		}
		h->sent += n;
	}
	read_response(h);
}

static void connect_next(struct http01 *h);

static void on_stream(void *arg, enum stream_event event)
{
	struct http01 *h = arg;

	if (event != STREAM_FAILED) {
		write_request(h);
	} else if (h->stream.phase == STREAM_CONNECTING && h->next_address < h->target.naddresses) {
		/* Only a failure to connect moves on to IPv4: an answer, even a wrong one, is the
		 * host's answer. */
		jx_put_str(h->probe->evidence, "fault_ipv6", h->stream.fault);
		stream_close(&h->stream);
		connect_next(h);
	} else {
		fail_stream(h);
	}
}

static void connect_next(struct http01 *h)
{
	struct perspective *px = h->probe->px;
	const struct ipaddr *address = &h->target.addresses[h->next_address++];
	char text[IPADDR_TEXT_LEN + 1];

	ipaddr_format(address, text);
	jx_put_str(h->probe->evidence, address->family == AF_INET6 ? "tried_ipv6" : "tried_ipv4",
		text);
	stream_connect(&h->stream, px, address, h->url.port, h->url.https ? px->https : NULL,
		h->url.is_address ? NULL : h->url.host, on_stream, h);
}

static void on_target(void *arg)
{
	struct http01 *h = arg;

	target_put_evidence(&h->target, h->probe->evidence);
	if (target_check(&h->target, &h->probe->pb, &h->probe->hopeless) != OK)
		finish(h);
	else
		connect_next(h);
}

static void make_request(struct http01 *h)
{
	buf_addf(&h->request, "GET %s HTTP/1.1\r\nHost: ", h->url.target);
	weburl_format_host(&h->url, &h->request);
	buf_addf(&h->request,
		"\r\nUser-Agent: %s\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: "
		"close\r\n\r\n",
		h->probe->px->user_agent);
}

static void begin_hop(struct http01 *h)
{
	CLEANUP_BUF struct buf text = {0};

	weburl_format(&h->url, &text);
	jx_begin_object(h->probe->evidence, NULL);
	h->hop_open = true;
	jx_put_bytes(h->probe->evidence, "url", buf_bytes(&text));
	h->seen[h->redirects] = buf_take_str(&text);
	httpmsg_init(&h->msg, HTTP01_BODY_MAX_BYTES);
	make_request(h);
	if (!h->url.is_address) {
		target_resolve(&h->target, h->probe->px, h->url.host, on_target, h);
		return;
	}
	target_take(&h->target, h->probe->px, h->url.host, &h->url.address);
	on_target(h);
}

static void *http01_start(struct probe *probe)
{
	struct http01 *h = xcalloc(1, sizeof(*h));
	CLEANUP_BUF struct buf path = {0};

	h->probe = probe;
	buf_addf(&path, "%s%s", HTTP01_PATH, probe->token);
	weburl_init_http(&h->url, probe->name, (uint16_t)probe->px->conf->validation.http01_port,
		buf_str(&path));
	jx_begin_array(probe->evidence, "hops");
	begin_hop(h);
	return h;
}

static void http01_expire(void *state)
{
	struct http01 *h = state;
	CLEANUP_STR char *hop = describe_hop(h);
	const char *what = "looking up the addresses of the host took too long";

	if (h->next_address > 0)
		what = h->stream.phase == STREAM_OPEN ? "no complete answer in time"
						      : "no connection in time";
	problem_set(&h->probe->pb, h->next_address > 0 ? PROBLEM_CONNECTION : PROBLEM_DNS,
		"%s: %s (timeout)", hop, what);
	release(h);
}

const struct probe_method http01_method = {.name = "http-01",
	.br_method = "3.2.2.4.19",
	.start = http01_start,
	.expire = http01_expire};
