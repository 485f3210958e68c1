/* fuzz_dns_answer.c — dnsmsg_parse on the input as the answer to a TXT and a CAA question: records
 * lie inside the packet, and what is read of them never passes their ends. */
#include <assert.h>

#include "lib/net/caa.h"
#include "lib/net/dnsmsg.h"
#include "tests/fuzz/fuzz.h"

static void check_record(struct bytes packet, struct bytes record)
{
	CLEANUP_BUF struct buf text = {0};
	struct caa_property p;

	assert(record.ptr >= packet.ptr && record.ptr + record.len <= packet.ptr + packet.len);
	if (dnsmsg_txt_join(record, &text) == OK)
		assert(text.len < record.len);
	else
		assert(text.len == 0);
	if (caa_property_parse(record, &p) == OK)
		assert(p.tag.len + p.value.len + 2 == record.len);
}

static void check(struct bytes packet, enum dns_type type)
{
	struct dnsmsg msg;

	if (dnsmsg_parse(packet, "www.example.test", type, &msg) != OK)
		return;
	assert(msg.nrecords <= DNSMSG_RECORDS_MAX);
	for (size_t i = 0; i < msg.nrecords; i++)
		check_record(packet, msg.records[i]);
	assert(msg.ede_text.ptr == NULL ||
		msg.ede_text.ptr + msg.ede_text.len <= packet.ptr + packet.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(bytes_of(data, size), DNS_TXT);
	check(bytes_of(data, size), DNS_CAA);
	return 0;
}
