/* main.c — assay-bench: options, threads, and the figures as one line of JSON on stdout. */
#include "bench/bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/rnd.h"

#define V_ROUNDS 2000

struct lane { /* one connection */
	struct bench *bench;
	int index;
	pthread_t thread;
	double *flow_ms;
	long done, failed, connects, cap;
	long late; /* done, but after the time was over */
};

static struct bench bench = {
	.connections = 8,
	.seconds = 10,
	.http_port = 5002,
	.bind = "127.0.0.1",
};
static long budget; /* flows left to start, when counted */

static void note_failure(struct lane *lane, const struct http *h, const char *why)
{
	lane->failed++;
	if (__atomic_load_n(&lane->failed, __ATOMIC_RELAXED) <= 2)
		fprintf(stderr, "assay-bench: %s failed: status %d: %.300s\n", why, h->status,
			buf_str(&h->body));
}

static void *lane_main(void *arg)
{
	struct lane *lane = arg;
	struct bench *b = lane->bench;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	const int account = lane->index % b->accounts;
	struct http h;
	const char *why = "";

	http_init(&h, b);
	while (!b->stop && key != NULL) {
		if (b->count > 0 && __atomic_sub_fetch(&budget, 1, __ATOMIC_RELAXED) < 0)
			break;
		const int64_t begun = clock_mono_us();

		if (acme_flow(b, &h, &b->account[account], account, key, &why) != OK) {
			note_failure(lane, &h, why);
			continue;
		}
		if (lane->done == lane->cap) {
			lane->cap = lane->cap * 2 + 1024;
			lane->flow_ms = xrealloc(lane->flow_ms, (size_t)lane->cap * sizeof(double));
		}
		lane->late += b->stop;
		lane->flow_ms[lane->done++] = (double)(clock_mono_us() - begun) / 1000.0;
	}
	lane->connects = h.connects;
	http_done(&h);
	return NULL;
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* V: µs of one ECDSA P-256 verification with a parsed key, on this core in this run. */
static double measure_v(void)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	static const uint8_t text[700];
	uint8_t signature[80];
	size_t len = sizeof(signature);
	double best = 1e9;

	if (EVP_DigestSignInit(ctx, NULL, ossl_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(ctx, signature, &len, text, sizeof(text)) != 1)
		die("cannot sign: OpenSSL is broken");
	for (int round = 0; round < 5; round++) {
		const clock_t begun = clock();

		for (int i = 0; i < V_ROUNDS / 5; i++) {
			CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *verify = EVP_MD_CTX_new();

			if (EVP_DigestVerifyInit(verify, NULL, ossl_sha256(), NULL, key) != 1 ||
				EVP_DigestVerify(verify, signature, len, text, sizeof(text)) != 1)
				die("cannot verify: OpenSSL is broken");
		}
		const double us = (double)(clock() - begun) * 1e6 / CLOCKS_PER_SEC * 5 / V_ROUNDS;

		best = us < best ? us : best;
	}
	return best;
}

static void split_directory(void)
{
	const char *at = bench.directory;

	if (at == NULL || strncmp(at, "https://", 8) != 0)
		die("the directory must be an https URL");
	at += 8;
	const size_t authority = strcspn(at, "/");
	const char *colon = memchr(at, ':', authority);
	const size_t host = colon != NULL ? (size_t)(colon - at) : authority;

	if (host >= sizeof(bench.host) || authority - host > sizeof(bench.port))
		die("the directory's host is too long");
	memcpy(bench.host, at, host);
	(void)snprintf(bench.port, sizeof(bench.port), "%.*s",
		colon != NULL ? (int)(authority - host - 1) : 3, colon != NULL ? colon + 1 : "443");
}

static void tls_setup(void)
{
	bench.tls = SSL_CTX_new(TLS_client_method());
	if (bench.tls == NULL || SSL_CTX_load_verify_locations(bench.tls, bench.ca_file, NULL) != 1)
		die("cannot read CA certificates from %s",
			bench.ca_file != NULL ? bench.ca_file : "(none: give --ca)");
	SSL_CTX_set_verify(bench.tls, SSL_VERIFY_PEER, NULL);
}

static void usage(void)
{
	printf("usage: assay-bench --directory URL --ca PEM [options]\n"
	       "  --connections N   kept TLS connections, a thread each (8)\n"
	       "  --accounts N      accounts (one for each connection)\n"
	       "  --seconds S       how long (10)\n"
	       "  --count N         stop after N certificates instead\n"
	       "  --http01-port N   answer http-01 here (5002)\n"
	       "  --dns-port N      answer DNS here, every name is --bind (off)\n"
	       "  --bind ADDRESS    of both responders (127.0.0.1)\n"
	       "  --hold            with --dns-port: only the responders, until killed\n"
	       "  --v               only print V, the µs of one P-256 verification\n");
}

static const struct option OPTIONS[] = {
	{"directory", 1, NULL, 'd'},
	{"ca", 1, NULL, 'a'},
	{"connections", 1, NULL, 'c'},
	{"accounts", 1, NULL, 'n'},
	{"seconds", 1, NULL, 's'},
	{"count", 1, NULL, 'k'},
	{"http01-port", 1, NULL, 'p'},
	{"dns-port", 1, NULL, 'D'},
	{"bind", 1, NULL, 'b'},
	{"hold", 0, NULL, 'H'},
	{"v", 0, NULL, 'v'},
	{"help", 0, NULL, 'h'},
	{0},
};

/* True: only the responders are wanted. */
static bool parse_options(int argc, char **argv)
{
	bool hold = false;

	for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
		switch (c) {
		case 'd':
			bench.directory = optarg;
			break;
		case 'a':
			bench.ca_file = optarg;
			break;
		case 'c':
			bench.connections = atoi(optarg);
			break;
		case 'n':
			bench.accounts = atoi(optarg);
			break;
		case 's':
			bench.seconds = atof(optarg);
			break;
		case 'k':
			bench.count = atol(optarg);
			break;
		case 'p':
			bench.http_port = atoi(optarg);
			break;
		case 'D':
			bench.dns_port = atoi(optarg);
			break;
		case 'b':
			bench.bind = optarg;
			break;
		case 'H':
			hold = true;
			break;
		case 'v':
			printf("%.2f\n", measure_v());
			exit(0);
		case 'h':
			usage();
			exit(0);
		default:
			usage();
			exit(2);
		}
	}
	if (bench.connections < 1 || bench.connections > 4096)
		die("--connections wants 1 to 4096");
	if (bench.accounts < 1)
		bench.accounts = bench.connections;
	if (!hold && (bench.directory == NULL || bench.ca_file == NULL))
		die("--directory and --ca are needed; --help lists the options");
	return hold;
}

