"""A parser of Prometheus' text format 0.0.4, as strict as `promtool check metrics`.

    samples = prometheus.check(text)
    samples["postern_queue_depth", (("queue", "q"), ("state", "ready"), ("tenant", "t"))]
"""

import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
VALUE = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?Inf|NaN")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Wrong(AssertionError):
    """A scraper would reject the text, or it breaks a naming convention."""


def check(text):
    """The samples, {(name, sorted labels): value}. Raises Wrong."""
    if not text.endswith("\n"):
        raise Wrong("the last line has no line feed")
    families, samples, seen, current = {}, {}, set(), None
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            current = head(line, families)
            if current in seen and line.startswith("# HELP"):
                raise Wrong(f"the family comes twice: {line}")
            seen.add(current)
            continue
        name, labels, value = sample(line)
        family = family_of(name, families)
        if family != current:
            raise Wrong(f"a sample that is not under its family: {line}")
        if (name, labels) in samples:
            raise Wrong(f"a series twice: {line}")
        samples[name, labels] = value
    for name, family in families.items():
        conventions(name, family, samples)
    return samples


def head(line, families):
    """Parses a HELP or TYPE line and returns the name of its family."""
    kind, name, rest = (line[2:].split(" ", 2) + ["", ""])[:3]
    if kind not in ("HELP", "TYPE") or not NAME.fullmatch(name) or not rest:
        raise Wrong(f"neither HELP nor TYPE of a family: {line}")
    family = families.setdefault(name, {})
    if kind in family:
        raise Wrong(f"{kind} twice: {line}")
    if kind == "TYPE" and rest not in TYPES:
        raise Wrong(f"there is no such type: {line}")
    if kind == "TYPE" and "HELP" not in family:
        raise Wrong(f"TYPE without HELP: {line}")
    family[kind] = rest
    return name


def sample(line):
    """Name, sorted labels and value of one line."""
    name = NAME.match(line)
    if not name:
        raise Wrong(f"no sample: {line!r}")
    rest, labels = line[name.end():], []
    if rest.startswith("{"):
        rest = rest[1:]
        while not rest.startswith("}"):
            label = LABEL.match(rest)
            if not label or label[1].startswith("__"):
                raise Wrong(f"a label is malformed: {line!r}")
            labels.append((label[1], re.sub(r"\\.", lambda found: ESCAPES[found[0]], label[2])))
            rest = rest[label.end():]
            if rest.startswith(","):
                rest = rest[1:]
            elif not rest.startswith("}"):
                raise Wrong(f"labels are not separated: {line!r}")
        rest = rest[1:]
    if not rest.startswith(" ") or not VALUE.fullmatch(rest[1:]):
        raise Wrong(f"no value: {line!r}")
    if len({key for key, _ in labels}) < len(labels):
        raise Wrong(f"a label twice: {line!r}")
    return name[0], tuple(sorted(labels)), float(rest[1:])


def family_of(name, families):
    for suffix in ("_bucket", "_sum", "_count"):
        family = name.removesuffix(suffix)
        if family != name and families.get(family, {}).get("TYPE") == "histogram":
            return family
    if "TYPE" not in families.get(name, {}):
        raise Wrong(f"{name} has no HELP and TYPE before it")
    return name


def conventions(name, family, samples):
    if "TYPE" not in family:
        raise Wrong(f"{name} has no TYPE")
    if family["TYPE"] == "counter":
        if not name.endswith("_total"):
            raise Wrong(f"{name}: a counter ends in _total")
        for (each, labels), value in samples.items():
            if each == name and not value >= 0:
                raise Wrong(f"{name}{labels} is {value}")
    elif name.endswith("_total"):
        raise Wrong(f"{name}: only a counter ends in _total")
    if family["TYPE"] == "histogram":
        histogram(name, samples)


def histogram(name, samples):
    """Checks a histogram: buckets increase up to +Inf, which equals the count, and there is a sum."""
    buckets = {}
    for (each, labels), value in samples.items():
        if each == f"{name}_bucket":
            rest = dict(labels)
            if "le" not in rest:
                raise Wrong(f"{name}_bucket without le")
            bound = float(rest.pop("le"))
            buckets.setdefault(tuple(sorted(rest.items())), []).append((bound, value))
    if not buckets:
        raise Wrong(f"{name} has no buckets")
    for labels, found in buckets.items():
        found.sort()
        counts = [count for _, count in found]
        if found[-1][0] != math.inf:
            raise Wrong(f"{name}{labels} has no +Inf")
        if counts != sorted(counts):
            raise Wrong(f"{name}{labels}: the buckets do not add up: {counts}")
        if samples.get((f"{name}_count", labels)) != counts[-1]:
            raise Wrong(f"{name}{labels}: the count is not the +Inf bucket")
        if (f"{name}_sum", labels) not in samples:
            raise Wrong(f"{name}{labels} has no sum")
