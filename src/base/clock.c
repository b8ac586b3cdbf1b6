/* clock – reading the kernel's clocks, and the proleptic Gregorian calendar. */
#include "base/clock.h"

#include <time.h>

#define US_PER_S   INT64_C(1000000)
#define S_PER_DAY  INT64_C(86400)
#define DAYS_400Y  146097 /* days in 400 years */
#define DAYS_100Y  36524
#define DAYS_4Y    1461
#define DAYS_TO_0  719468                             /* from 0000-03-01 to 1970-01-01 */
#define FIRST_US   (INT64_C(-62135596800) * US_PER_S) /* 0001-01-01 */
#define LAST_US    (INT64_C(253402300799) * US_PER_S + US_PER_S - 1) /* end of 9999 */
#define SHORTEST   20                                                /* 2027-01-01T00:00:00Z */
#define OFFSET_LEN 6                                                 /* +05:30 */

static int64_t
read_clock(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

/* Days since the epoch.  The year is counted from March, so that the leap day is its last
 * one and month lengths follow a line: (153 m + 2) / 5 days lie before month m. */
static int64_t
days_from_date(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int m = month > 2 ? month - 3 : month + 9;

	return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
	       DAYS_TO_0;
}

/* The inverse, for years 1 to 9999. */
static void
date_from_days(int64_t days, int *year, int *month, int *day)
{
	int n = (int)(days + DAYS_TO_0);
	int in_400y = n % DAYS_400Y;
	/* The last day of each leap cycle would begin a new year by plain division. */
	int y = (in_400y - in_400y / (DAYS_4Y - 1) + in_400y / DAYS_100Y -
			in_400y / (DAYS_400Y - 1)) /
		365;
	int in_year = in_400y - (365 * y + y / 4 - y / 100);
	int m = (5 * in_year + 2) / 153;

	*day = in_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = n / DAYS_400Y * 400 + y + (*month <= 2 ? 1 : 0);
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static void
put_digits(char *p, int width, int64_t v)
{
	while (width-- > 0) {
		p[width] = (char)('0' + v % 10);
		v /= 10;
	}
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ${width} digits at ${at}, which must lie inside ${s}. */
static bool
read_digits(struct str s, size_t at, size_t width, int *out)
{
	int v = 0;

	for (size_t i = at; i < at + width; i++) {
		if (!is_digit(s.p[i]))
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

/* An optional ".123…" at *at, which moves behind it. */
static bool
read_fraction(struct str s, size_t *at, int64_t *us)
{
	int64_t unit = US_PER_S / 10;
	size_t i = *at;

	*us = 0;
	if (i >= s.n || s.p[i] != '.')
		return true;
	for (i++; i < s.n && is_digit(s.p[i]); i++) {
		*us += unit * (s.p[i] - '0');
		unit /= 10;
	}
	if (i == *at + 1)
		return false;
	*at = i;
	return true;
}

/* "Z" or "+hh:mm" as the whole of ${s}. */
static bool
read_offset(struct str s, int *seconds)
{
	int hours, minutes;

	*seconds = 0;
	if (s.n == 1)
		return s.p[0] == 'Z' || s.p[0] == 'z';
	if (s.n != OFFSET_LEN || (s.p[0] != '+' && s.p[0] != '-') || s.p[3] != ':')
		return false;
	if (!read_digits(s, 1, 2, &hours) || !read_digits(s, 4, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*seconds = (hours * 60 + minutes) * 60;
	if (s.p[0] == '-')
		*seconds = -*seconds;
	return true;
}

/* The date at the front, as days since the epoch. */
static bool
read_date(struct str s, int64_t *days)
{
	int year, month, day;

	if (s.p[4] != '-' || s.p[7] != '-')
		return false;
	if (!read_digits(s, 0, 4, &year) || !read_digits(s, 5, 2, &month) ||
		!read_digits(s, 8, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*days = days_from_date(year, month, day);
	return true;
}

/* The time of day behind the date; second 60 is allowed here. */
static bool
read_time(struct str s, int *seconds, bool *leap)
{
	int hour, minute, second;

	if (s.p[10] != 'T' && s.p[10] != 't' && s.p[10] != ' ')
		return false;
	if (s.p[13] != ':' || s.p[16] != ':')
		return false;
	if (!read_digits(s, 11, 2, &hour) || !read_digits(s, 14, 2, &minute) ||
		!read_digits(s, 17, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = (hour * 60 + minute) * 60 + second;
	*leap = second == 60;
	return true;
}

int64_t
clock_now_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_month(int64_t us)
{
	int64_t inside = us < FIRST_US ? FIRST_US : us > LAST_US ? LAST_US : us;
	int64_t days =
		(inside - FIRST_US) / US_PER_S / S_PER_DAY + FIRST_US / US_PER_S / S_PER_DAY;
	int year, month, day;

	date_from_days(days, &year, &month, &day);
	return (int64_t)year * 12 + month - 1;
}

int64_t
clock_month_begin(int64_t month)
{
	return days_from_date((int)(month / 12), (int)(month % 12) + 1, 1) * S_PER_DAY *
	       US_PER_S;
}

void
clock_to_rfc3339(int64_t us, char out[CLOCK_RFC3339_LEN])
{
	/* Shifted to be positive: division then rounds down for times before 1970 too. */
	int64_t inside = us < FIRST_US ? FIRST_US : us > LAST_US ? LAST_US : us;
	uint64_t since = (uint64_t)(inside - FIRST_US);
	uint64_t s = since / (uint64_t)US_PER_S;
	int64_t days = (int64_t)(s / (uint64_t)S_PER_DAY) + FIRST_US / US_PER_S / S_PER_DAY;
	int64_t in_day = (int64_t)(s % (uint64_t)S_PER_DAY);
	int year, month, day;

	date_from_days(days, &year, &month, &day);
	memcpy(out, "0000-00-00T00:00:00.000000Z", CLOCK_RFC3339_LEN);
	put_digits(out, 4, year);
	put_digits(out + 5, 2, month);
	put_digits(out + 8, 2, day);
	put_digits(out + 11, 2, in_day / 3600);
	put_digits(out + 14, 2, in_day / 60 % 60);
	put_digits(out + 17, 2, in_day % 60);
	put_digits(out + 20, 6, (int64_t)(since % (uint64_t)US_PER_S));
}

bool
clock_from_rfc3339(struct str s, int64_t *us)
{
	int64_t days, fraction, total;
	int in_day, offset;
	size_t at = SHORTEST - 1;
	bool leap;

	if (s.n < SHORTEST || !read_date(s, &days) || !read_time(s, &in_day, &leap))
		return false;
	if (!read_fraction(s, &at, &fraction) ||
		!read_offset(str_sub(s, at, s.n - at), &offset))
		return false;
	total = days * S_PER_DAY + in_day - offset;
	/* A leap second ends a day of UTC; POSIX time counts it as the next second. */
	if (leap && total % S_PER_DAY != 0)
		return false;
	total = total * US_PER_S + fraction;
	if (total < FIRST_US || total > LAST_US)
		return false;
	*us = total;
	return true;
}
