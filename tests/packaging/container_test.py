#!/usr/bin/python3
"""The recipe in packaging/container, checked without an engine: its files, names, users, ports and paths fit each other and
the units and nginx's files. Where docker is, `docker compose config` reads it, too."""

import pathlib
import re
import shlex
import shutil
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packaging/container"
INSTRUCTIONS = {"FROM", "COPY", "RUN", "USER", "CMD", "ENV", "WORKDIR", "EXPOSE", "STOPSIGNAL"}


def instructions():
    """(instruction, arguments) of the Containerfile, continued lines joined and comments left out."""
    lines = [line for line in (FOLDER / "Containerfile").read_text().splitlines() if not line.strip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def duration(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


class ContainerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (FOLDER / "compose.yml").read_text()
        cls.compose = yaml.safe_load(cls.text)
        cls.services = cls.compose["services"]
        cls.stages, stage = {}, None
        for word, rest in instructions():
            if word == "FROM":
                base, _, stage = re.fullmatch(r"(\S+)( AS (\w+))", rest).groups()
                cls.stages[stage] = [("FROM", base)]
            else:
                cls.stages[stage].append((word, rest))
        cls.ours = {name: service for name, service in cls.services.items() if service.get("image") == "postern"}

    def unit(self, name):
        return dict(re.findall(r"(?m)^(\w+)=(.*)$", (ROOT / "systemd" / name).read_text()))

    def test_instructions(self):
        for stage, steps in self.stages.items():
            for word, rest in steps:
                self.assertIn(word, INSTRUCTIONS, stage)
                if word == "RUN":
                    subprocess.run(["sh", "-n", "-c", rest], check=True)
                    if "apt-get install" in rest:
                        self.assertIn("--no-install-recommends", rest)
                        self.assertRegex(rest, r"rm -rf .*/var/lib/apt/lists")
                if word == "CMD":
                    self.assertIsInstance(yaml.safe_load(rest), list)
        self.assertNotEqual(dict(self.stages["postern"])["USER"], "root")

    def test_images_are_plain_names_with_a_version(self):
        images = [dict(steps)["FROM"] for steps in self.stages.values()]
        images += [service["image"] for service in self.services.values() if "build" not in service]
        for image in images:
            name, _, tag = image.partition(":")
            self.assertRegex(name, r"^[a-z]+$", "no registry, no account")
            self.assertIn("bookworm", tag)

    def test_copied_files_are_there(self):
        ignored = (FOLDER / "Containerfile.dockerignore").read_text().splitlines()
        for stage, steps in self.stages.items():
            for word, rest in steps:
                if word != "COPY":
                    continue
                *sources, _ = [part for part in shlex.split(rest) if not part.startswith("--")]
                if origin := re.search(r"--from=(\w+)", rest):
                    self.assertIn(origin[1], self.stages)
                    for source in sources:
                        self.assertTrue(self.is_installed(source), source)
                    continue
                for source in sources:
                    self.assertEqual(source, "build/package/postern_*_amd64.deb")  # what ./dev package makes
                    self.assertIn(f"!{source}", ignored)

    @staticmethod
    def is_installed(path):
        rules = (ROOT / "packaging/CMakeLists.txt").read_text()
        return path.replace("/etc/", "${etc}/").replace("/usr/share/", "${CMAKE_INSTALL_DATADIR}/") in rules

    def test_services_fit_the_images(self):
        for name, service in self.services.items():
            for other in service.get("depends_on", []):
                self.assertIn(other, self.services, name)
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("./"):
                    self.assertTrue((FOLDER / source).is_file(), source)
                else:
                    self.assertIn(source, self.compose["volumes"])
            if "build" in service:
                build = service["build"]
                self.assertEqual((FOLDER / build["context"]).resolve(), ROOT)
                self.assertTrue((ROOT / build["dockerfile"]).is_file())
                self.assertIn(build["target"], self.stages)

    def test_passwords_are_secrets(self):
        for name, service in self.services.items():
            for secret in service.get("secrets", []):
                self.assertIn(secret, self.compose["secrets"], name)
            for variable, value in service.get("environment", {}).items():
                self.assertNotIn("password=", value, name)
                if "PASSWORD" in variable:
                    self.assertTrue(variable.endswith("_FILE"), variable)
                    self.assertIn(value.removeprefix("/run/secrets/"), service["secrets"], name)
        # The programs refuse a file that others may read, so all share a group of a known number.
        made = " ".join(rest for word, rest in self.stages["postern"] if word == "RUN")
        group = re.search(r"groupadd --system --gid (\d+) postern ", made)[1]
        self.assertIn(f"chgrp {group} secrets/* && chmod 640 secrets/*", self.text)
        self.assertEqual(self.services["postgres"]["group_add"], [group])
        self.assertIn("g     postern ", (ROOT / "systemd/sysusers.d/postern.conf").read_text())
        for name, secret in self.compose["secrets"].items():
            self.assertEqual(secret, {"file": f"./secrets/{name}"})
            self.assertIn(name, re.search(r"for name in (.*); do", self.text)[1].split())
        init = (FOLDER / "postgres-init.sh").read_text()
        subprocess.run(["sh", "-n", FOLDER / "postgres-init.sh"], check=True)
        for secret in self.services["postgres"]["secrets"]:
            self.assertIn(secret, "postgres " + init)

    def test_users_and_programs_are_the_units(self):
        units = {"migrate": "postern-migrate.service", "fcgi": "postern-fcgi.service",
                 "scheduler": "postern-scheduler@.service"}
        for name, service in self.ours.items():
            user = service["user"]
            self.assertIn(f"user={user}", service["environment"]["POSTERN_DATABASE"])
            self.assertEqual(service["secrets"], [user])
            if name not in units:
                continue
            unit = self.unit(units[name])
            self.assertEqual(user, unit["User"])
            self.assertEqual(service["command"][0], pathlib.Path(unit["ExecStart"].split()[0]).name)
            if "stop_grace_period" in service:
                self.assertEqual(duration(service["stop_grace_period"]), duration(unit["TimeoutStopSec"]))

    def test_paths_and_ports_are_those_of_nginx(self):
        http = (ROOT / "nginx/http.conf").read_text()
        path = re.search(r"server unix:(\S+)", (ROOT / "nginx/upstream.conf").read_text())[1]
        self.assertEqual(self.services["fcgi"]["command"][1:], ["--listen", f"unix:{path}"])
        folder = str(pathlib.PurePosixPath(path).parent)
        self.assertIn(f"socket:{folder}", self.services["fcgi"]["volumes"])
        self.assertIn(f"socket:{folder}:ro", self.services["nginx"]["volumes"])
        made = " ".join(rest for word, rest in self.stages["postern"] if word == "RUN")
        group = self.unit("postern-fcgi.socket")["SocketGroup"]
        self.assertRegex(made, rf"install -d -o {self.services['fcgi']['user']} -g {group} -m 2750 {folder}")
        cache = re.search(r"fastcgi_cache_path (\S+)", http)[1]
        self.assertTrue(self.services["nginx"]["tmpfs"][0].startswith(f"{cache}:mode=0700"))
        vhost = (FOLDER / "nginx.conf").read_text()
        port = re.search(r"listen (\d+)", vhost)[1]
        published, = self.services["nginx"]["ports"]
        self.assertTrue(published.endswith(f":{port}"))
        self.assertIn(f"http://{published.rsplit(':', 1)[0]}", self.text)
        self.assertIn(f":{port}/readyz", " ".join(self.services["nginx"]["healthcheck"]["test"]))
        for included in re.findall(r"include postern/(\S+);", vhost):
            self.assertTrue((ROOT / "nginx" / included).is_file(), included)

    def test_compose_reads_it(self):
        docker = shutil.which("docker")
        if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
            self.skipTest("docker compose is not installed")
        done = subprocess.run([docker, "compose", "-f", FOLDER / "compose.yml", "config", "--quiet"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
