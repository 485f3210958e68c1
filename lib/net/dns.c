/* dns.c — see dns.h. c-ares traps met here: ares_send leaves the choice of the id to the caller; a
 * callback may come from inside ares_send; timeouts pass only when ares_process_fd is called; with
 * ARES_FLAG_NOCHECKRESP answers of every rcode come through, so that SERVFAIL is not "retried" on a
 * resolver that may not validate; UDP answers are cut at ednspsz. */
#include "lib/net/dns.h"

#include <ares.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "lib/base/problem.h"
#include "lib/base/rnd.h"
#include "lib/net/ipaddr.h"

#define TRY_TIMEOUT_MS 3000
#define TRIES 2
#define TICK_MS 100
#define PROBE_AGAIN_MS 60000
#define PROBE_SOON_MS 2000

struct dns_sock {
	struct dns *dns;
	struct loop_io io;
	struct dns_sock *next;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	bool validated_only;
	bool validates; /* seen lately; kept up to date when validated_only */
	struct loop_timer probe_timer;
	bool closing;
	struct dns_sock *socks;
	size_t pending; /* in c-ares */
	struct loop_timer tick;
	struct dns_query *early; /* failed inside ares_send, to be told later */
	struct loop_timer early_timer;
	struct buf resolvers;
};

struct dns_query {
	struct dns *dns;
	dns_fn fn; /* NULL once cancelled */
	void *arg;
	enum dns_type type;
	bool sending;
	const char *early_reason;
	struct dns_query *next_early;
	char name[DNS_NAME_MAX_LEN + 1];
};

static void on_tick(void *arg)
{
	struct dns *dns = arg;

	ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (dns->pending > 0)
		loop_timer_set(dns->loop, &dns->tick, TICK_MS, on_tick, dns);
}

static void on_socket(void *arg, uint32_t events)
{
	struct dns_sock *s = arg;
	struct dns *dns = s->dns;
	int fd = s->io.fd;
	bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP), out = events & EPOLLOUT;

	ares_process_fd(dns->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
}

static struct dns_sock **find_sock(struct dns *dns, int fd)
{
	struct dns_sock **at = &dns->socks;

	while (*at != NULL && (*at)->io.fd != fd)
		at = &(*at)->next;
	return at;
}

/* c-ares tells what it waits for on fd; neither means that it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *dns = arg;
	struct dns_sock **at = find_sock(dns, fd), *s = *at;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);

	if (events == 0) {
		if (s == NULL)
			return;
		loop_io_clear(&s->io);
		*at = s->next;
		free(s);
	} else if (s != NULL) {
		loop_io_change(&s->io, events);
	} else {
		s = xcalloc(1, sizeof(*s));
		s->dns = dns;
		/* An unwatched socket leaves its queries to their timeouts. */
		if (loop_io_add(dns->loop, &s->io, fd, events, on_socket, s) != OK) {
			free(s);
			return;
		}
		s->next = dns->socks;
		dns->socks = s;
	}
}

static int set_resolvers(struct dns *dns, const struct conf_list *resolvers)
{
	CLEANUP_BUF struct buf csv = {0};

	for (size_t i = 0; i < resolvers->count; i++)
		buf_addf(&csv, "%s%s", i == 0 ? "" : ",", resolvers->items[i]);
	if (resolvers->count > 0 &&
		ares_set_servers_ports_csv(dns->channel, buf_str(&csv)) != ARES_SUCCESS)
		return ERR_SYNTAX;
	return OK;
}

static int describe_resolvers(struct dns *dns)
{
	struct ares_addr_port_node *servers = NULL;

	if (ares_get_servers_ports(dns->channel, &servers) != ARES_SUCCESS)
		return ERR_NET;
	for (const struct ares_addr_port_node *s = servers; s != NULL; s = s->next) {
		char text[IPADDR_TEXT_LEN + 1];
		struct ipaddr a = {.family = s->family};

		memcpy(a.b, &s->addr, s->family == AF_INET ? 4 : 16);
		ipaddr_format(&a, text);
		buf_addf(&dns->resolvers, a.family == AF_INET ? "%s%s:%d" : "%s[%s]:%d",
			dns->resolvers.len > 0 ? "," : "", text,
			s->udp_port == 0 ? 53 : s->udp_port);
	}
	ares_free_data(servers);
	return OK;
}

static void probe_root(void *arg);

static void on_root(void *arg, const struct dns_answer *answer)
{
	struct dns *dns = arg;

	dns->validates = answer->status != DNS_FAILED && answer->authenticated;
	loop_timer_set(dns->loop, &dns->probe_timer,
		dns->validates ? PROBE_AGAIN_MS : PROBE_SOON_MS, probe_root, dns);
}

static void probe_root(void *arg)
{
	struct dns *dns = arg;

	dns_ask(dns, ".", DNS_SOA, on_root, dns);
}

int dns_new(struct loop *loop, const struct conf_list *resolvers, bool validated_only,
	struct dns **ret)
{
	CLEANUP(dns_free) struct dns *dns = xcalloc(1, sizeof(*dns));
	struct ares_options opts = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
			ARES_FLAG_EDNS | ARES_FLAG_STAYOPEN,
		.timeout = TRY_TIMEOUT_MS,
		.tries = TRIES,
		.ednspsz = DNSMSG_UDP_BYTES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = dns,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_NOROTATE;
	int rc;

