/* test_park.c — waiting without a thread: no wake-up is lost, every wait ends, seats are few. */
#include "fcgi/park.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#define LONG_MS 60000

static int woken, expired;
static struct park_seat *last;

static void on_woken(struct park_seat *seat)
{
	woken++;
	last = seat;
}

static void on_expired(struct park_seat *seat)
{
	expired++;
	last = seat;
}

static int setup(void **state)
{
	static const struct park_calls calls = {.woken = on_woken, .expired = on_expired};

	woken = expired = 0;
	last = NULL;
	*state = park_new(&calls);
	return 0;
}

static int teardown(void **state)
{
	park_free(*state);
	return 0;
}

static const struct ident one = {.b = {1}}, other = {.b = {2}};

static void a_parked_seat_is_woken_by_its_own_id_alone(void **state)
{
	struct park *park = *state;
	struct park_seat seat = {0};

	park_watch(park, &seat, &one, 10);
	assert_int_equal(park_wait(park, &seat, LONG_MS), PARK_TAKEN);
	park_wake(park, &other, bytes_of(NULL, 0));
	assert_int_equal(woken, 0);
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 1);
	assert_ptr_equal(last, &seat);
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 1);
	park_leave(park, &seat);
}

static void a_wake_up_before_the_wait_is_not_lost(void **state)
{
	struct park *park = *state;
	struct park_seat seat = {0};

	park_watch(park, &seat, &one, 10);
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 0);
	assert_int_equal(park_wait(park, &seat, LONG_MS), PARK_REREAD);
	assert_int_equal(park_wait(park, &seat, LONG_MS), PARK_TAKEN);
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 1);
	park_leave(park, &seat);
}

static void a_woken_seat_may_wait_again_until_the_first_deadline(void **state)
{
	struct park *park = *state;
	struct park_seat seat = {0};
	int64_t deadline;

	park_watch(park, &seat, &one, 10);
	assert_int_equal(park_wait(park, &seat, LONG_MS), PARK_TAKEN);
	deadline = seat.deadline_ms;
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(park_wait(park, &seat, LONG_MS), PARK_TAKEN);
	assert_int_equal(seat.deadline_ms, deadline);
	park_wake(park, &one, bytes_of(NULL, 0));
	park_leave(park, &seat);
}

static void a_wait_ends_at_its_deadline(void **state)
{
	struct park *park = *state;
	struct park_seat soon = {0}, later = {0};
	int next;

	park_watch(park, &later, &one, 10);
	assert_int_equal(park_wait(park, &later, LONG_MS), PARK_TAKEN);
	park_watch(park, &soon, &one, 10);
	assert_int_equal(park_wait(park, &soon, 30), PARK_TAKEN);
	next = park_expire(park, 1000);
	assert_true(next <= 30);
	assert_int_equal(expired, 0);
	usleep(40000);
	assert_int_equal(park_expire(park, 1000), 1000);
	assert_int_equal(expired, 1);
	assert_ptr_equal(last, &soon);
	assert_int_equal(soon.state, PARK_FREE);
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 1);
	park_leave(park, &later);
}

static void no_time_to_wait_means_an_answer_at_once(void **state)
{
	struct park *park = *state;
	struct park_seat seat = {0};

	park_watch(park, &seat, &one, 10);
	assert_int_equal(park_wait(park, &seat, 0), PARK_ANSWER);
	assert_int_equal(seat.state, PARK_FREE);
}

static void seats_are_bounded_and_given_back(void **state)
{
	struct park *park = *state;
	struct park_seat seats[3] = {0};

	for (int i = 0; i < 3; i++)
		park_watch(park, &seats[i], &one, 2);
	assert_int_equal(seats[2].state, PARK_FREE);
	assert_int_equal(park_wait(park, &seats[2], LONG_MS), PARK_ANSWER);
	park_leave(park, &seats[0]);
	park_watch(park, &seats[2], &one, 2);
	assert_int_equal(seats[2].state, PARK_WATCHING);
	park_leave(park, &seats[1]);
	park_leave(park, &seats[2]);
	park_leave(park, &seats[2]);
}

static void everyone_who_waits_for_an_id_is_woken(void **state)
{
	struct park *park = *state;
	struct park_seat seats[5] = {0};

	for (int i = 0; i < 5; i++) {
		park_watch(park, &seats[i], i < 3 ? &one : &other, 10);
		assert_int_equal(park_wait(park, &seats[i], LONG_MS), PARK_TAKEN);
	}
	park_wake(park, &one, bytes_of(NULL, 0));
	assert_int_equal(woken, 3);
	park_wake_all(park);
	assert_int_equal(woken, 5);
	for (int i = 0; i < 5; i++)
		park_leave(park, &seats[i]);
}

static void closing_ends_every_wait_and_allows_no_other(void **state)
{
	struct park *park = *state;
	struct park_seat waiting = {0}, watching = {0}, late = {0};

	park_watch(park, &waiting, &one, 10);
	assert_int_equal(park_wait(park, &waiting, LONG_MS), PARK_TAKEN);
	park_watch(park, &watching, &one, 10);
	park_close(park);
	assert_int_equal(expired, 1);
	assert_int_equal(park_wait(park, &watching, LONG_MS), PARK_ANSWER);
	park_watch(park, &late, &one, 10);
	assert_int_equal(late.state, PARK_FREE);
}

static void what_the_waker_says_stays_with_the_seat(void **state)
{
	struct park *park = *state;
	struct park_seat waiting = {0}, watching = {0}, stranger = {0};
	struct buf note = {0};

	park_watch(park, &waiting, &one, 10);
	park_watch(park, &watching, &one, 10);
	park_watch(park, &stranger, &other, 10);
	assert_int_equal(park_wait(park, &waiting, LONG_MS), PARK_TAKEN);
	park_wake(park, &one, bytes_of(NULL, 0));
	park_wake(park, &one, bytes_str("note"));
	park_wake(park, &one, bytes_str("later"));
	assert_int_equal(woken, 1);
	assert_string_equal(buf_str(&waiting.note), "note");
	assert_int_equal(park_wait(park, &watching, LONG_MS), PARK_REREAD);
	assert_string_equal(buf_str(&watching.note), "note");
	assert_int_equal(stranger.note.len, 0);
	park_note(park, &watching, &note);
	assert_string_equal(buf_str(&note), "note");
	assert_int_equal(watching.note.len, 0);
	buf_done(&note);
	park_note(park, &stranger, &note);
	assert_int_equal(note.len, 0);
	park_leave(park, &waiting);
	assert_null(waiting.note.ptr);
	park_leave(park, &watching);
	park_leave(park, &stranger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_the_waker_says_stays_with_the_seat, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_parked_seat_is_woken_by_its_own_id_alone, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_wake_up_before_the_wait_is_not_lost, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_woken_seat_may_wait_again_until_the_first_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wait_ends_at_its_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(no_time_to_wait_means_an_answer_at_once, setup,
			teardown),
		cmocka_unit_test_setup_teardown(seats_are_bounded_and_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(everyone_who_waits_for_an_id_is_woken, setup,
			teardown),
		cmocka_unit_test_setup_teardown(closing_ends_every_wait_and_allows_no_other, setup,
			teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
