/* fake_dns.c — see fakes.h. UDP and TCP on one port of 127.0.0.1. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/ipaddr.h"
#include "tests/unit/fakes.h"

#define ENTRIES_MAX 1024

struct entry {
	char name[DNS_NAME_MAX_LEN + 1];
	enum dns_type type;
	bool is_record;
	int rcode;
	enum fake_dns_mode mode;
	int nasked;
	struct buf rdata;
};

struct fake_dns {
	struct loop *loop;
	struct loop_io udp, listener, tcp;
	int udp_fd, listen_fd;
	char address[32];
	bool authenticated;
	struct entry entries[ENTRIES_MAX];
	size_t nentries;
};

struct question {
	char name[DNS_NAME_MAX_LEN + 1];
	unsigned type;
	size_t end; /* in the packet */
};

static void put16(struct buf *out, unsigned v)
{
	buf_add_byte(out, (uint8_t)(v >> 8));
	buf_add_byte(out, (uint8_t)v);
}

/* What is known of a name and type beside its records; made when it is missing. */
static struct entry *meta_of(struct fake_dns *dns, const char *name, unsigned type)
{
	for (size_t i = 0; i < dns->nentries; i++) {
		struct entry *e = &dns->entries[i];

		if (!e->is_record && e->type == type && strcasecmp(e->name, name) == 0)
			return e;
	}
	assert(dns->nentries < ENTRIES_MAX);
	struct entry *e = &dns->entries[dns->nentries++];

	*e = (struct entry){.type = type};
	snprintf(e->name, sizeof(e->name), "%s", name);
	return e;
}

static void read_question(const uint8_t *packet, size_t len, struct question *ret)
{
	size_t at = 12, n = 0;

	while (at < len && packet[at] != 0) {
		if (n > 0)
			ret->name[n++] = '.';
		memcpy(ret->name + n, packet + at + 1, packet[at]);
		n += packet[at];
		at += 1 + (size_t)packet[at];
	}
	ret->name[n] = '\0';
	assert(at + 5 <= len);
	ret->type = (unsigned)(packet[at + 1] << 8 | packet[at + 2]);
	ret->end = at + 5;
}

static unsigned put_answers(struct fake_dns *dns, const struct question *q, bool *ret_exists,
	struct buf *out)
{
	unsigned count = 0;

	for (size_t i = 0; i < dns->nentries; i++) {
		const struct entry *e = &dns->entries[i];

		if (!e->is_record || strcasecmp(e->name, q->name) != 0)
			continue;
		*ret_exists = true;
		if (e->type != q->type)
			continue;
		buf_add(out, "\xc0\x0c", 2);
		put16(out, e->type);
		buf_add(out, "\0\1\0\0\0\0", 6);
		put16(out, (unsigned)e->rdata.len);
		buf_add(out, e->rdata.ptr, e->rdata.len);
		count++;
	}
	return count;
}

