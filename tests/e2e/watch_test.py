#!/usr/bin/python3
"""What packaging/ gives to Prometheus, Grafana and Icinga fits what there is: every metric and label in /metrics, every
alert of docs/metrics.md, every option of `postern check` and `postern cell check`."""

import json
import pathlib
import re
import subprocess
import unittest

import yaml
from harness import BIN, StackTest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "packaging/prometheus/postern.rules.yml"
DASHBOARD = ROOT / "packaging/grafana/postern.json"
METRIC = re.compile(r"\b(?:postern|taskmq)_\w+")


def selectors(expression):
    """(metric, labels that are asked for) of each metric in an expression of PromQL."""
    for found in re.finditer(rf"({METRIC.pattern})(?:\{{([^}}]*)\}})?", expression):
        yield found[1], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', found[2] or "")))


def normal(expression):
    return re.sub(r"\s+", "", expression)


class Watch(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
        cls.dashboard = json.loads(DASHBOARD.read_text())
        cls.panels = [panel for panel in cls.dashboard["panels"] if panel["type"] != "row"]

    def setUp(self):
        super().setUp()
        self.finished(self.create())
        text = self.wait_until(lambda: (now := self.client().get("/metrics").body.decode())
                               and "postern_queue_depth{" in now and now, what="a scheduler has counted")
        self.types = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        # The labels of the series there are now; the text of HELP does not tell them.
        self.labels = {}
        for name, labels in re.findall(r"(?m)^([a-z_]+)(?:\{(.*)\})? \S+$", text):
            self.labels.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        self.labels["postern_lane_breaker_state"] = {"tenant", "queue", "target", "state"}  # none is held back

    def assert_there(self, expression, where):
        found = list(selectors(expression))
        self.assertTrue(found, where)
        grouped = {label.strip() for labels in re.findall(r"\bby\s*\(([^)]*)\)", expression)
                   for label in labels.split(",")}
        known = set()
        for name, labels in found:
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            histogram = self.types.get(family) == "histogram"
            self.assertIn(family if histogram else name, self.types, f"{where}: /metrics has no {name}")
            has = self.labels.get(name, set()) | {"cell"}  # which the scrape configuration gives
            self.assertLessEqual(labels, has, f"{where}: labels of {name}")
            known |= has
        self.assertLessEqual(grouped, known, f"{where}: labels to group by")
        # A counter is looked at by its growth alone.
        for name, _ in found:
            if self.types.get(name) == "counter":
                self.assertRegex(expression, rf"(rate|increase)\({name}", where)

    def test_every_metric_of_the_alerts_is_there(self):
        for rule in self.rules:
            self.assert_there(rule["expr"], rule["alert"])
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            self.assertEqual(set(rule["annotations"]), {"summary", "description"}, rule["alert"])
            # A text names only labels that the result of the expression has.
            named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
            kept = {label.strip() for labels in re.findall(r"\bby\s*\(([^)]*)\)", rule["expr"])
                    for label in labels.split(",")} or {"cell"}  # without, it has all of them
            self.assertLessEqual(named, kept, rule["alert"])
            self.assertIn("{{ with $labels.cell }} in cell {{ . }}{{ end }}", rule["annotations"]["summary"], rule["alert"])

    def test_no_label_is_one_that_prometheus_gives_to_its_targets(self):
        """It would be there as `exported_` and that."""
        for name, labels in self.labels.items():
            self.assertFalse(labels & {"instance", "job"}, name)

    def test_the_manual_has_the_rules(self):
        section = (ROOT / "docs/metrics.md").read_text().split("## Alerts\n")[1].split("\n## ")[0]
        shown = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    ") or not line)
        parts = re.split(r"(?m)^# (\w+): .*$", shown)[1:]
        shown = list(zip(parts[::2], map(normal, parts[1::2])))
        self.assertEqual(shown, [(rule["alert"], normal(rule["expr"])) for rule in self.rules])

    def test_every_metric_of_the_dashboard_is_there(self):
        for panel in self.panels:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "5m")
                self.assert_there(expression, panel["title"])
        for variable in self.dashboard["templating"]["list"]:
            if variable["type"] == "query":
                name, label = re.fullmatch(r"label_values\(([a-z_]+).*, (\w+)\)", variable["definition"]).groups()
                self.assertIn(label, self.labels[name] | {"cell"})
        used = {name for panel in self.panels for target in panel["targets"] for name in METRIC.findall(target["expr"])}
        # What an operator wants to see at a glance.
        for name in ("postern_tasks_created_total", "postern_attempts_total", "postern_tasks_finished_total",
                     "postern_queue_depth", "postern_queue_oldest_due_seconds", "postern_delivery_duration_seconds_bucket",
                     "postern_lateness_seconds_bucket", "postern_inflight", "postern_attempts_parked",
                     "postern_lane_breaker_state", "postern_scheduler_up"):
            self.assertIn(name, used)

    def test_cells_are_told_apart(self):
        """No rule adds up what two cells say, and no panel leaves out whose numbers are wanted."""
        for rule in self.rules:
            for grouping in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", rule["expr"]):
                self.assertIn("cell", grouping, rule["alert"])
        for panel in self.panels:
            for target in panel["targets"]:
                for name, labels in selectors(target["expr"]):
                    self.assertIn("cell", labels, f"{panel['title']}: {name}")

    def test_panels_do_not_overlap(self):
        taken = set()
        for panel in self.panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24)
            taken |= cells
        self.assertEqual(len({panel["id"] for panel in self.panels}), len(self.panels))

    def test_icinga_gives_options_that_the_command_has(self):
        text = (ROOT / "packaging/icinga/postern.conf").read_text()
        commands = re.findall(r'(?ms)^object CheckCommand "([^"]+)" {\n  command = \[ (.*?) \]\n(.*?)^}', text)
        words_of = {name: json.loads(f"[{words}]") for name, words, _ in commands}
        self.assertEqual(words_of, {"postern": ["/usr/bin/postern", "check"],
                                    "postern-cells": ["/usr/bin/sudo", "/usr/bin/postern", "cell", "check"]})
        for name, _, arguments in commands:
            words = words_of[name][words_of[name].index("/usr/bin/postern") + 1:]
            said = "".join(subprocess.run([BIN / "postern", *each, "--help"], capture_output=True, text=True, check=True)
                           .stdout for each in ([], words))
            options = re.findall(r'"(--[a-z-]+)" = "\$', arguments)
            self.assertTrue(options)
            for option in options:
                self.assertIn(f"  {option} ", said)
        self.assertEqual(set(re.findall(r'check_command = "([^"]+)"', text)), set(words_of))
        self.assertEqual(text.count("{"), text.count("}"))


if __name__ == "__main__":
    unittest.main()
