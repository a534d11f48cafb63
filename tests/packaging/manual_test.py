#!/usr/bin/python3
"""Man pages and completions say what --help of every command says, and nothing else.

They are what `postern manual DIR` of the programs in POSTERN_BIN (else build/bin) writes.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("POSTERN_BIN", ROOT / "build/bin")).resolve()
DAEMONS = ("postern-fcgi", "postern-scheduler")
PAGES = ("postern.1", "postern-fcgi.8", "postern-scheduler.8", "postern.conf.5")
# No settings of this machine.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120,
                          env=ENVIRONMENT, **options)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def helped(path):
    """What --help of a command lists: the names of its options, its arguments and its subcommands."""
    sections, current = {"Options": set(), "Positionals": set(), "Subcommands": []}, None
    program, *words = path.split()
    for line in run(BIN / program, *words, "--help").splitlines():
        if heading := re.fullmatch(r"(\w+):", line):
            current = sections.get(heading[1])
        elif not line.strip():
            current = None
        elif (entry := re.match(r"  (\S+)", line)) and current is not None:
            if isinstance(current, set):
                current.update(entry[1].split(","))
            else:
                current.append(entry[1])
    return sections


def tree(path):
    """{path: what its help lists}, of a command and all below it."""
    found = {path: helped(path)}
    for name in found[path]["Subcommands"]:
        found.update(tree(f"{path} {name}"))
    return found


def described(text):
    """{path: names of its options and arguments} of a man page's source."""
    found, path = {}, None
    text = text.replace("\\-", "-")
    for line in text.splitlines():
        if line == ".SH OPTIONS":
            path = ""
        elif line.startswith(".SS "):
            path = " ".join(word for word in line[4:].split() if re.fullmatch(r"[a-z-]+", word))
            # What follows the words of a command on its line are its arguments, which come below, too.
        elif line.startswith(".SH "):
            path = None
        elif path is not None and line.startswith("\\fB"):
            found.setdefault(path, set()).update(re.findall(r"\\fB(\S+?)\\fR", line))
            continue
        if path is not None:
            found.setdefault(path, set())
    return found


class ManualTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="postern-manual-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        run(BIN / "postern", "manual", cls.folder, "--config", "/dev/null")
        cls.commands = tree("postern")
        cls.daemons = {name: helped(name) for name in DAEMONS}

    def test_the_walk_finds_commands(self):
        self.assertLess({"postern", "postern task", "postern task list", "postern doctor"}, set(self.commands))
        self.assertIn("--status", self.commands["postern task list"]["Options"])

    def test_man_page_has_all_commands_and_options(self):
        page = described((self.folder / "postern.1").read_text())
        self.assertEqual(page.pop(""), self.commands["postern"]["Options"])
        wanted = {}
        for path, has in self.commands.items():
            arguments = has["Positionals"]
            if path != "postern":
                # An argument's heading carries its name behind the command's words.
                wanted[" ".join([path, *arguments])] = (has["Options"] - {"-h", "--help"}) | arguments
        self.assertEqual({" ".join(sorted(path.split())): names for path, names in page.items()},
                         {" ".join(sorted(path.split())): names for path, names in wanted.items()})

    def test_man_pages_of_the_daemons(self):
        for name, has in self.daemons.items():
            page = described((self.folder / f"{name}.8").read_text())
            self.assertEqual(page[""], has["Options"], name)

    def test_page_of_the_settings_has_every_setting(self):
        page = (self.folder / "postern.conf.5").read_text().replace("\\-", "-")
        settings = set(re.findall(r"(?m)^\.TP\n\\fB(\w+)\\fR = ", page))
        flags = set.union(*(has["Options"] for has in self.daemons.values()))
        flags -= {"-h", "--help", "--version", "--config", "--check-config"}
        self.assertLessEqual({flag[2:].replace("-", "_") for flag in flags}, settings)
        for name in settings:
            self.assertIn(f"Environment: POSTERN_{name.upper()}.", page)
            flag = "--" + name.replace("_", "-")
            used = {program for program, has in {"postern": self.commands["postern"], **self.daemons}.items()
                    if flag in has["Options"]}
            said = re.search(rf"\\fB{name}\\fR = .*\n.*\n\.br\n.*Used by (.*?)\. Env", page)[1]
            if name == "ca_file":
                used.remove("postern")  # its --ca-file is for --url, and no setting
            self.assertEqual(set(re.split(", | and ", said)), used, name)

    def test_man_pages_are_without_warnings(self):
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        for page in PAGES:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", self.folder / page],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)

    def test_bash_completes_all_commands_and_options(self):
        script = self.folder / "postern.bash"
        run("bash", "-n", script)
        everywhere = self.commands["postern"]["Options"]
        wanted, ask = {}, [f"source {script}", "complete -p postern postern-fcgi postern-scheduler >/dev/null"]
        for path, has in {**self.commands, **self.daemons}.items():
            above = set()
            for end in range(1, len(path.split())):
                above |= self.commands[" ".join(path.split()[:end])]["Options"]
            wanted[path, "-"] = has["Options"] | above | (everywhere if path in self.commands else set())
            wanted[path, ""] = set(has["Subcommands"]) or wanted[path, "-"]
            for begun in ("", "-"):
                ask.append(f"COMP_WORDS=({path} '{begun}') COMP_CWORD={len(path.split())}; _postern; "
                           f"echo \"{path}|{begun}|${{COMPREPLY[*]}}\"")
        got = {}
        for line in run("bash", "--norc", "-c", "set -eu\n" + "\n".join(ask)).splitlines():
            path, begun, reply = line.split("|")
            got[path, begun] = set(reply.split())
        self.assertEqual(got, wanted)

    def complete(self, *words):
        """What bash offers for the last of the words."""
        quoted = " ".join(f"'{word}'" for word in words)
        return run("bash", "--norc", "-c",
                   f"source {self.folder / 'postern.bash'}; COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}; "
                   "_postern; printf '%s\\n' \"${COMPREPLY[@]}\"").split()

    def test_bash_knows_what_is_a_value(self):
        self.assertEqual(self.complete("postern", "--log-level", "info", "task", "li"), ["list"])
        self.assertEqual(self.complete("postern", "task", "list", "--queue", ""), [])  # a name: anything
        self.assertEqual(self.complete("postern", "task", "list", "--queue", "=", "retry", "--li"), ["--limit"])
        self.assertIn("admin", self.complete("postern", "key", "create", "--role", ""))
        self.assertIn("/etc/passwd", self.complete("postern", "--config", "/etc/passw"))

    def test_zsh_completes(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")
        script = self.folder / "_postern"
        run("zsh", "-n", script)
        # The widget's helpers are told to print, so that no terminal is needed.
        ask = f"""_describe() {{ print -l -- ${{(P)2}} }}; compadd() {{ shift; print -l -- $@ }}; _files() {{ print FILE }}
                  words=(postern ''); CURRENT=2 PREFIX=''; source {script} >/dev/null
                  ask() {{ words=("$@"); CURRENT=$#; PREFIX=${{words[-1]}}; _postern }}
                  ask postern task '' ; echo --; ask postern task list -; echo --
                  ask postern key create --role ''; echo --; ask postern --config ''"""
        commands, options, words, files = (part.strip().splitlines() for part in run("zsh", "-f", "-c", ask).split("\n--\n"))
        self.assertEqual({line.split(":")[0] for line in commands},
                         set(self.commands["postern task"]["Subcommands"]))
        self.assertEqual({line.split(":")[0] for line in options},
                         self.commands["postern task list"]["Options"] | self.commands["postern"]["Options"]
                         | self.commands["postern task"]["Options"])
        self.assertIn("admin", words)
        self.assertEqual(files, ["FILE"])


if __name__ == "__main__":
    unittest.main()
