"""Runs nginx with the shipped configuration in a folder of its own.

The files of nginx/ are used unchanged except for paths and addresses, which are replaced as text; a text
to be replaced that is missing is an error.
"""

import os
import pathlib
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = REPO / "nginx"
# The built pages /docs and /redoc, and the dashboard, in the build folder beside the programs.
BUILD = pathlib.Path(os.environ.get("POSTERN_BIN", REPO / "build/bin")).resolve().parent
PAGES, DASHBOARD = BUILD / "docs-pages/pages", BUILD / "ui-pages/pages"

MAIN = """\
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include postern/http.conf;
{servers}
}}
"""


def command(folder, fcgi_socket, servers, places=None, auth="auth.conf"):
    """Writes the configuration into `folder` and returns the command that runs nginx with it.

    `servers` is the text inside http {}, behind the include of http.conf. `places` are further
    replacements, for what `servers` includes. `auth`: the file that is copied over auth.conf.
    """
    folder = pathlib.Path(folder).resolve()
    for name in ("postern", "snippets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {
        "/run/postern/fcgi.sock": fcgi_socket,
        "/run/postern-nginx": folder / "auth",
        "/var/log/nginx/postern.log": folder / "access.log",
        "/usr/share/postern/docs": PAGES,
        "/usr/share/postern/ui": DASHBOARD,
        **(places or {}),
    }
    texts = {path.name: path.read_text() for path in SHIPPED.glob("*.conf")}
    texts["auth.conf"] = texts[auth]
    for old, new in places.items():
        if not any(old in text for text in texts.values()):
            raise LookupError(f"nginx/*.conf says nowhere: {old}")
        texts = {name: text.replace(old, str(new)) for name, text in texts.items()}
    for name, text in texts.items():
        # As it is installed: README.md.
        place = "snippets/postern.conf" if name == "snippet.conf" else f"postern/{name}"
        (folder / place).write_text(text)
    # The workers of a root nginx run as "nobody" by default, who cannot access the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(user=user, folder=folder, servers=servers))
    return ["/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]


def reload(master, tell):
    """Has nginx, whose master is process `master`, read its configuration anew, by calling `tell`, which sends the
    signal. Returns when the new configuration alone answers: until then the earlier workers accept connections, too,
    and those that are about to end close them after an answer (`Connection: close`)."""
    earlier = accepting(master)
    tell()
    until = time.monotonic() + 30
    while earlier & accepting(master):
        if time.monotonic() > until:
            raise AssertionError("nginx was told to reload, and its earlier workers go on after 30 s")
        time.sleep(0.02)


def accepting(master):
    """The workers that do not say in their titles that they are shutting down."""
    workers = pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return {pid for pid in workers if _title(pid) == "nginx: worker process"}


def _title(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().partition("\0")[0]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return ""


def ready_vhost(http_port, tls_port, certificate, key):
    """(servers, places) for vhost.conf and default-server.conf on loopback with the name `localhost`."""
    return "    include postern/vhost.conf;\n    include postern/default-server.conf;", {
        "listen 127.0.0.1:7678;": f"listen 127.0.0.1:{http_port};",
        "listen 443 ": f"listen 127.0.0.1:{tls_port} ",
        "listen [::]:443 ": f"listen 127.0.0.2:{tls_port} ",  # a machine may be without IPv6
        "/etc/ssl/certs/tasks.example.com.pem": certificate,
        "/etc/ssl/private/tasks.example.com.key": key,
        "server_name tasks.example.com;": "server_name localhost;",
        "# include postern/taskmq-root.conf;": "include postern/taskmq-root.conf;",
    }
