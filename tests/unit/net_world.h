/* net_world.h — a validator's surroundings for tests: loop, fake resolver, configuration,
 * perspective; and one whole attempt as a single call. */
#pragma once

#include "lib/net/attempt.h"
#include "tests/unit/fakes.h"

#define WORLD_TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define WORLD_THUMBPRINT "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define WORLD_KEY_AUTHORIZATION WORLD_TOKEN "." WORLD_THUMBPRINT
#define WORLD_ACCOUNT "https://acme.test/acme/account/AZq1wz3Gd8CrVTqBn0fWqg"

struct world {
	struct loop *loop;
	struct fake_dns *dns;
	struct conf conf;
	struct perspective *px;       /* made by world_open */
	struct attempt_result result; /* of the last attempt */
	bool done;
	char texts[4][64];
	char *items[4];
};

/* Loopback is allowed, our CAA identity is ca.test, an attempt may take 2 s. The configuration may
 * be changed before world_open, which makes the perspective. */
void world_init(struct world *w);
void world_open(struct world *w);
void world_done(struct world *w);
/* Runs one attempt to its end; w->result holds what came out. */
void world_attempt(struct world *w, const struct probe_method *method, const char *name,
	bool wildcard);
/* Fails the test unless the last attempt ended so; detail_part NULL = not looked at. */
void world_expect(const struct world *w, enum problem_type type, const char *detail_part);
/* The evidence is one JSON object and contains this text. */
void world_expect_evidence(const struct world *w, const char *part);