static void make_answer(struct fake_dns *dns, const uint8_t *packet, const struct question *q,
	const struct entry *meta, bool tcp, struct buf *out)
{
	CLEANUP_BUF struct buf answers = {0};
	bool exists = false;
	unsigned count = put_answers(dns, q, &exists, &answers);
	int rcode = meta->rcode != 0 ? meta->rcode
		: exists             ? DNS_RCODE_NOERROR
				     : DNS_RCODE_NXDOMAIN;
	bool ad = dns->authenticated || meta->mode == FAKE_SIGNED;
	bool tc = meta->mode == FAKE_ALWAYS_TC || (meta->mode == FAKE_TRUNCATED && !tcp);

	if (meta->rcode != 0 || tc)
		count = 0;
	buf_add(out, packet, 2);
	put16(out, 0x8180u | (tc ? 0x0200u : 0) | (ad ? 0x0020u : 0) | (unsigned)rcode);
	put16(out, 1);
	put16(out, count);
	put16(out, 0);
	put16(out, 1);
	buf_add(out, packet + 12, q->end - 12);
	if (count > 0)
		buf_add(out, answers.ptr,
			meta->mode == FAKE_GARBAGE ? answers.len / 2 : answers.len);
	buf_add(out, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
}

static void answer_udp(struct fake_dns *dns, const uint8_t *packet, size_t len,
	const struct sockaddr *to, socklen_t to_len)
{
	CLEANUP_BUF struct buf out = {0};
	struct question q;
	struct entry *meta;

	if (len < 17)
		return;
	read_question(packet, len, &q);
	meta = meta_of(dns, q.name, q.type);
	meta->nasked++;
	if (meta->mode == FAKE_SILENT)
		return;
	if (meta->mode == FAKE_EMPTY)
		assert(sendto(dns->udp_fd, "", 0, 0, to, to_len) == 0);
	make_answer(dns, packet, &q, meta, false, &out);
	assert(sendto(dns->udp_fd, out.ptr, out.len, 0, to, to_len) == (ssize_t)out.len);
}

static void on_udp(void *arg, uint32_t events)
{
	struct fake_dns *dns = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[2048];
	ssize_t len;

	while ((len = recvfrom(dns->udp_fd, packet, sizeof(packet), MSG_DONTWAIT,
			(struct sockaddr *)&from, &from_len)) >= 0)
		answer_udp(dns, packet, (size_t)len, (struct sockaddr *)&from, from_len);
}

/* One query on a connection, which is closed after its answer; that is enough for tests of
 * truncation. */
static void on_tcp(void *arg, uint32_t events)
{
	struct fake_dns *dns = arg;
	uint8_t packet[2048];
	ssize_t len = recv(dns->tcp.fd, packet, sizeof(packet), 0);
	CLEANUP_BUF struct buf message = {0}, out = {0};
	struct question q;
	int fd = dns->tcp.fd;

	if (len > 2) {
		read_question(packet + 2, (size_t)len - 2, &q);
		make_answer(dns, packet + 2, &q, meta_of(dns, q.name, q.type), true, &message);
		put16(&out, (unsigned)message.len);
		buf_add(&out, message.ptr, message.len);
		assert(send(fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len);
		return;
	}
	loop_io_clear(&dns->tcp);
	close(fd);
}

static void on_accept(void *arg, uint32_t events)
{
	struct fake_dns *dns = arg;
	int fd = accept(dns->listen_fd, NULL, NULL);

	assert(fd >= 0 && dns->tcp.loop == NULL);
	assert(loop_io_add(dns->loop, &dns->tcp, fd, EPOLLIN, on_tcp, dns) == OK);
}

struct fake_dns *fake_dns_new(struct loop *loop)
{
	struct fake_dns *dns = xcalloc(1, sizeof(*dns));
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	dns->loop = loop;
	dns->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	dns->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert(bind(dns->listen_fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 &&
		listen(dns->listen_fd, 8) == 0);
	assert(getsockname(dns->listen_fd, (struct sockaddr *)&sin, &len) == 0);
	assert(bind(dns->udp_fd, (struct sockaddr *)&sin, sizeof(sin)) == 0);
	snprintf(dns->address, sizeof(dns->address), "127.0.0.1:%d", ntohs(sin.sin_port));
	assert(loop_io_add(loop, &dns->udp, dns->udp_fd, EPOLLIN, on_udp, dns) == OK);
	assert(loop_io_add(loop, &dns->listener, dns->listen_fd, EPOLLIN, on_accept, dns) == OK);
	return dns;
}

void fake_dns_free(struct fake_dns *dns)
{
	fake_dns_clear(dns);
	loop_io_clear(&dns->udp);
	loop_io_clear(&dns->listener);
	if (dns->tcp.loop != NULL) {
		loop_io_clear(&dns->tcp);
		close(dns->tcp.fd);
	}
	close(dns->udp_fd);
	close(dns->listen_fd);
	free(dns);
}

const char *fake_dns_address(const struct fake_dns *dns)
{
	return dns->address;
}

void fake_dns_add(struct fake_dns *dns, const char *name, enum dns_type type, struct bytes rdata)
{
	assert(dns->nentries < ENTRIES_MAX);
	struct entry *e = &dns->entries[dns->nentries++];

	*e = (struct entry){.type = type, .is_record = true};
	snprintf(e->name, sizeof(e->name), "%s", name);
	buf_add(&e->rdata, rdata.ptr, rdata.len);
}

void fake_dns_add_address(struct fake_dns *dns, const char *name, const char *address)
{
	struct ipaddr a;

	assert(ipaddr_parse(bytes_str(address), &a) == OK);
	fake_dns_add(dns, name, a.family == AF_INET ? DNS_A : DNS_AAAA,
		bytes_of(a.b, a.family == AF_INET ? 4 : 16));
}

void fake_dns_add_txt(struct fake_dns *dns, const char *name, const char *text)
{
	CLEANUP_BUF struct buf rdata = {0};

	buf_add_byte(&rdata, (uint8_t)strlen(text));
	buf_add_str(&rdata, text);
	fake_dns_add(dns, name, DNS_TXT, buf_bytes(&rdata));
}

void fake_dns_add_caa(struct fake_dns *dns, const char *name, int flags, const char *tag,
	const char *value)
{
	CLEANUP_BUF struct buf rdata = {0};

	buf_add_byte(&rdata, (uint8_t)flags);
	buf_add_byte(&rdata, (uint8_t)strlen(tag));
	buf_add_str(&rdata, tag);
	buf_add_str(&rdata, value);
	fake_dns_add(dns, name, DNS_CAA, buf_bytes(&rdata));
}

void fake_dns_fail(struct fake_dns *dns, const char *name, enum dns_type type, int rcode)
{
	meta_of(dns, name, type)->rcode = rcode;
}

void fake_dns_set_mode(struct fake_dns *dns, const char *name, enum dns_type type,
	enum fake_dns_mode mode)
{
	meta_of(dns, name, type)->mode = mode;
}

void fake_dns_set_authenticated(struct fake_dns *dns, bool ad)
{
	dns->authenticated = ad;
}

void fake_dns_clear(struct fake_dns *dns)
{
	for (size_t i = 0; i < dns->nentries; i++)
		buf_done(&dns->entries[i].rdata);
	dns->nentries = 0;
	dns->authenticated = false;
}

int fake_dns_count(const struct fake_dns *dns, const char *name, enum dns_type type)
{
	for (size_t i = 0; i < dns->nentries; i++)
		if (!dns->entries[i].is_record && dns->entries[i].type == type &&
			strcasecmp(dns->entries[i].name, name) == 0)
			return dns->entries[i].nasked;
	return 0;
}
