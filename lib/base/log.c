/* log.c — one JSON line an event, written with one write(2), so that lines of threads never mix. */
#include "lib/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/jx.h"

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

static const char *log_program;
static atomic_int log_threshold = LOG_LEVEL_INFO;

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed);
}

enum log_level log_level_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(level_names[i], name) == 0)
			return (enum log_level)i;
	}
	return LOG_LEVEL_INFO;
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

static const char *program_name(void)
{
	return log_program != NULL ? log_program : program_invocation_short_name;
}

/* A line that cannot be written is lost: there is no other place to say so. */
static void write_all(struct bytes text)
{
	while (text.len > 0) {
		ssize_t written = write(STDERR_FILENO, text.ptr, text.len);

		if (written < 0 && errno != EINTR)
			return;
		if (written > 0)
			text = bytes_of(text.ptr + written, text.len - (size_t)written);
	}
}

/* RFC 3339 with microseconds, so that lines of different programs sort. */
static void put_time(struct jx_out *o)
{
	int64_t now = clock_wall_us();
	char text[CLOCK_RFC3339_LEN + 16];

	clock_rfc3339_format(now, text);
	/* The fraction goes where "Z" was. */
	(void)snprintf(text + CLOCK_RFC3339_LEN - 1, sizeof(text) - CLOCK_RFC3339_LEN, ".%06dZ",
		(int)(now % USEC_PER_SEC));
	jx_put_str(o, "time", text);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	CLEANUP_BUF struct buf line = {0};
	struct jx_out o = {.buf = &line};
	int saved_errno = errno;

	if (!log_enabled(level))
		return;
	jx_begin_object(&o, NULL);
	put_time(&o);
	jx_put_str(&o, "level", level_names[level]);
	jx_put_str(&o, "program", program_name());
	jx_put_str(&o, "message", message);
	for (const struct log_field *f = fields; f->name != NULL; f++) {
		if (f->kind == LOG_INT)
			jx_put_int(&o, f->name, f->num);
		else
			jx_put_str(&o, f->name, f->str);
	}
	jx_end_object(&o);
	buf_add_byte(&line, '\n');
	write_all(buf_bytes(&line));
	errno = saved_errno;
}

void die(const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "%s: ", program_name());
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(EXIT_FAILURE);
}
