"""The origin: nginx with the files of the benchmark, behind one of several links."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from machine import Failure

HERE = Path(__file__).resolve().parent
SERVER = "192.0.2.2"  # link.c's other end
PORTS_TRIED = 8


@dataclass(frozen=True)
class Link:
    name: str
    about: str
    wait: float = 0       # seconds before each answer (nginx's Lua module)
    long: tuple = ()      # or link.c's arguments: RTT_MS LINK_MBIT FLOW_MBIT LOSS_PERCENT QUEUE_MS

    @property
    def round_trip(self):
        """Seconds that a request costs at least."""
        return self.long[0] / 1000 if self.long else self.wait


LINKS = {link.name: link for link in (
    Link("plain", "loopback"),
    Link("lat20", "loopback, 20 ms before each answer", wait=0.02),
    Link("lat50", "loopback, 50 ms before each answer", wait=0.05),
    Link("cap", "TCP, 40 ms, 40 Mbit/s per flow, 1 Gbit/s in all", long=(40, 1000, 40, 0, 100)),
    Link("wan", "TCP, 80 ms, 300 Mbit/s, 0.02 % loss", long=(80, 300, 0, 0.02, 160)),
)}


def program():
    return os.environ.get("NGINX") or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


def lua_modules():
    """The modules to load for ngx.sleep, or none if nginx has not got it."""
    said = subprocess.run([program(), "-V"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"--modules-path=(\S+)", said)
    folder = Path(found[1] if found else "/usr/lib/nginx/modules")
    paths = [folder / "ndk_http_module.so", folder / "ngx_http_lua_module.so"]
    return paths if all(path.exists() for path in paths) else []


def hindrance(link):
    """Why there is no such link on this machine; None if there is."""
    if not program():
        return "nginx is not installed"
    if link.wait and not lua_modules():
        return "nginx has no Lua module (libnginx-mod-http-lua)"
    if link.long and os.geteuid() != 0:
        return "network namespaces take root"
    if link.long and not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    if link.long and not compiler():
        return "there is no C compiler"
    return None


def compiler():
    names = os.environ.get("CC"), "cc", "gcc", "clang"
    return next((name for name in names if name and shutil.which(name)), None)


class Origin:
    """`with Origin(...)`: serving. `client` stands before a command that is to be on the client's
    side of the link."""

    def __init__(self, link, place, processes):
        self.link, self.place, self.processes = link, place, processes
        self.folder = place.root / "nginx"
        self.log = self.folder / "access.log"
        self.client, self.server = [], []
        self.seen = 0  # bytes of the log that are about earlier work
        self.cleanup = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder.mkdir(exist_ok=True)
            if self.link.long:
                self._lay_link(stack)
            self._serve(stack)
            self.cleanup = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.cleanup.close()

    def url(self, name=""):
        return f"http://{self.address}:{self.port}/{name}"

    def forget(self):
        """What served() tells begins here."""
        self._wait_for_log()
        self.seen = self.log.stat().st_size

    def served(self):
        """(requests, bytes of bodies) since forget(). nginx writes a line when a request ends."""
        self._wait_for_log()
        with self.log.open() as log:
            log.seek(self.seen)
            sizes = [int(line.rpartition(" ")[2]) for line in log]
        return len(sizes), sum(sizes)

    def _wait_for_log(self, quiet=0.2, longest=2):
        size, since = -1, time.monotonic()
        give_up = since + longest
        while (now := time.monotonic()) < min(since + quiet, give_up):
            if size != (size := self.log.stat().st_size):
                since = now
            time.sleep(0.02)

    def _lay_link(self, stack):
        binary = self.place.root / "link"
        if not binary.exists():
            subprocess.run([compiler(), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", binary,
                            HERE / "link.c"], check=True, timeout=60)
        link = self.processes.start([binary, *self.link.long], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        stack.callback(self.processes.stop, link, 5)
        stack.callback(link.stdin.close)
        spaces = link.stdout.readline().split()
        if len(spaces) != 2:
            raise Failure("no long link: see above")
        self.client, self.server = (["nsenter", f"--net={path}", "--"] for path in spaces)

    def _serve(self, stack):
        """Tries ports until one is free."""
        self.address = SERVER if self.link.long else "127.0.0.1"
        pid = self.folder / "pid"
        errors = self.folder / "error.log"
        for _ in range(PORTS_TRIED):
            self.port = 8080 if self.link.long else free_port()
            config = self.folder / "nginx.conf"
            config.write_text(self._config())
            pid.unlink(missing_ok=True)
            nginx = self.processes.start([*self.server, program(), "-p", self.folder, "-e", errors,
                                          "-c", config], stderr=subprocess.DEVNULL)
            while nginx.poll() is None:
                if pid.exists() and pid.stat().st_size:  # it is written when nginx listens
                    stack.callback(self.processes.stop, nginx, 5)
                    stack.callback(nginx.terminate)
                    return
                time.sleep(0.01)
            self.processes.forget(nginx)
        raise Failure(f"nginx does not start: {errors.read_text()[-300:]}")

    def _config(self):
        modules = "".join(f"load_module {path};\n" for path in lua_modules())
        sleep = f"access_by_lua_block {{ ngx.sleep({self.link.wait}) }}" if self.link.wait else ""
        temporary = "".join(f"{kind}_temp_path {self.folder};\n    " for kind in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""\
{modules}daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes {min(4, len(os.sched_getaffinity(0)))};
pid {self.folder}/pid;
events {{ worker_connections 4096; }}
http {{
    {temporary}log_format served '$status $request_uri "$http_range" $body_bytes_sent';
    access_log {self.log} served;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    keepalive_timeout 300s;
    default_type application/octet-stream;
    server {{
        listen {self.address}:{self.port} reuseport backlog=4096;
        root {self.place.data};
        autoindex on;
        {sleep}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
