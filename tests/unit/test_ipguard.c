/* test_ipguard.c — addresses and prefixes are read strictly; every special-purpose block is
 * refused, at both its ends, and allow_addresses opens exactly what it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/ipguard.h"

static struct ipguard *guard_with(char **items, size_t count)
{
	struct conf_list list = {.items = items, .count = count};
	struct ipguard *guard = NULL;
	char *error = NULL;

	assert_int_equal(ipguard_new(&list, &error, &guard), OK);
	return guard;
}

static struct ipaddr address(const char *text)
{
	struct ipaddr a;

	if (ipaddr_parse(bytes_str(text), &a) != OK)
		fail_msg("%s does not parse", text);
	return a;
}

static const char *const refused[] = {
	"0.0.0.0",
	"0.255.255.255",
	"10.0.0.0",
	"10.255.255.255",
	"100.64.0.0",
	"100.127.255.255",
	"127.0.0.0",
	"127.0.0.1",
	"127.255.255.255",
	"169.254.0.0",
	"169.254.169.254",
	"172.16.0.0",
	"172.31.255.255",
	"192.0.0.0",
	"192.0.0.9",
	"192.0.0.255",
	"192.0.2.1",
	"192.31.196.1",
	"192.52.193.1",
	"192.88.99.1",
	"192.168.0.0",
	"192.168.255.255",
	"192.175.48.1",
	"198.18.0.0",
	"198.19.255.255",
	"198.51.100.7",
	"203.0.113.255",
	"224.0.0.1",
	"239.255.255.255",
	"240.0.0.1",
	"255.255.255.255",
	"::",
	"::1",
	"::2",
	"::7f00:1",
	"::ffff:127.0.0.1",
	"::ffff:10.0.0.1",
	"::ffff:8.8.8.8",
	"::ffff:0:7f00:1",
	"64:ff9b::7f00:1",
	"64:ff9b::8.8.8.8",
	"64:ff9b:1::1",
	"64:ff9b:1:ffff::1",
	"100::1",
	"100:0:0:1::1",
	"2001::1",
	"2001:1::1",
	"2001:2::1",
	"2001:10::1",
	"2001:20::1",
	"2001:30::1",
	"2001:1ff:ffff::1",
	"2001:db8::1",
	"2001:db8:ffff::1",
	"2002:7f00:1::",
	"2002:808:808::1",
	"2620:4f:8000::1",
	"3fff::1",
	"3fff:fff::1",
	"4000::1",
	"5f00::1",
	"8000::1",
	"fc00::1",
	"fd00::1",
	"fdff::1",
	"fe80::1",
	"febf::1",
	"fec0::1",
	"feff::1",
	"ff00::1",
	"ff02::1",
	"ffff::1",
};

static const char *const permitted[] = {
	"1.0.0.0",
	"1.1.1.1",
	"8.8.8.8",
	"9.255.255.255",
	"11.0.0.0",
	"100.63.255.255",
	"100.128.0.0",
	"126.255.255.255",
	"128.0.0.1",
	"169.253.255.255",
	"169.255.0.0",
	"172.15.255.255",
	"172.32.0.0",
	"192.0.1.0",
	"192.0.3.0",
	"192.167.255.255",
	"192.169.0.0",
	"198.17.255.255",
	"198.20.0.0",
	"198.51.99.1",
	"203.0.112.1",
	"203.0.114.1",
	"223.255.255.255",
	"2000::1",
	"2001:200::1",
	"2001:4860:4860::8888",
	"2003::1",
	"2606:4700::1111",
	"2a00::1",
	"3ffe::1",
	"3fff:1000::1",
};

static void special_purpose_addresses_are_refused(void **state)
{
	CLEANUP(ipguard_free) struct ipguard *guard = guard_with(NULL, 0);

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct ipaddr a = address(refused[i]);

		if (ipguard_objection(guard, &a) == NULL)
			fail_msg("%s is permitted", refused[i]);
	}
}

static void global_unicast_is_permitted(void **state)
{
	CLEANUP(ipguard_free) struct ipguard *guard = guard_with(NULL, 0);

	for (size_t i = 0; i < ARRAY_LEN(permitted); i++) {
		struct ipaddr a = address(permitted[i]);

		if (ipguard_objection(guard, &a) != NULL)
			fail_msg("%s is refused", permitted[i]);
	}
}

static void allowed_ranges_open_exactly_themselves(void **state)
{
	char texts[][20] = {"127.0.0.0/8", "10.1.2.3", "fd12:3456::/33"};
	char *items[] = {texts[0], texts[1], texts[2]};
	CLEANUP(ipguard_free) struct ipguard *guard = guard_with(items, 3);
	static const struct {
		const char *text;
		bool permitted;
	} cases[] = {
		{"127.0.0.1", true},
		{"127.255.0.1", true},
		{"128.0.0.1", true},
		{"::1", false},
		{"::ffff:127.0.0.1", false},
		{"::127.0.0.1", false},
		{"64:ff9b::7f00:1", false},
		{"2002:7f00:1::", false},
		{"10.1.2.3", true},
		{"10.1.2.2", false},
		{"10.1.2.4", false},
		{"fd12:3456::1", true},
		{"fd12:3456:7fff::1", true},
		{"fd12:3456:8000::1", false},
		{"fd12:3457::1", false},
		{"0.0.0.0", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipaddr a = address(cases[i].text);

		if ((ipguard_objection(guard, &a) == NULL) != cases[i].permitted)
			fail_msg("%s: wrong verdict", cases[i].text);
	}
}

static void an_allowed_list_that_is_wrong_names_its_entry(void **state)
{
	static char bad[][20] = {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0/8", "localhost",
		"::/129", "fe80::1%eth0", "0.0.0.0/0", "::/0", "10.0.0.0/-1", "10.0.0.0/08888", ""};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *items[] = {bad[i]};
		struct conf_list list = {.items = items, .count = 1};
		struct ipguard *guard = NULL;
		CLEANUP_STR char *error = NULL;

		assert_int_equal(ipguard_new(&list, &error, &guard), ERR_SYNTAX);
		assert_non_null(strstr(error, bad[i]));
		assert_null(guard);
	}
}

static void only_plain_addresses_are_read(void **state)
{
	static const char *const bad[] = {"127.1", "0x7f.1", "2130706433", "0177.0.0.1",
		"127.0.0.01", "1.2.3.4.5", "1.2.3", "256.1.1.1", " 1.1.1.1", "1.1.1.1 ", "[::1]",
		"::1%lo", ":::", "1::2::3", "", "12345::", "::ffff:1.2.3", "1.1.1.1/32"};
	struct ipaddr a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ipaddr_parse(bytes_str(bad[i]), &a) != ERR_SYNTAX)
			fail_msg("%s parses", bad[i]);
	assert_int_equal(ipaddr_parse(bytes_of("1.1.1.1\0", 8), &a), ERR_SYNTAX);
	assert_int_equal(ipaddr_of_bytes(bytes_of("\1\2\3", 3), &a), ERR_SYNTAX);
}

static void addresses_are_formatted_back(void **state)
{
	static const char *const texts[] = {"192.0.2.33", "2001:db8::1", "::ffff:1.2.3.4", "::"};
	char out[IPADDR_TEXT_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct ipaddr a = address(texts[i]);

		ipaddr_format(&a, out);
		assert_string_equal(out, texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_purpose_addresses_are_refused),
		cmocka_unit_test(global_unicast_is_permitted),
		cmocka_unit_test(allowed_ranges_open_exactly_themselves),
		cmocka_unit_test(an_allowed_list_that_is_wrong_names_its_entry),
		cmocka_unit_test(only_plain_addresses_are_read),
		cmocka_unit_test(addresses_are_formatted_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
