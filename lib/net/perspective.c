/* perspective.c — see perspective.h. */
#include "lib/net/perspective.h"

#include "lib/pki/ossl.h"

/* RFC 8737 section 6.2: "acme-tls/1". */
static const uint8_t acme_tls_1[] = {10, 'a', 'c', 'm', 'e', '-', 't', 'l', 's', '/', '1'};

/* Peers prove themselves by what they answer; certificates are looked at, where at all, by
 * tlsalpn01. */
static SSL_CTX *new_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_mode(ctx,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* RFC 8737 section 3 wants TLS 1.2 or later, and so do we of https. */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static int make_contexts(struct perspective *px)
{
	px->https = new_context();
	px->alpn = new_context();
	if (px->https == NULL || px->alpn == NULL)
		return ossl_drain("SSL_CTX_new");
	/* Keys of any strength: the encryption of a redirect target proves nothing and is not
	 * relied on. */
	SSL_CTX_set_security_level(px->https, 0);
	/* Many servers close without close_notify; the length of the body is checked by other
	 * means. */
	SSL_CTX_set_options(px->https, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (SSL_CTX_set_alpn_protos(px->alpn, acme_tls_1, sizeof(acme_tls_1)) != 0)
		return ossl_drain("SSL_CTX_set_alpn_protos");
	return OK;
}

static char *describe_us(const struct conf *conf)
{
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, "assay/%s (ACME domain validation; +%s)", PACKAGE_VERSION,
		conf->server.base_url);
	return buf_take_str(&text);
}

int perspective_new(struct loop *loop, const struct conf *conf, char **ret_error,
	struct perspective **ret)
{
	CLEANUP(perspective_free) struct perspective *px = xcalloc(1, sizeof(*px));
	int rc;

	px->loop = loop;
	px->conf = conf;
	px->phase_ms = conf->validation.attempt_secs * 1000 / 2;
	px->user_agent = describe_us(conf);
	rc = ipguard_new(&conf->validation.allow_addresses, ret_error, &px->guard);
	if (rc != OK)
		return rc;
	rc = dns_new(loop, &conf->validation.resolvers, conf->validation.dnssec_require, &px->dns);
	if (rc != OK) {
		*ret_error = xstrdup(
			"resolvers: each must be an IP address with a port, such as 127.0.0.1:53");
		return rc;
	}
	rc = make_contexts(px);
	if (rc != OK) {
		*ret_error = xstrdup("OpenSSL cannot make a TLS client context");
		return rc;
	}
	*ret = TAKE(px);
	return OK;
}

void perspective_free(struct perspective *px)
{
	if (px == NULL)
		return;
	dns_free(px->dns);
	ipguard_free(px->guard);
	SSL_CTX_free(px->https);
	SSL_CTX_free(px->alpn);
	free(px->user_agent);
	free(px);
}

bool perspective_allows_port(const struct perspective *px, uint16_t port)
{
	const struct conf_list *ports = &px->conf->validation.redirect_ports;

	for (size_t i = 0; i < ports->count; i++)
		if (strtol(ports->items[i], NULL, 10) == port)
			return true;
	return port == px->conf->validation.http01_port;
}
