"""Two cells behind one nginx: for each a PostgreSQL, handlers and a scheduler, and nginx with cells.conf.

    class Routes(CellsTest):
        def test_each_takes_its_own(self):
            self.a, self.b      # their stacks; a is the first cell, and its nginx is that of both
            self.front          # the address of the vhost that is no cell's own
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import secrets
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import Api, StackTest, wait_until  # noqa: E402, F401

# From tests/support, which harness.py has made importable.
import leaks  # noqa: E402
import nginx  # noqa: E402
from stack import Stack, run  # noqa: E402

VHOST = """
    server {{
        listen 127.0.0.1:{port};
        set $postern_cell {cell};
        include postern/site.conf;
    }}
"""


class Cell(Stack):
    """A cell without an nginx of its own: `url` is its vhost at the other's."""

    def __init__(self, folder, label, jwt_secret, settings):
        super().__init__(folder, {**settings, "POSTERN_CELL": label})
        self.label, self.jwt_secret = label, jwt_secret

    def _make_state(self):
        super()._make_state()
        self.state["jwt_secret"] = self.jwt_secret  # both know it
        self.settings["POSTERN_PUBLIC_URL"] = self.url

    def _start_nginx(self):
        pass

    def _api_is_ready(self):
        return (self.run / "fcgi.sock").exists()

    def key(self, *options, role="admin"):
        """The text of a new key."""
        made = self.postern("key", "create", "--role", role, "--name", secrets.token_hex(6), *options)
        leaks.learn(made["key"])
        return made["key"]

    def place(self, state, tenant="default", to=None):
        """Says of a tenant where it is, as a move does."""
        where = f"'{to.label}', '{to.url}', now()" if to else "NULL, NULL, NULL"
        self.postgres.psql(f"""
            UPDATE postern.tenant SET state = '{state}', (moved_to, moved_url, moved_at) = ({where})
             WHERE name = '{tenant}'""")


class Pair(Cell):
    """The first cell, `a`, with nginx, and `b`."""

    def __init__(self, folder, settings=None):
        folder, secret = pathlib.Path(folder), secrets.token_urlsafe(32)
        super().__init__(folder / "a", "a", secret, settings or {})
        self.b = Cell(folder / "b", "b", secret, settings or {})
        self.tenants = {}  # of tenants.map

    def start(self):
        self.dir.parent.chmod(0o711)  # for PostgreSQL's user
        self.b.start()
        super().start()

    def kill(self):
        super().kill()
        self.b.kill()

    def _start_nginx(self):
        Stack._start_nginx(self)

    def _api_is_ready(self):
        return Stack._api_is_ready(self)

    @property
    def front(self):
        return f"http://127.0.0.1:{self.state['front_port']}"

    def _make_state(self):
        super()._make_state()
        self.state.setdefault("front_port", self.b.state["tls_port"])  # which nothing else uses

    def servers(self):
        return "".join([VHOST.format(port=self.b.state["http_port"], cell="b"),
                        VHOST.format(port=self.state["front_port"], cell='""')])

    def _nginx_command(self):
        servers, places = self._vhost()
        return cells_command(self.dir / "nginx", self.run / "fcgi.sock", self.b.run / "fcgi.sock", servers + self.servers(), places,
                             self.tenants)

    def _vhost(self):
        servers, places = super()._vhost()
        # The ready vhost is cell a's own.
        places["include postern/tls.conf;\n\n    set $postern_hsts"] = (
            "include postern/tls.conf;\n    set $postern_cell a;\n\n    set $postern_hsts")
        places["listen 127.0.0.1:7678;"] = f"listen 127.0.0.1:{self.state['http_port']};\n    set $postern_cell a;"
        return servers, places

    def map_tenants(self, **tenants):
        """Writes tenants.map, and has nginx read it."""
        self.tenants = tenants
        self._nginx_command()
        self.reload()

    def reload(self):
        command = ["/usr/sbin/nginx", "-p", self.dir / "nginx", "-c", self.dir / "nginx/nginx.conf", "-e",
                   self.dir / "nginx/error.log", "-s", "reload"]
        nginx.reload(self.programs["nginx"].pid, lambda: run(command))


def cells_command(folder, socket, socket_b, servers, places, tenants, **options):
    """As nginx.command, with cells.conf for the cells a and b."""
    command = nginx.command(folder, socket, f"    include postern/cells.conf;\n{servers}", places, **options)
    into = pathlib.Path(folder) / "postern"
    shown = re.search("echo '(upstream postern_b .*)' > cells.upstreams\n", (nginx.REPO / "docs/cells.md").read_text())[1]
    (into / "cells.upstreams").write_text(shown.replace("192.0.2.21:9000", f"unix:{socket_b}"))
    (into / "cells.map").write_text("a postern;\nb postern_b;\n")
    (into / "tenants.map").write_text("".join(f"{name} {cell};\n" for name, cell in tenants.items()))
    for name in ("judge", "pass", "server"):  # as docs/cells.md says
        shutil.copy(into / f"cells-{name}.conf", into / f"cell-{name}.conf")
    return command


class CellsTest(StackTest):
    stack_type = Pair

    def keys_too(self, tenant, source, target):
        """Copies a tenant's keys, as a move does."""
        rows = source.postgres.psql(f"""
            SELECT format('(decode(%L, %L), %L, %L, %L, %L)', encode(hash, 'hex'), 'hex', name, role, tenant, sandbox)
              FROM postern.api_key WHERE tenant = '{tenant}'""")
        target.postgres.psql("INSERT INTO postern.api_key (hash, name, role, tenant, sandbox) VALUES "
                             + ", ".join(rows.splitlines()))

    def arrive(self, tenant):
        self.b.postern("tenant", "create", "--name", tenant)
        self.keys_too(tenant, self.a, self.b)

    def leave(self, tenant):
        self.a.place("fenced", tenant)
        # Handlers ask about a tenant each time once they have seen that it leaves. To delete an endpoint that there is not is a
        # write that leaves nothing behind: 404, and 503 from then on.
        api = self.at(self.a.url, self.token(tenant=tenant, sub="watches"))
        wait_until(lambda: api.delete("/v1/endpoints/none").status == 503)
        self.a.place("moved", tenant, to=self.b)

    def move(self, tenant):
        """Says that the tenant has moved from a to b, where only its keys are."""
        self.arrive(tenant)
        self.leave(tenant)

    def setUp(self):
        super().setUp()
        self.a, self.b, self.front = self.stack, self.stack.b, self.stack.front

    def at(self, url, key=None):
        api = Api(url, key, self.stack.certificate)
        self.addCleanup(api.close)
        return api

    def tenant(self, *cells):
        """A new tenant in these cells."""
        name = f"t{secrets.token_hex(6)}"
        for cell in cells:
            cell.postern("tenant", "create", "--name", name)
        return name

    def token(self, **claims):
        def encode(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        claims = {"sub": "app", "role": "admin", "exp": int(time.time()) + 3600, **claims}
        text = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        made = (text + b"." + encode(hmac.digest(self.a.jwt_secret.encode(), text, hashlib.sha256))).decode()
        leaks.learn(made)
        return made

    def task(self, **fields):
        return {"queue": "default", "webhook_url": self.receiver.url("/hook"), "delay": 3600, **fields}

    def count(self, cell, tenant="default"):
        return int(cell.postgres.psql(f"SELECT count(*) FROM postern.task WHERE tenant = '{tenant}'"))
