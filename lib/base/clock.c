/* clock.c — the two clocks, and RFC 3339 date-times without the C library's time zone. */
#include "lib/base/clock.h"

#include <assert.h>
#include <time.h>

#define SECS_PER_DAY 86400
/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the ends of RFC 3339. */
#define RFC3339_MIN_SECS (-62167219200LL)
#define RFC3339_MAX_SECS 253402300799LL

static int64_t now_us(clockid_t id)
{
	struct timespec ts;
	int failed = clock_gettime(id, &ts);

	assert(failed == 0);
	return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

static void put_digits(char *out, int width, int value)
{
	while (width-- > 0) {
		out[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

void clock_rfc3339_format(int64_t wall_us, char *out)
{
	int64_t secs = wall_us / USEC_PER_SEC - (wall_us % USEC_PER_SEC < 0 ? 1 : 0);
	time_t when;
	struct tm tm;

	/* A year of five digits does not fit the format: the nearest time that does is shown. */
	if (secs < RFC3339_MIN_SECS)
		secs = RFC3339_MIN_SECS;
	if (secs > RFC3339_MAX_SECS)
		secs = RFC3339_MAX_SECS;
	when = (time_t)secs;
	if (gmtime_r(&when, &tm) == NULL)
		assert(!"gmtime_r knows four digit years");
	memcpy(out, "0000-00-00T00:00:00Z", CLOCK_RFC3339_LEN + 1);
	put_digits(out, 4, tm.tm_year + 1900);
	put_digits(out + 5, 2, tm.tm_mon + 1);
	put_digits(out + 8, 2, tm.tm_mday);
	put_digits(out + 11, 2, tm.tm_hour);
	put_digits(out + 14, 2, tm.tm_min);
	put_digits(out + 17, 2, tm.tm_sec);
}

/* Reads a text from left to right; once something did not fit, it stays bad. */
struct reader {
	struct bytes rest;
	bool bad;
};

static uint8_t take_byte(struct reader *r)
{
	uint8_t c;

	if (r->bad || r->rest.len == 0) {
		r->bad = true;
		return 0;
	}
	c = r->rest.ptr[0];
	r->rest = bytes_of(r->rest.ptr + 1, r->rest.len - 1);
	return c;
}

static void take_literal(struct reader *r, char want)
{
	if (take_byte(r) != (uint8_t)want)
		r->bad = true;
}

/* Exactly width digits, min <= value <= max. */
static int take_number(struct reader *r, int width, int min, int max)
{
	int value = 0;

	while (width-- > 0) {
		uint8_t c = take_byte(r);

		if (c < '0' || c > '9')
			r->bad = true;
		value = value * 10 + (c - '0');
	}
	if (value < min || value > max)
		r->bad = true;
	return value;
}

/* "." 1*DIGIT, in microseconds; what is finer is cut off. */
static int64_t take_fraction(struct reader *r)
{
	int64_t us = 0, unit = USEC_PER_SEC / 10;
	size_t digits = 0;

	if (r->bad || r->rest.len == 0 || r->rest.ptr[0] != '.')
		return 0;
	take_literal(r, '.');
	while (r->rest.len > 0 && r->rest.ptr[0] >= '0' && r->rest.ptr[0] <= '9') {
		us += unit * (take_byte(r) - '0');
		unit /= 10;
		digits++;
	}
	if (digits == 0)
		r->bad = true;
	return us;
}

/* "Z", "+hh:mm" or "-hh:mm" in seconds. */
static int64_t take_offset(struct reader *r)
{
	uint8_t sign = take_byte(r);
	int hours, minutes;

	if (sign == 'Z' || sign == 'z')
		return 0;
	if (sign != '+' && sign != '-')
		r->bad = true;
	hours = take_number(r, 2, 0, 23);
	take_literal(r, ':');
	minutes = take_number(r, 2, 0, 59);
	return (sign == '-' ? -60LL : 60LL) * (hours * 60 + minutes);
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Days since 1970-01-01 of a valid date. Years begin in March here, so that the leap day is a
 * year's last. */
static int64_t days_since_epoch(int year, int month, int day)
{
	int64_t y = year - (month <= 2 ? 1 : 0) + 400;
	int64_t in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719468 - 146097;
}

int clock_rfc3339_parse(struct bytes text, int64_t *ret_us)
{
	struct reader r = {.rest = text};
	int year, month, day, hour, minute, second;
	int64_t fraction, secs;

	year = take_number(&r, 4, 0, 9999);
	take_literal(&r, '-');
	month = take_number(&r, 2, 1, 12);
	take_literal(&r, '-');
	day = take_number(&r, 2, 1, 31);
	if (r.bad || day > days_in_month(year, month))
		return ERR_SYNTAX;
	/* RFC 3339 section 5.6: "T" and "Z" may be lower case; a space instead is not taken. */
	if ((take_byte(&r) | 0x20) != 't')
		r.bad = true;
	hour = take_number(&r, 2, 0, 23);
	take_literal(&r, ':');
	minute = take_number(&r, 2, 0, 59);
	take_literal(&r, ':');
	second = take_number(&r, 2, 0, 60);
	fraction = take_fraction(&r);
	secs = days_since_epoch(year, month, day) * SECS_PER_DAY + hour * 3600 + minute * 60 +
		second;
	secs -= take_offset(&r);
	if (r.bad || r.rest.len != 0)
		return ERR_SYNTAX;
	/* RFC 3339 section 5.7: a leap second ends a UTC day; it is read as the next second. */
	if (second == 60 && secs % SECS_PER_DAY != 0)
		return ERR_SYNTAX;
	*ret_us = secs * USEC_PER_SEC + fraction;
	return OK;
}
