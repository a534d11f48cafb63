"""A stack with one more server."""

import tools  # noqa: F401: it makes tests/e2e importable, and harness.py tests/support
import harness  # noqa: F401
from stack import Stack, free_ports

NATIVE = """
    server {{
        listen 127.0.0.1:{port};
        set $postern_dialect native;
        include postern/site.conf;
    }}
"""


class WithNative(Stack):
    """With a server that speaks the native dialect alone: at the common one some paths and lists show other dialects."""

    def _vhost(self):
        if not hasattr(self, "native_port"):
            [self.native_port] = free_ports(1)
        servers, places = super()._vhost()
        return servers + NATIVE.format(port=self.native_port), places

    @property
    def native_url(self):
        return f"http://127.0.0.1:{self.native_port}"
