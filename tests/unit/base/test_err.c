/* test_err – messages, their cut, and the tables of codes. */
#include "base/err.h"
#include "base/str.h"
#include "support.h"

static void
failing_is_one_statement(void **state)
{
	struct err e = {0};

	(void)state;
	assert_false(
		fail(&e, ERR_INPUT, "limit: must be between %d and %d, got %d", 1, 100, 0));
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.msg, "limit: must be between 1 and 100, got 0");
}

static void
a_field_of_the_caller_goes_in_front(void **state)
{
	struct err e = {0};

	(void)state;
	fail(&e, ERR_NOT_FOUND, "id: unknown");
	assert_false(fail_in(&e, "sender"));
	assert_false(fail_in(&e, "campaign"));
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "campaign.sender.id: unknown");
}

static void
the_old_message_may_be_an_argument(void **state)
{
	struct err e = {0};

	(void)state;
	fail(&e, ERR_STORE, "disk full");
	fail(&e, e.code, "campaign \"%s\": %s", "spring", e.msg);
	assert_string_equal(e.msg, "campaign \"spring\": disk full");
}

static void
long_messages_are_cut_between_characters(void **state)
{
	char text[1200];
	struct err e = {0};

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		size_t n = shift;

		memset(text, 'x', shift);
		for (; n + 4 < sizeof(text); n += 4)
			memcpy(text + n, "🎉", 4);
		text[n] = '\0';
		fail(&e, ERR_INPUT, "%s", text);
		assert_true(strlen(e.msg) >= sizeof(e.msg) - 4);
		assert_true(str_utf8_valid(str_of(e.msg)));
		assert_false(fail_in(&e, "message_template"));
		assert_true(str_utf8_valid(str_of(e.msg)));
		assert_true(str_starts(str_of(e.msg), STR("message_template.")));
	}
}

static void
codes_are_those_of_the_wire(void **state)
{
	(void)state;
	assert_int_equal(err_http(ERR_INPUT), 400);
	assert_int_equal(err_wire(ERR_INPUT), 4);
	assert_int_equal(err_http(ERR_NOT_FOUND), 404);
	assert_int_equal(err_wire(ERR_NOT_FOUND), 16);
	assert_int_equal(err_http(ERR_METHOD), 405);
	assert_int_equal(err_wire(ERR_EXPIRED), 40);
	assert_int_equal(err_wire(ERR_BUG), -1);
	assert_int_equal(err_http(ERR_STALE), 503);
	/* Trying again is of no use. */
	assert_int_equal(err_http(ERR_UNFIT), 400);
	assert_string_equal(err_name(ERR_TOO_LARGE), "TOO_LARGE");
	assert_string_equal(err_name(ERR_NONE), "NONE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_is_one_statement),
		cmocka_unit_test(a_field_of_the_caller_goes_in_front),
		cmocka_unit_test(the_old_message_may_be_an_argument),
		cmocka_unit_test(long_messages_are_cut_between_characters),
		cmocka_unit_test(codes_are_those_of_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
