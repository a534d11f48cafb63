"""Prints cron_table.inc, the expected times of cron_test.cpp:

    /usr/bin/python3 tests/core/time/cron_table.py > tests/core/time/cron_table.inc

An independent implementation of the rules in core/time/cron.h: it uses Python's time zones and tries each minute of a
day. Run it by hand. All clock changes are in the past, so that no update of the zones alters them."""
import datetime as dt
import re
import zoneinfo

UTC = dt.timezone.utc
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
SHORTHAND = {"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
             "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}
WORDS = ({}, {}, {}, dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13))),
         dict(zip("sun mon tue wed thu fri sat".split(), range(7))))
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def wanted(element, value, words, low, high):
    """True when the element of a list contains `value`."""
    body, _, step = element.lower().partition("/")
    for word, number in words.items():
        body = body.replace(word, str(number))
    if body not in "*?":
        first, _, last = body.partition("-")
        low, high = int(first), int(last or (high if step else first))
    return low <= value <= high and (value - low) % int(step or 1) == 0


class Spec:
    def __init__(self, text):
        self.fields = SHORTHAND.get(text, text).split()
        bare = [re.search(r"(^|,)[*?](/1)?(,|$)", field) for field in self.fields]
        self.either = not bare[2] and not bare[4]
        self.fixed = not re.search("[*?]", self.fields[0] + self.fields[1])

    def field(self, i, value):
        return any(wanted(element, value, WORDS[i], *RANGES[i]) for element in self.fields[i].split(","))

    def day(self, date):
        by_date, by_weekday = self.field(2, date.day), self.field(4, date.isoweekday() % 7)
        return self.field(3, date.month) and (by_date or by_weekday if self.either else by_date and by_weekday)

    def time(self, time):
        return self.field(0, time.minute) and self.field(1, time.hour)


