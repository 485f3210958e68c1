/* net_world.c — see net_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>

#include "tests/unit/net_world.h"

static void set_list(struct world *w, struct conf_list *list, size_t slot, const char *text)
{
	snprintf(w->texts[slot], sizeof(w->texts[slot]), "%s", text);
	w->items[slot] = w->texts[slot];
	*list = (struct conf_list){.items = &w->items[slot], .count = 1};
}

void world_init(struct world *w)
{
	static char base_url[] = "https://acme.test";

	/* As stop_init does in programs: OpenSSL writes without MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	*w = (struct world){.done = false};
	assert_int_equal(loop_new(&w->loop), OK);
	w->dns = fake_dns_new(w->loop);
	w->conf.server.base_url = base_url;
	set_list(w, &w->conf.server.caa_identities, 0, "ca.test");
	set_list(w, &w->conf.validation.resolvers, 1, fake_dns_address(w->dns));
	set_list(w, &w->conf.validation.allow_addresses, 2, "127.0.0.0/8");
	/* Slots 2 and 3 lie side by side: both loopbacks. */
	snprintf(w->texts[3], sizeof(w->texts[3]), "::1");
	w->items[3] = w->texts[3];
	w->conf.validation.allow_addresses.count = 2;
	w->conf.validation.attempt_secs = 2;
	w->conf.validation.http01_port = 80;
	w->conf.validation.tlsalpn01_port = 443;
}

void world_open(struct world *w)
{
	char *error = NULL;

	if (perspective_new(w->loop, &w->conf, &error, &w->px) != OK)
		fail_msg("%s", error);
}

void world_done(struct world *w)
{
	attempt_result_done(&w->result);
	perspective_free(w->px);
	fake_dns_free(w->dns);
	loop_free(w->loop);
}

static void on_done(void *arg, struct attempt_result *result_take)
{
	struct world *w = arg;

	w->result = *result_take;
	w->done = true;
}

void world_attempt(struct world *w, const struct probe_method *method, const char *name,
	bool wildcard)
{
	struct attempt_request rq = {.method = method,
		.name = name,
		.wildcard = wildcard,
		.token = WORLD_TOKEN,
		.key_authorization = WORLD_KEY_AUTHORIZATION,
		.account_uri = WORLD_ACCOUNT};

	attempt_result_done(&w->result);
	w->done = false;
	attempt_start(w->px, &rq, on_done, w);
	assert_false(w->done);
	run_until(w->loop, &w->done, 10000);
}

void world_expect(const struct world *w, enum problem_type type, const char *detail_part)
{
	const struct problem *pb = &w->result.problem;

	if (pb->type != type)
		fail_msg("got %s: %s",
			pb->type == PROBLEM_NONE ? "valid" : problem_type_name(pb->type),
			pb->detail == NULL ? "" : pb->detail);
	if (detail_part != NULL && strstr(pb->detail, detail_part) == NULL)
		fail_msg("the detail is: %s", pb->detail);
	assert_true((type == PROBLEM_NONE) == (w->result.caa_us > 0));
}

void world_expect_evidence(const struct world *w, const char *part)
{
	CLEANUP(jx_free) struct jx *json = NULL;

	if (jx_parse(buf_bytes(&w->result.evidence), &json) != OK || !jx_is_object(json))
		fail_msg("no JSON object: %s", buf_str(&w->result.evidence));
	if (strstr(buf_str(&w->result.evidence), part) == NULL)
		fail_msg("%s is not in %s", part, buf_str(&w->result.evidence));
}