static void prepare(void)
{
	struct http h;
	uint8_t random[6];

	rnd_bytes(random, sizeof(random));
	(void)snprintf(bench.run, sizeof(bench.run), "%02x%02x%02x%02x%02x%02x", random[0],
		random[1], random[2], random[3], random[4], random[5]);
	split_directory();
	tls_setup();
	if (acme_directory(&bench) != OK)
		die("%s: no ACME directory answers there", bench.directory);
	http_init(&h, &bench);
	for (int i = 0; i < bench.accounts; i++)
		if (acme_account(&bench, &h, &bench.account[i], i) != OK)
			die("cannot make account %d", i);
	http_done(&h);
}

/* Returns how long flows were started, in seconds. */
static double run_lanes(struct lane *lanes)
{
	const int64_t begun = clock_mono_us();
	double secs = 0;

	for (int i = 0; i < bench.connections; i++) {
		lanes[i] = (struct lane){.bench = &bench, .index = i};
		if (pthread_create(&lanes[i].thread, NULL, lane_main, &lanes[i]) != 0)
			die("cannot start thread %d", i);
	}
	if (bench.count == 0) {
		const struct timespec nap = {.tv_sec = (time_t)bench.seconds,
			.tv_nsec = (long)((bench.seconds - (double)(time_t)bench.seconds) * 1e9)};

		(void)nanosleep(&nap, NULL);
		bench.stop = 1;
		secs = (double)(clock_mono_us() - begun) / 1e6;
	}
	for (int i = 0; i < bench.connections; i++)
		(void)pthread_join(lanes[i].thread, NULL);
	return secs > 0 ? secs : (double)(clock_mono_us() - begun) / 1e6;
}

static void report(const struct lane *lanes, double secs)
{
	long done = 0, late = 0, failed = 0, connects = 0;

	for (int i = 0; i < bench.connections; i++) {
		done += lanes[i].done;
		late += lanes[i].late;
		failed += lanes[i].failed;
		connects += lanes[i].connects;
	}
	double *all = xcalloc((size_t)done + 1, sizeof(double));
	long at = 0;

	for (int i = 0; i < bench.connections; i++) {
		if (lanes[i].done > 0)
			memcpy(all + at, lanes[i].flow_ms, (size_t)lanes[i].done * sizeof(double));
		at += lanes[i].done;
		free(lanes[i].flow_ms);
	}
	qsort(all, (size_t)done, sizeof(double), compare_doubles);
	printf("{\"certificates\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"rate\":%.1f,"
	       "\"p50_ms\":%.1f,\"p99_ms\":%.1f,\"connects\":%ld,\"v_us\":%.2f}\n",
		done, failed, secs, (double)(done - late) / secs, done > 0 ? all[done / 2] : 0,
		done > 0 ? all[done * 99 / 100] : 0, connects, measure_v());
	free(all);
}

int main(int argc, char **argv)
{
	const bool hold = parse_options(argc, argv);

	log_init("assay-bench", LOG_LEVEL_WARNING);
	(void)signal(SIGPIPE, SIG_IGN);
	bench.account = xcalloc((size_t)bench.accounts, sizeof(*bench.account));
	if (responders_start(&bench) != OK)
		die("the responders could not start");
	if (hold)
		for (;;)
			(void)pause();
	prepare();
	budget = bench.count;
	struct lane *lanes = xcalloc((size_t)bench.connections, sizeof(*lanes));

	/* "ready", then a line on stdin: whoever measures the server's CPU time wants the accounts
	 * left out. */
	printf("ready\n");
	(void)fflush(stdout);
	(void)getchar();
	report(lanes, run_lanes(lanes));
	free(lanes);
	return 0;
}
