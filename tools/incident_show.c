/* incident_show.c — assayctl incident status: how far incidents are. */
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tools/incident.h"

static const char *const states[] = {
	[INCIDENT_PREPARED] = "prepared",
	[INCIDENT_RUNNING] = "running",
	[INCIDENT_PAUSED] = "paused",
	[INCIDENT_ENDED] = "ended",
	[INCIDENT_ABORTED] = "aborted",
};

static const char *state_of(const struct incident_row *row)
{
	return (size_t)row->status < ARRAY_LEN(states) ? states[row->status] : "unknown";
}

static void print_line(const struct incident_row *row)
{
	char created[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(row->created_us, created);
	printf("%-6d %-9s %s %9d selected %9d renewed %9d revoked  %.*s\n", row->id, state_of(row),
		created, row->selected, row->renewed, row->revoked, (int)row->why.len,
		row->why.ptr);
}

static void print_count(const char *what, int32_t count, int32_t of)
{
	printf("  %-28s %9d", what, count);
	if (of > 0)
		printf("  %5.1f %%", 100.0 * count / of);
	putchar('\n');
}

static void print_time(const char *what, int64_t at_us)
{
	char text[CLOCK_RFC3339_LEN + 1];
	int64_t secs, size;

	if (at_us == INT64_MIN)
		return;
	secs = (at_us - clock_wall_us()) / USEC_PER_SEC;
	size = secs < 0 ? -secs : secs;
	clock_rfc3339_format(at_us, text);
	printf("  %-28s %s  (%s%lld:%02lld:%02lld%s)\n", what, text, secs < 0 ? "" : "in ",
		(long long)(size / 3600), (long long)(size / 60 % 60), (long long)(size % 60),
		secs < 0 ? " ago" : "");
}

/* When the rest will have been renewed, if it goes on as it went since the waves began. */
static int64_t expected_us(const struct incident_row *row)
{
	int64_t now = clock_wall_us();
	int64_t left = row->selected - row->renewed;

	if (row->status != INCIDENT_RUNNING || row->renewed == 0 || left == 0 ||
		now <= row->begin_us)
		return INT64_MIN;
	return now + (int64_t)((double)(now - row->begin_us) / row->renewed * (double)left);
}

static void print_waves(const struct incident_row *row)
{
	if (row->begin_us == INT64_MIN)
		return;
	print_count("asked to renew", row->asked, row->selected);
	printf("  %-28s %9d each %d s\n", "certificates in a wave", row->wave_size, row->wave_secs);
	print_time("waves begin", row->begin_us);
	print_time("last wave ends", row->last_end_us);
	print_time("all renewed, at this pace", expected_us(row));
	print_time("revocation of what is left", row->deadline_us);
	printf("  %-28s %9d\n", "reason of the revocation", row->reason);
	if (row->status != INCIDENT_ENDED && row->last_end_us > row->deadline_us)
		puts("  The last waves come close to the deadline: extend it, or they are asked "
		     "all at once.");
	if (row->status == INCIDENT_PAUSED && row->deadline_us < clock_wall_us())
		puts("  The deadline is over: resume revokes at once. Or extend it first.");
}

/* What is neither renewed nor revoked is what would still break at the deadline. */
static void print_whole(const struct incident_row *row)
{
	printf("incident %d: %s\n  %.*s\n  selection: %.*s%s\n", row->id, state_of(row),
		(int)row->why.len, row->why.ptr, (int)row->selection.len, row->selection.ptr,
		row->complete ? "" : " (not complete: assayctl incident select goes on)");
	if (row->explanation_url.ptr != NULL)
		printf("  explanation: %.*s\n", (int)row->explanation_url.len,
			row->explanation_url.ptr);
	print_count("selected", row->selected, 0);
	print_count("renewed", row->renewed, row->selected);
	print_count("revoked", row->revoked, row->selected);
	print_count("left", row->selected - row->renewed - row->revoked_unrenewed, row->selected);
	print_waves(row);
	print_time("ended", row->ended_us);
}

void incident_show(struct db *db, int32_t id)
{
	struct db_call call = {0};
	size_t count;

	incident_status_call(&call, id);
	incident_run(db, &call);
	count = incident_status_count(&call);
	if (count == 0 && id != 0)
		die("incident: there is no incident %d", id);
	if (count == 0)
		puts("There are no incidents.");
	for (size_t i = 0; i < count; i++) {
		struct incident_row row;

		incident_status_at(&call, i, &row);
		if (id != 0)
			print_whole(&row);
		else
			print_line(&row);
	}
	db_call_done(&call);
}
