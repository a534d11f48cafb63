"""Measures how long the native API takes to answer the pages of lists, beside 5,000,000 finished tasks of four days in four
queues and 1,000,000 that are delayed (--scale 0.1: a tenth of these).

A page is the first or the hundredth, by cursor. Where a list says that its look ended before the page was full, the pages
count as answered.
"""

import http.client
import json
import statistics
import time
import urllib.parse

from harness import HERE, key_header, psql
from report import Table, progress

FINISHED, DELAYED = 5_000_000, 1_000_000
MUST_MS = 20
TIMES = 15  # each first page is asked for so often; the hundredth after a walk of 99, and then as often


class Lists:
    """GETs over one connection, which is kept."""

    def __init__(self, stack):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(stack.url).netloc, timeout=30)
        self.headers = dict([key_header(stack).split(": ", 1)])

    def get(self, path):
        """Returns the answer and the milliseconds it took."""
        begun = time.monotonic()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.monotonic() - begun) * 1000
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:200]!r}")
        return json.loads(body), took

    def times(self, path):
        """The fastest and the median."""
        took = [self.get(path)[1] for _ in range(TIMES)]
        return min(took), statistics.median(took)


def lists():
    hour = [time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - 36 * 3600 + n * 3600)) for n in range(2)]
    within = f"created_since={hour[0]}&created_until={hour[1]}"
    return [("newest, all queues", ""), ("newest, big queue", "queue=big"), ("newest, small queue", "queue=small"),
            ("completed", "status=completed"), ("failed (1 in 1,000)", "status=failed"),
            ("cancelled (none)", "status=cancelled"), ("pending (all the delayed ones)", "status=pending"),
            ("active (none)", "status=active"), ("blocked (none)", "status=blocked"),
            ("tag: every other task", "tag=common"), ("tag: 1 in 50,000, big queue", "queue=big&tag=rare"),
            ("tag: 1 in 50,000, all queues", "tag=rare"), ("tag: none", "tag=none"),
            ("tag of delayed: 1 in 50,000", "status=pending&tag=rare"),
            ("endpoint: every third task", "endpoint=mail"), ("endpoint: 1 in 50,000", "endpoint=seldom"),
            ("endpoint: none", "endpoint=none"), ("reason: exhausted (1 in 1,000)", "reason=exhausted"),
            ("reason: none", "reason=gone"), ("an hour of the day before", within), ("an hour, big queue", "queue=big&" + within),
            ("an hour, rare tag", "tag=rare&" + within)]


def numbers():
    """What is told about these tasks; the series are of minutes that nobody counted."""
    return [("failures", "/v1/failures"), ("failures, big queue", "/v1/failures?queue=big"),
            ("failures, a reason that none has", "/v1/failures?reason=gone"),
            ("failures, an endpoint", "/v1/failures?endpoint=mail"), ("series of the tenant", "/v1/stats/series"),
            ("series by queue", "/v1/stats/series?by=queue&minutes=180&limit=100"),
            ("series by endpoint", "/v1/stats/series?by=endpoint&minutes=180&limit=100")]


def run(stack, options):
    finished, delayed = round(FINISHED * options.scale), round(DELAYED * options.scale)
    psql(stack, "-v", f"finished={finished}", "-v", f"delayed={delayed}", "-f", HERE / "lists_rows.sql")
    progress(f"{finished:,} finished and {delayed:,} delayed tasks are there")
    client = Lists(stack)
    rows, slowest = [], 0

    def cell(times):
        return "" if times is None else f"{times[0]:.1f} / {times[1]:.1f}"

    def add(name, found, first, hundredth=None, by_offset=None):
        nonlocal slowest
        slowest = max(slowest, first[1], hundredth[1] if hundredth else 0)
        rows.append([name, cell(first), cell(hundredth), cell(by_offset), found])
        progress(", ".join(rows[-1]))

    for name, query in lists():
        path = "/v1/tasks?" + query
        page, _ = client.get(path)
        first = f"{len(page['tasks'])} of {page['pagination']['total']:,}" + "+" * page["pagination"].get("total_estimated", False)
        took = client.times(path)
        place = path
        pages = 1
        while pages < 100 and "next_cursor" in page["pagination"]:
            place = path + "&cursor=" + page["pagination"]["next_cursor"]
            page, _ = client.get(place)
            pages += 1
        deep = pages == 100
        add(name, first, took, client.times(place) if deep else None, client.times(path + "&offset=1980") if deep else None)
    some = psql(stack, "-c", "SELECT id FROM postern.task_finished WHERE tenant = 'default' AND queue = 'big' "
                "ORDER BY uuid_send(id) LIMIT 1")
    add("one task by its id, the oldest", "1", client.times(f"/v1/tasks/{some}"))
    for name, path in numbers():
        add(name, "", client.times(path))
    options.report.add(Table(
        f"lists: pages of 20 beside {finished:,} finished and {delayed:,} delayed tasks",
        ["", "first page, ms", "hundredth by cursor, ms", "by offset 1980, ms", "found at first"], rows,
        f"The fastest of {TIMES} and the median, through nginx, with the total. Must: {MUST_MS} ms for the medians by cursor. "
        "By offset, what is rare takes up to 80 looks."))
    return slowest <= MUST_MS
