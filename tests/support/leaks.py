"""Finds secrets in logs: whatever a test sends or gets as one must stand in no log.

The clients and receivers of the tests tell what they see (learn_...); a Watch reads what has been added to the logs.
"""

import pathlib
import re

# A secret is known by its words of this length: a leak may hold a part of it, or stand within a path or a query.
SHORTEST = 16
_WORD = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},}}")
_MEMBER = re.compile(r'"\w*(?:[Tt]oken|[Ss]ecret)\w*"\s*:\s*"([^"]+)"')
_PARAMETER = re.compile(r"[?&]token=([^&#\s]+)")
_SIGNAL = re.compile(r"/v1/signals/([^/?#\s]+)")

_known = set()


class Leak(AssertionError):
    pass


def learn(secret):
    """Adds a secret: a key, a token, or a text that consists of some."""
    _known.update(_WORD.findall(secret))


def learn_url(url):
    """Adds the tokens in a URL or path."""
    for pattern in (_PARAMETER, _SIGNAL):
        for token in pattern.findall(url):
            learn(token)


def learn_exchange(path, headers, sent, answered):
    """Adds what is secret in a request and its answer: credentials, and members named like a token or secret. `sent` and
    `answered` are bytes; whatever else `sent` is, is not read."""
    learn_url(path)
    for name, value in headers.items():
        if name.lower() in ("authorization", "x-api-key"):
            learn(str(value))
    for body in (sent, answered):
        if isinstance(body, bytes):
            for secret in _MEMBER.findall(body.decode(errors="replace")):
                learn(secret)


class Watch:
    """Reads the logs of some folders; for each check only what was added since the last one."""

    def __init__(self, *folders):
        self.folders = [pathlib.Path(folder) for folder in folders]
        self._read = {}  # bytes of each file

    def check(self):
        """Raises Leak with the lines that hold a known secret, which is masked."""
        found = [f"{file}: {line}" for folder in self.folders for file in sorted(folder.glob("*.log*"))
                 for line in self._leaks_of(file)]
        if found:
            raise Leak("a secret is in a log:\n" + "\n".join(found[:10]))

    def _leaks_of(self, file):
        with open(file, "rb") as log:
            log.seek(self._read.get(file, 0))
            added = log.read()
        whole, _, rest = added.rpartition(b"\n")
        self._read[file] = self._read.get(file, 0) + len(added) - len(rest)
        for line in whole.decode(errors="replace").splitlines():
            if not _known.isdisjoint(_WORD.findall(line)):
                yield _WORD.sub(lambda word: "[secret]" if word[0] in _known else word[0], line)