def moments(text, zone, after):
    """Yields the occurrences after `after`, in order; there may be years between them."""
    spec, zone = Spec(text), zoneinfo.ZoneInfo(zone)
    times = [m for m in range(1440) if spec.time(dt.time(m // 60, m % 60))]
    date = after.astimezone(zone).date() - 2 * DAY
    seen = after
    while True:
        found = set()
        if spec.fixed and spec.day(date):
            for m in times:
                found.add(first_moment(dt.datetime.combine(date, dt.time(m // 60, m % 60)), zone))
        elif not spec.fixed and any(spec.day(date + n * DAY) for n in (-1, 0, 1)):
            midnight = dt.datetime.combine(date, dt.time(), UTC)
            for m in range(1440):
                local = (midnight + m * MINUTE).astimezone(zone)
                if spec.day(local.date()) and spec.time(local.time()):
                    found.add(midnight + m * MINUTE)
        for moment in sorted(found):
            if moment > seen:
                seen = moment
                yield moment
        date += DAY


def first_moment(wall, zone):
    """The instant at which clocks first show `wall`; for a skipped time, the instant of the clock change."""
    moment = wall.replace(tzinfo=UTC) - 27 * dt.timedelta(hours=1)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += MINUTE
    return moment


def row(text, zone, after, count=3):
    start = dt.datetime.fromisoformat(after.replace("Z", "+00:00"))
    found = moments(text, zone, start)
    times = " ".join(next(found).strftime("%FT%TZ") for _ in range(count))
    print(f'{{"{text}", "{zone}", "{after}", "{times}"}},')


# Syntax and calendar. Monday, 15 January 2024; the year is a leap year.
for text in """* * * * *;? ? ? ? ?;*/1 * * * *;*/5 * * * *;*/7 * * * *;*/59 * * * *;*/100 * * * *;0 * * * *;30 * * * *
59 * * * *;0,30 * * * *;30,0 * * * *;0,0,0 * * * *;5-10 * * * *;5-10/2 * * * *;5-10/100 * * * *;5/20 * * * *
50/3 * * * *;1-5,10-15/5,50 * * * *;05 * * * *;*/15,7 * * * *;0 */2 * * *;0 */5 * * *;0 1-5 * * *;0 20/2 * * *
0 9 * * *;0 9,17 * * *;0 0 * * *;59 23 * * *;15 10 ? * *;0 12 1/5 * *;*/10 9-10 * * *;0 0 1 * *;0 0 15 * *;0 0 31 * *
0 0 30 * *;0 0 29 2 *;0 0 28-31 2 *;0 0 1 1 *;59 23 31 12 *;0 0 1 */3 *;0 0 1 2/3 *;0 0 1 jan *;0 0 1 JAN,jul *
0 0 1 Feb-Apr *;0 0 1 nov-dec *;0 0 1 may/4 *;0 0 */10 * *;0 0 */31 * *;0 0 10-20/5 6 *;0 0 31 1,3,5 *;0 0 * 2 *
0 0 * * 0;0 0 * * 6;0 0 * * 1-5;0 0 * * mon-fri;0 0 * * SUN;0 0 * * Sat,sun;0 0 * * sun-sat;0 0 * * tue/2
0 0 * * */2;0 0 * * */7;0 0 * * 3;0 0 13 * fri;0 0 13 * 5;0 0 1,15 * 1;0 0 */2 * 1;0 0 * * */3;0 0 1 * */2
0 0 */2 * */2;0 0 1 * ?;0 0 ? * mon;0 0 */1 * mon;0 0 13 * */1;0 0 1-7 * mon;0 0 29 2 1;0 0 1,* * mon;0 0 13 * fri,*
0 0 31 12 sun;0 0 29 feb fri;0 12 * 12 6;0 22 * * 1-5;23 0-20/2 * * *;5 4 * * sun;0 0,12 1 */2 *;0 4 8-14 * *
15,45 8-18 * * mon-fri;*/15 9-17 * * 1-5;1-59/2 * * * *;0-59 0-23 1-31 1-12 0-6;0 0 28 2 *;0 0 30 4,6,9,11 *
@yearly;@annually;@monthly;@weekly;@daily;@midnight;@hourly""".replace("\n", ";").split(";"):
    row(text, "UTC", "2024-01-15T10:02:30Z")
# Where a day, a month, a leap day, a year ends; a second before, at, and a moment after an occurrence.
for text, after in (("0 0 * * *", "2024-02-28T23:59:59Z"), ("0 0 * * *", "2023-02-28T00:00:00Z"),
                    ("* * * * *", "2023-12-31T23:59:00Z"), ("0 0 1 1 *", "2023-12-31T23:59:59.999999Z"),
                    ("0 0 1 1 *", "2024-01-01T00:00:00Z"), ("0 9 * * *", "2024-06-01T08:59:59.999999Z"),
                    ("0 9 * * *", "2024-06-01T09:00:00Z"), ("0 9 * * *", "2024-06-01T09:00:00.000001Z"),
                    ("*/5 * * * *", "2024-06-30T23:55:00.5Z"), ("0 0 29 2 *", "2024-02-29T00:00:00Z"),
                    ("0 0 29 2 *", "1999-12-31T00:00:00Z"), ("0 0 29 2 *", "2095-01-01T00:00:00Z"),
                    ("*/30 12 29 2 *", "2096-02-29T12:30:00Z"), ("0 0 31 * *", "2024-12-31T00:00:00Z"),
                    ("0 0 * * 0", "2000-02-26T12:00:00Z"), ("0 0 1 3 *", "2100-02-28T00:00:00Z"),
                    ("0 0 28-29 2 *", "2099-12-31T00:00:00Z"), ("0 0 * * *", "1970-01-01T00:00:00Z")):
    row(text, "UTC", after)
# Half a day around a clock change: the zone, a time before it, and the affected local times.
CHANGES = (("Europe/Berlin", "2024-03-30T22:00:00Z", 2), ("Europe/Berlin", "2024-10-26T22:10:00Z", 2),
           ("Europe/London", "2025-03-29T22:00:00Z", 1), ("America/New_York", "2024-03-10T05:00:00Z", 2),
           ("America/New_York", "2024-11-03T04:30:00Z", 1), ("Australia/Sydney", "2024-10-05T14:00:00Z", 2),
           ("Australia/Sydney", "2025-04-05T14:00:00Z", 2), ("Australia/Lord_Howe", "2024-10-05T14:30:00Z", 2),
           ("Australia/Lord_Howe", "2025-04-05T13:50:00Z", 1), ("America/Sao_Paulo", "2018-11-03T22:00:00Z", 0),
           ("America/Sao_Paulo", "2019-02-16T23:00:00Z", 23), ("Africa/Casablanca", "2024-03-10T00:30:00Z", 2),
           ("Africa/Casablanca", "2024-04-14T00:30:00Z", 2), ("Africa/Cairo", "2023-04-27T20:00:00Z", 0))
for zone, after, hour in CHANGES:
    for text in ("30 {} * * *", "{} 0 * * *", "0,20,40 {},{}-23 * * *", "*/20 * * * *", "15 * * * *", "*/20 {} * * *",
                 "0 */2 * * *"):
        text = text.format(hour, hour) if text != "{} 0 * * *" else f"0 {(hour + 1) % 24} * * *"
        row(text, zone, after, 6 if "," in text or "/" in text else 3)
# Starting within a repeated hour: between its two passes, and after it.
for text in ("30 2 * * *", "0,15,45 2-3 * * *", "*/15 * * * *", "15 * * * *", "*/30 2 * * *"):
    for after in ("2024-10-27T00:40:00Z", "2024-10-27T01:00:00Z", "2024-10-27T01:40:00Z"):
        row(text, "Europe/Berlin", after)
# Two zones that changed their offset for good: Apia, which skipped a day, and Pyongyang, by half hours.
for text in ("0 12 * * *", "0 0 30 12 *", "0 0 * * *", "0 */6 * * *", "30 * 30 * *", "0 9 * * 5"):
    row(text, "Pacific/Apia", "2011-12-29T09:00:00Z")
for text in ("45 23 * * *", "15 0 * * *", "*/20 * * * *"):
    row(text, "Asia/Pyongyang", "2015-08-14T14:00:00Z", 6)
    row(text, "Asia/Pyongyang", "2018-05-04T14:00:00Z", 6)
# Zones without clock changes but with fractional offsets; days and months that begin at other instants than in UTC.
for zone in ("Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "Pacific/Kiritimati",
             "Pacific/Marquesas", "Etc/GMT+12"):
    for text in ("0 9 * * *", "*/20 * * * *", "0 0 1 * *", "0 0 * * mon", "@yearly"):
        row(text, zone, "2024-12-31T09:50:00Z")
