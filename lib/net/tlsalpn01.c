/* tlsalpn01.c — tls-alpn-01 (RFC 8737): a TLS handshake with SNI NAME and ALPN "acme-tls/1" only,
 * and a certificate as alpncert.h demands. No application data is exchanged. The method is
 * tlsalpn01_method in probe.h. */
#include <openssl/x509.h>

#include "lib/net/alpncert.h"
#include "lib/net/probe.h"
#include "lib/net/stream.h"
#include "lib/net/target.h"
#include "lib/pki/ossl.h"

struct tlsalpn01 {
	struct probe *probe;
	struct target target;
	size_t next_address;
	struct stream stream;
};

static struct probe *release(struct tlsalpn01 *t)
{
	struct probe *probe = t->probe;

	target_done(&t->target);
	stream_close(&t->stream);
	free(t);
	return probe;
}

static void finish(struct tlsalpn01 *t)
{
	struct probe *probe = release(t);

	probe->done(probe->arg);
}

static char *describe_peer(const struct tlsalpn01 *t)
{
	CLEANUP_BUF struct buf text = {0};
	char address[IPADDR_TEXT_LEN + 1];

	buf_addf(&text, "TLS connection to %s", t->probe->name);
	if (t->next_address > 0) {
		ipaddr_format(&t->target.addresses[t->next_address - 1], address);
		buf_addf(&text, " (address %s, port %d)", address,
			t->probe->px->conf->validation.tlsalpn01_port);
	}
	return buf_take_str(&text);
}

static int check_certificate(struct tlsalpn01 *t, struct problem *pb)
{
	X509 *x509 = SSL_get0_peer_certificate(t->stream.ssl);
	uint8_t digest[32], *der = NULL;
	int len = x509 == NULL ? -1 : i2d_X509(x509, &der), rc;

	if (len <= 0) {
		(void)ossl_drain("i2d_X509");
		return problem_set(pb, PROBLEM_INCORRECT_RESPONSE,
			"the server sent no readable certificate");
	}
	ossl_sha256_of(bytes_str(t->probe->key_authorization), digest);
	rc = alpncert_check(bytes_of(der, (size_t)len), t->probe->name, digest, pb);
	OPENSSL_free(der);
	return rc;
}

/* RFC 8737 section 3, in its order: the protocol negotiated, then the certificate. */
static void judge(struct tlsalpn01 *t)
{
	struct probe *probe = t->probe;
	CLEANUP_STR char *peer = describe_peer(t);
	CLEANUP_PROBLEM struct problem why = {0};
	const uint8_t *protocol = NULL;
	unsigned len = 0;

	jx_put_str(probe->evidence, "tls", SSL_get_version(t->stream.ssl));
	SSL_get0_alpn_selected(t->stream.ssl, &protocol, &len);
	if (!bytes_is(bytes_of(protocol, len), "acme-tls/1")) {
		problem_set(&probe->pb, PROBLEM_TLS,
			"%s: the server does not know the protocol acme-tls/1", peer);
	} else if (check_certificate(t, &why) != OK) {
		jx_put_str(probe->evidence, "fault", why.detail);
		problem_set(&probe->pb, why.type, "%s: %s", peer, why.detail);
	}
	finish(t);
}

static void connect_next(struct tlsalpn01 *t);

static void on_stream(void *arg, enum stream_event event)
{
	struct tlsalpn01 *t = arg;

	if (event == STREAM_READY) {
		judge(t);
	} else if (event == STREAM_FAILED && t->stream.phase == STREAM_CONNECTING &&
		t->next_address < t->target.naddresses) {
		jx_put_str(t->probe->evidence, "fault_ipv6", t->stream.fault);
		stream_close(&t->stream);
		connect_next(t);
	} else {
		CLEANUP_STR char *peer = describe_peer(t);

		jx_put_str(t->probe->evidence, "fault", t->stream.fault);
		probe_fail_stream(t->probe, &t->stream, peer);
		finish(t);
	}
}

static void connect_next(struct tlsalpn01 *t)
{
	struct perspective *px = t->probe->px;
	const struct ipaddr *address = &t->target.addresses[t->next_address++];
	char text[IPADDR_TEXT_LEN + 1];

	ipaddr_format(address, text);
	jx_put_str(t->probe->evidence, address->family == AF_INET6 ? "tried_ipv6" : "tried_ipv4",
		text);
	stream_connect(&t->stream, px, address, (uint16_t)px->conf->validation.tlsalpn01_port,
		px->alpn, t->probe->name, on_stream, t);
}

static void on_target(void *arg)
{
	struct tlsalpn01 *t = arg;

	target_put_evidence(&t->target, t->probe->evidence);
	if (target_check(&t->target, &t->probe->pb, &t->probe->hopeless) != OK)
		finish(t);
	else
		connect_next(t);
}

static void *tlsalpn01_start(struct probe *probe)
{
	struct tlsalpn01 *t = xcalloc(1, sizeof(*t));

	t->probe = probe;
	jx_put_int(probe->evidence, "port", probe->px->conf->validation.tlsalpn01_port);
	target_resolve(&t->target, probe->px, probe->name, on_target, t);
	return t;
}

static void tlsalpn01_expire(void *state)
{
	struct tlsalpn01 *t = state;
	CLEANUP_STR char *peer = describe_peer(t);

	problem_set(&t->probe->pb, t->next_address > 0 ? PROBLEM_CONNECTION : PROBLEM_DNS,
		"%s: no result in time (timeout)", peer);
	release(t);
}

const struct probe_method tlsalpn01_method = {.name = "tls-alpn-01",
	.br_method = "3.2.2.4.20",
	.start = tlsalpn01_start,
	.expire = tlsalpn01_expire};
