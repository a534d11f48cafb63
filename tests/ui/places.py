"""A stack whose nginx has the dashboard at other places, too: under a prefix, and by the one line of the snippet in a site."""

from stack import Stack, free_ports

SERVERS = """
    server {{
        listen 127.0.0.1:{prefix};
        set $postern_base /queue;
        include postern/server.conf;
        location ^~ /queue/ {{ include postern/location.conf; }}
        location / {{ return 200 "the site"; }}
    }}
    server {{
        listen 127.0.0.1:{snippet};
        include snippets/postern.conf;
        location / {{ return 200 "the site"; }}
    }}
"""


class Places(Stack):
    def _vhost(self):
        if "prefix_port" not in self.state:
            self.state["prefix_port"], self.state["snippet_port"] = free_ports(2)
        servers, places = super()._vhost()
        return servers + SERVERS.format(prefix=self.state["prefix_port"], snippet=self.state["snippet_port"]), places

    @property
    def dashboards(self):
        """Where it is, besides the ready vhost."""
        return {"PREFIX_URL": f"http://127.0.0.1:{self.state['prefix_port']}/queue/v1/ui/",
                "SNIPPET_URL": f"http://127.0.0.1:{self.state['snippet_port']}/v1/ui/"}
