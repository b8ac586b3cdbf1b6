/* template_date – the letters of a date format, after Django; always UTC and English. */
#include <inttypes.h>

#include "base/clock.h"
#include "domain/template_int.h"

#define DAY_US INT64_C(86400000000)

struct moment {
	int year, month, day; /* 1-based */
	int hour, minute, second, micro;
	int weekday; /* 0 = Sunday */
	int yearday; /* 1-based */
	int64_t unix_s;
};

static const char *const days[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"};
/* Associated Press style. */
static const char *const ap_months[] = {"Jan.", "Feb.", "March", "April", "May", "June", "July",
	"Aug.", "Sept.", "Oct.", "Nov.", "Dec."};

static int
digits(const char *p, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (p[i] - '0');
	return v;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
month_days(int year, int month)
{
	if (month == 2)
		return is_leap(year) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static struct moment
split(int64_t us)
{
	char t[CLOCK_RFC3339_LEN]; /* 2027-01-01T00:00:00.123456Z */
	int64_t day = floor_div(us, DAY_US);
	struct moment m;

	clock_to_rfc3339(us, t);
	m = (struct moment){.year = digits(t, 4),
		.month = digits(t + 5, 2),
		.day = digits(t + 8, 2),
		.hour = digits(t + 11, 2),
		.minute = digits(t + 14, 2),
		.second = digits(t + 17, 2),
		.micro = digits(t + 20, 6),
		.weekday = (int)(((day + 4) % 7 + 7) % 7), /* 1970 began on a Thursday */
		.unix_s = floor_div(us, 1000000)};
	m.yearday = m.day;
	for (int i = 1; i < m.month; i++)
		m.yearday += month_days(m.year, i);
	return m;
}

/* ISO 8601: weeks begin on Monday; week 1 has the year's first Thursday. */
static int
iso_week(const struct moment *m, int *year)
{
	int weekday = (m->weekday + 6) % 7; /* 0 = Monday */
	int thursday = m->yearday - weekday + 3;

	*year = m->year;
	if (thursday < 1) {
		*year -= 1;
		thursday += is_leap(*year) ? 366 : 365;
	} else if (thursday > (is_leap(*year) ? 366 : 365)) {
		thursday -= is_leap(*year) ? 366 : 365;
		*year += 1;
	}
	return (thursday - 1) / 7 + 1;
}

static const char *
ordinal(int day)
{
	if (day / 10 == 1)
		return "th";
	return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

static int
hour12(const struct moment *m)
{
	return m->hour % 12 == 0 ? 12 : m->hour % 12;
}

static void
put_date(struct buf *out, char letter, const struct moment *m)
{
	int year;

	switch (letter) {
	case 'd':
		buf_printf(out, "%02d", m->day);
		break;
	case 'j':
		buf_i64(out, m->day);
		break;
	case 'D':
		buf_add(out, days[m->weekday], 3);
		break;
	case 'l':
		buf_str(out, str_of(days[m->weekday]));
		break;
	case 'S':
		buf_str(out, str_of(ordinal(m->day)));
		break;
	case 'w':
		buf_i64(out, m->weekday);
		break;
	case 'z':
		buf_i64(out, m->yearday);
		break;
	case 'W':
		buf_i64(out, iso_week(m, &year));
		break;
	case 'o':
		iso_week(m, &year);
		buf_i64(out, year);
		break;
	case 'm':
		buf_printf(out, "%02d", m->month);
		break;
	case 'n':
		buf_i64(out, m->month);
		break;
	case 'M':
		buf_add(out, months[m->month - 1], 3);
		break;
	case 'b':
		buf_char(out, (char)(months[m->month - 1][0] | 0x20));
		buf_add(out, months[m->month - 1] + 1, 2);
		break;
	case 'E':
	case 'F':
		buf_str(out, str_of(months[m->month - 1]));
		break;
	case 'N':
		buf_str(out, str_of(ap_months[m->month - 1]));
		break;
	case 't':
		buf_i64(out, month_days(m->year, m->month));
		break;
	case 'L':
		buf_str(out, is_leap(m->year) ? STR("True") : STR("False"));
		break;
	case 'y':
		buf_printf(out, "%02d", m->year % 100);
		break;
	case 'Y':
		buf_printf(out, "%04d", m->year);
		break;
	default:
		buf_char(out, letter);
		break;
	}
}

/* "1 p.m.", "1:30 p.m.", "noon". */
static void
put_spoken_time(struct buf *out, const struct moment *m)
{
	if (m->minute == 0 && m->hour % 12 == 0) {
		buf_str(out, m->hour == 0 ? STR("midnight") : STR("noon"));
		return;
	}
	buf_i64(out, hour12(m));
	if (m->minute != 0)
		buf_printf(out, ":%02d", m->minute);
	buf_str(out, m->hour < 12 ? STR(" a.m.") : STR(" p.m."));
}

/* False when ${letter} is none of these. */
static bool
put_time(struct buf *out, char letter, const struct moment *m)
{
	switch (letter) {
	case 'a':
		buf_str(out, m->hour < 12 ? STR("a.m.") : STR("p.m."));
		break;
	case 'A':
		buf_str(out, m->hour < 12 ? STR("AM") : STR("PM"));
		break;
	case 'f':
		buf_i64(out, hour12(m));
		if (m->minute != 0)
			buf_printf(out, ":%02d", m->minute);
		break;
	case 'g':
		buf_i64(out, hour12(m));
		break;
	case 'G':
		buf_i64(out, m->hour);
		break;
	case 'h':
		buf_printf(out, "%02d", hour12(m));
		break;
	case 'H':
		buf_printf(out, "%02d", m->hour);
		break;
	case 'i':
		buf_printf(out, "%02d", m->minute);
		break;
	case 's':
		buf_printf(out, "%02d", m->second);
		break;
	case 'u':
		buf_printf(out, "%06d", m->micro);
		break;
	case 'P':
		put_spoken_time(out, m);
		break;
	case 'e':
	case 'T':
		buf_str(out, STR("UTC"));
		break;
	case 'O':
		buf_str(out, STR("+0000"));
		break;
	case 'I':
	case 'Z':
		buf_char(out, '0');
		break;
	case 'U':
		buf_i64(out, m->unix_s);
		break;
	default:
		return false;
	}
	return true;
}

void
template_date_letter(struct buf *out, char letter, int64_t us)
{
	struct moment m = split(us);

	if (letter == 'c') { /* ISO 8601 */
		buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", m.year, m.month, m.day, m.hour,
			m.minute, m.second);
		if (m.micro != 0)
			buf_printf(out, ".%06d", m.micro);
		buf_str(out, STR("+00:00"));
	} else if (letter == 'r') { /* RFC 5322 */
		buf_printf(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days[m.weekday],
			m.day, months[m.month - 1], m.year, m.hour, m.minute, m.second);
	} else if (!put_time(out, letter, &m)) {
		put_date(out, letter, &m);
	}
}
