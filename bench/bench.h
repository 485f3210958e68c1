/* bench.h — the load generator: whole ACME flows with http-01 against any directory, over kept TLS
 * connections.
 *
 * Each connection is a thread with one TLS connection and one account. Names are unique and carry
 * the account's number, so that the http-01 responder can answer without shared state:
 * "r17-a3.bench.test" is proved with account 3's thumbprint. */
#pragma once

#include <openssl/ssl.h>
#include <pthread.h>

#include "lib/base/buf.h"
#include "lib/base/jx.h"
#include "lib/pki/ossl.h"

#define NONCE_MAX 512
#define URL_MAX 1024

struct bench_account {
	EVP_PKEY *key;
	char thumbprint[44]; /* base64url */
	char jwk[200];       /* canonical JSON */
	char kid[URL_MAX];
};

struct bench {
	const char *directory;
	const char *ca_file;
	int connections;
	int accounts;
	double seconds;
	long count; /* 0 = until seconds have passed */
	int dns_port, http_port;
	const char *bind;
	struct bench_account *account;
	char new_nonce[URL_MAX], new_account[URL_MAX], new_order[URL_MAX];
	char host[256];
	char port[8];
	SSL_CTX *tls;
	volatile int stop;
	long serial;  /* atomically taken: the next name's number */
	char run[16]; /* random word of this run, part of each name */
};

/* One kept HTTPS connection. */
struct http {
	struct bench *bench;
	SSL *ssl;
	int fd;
	int status;
	char nonce[NONCE_MAX]; /* of the last answer, "" when used */
	char location[URL_MAX];
	int retry_after;
	struct buf head, body;
	long connects;
};

void http_init(struct http *h, struct bench *bench);
void http_done(struct http *h);
/* method is "GET", "HEAD" or "POST"; body NULL for the first two. ERR_NET when the connection fails
 * (also after one retry on a fresh one). */
MUST_CHECK int http_request(struct http *h, const char *method, const char *url,
	const struct buf *body);

MUST_CHECK int acme_directory(struct bench *bench);
MUST_CHECK int acme_account(struct bench *bench, struct http *h, struct bench_account *account,
	int index);
/* One certificate. why is a literal naming the step that failed. */
MUST_CHECK int acme_flow(struct bench *bench, struct http *h, struct bench_account *account,
	int index, EVP_PKEY *key, const char **why);

/* The DNS and http-01 responders: threads of their own that end with the process. */
MUST_CHECK int responders_start(struct bench *bench);

/* CSR for one name, appended as DER. */
MUST_CHECK int csr_make(const char *name, EVP_PKEY *key, struct buf *out);
/* ES256 in JWS form: r || s. */
MUST_CHECK int es256_sign(EVP_PKEY *key, struct bytes input, uint8_t out[64]);