	dns->loop = loop;
	dns->validated_only = validated_only;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return ERR_NET;
	if (ares_init_options(&dns->channel, &opts, mask) != ARES_SUCCESS) {
		dns->channel = NULL;
		return ERR_NET;
	}
	rc = set_resolvers(dns, resolvers);
	if (rc == OK)
		rc = describe_resolvers(dns);
	if (rc != OK)
		return rc;
	if (validated_only)
		loop_timer_set(loop, &dns->probe_timer, 0, probe_root, dns);
	*ret = TAKE(dns);
	return OK;
}

void dns_free(struct dns *dns)
{
	if (dns == NULL)
		return;
	dns->closing = true;
	if (dns->channel != NULL)
		ares_destroy(dns->channel);
	while (dns->early != NULL) {
		struct dns_query *q = dns->early;

		dns->early = q->next_early;
		free(q);
	}
	loop_timer_clear(dns->loop, &dns->early_timer);
	loop_timer_clear(dns->loop, &dns->tick);
	loop_timer_clear(dns->loop, &dns->probe_timer);
	ares_library_cleanup();
	buf_done(&dns->resolvers);
	free(dns);
}

const char *dns_resolvers(const struct dns *dns)
{
	return buf_str(&dns->resolvers);
}

static void finish(struct dns_query *q, const struct dns_answer *answer)
{
	dns_fn fn = q->fn;
	void *arg = q->arg;

	free(q);
	if (fn != NULL)
		fn(arg, answer);
}

static void fail(struct dns_query *q, const char *reason)
{
	struct dns_answer answer = {.status = DNS_FAILED, .reason = reason};

	finish(q, &answer);
}

static void describe_rcode(const struct dnsmsg *msg, char reason[DNS_REASON_LEN])
{
	CLEANUP_BUF struct buf text = {0};

	buf_add_str(&text, dns_rcode_name(msg->rcode));
	if (msg->ede_code >= 0) {
		buf_addf(&text, " (%s", dns_ede_name(msg->ede_code));
		if (msg->ede_text.len > 0) {
			buf_add_str(&text, ": ");
			problem_quote(&text, msg->ede_text, 100);
		}
		buf_add_str(&text, ")");
	}
	snprintf(reason, DNS_REASON_LEN, "%s", buf_str(&text));
}

static void on_packet(struct dns_query *q, struct bytes packet)
{
	char reason[DNS_REASON_LEN];
	struct dns_answer answer = {.reason = ""};
	struct dnsmsg msg;

	if (dnsmsg_parse(packet, q->name, q->type, &msg) != OK) {
		fail(q, "the resolver's answer is malformed or too large");
		return;
	}
	if (msg.truncated) {
		fail(q, "the resolver's answer is truncated");
		return;
	}
	if (msg.rcode != DNS_RCODE_NOERROR && msg.rcode != DNS_RCODE_NXDOMAIN) {
		describe_rcode(&msg, reason);
		fail(q, reason);
		return;
	}
	if (q->dns->validated_only && !msg.authenticated && !q->dns->validates &&
		q->fn != on_root) {
		fail(q, "this CA's resolver has not been seen to validate DNSSEC");
		return;
	}
	answer.authenticated = msg.authenticated;
	if (msg.rcode == DNS_RCODE_NXDOMAIN)
		answer.status = DNS_NXDOMAIN;
	else
		answer.status = msg.nrecords > 0 ? DNS_FOUND : DNS_NODATA;
	if (answer.status == DNS_FOUND) {
		answer.records = msg.records;
		answer.nrecords = msg.nrecords;
	}
	finish(q, &answer);
}

static const char *status_reason(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return "timeout: no answer from the resolver";
	case ARES_ECONNREFUSED:
		return "the resolver cannot be reached";
	default:
		return "the query could not be sent";
	}
}

static void tell_early(void *arg)
{
	struct dns *dns = arg;

	while (dns->early != NULL) {
		struct dns_query *q = dns->early;

		dns->early = q->next_early;
		fail(q, q->early_reason);
	}
}

static void fail_later(struct dns_query *q, const char *reason)
{
	struct dns *dns = q->dns;

	q->early_reason = reason;
	q->next_early = dns->early;
	dns->early = q;
	loop_timer_set(dns->loop, &dns->early_timer, 0, tell_early, dns);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *packet, int len)
{
	struct dns_query *q = arg;
	struct dns *dns = q->dns;

	dns->pending--;
	if (dns->closing)
		free(q);
	else if (q->sending)
		fail_later(q, status_reason(status));
	else if (status != ARES_SUCCESS || packet == NULL || len < 0)
		fail(q, status_reason(status));
	else
		on_packet(q, bytes_of(packet, (size_t)len));
}

struct dns_query *dns_ask(struct dns *dns, const char *name, enum dns_type type, dns_fn fn,
	void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));
	CLEANUP_BUF struct buf packet = {0};
	uint16_t id;

	*q = (struct dns_query){.dns = dns, .fn = fn, .arg = arg, .type = type};
	rnd_bytes(&id, sizeof(id));
	if (dnsmsg_query(id, name, type, &packet) != OK) {
		fail_later(q, "the name cannot be asked for");
		return q;
	}
	snprintf(q->name, sizeof(q->name), "%s", name);
	dns->pending++;
	q->sending = true;
	ares_send(dns->channel, packet.ptr, (int)packet.len, on_answer, q);
	q->sending = false;
	if (dns->tick.slot == 0)
		loop_timer_set(dns->loop, &dns->tick, TICK_MS, on_tick, dns);
	return q;
}

void dns_cancel(struct dns_query *query)
{
	if (query != NULL)
		query->fn = NULL;
}
