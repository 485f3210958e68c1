/* probe.c — see probe.h. */
#include "lib/net/probe.h"

#include "lib/net/stream.h"

void probe_fail_stream(struct probe *probe, const struct stream *s, const char *what)
{
	if (s->local)
		problem_set(&probe->pb, PROBLEM_SERVER_INTERNAL,
			"this CA could not open a connection; it will try again");
	else if (s->phase == STREAM_HANDSHAKE)
		problem_set(&probe->pb, PROBLEM_TLS, "%s: %s", what, s->fault);
	else
		problem_set(&probe->pb, PROBLEM_CONNECTION, "%s: %s", what, s->fault);
}
