"""Who may include whom: every folder of the programs and its permitted arrows, which all point down.

Fails and names each #include that breaks a rule, and each arrow that nobody uses. CMake holds the same by what a library links; this also
holds the folders that are part of one library, the C libraries, and the files of which there is one.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r'^ *# *include *["<]([^">]+)[">]', re.MULTILINE)

# The domain is one arrow: whoever knows some of it may know all.
CORE = ("core/wire", "core/model", "core/security", "core/time", "core/base")

# From the bottom up. A folder sees itself and what stands here, which must have come before it, and which it includes.
ARROWS = {
    # The domain.
    "core/base": [],
    "core/time": ["core/base"],
    "core/security": ["core/time", "core/base"],
    "core/model": ["core/security", "core/time", "core/base"],
    "core/program": ["core/model", "core/security", "core/time", "core/base"],
    "core/wire": ["core/model", "core/time", "core/base"],
    # Every SQL statement there is.
    "db/pg": ["core/time", "core/base"],
    "db/schema": ["db/pg", "core/model", "core/base"],
    "db/tasks": ["db/pg", CORE],
    "db/catalog": ["db/tasks", "db/pg", CORE],
    "db/health": ["db/catalog", "db/schema", "db/pg", CORE],
    "db/engine": ["db/catalog", "db/tasks", "db/pg", CORE],
    "db/move": ["db/catalog", "db/pg", CORE],
    # HTTP in.
    "fcgi/server": ["db/pg", "core/program", "core/model", "core/time", "core/base"],
    "fcgi/auth": ["fcgi/server", "db/catalog", "db/pg", "core/program", CORE],
    "fcgi/intake": ["fcgi/server", "db/engine", "db/catalog", "db/tasks", "db/pg", "core/program", CORE],
    "fcgi/api": ["fcgi/intake", "fcgi/auth", "fcgi/server", "db/health", "db/catalog", "db/tasks", "db/schema", "db/pg", "core/program",
                 CORE],
    "fcgi/openapi": ["core/model"],
    # A dialect parses and renders; rules and rows are the use-cases'.
    "fcgi/dialects": ["fcgi/api", "fcgi/auth", "fcgi/server", CORE],
    "fcgi/dialects/native": ["fcgi/dialects", "fcgi/api", "fcgi/auth", "fcgi/openapi", "fcgi/server", "core/program", CORE],
    **{f"fcgi/dialects/{name}": ["fcgi/dialects/native", "fcgi/dialects", "fcgi/api", "fcgi/server", CORE]
       for name in ("asyncqueue", "taskmq", "asyncjobs")},
    "fcgi": ["fcgi/dialects", "fcgi/api", "fcgi/auth", "fcgi/intake", "fcgi/server", "db/schema", "db/pg", "core/program", CORE],
    # Webhooks out.
    "scheduler/http": ["core/model", "core/time", "core/base"],
    "scheduler/delivery": ["scheduler/http", "db/engine", "db/catalog", "db/tasks", "db/pg", "core/program", CORE],
    "scheduler/duties": ["scheduler/delivery", "db/engine", "db/catalog", "db/pg", "core/program", CORE],
    "scheduler": ["scheduler/duties", "scheduler/delivery", "scheduler/http", "db/engine", "db/catalog", "db/schema", "db/pg",
                  "core/program", CORE],
    # The operator's command. It asks the API, in its own process or over HTTP.
    "cli/api": ["fcgi", "fcgi/api", "fcgi/intake", "db/catalog", "db/schema", "db/pg", "core/program", CORE],
    "cli/command": ["db/pg", "core/program", CORE],
    "cli/output": ["cli/command", CORE],
    # What the API has, the command asks the API for.
    "cli/objects": ["cli/output", "cli/command", "cli/api", "core/program", CORE],
    "cli/cells": ["cli/output", "cli/command", "db/move", "db/catalog", "db/schema", "db/pg", "core/program", CORE],
    "cli/host": ["cli/cells", "cli/objects", "cli/output", "cli/command", "cli/api", "db/catalog", "db/schema", "core/program", CORE],
    "cli/receivers": ["cli/command", "core/program", CORE],
    "cli/doctor": ["cli/output", "cli/command", "db/health", "db/schema", "db/pg", "core/program"],
    "cli/setup": ["cli/output", "cli/command", "db/catalog", "db/schema", "db/pg", "core/program", CORE],
    "cli/manual": ["cli/command", "core/program", "core/base"],
    "cli": ["cli/command"],
}

# A library that stands behind one interface of ours, and the files that may include it.
ONLY = {
    r"libpq-fe\.h": r"db/pg/(connection|copy|login|result)\.cpp",
    r"(fcgiapp|fcgi_stdio|fastcgi)\.h": r"fcgi/server/fastcgi\.cpp",
    r"curl/": r"scheduler/http/(client|connections|leftover|socket_set|transfer)\.(cpp|h)|cli/api/http\.cpp",
    r"ares": r"scheduler/http/resolver\.cpp",
    # The second looks into libcurl's TLS.
    r"openssl/": r"core/base/(crypto|public_key)\.cpp|scheduler/http/leftover\.cpp",
    r"spdlog/": r"core/program/log\.cpp",
    r"boost/(asio|beast)": r"cli/receivers/receiver\.cpp",
    r"CLI/": r"(cli/(main|suggest|command/options|manual/manual)|core/program/config)\.cpp",
    r"date/tz": r"core/time/zones\.cpp",
}

# What decides, decides without a connection.
NEVER = {
    r"scheduler/delivery/(outcome|webhook|pacing|lanes)\.(cpp|h)": r"db/pg/(connection|channel|pool)\.h",
    r"scheduler/http/address_policy\.(cpp|h)": r"db/",
}


def sources():
    for top in ("core", "db", "fcgi", "scheduler", "cli"):
        yield from sorted(path for path in (ROOT / top).rglob("*") if path.suffix in (".h", ".cpp"))


def folder_of(included):
    parent = str(pathlib.PurePosixPath(included).parent)
    return parent if parent.split("/")[0] in ("core", "db", "fcgi", "scheduler", "cli", "tests") else None


def folders(arrow):
    return arrow if isinstance(arrow, tuple) else (arrow,)


def main():
    broken = []
    seen = list(ARROWS)
    known = {folder: {other for arrow in below for other in folders(arrow)} for folder, below in ARROWS.items()}
    used = {folder: set() for folder in ARROWS}
    for folder, below in known.items():
        for other in below:
            if seen.index(other) >= seen.index(folder):
                broken.append(f"the table: {folder} comes before {other}, so its arrow points up")
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        folder = path.parent.relative_to(ROOT).as_posix()
        if folder not in ARROWS:
            broken.append(f"{name}: the folder {folder} is not in the table")
            continue
        for included in INCLUDE.findall(path.read_text()):
            target = folder_of(included)
            used[folder].add(target)
            if target and target != folder and target not in known[folder]:
                broken.append(f"{name} includes {included}: {folder} does not know {target}")
            for header, owner in ONLY.items():
                if re.match(header, included) and not re.fullmatch(owner, name):
                    broken.append(f"{name} includes {included}: only {owner} does")
            for decider, connection in NEVER.items():
                if re.fullmatch(decider, name) and re.match(connection, included):
                    broken.append(f"{name} includes {included}: it decides without a connection")
    for folder in ARROWS:
        if not any((ROOT / folder).glob("*.cpp")):
            broken.append(f"the table: {folder} holds no source")
        for arrow in ARROWS[folder]:
            if not used[folder].intersection(folders(arrow)):
                broken.append(f"the table: {folder} includes nothing of {' or '.join(folders(arrow))}")
    print("\n".join(broken), file=sys.stderr)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
