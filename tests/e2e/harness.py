"""What the end-to-end tests stand on: commands with a time limit, conditions that are waited for,
a real nginx, real mounts. Nothing here sleeps for a fixed time to be 'long enough', and whatever is
started is ended by its own pid, also when a test fails."""

import collections
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from origin import content, pieces

REPOSITORY = Path(__file__).resolve().parents[2]


def heed_interrupts():
    """A shell has what it starts in the background ignore SIGINT, and all that is started by that,
    too: commands that are to be interrupted would not even get to hear of it."""
    if (signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            and threading.current_thread() is threading.main_thread()):
        signal.signal(signal.SIGINT, signal.default_int_handler)


heed_interrupts()

def slowness():
    """How many times longer all takes with a sanitizer, roughly."""
    try:
        binary = Path(REPOSITORY / os.environ.get("ADLFS", "build/adlfs")).read_bytes()
    except OSError:
        return 1
    return 3 if b"__asan_init" in binary or b"__tsan_init" in binary else 1


PATIENCE = 60 * slowness()  # s; longer than anything takes on a busy machine; then it is a hang
MOUNT_LIMIT = 3 * PATIENCE  # s that one mount lives at most

Result = collections.namedtuple("Result", "returncode stdout stderr")


def wait_until(condition, timeout=PATIENCE, what=None):
    """Polls until condition() is true and returns what it returned; fails after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(0.01)
    return value


def run(*command, timeout=PATIENCE, check=True, stdin=b"", env=None):
    """Runs a command to its end; its output is bytes. After `timeout` s its whole process group is
    killed and the test fails; so it does for another exit status than 0 unless check=False.

    Output goes through files, not pipes: a daemon that kept a pipe open would look like a hang."""
    command = [os.fspath(part) if isinstance(part, os.PathLike) else str(part) for part in command]
    with contextlib.ExitStack() as stack:
        source, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(command, stdin=source, stdout=out, stderr=err, env=env,
                                   start_new_session=True)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            kill_group(process)
        out.seek(0)
        err.seek(0)
        result = Result(code, out.read(), err.read())
    told = f"{' '.join(command)}: {result.stderr.decode(errors='replace')[-2000:]}"
    assert code is not None, f"killed after {timeout} s: {told}"
    assert not check or code == 0, f"exit status {code}: {told}"
    return result


def kill_group(process):
    """Ends a process that leads its own group. One that waits in the kernel for a mount ends once
    the mount's daemon is gone; nothing here waits for that."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def mount_table(process="self"):
    """The lines of mountinfo. Names in it may be any bytes: somebody may have such a mount."""
    return os.fsdecode(Path(f"/proc/{process}/mountinfo").read_bytes()).split("\n")[:-1]


def mounted(path):
    """Whether a mount stands on `path`; looks at the table only, so it cannot hang."""
    want = os.fspath(path)
    for line in mount_table():
        point = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), line.split(" ")[4])
        if point == want:
            return True
    return False


def other_spaces(path):
    """Processes, one for each mount name space but ours, in whose table a copy of the mount on
    `path` stands: as long as it does, the mount's daemon is not told to end."""
    found, ours = {}, os.readlink("/proc/self/ns/mnt")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            space = os.readlink(process / "ns/mnt")
            if space != ours and space not in found:
                if any(line.split(" ")[4] == os.fspath(path) for line in mount_table(process.name)):
                    found[space] = int(process.name)
    return list(found.values())


@contextlib.contextmanager
def nowhere_else(path):
    """While a mount's end is waited for: once it is gone here, it is taken out of the other mount
    name spaces, too. Who makes one (another test, a Debian 13 tree) gets copies of all mounts."""
    done = threading.Event()

    def look():
        while not done.wait(1):
            for pid in [] if mounted(path) else other_spaces(path):
                with contextlib.suppress(AssertionError):
                    run("nsenter", f"--target={pid}", "--mount", "umount", "-l", path, check=False)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def umount(adlfs, path):
    """`adlfs umount`. Who looks at all mounts (a test beside this one) has each in use for a
    moment, which may be long on a busy machine."""
    def attempt():
        said = run(adlfs, "umount", path, check=False)
        assert said.returncode == 0 or b"busy" in said.stderr, said.stderr.decode()
        return said.returncode == 0
    wait_until(attempt, what=f"the unmount of {path}")


def shows(m, name, seed, size, version):
    """Whether an open of it shows that version now. Where the origin takes its time to answer, as on
    a busy machine, an open shows what is cached, and the log says so."""
    if same_content(m / name, seed, size, version):
        return True
    assert "unchecked" in m.log(), f"an open shows another version than {version}"
    return False


def per_thread(pid, name):
    """What proc(5) has in that file for each thread, by its id; those that end meanwhile are left
    out."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found[int(task.name)] = (task / name).read_text().strip()
    return found


def state_of(pid):
    """What a process' threads do, for whoever wonders why it does not end."""
    told = [per_thread(pid, name) for name in ("comm", "wchan", "syscall")]
    return "; ".join(" ".join(files.get(thread, "-") for files in told) for thread in told[0])


def state_and_start(pid):
    """The letter that proc(5) has for it, and when it was started; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], fields[19]


class Pid(int):
    """A process id that is not taken for another process', which got it later: with threads by the
    ten thousand, that is soon."""

    def __init__(self, _):
        self.start = (state_and_start(self) or [None, None])[1]


def running(pid):
    now = state_and_start(pid)
    return now is not None and now[0] not in "ZX" and getattr(pid, "start", now[1]) == now[1]


def end_process(pid):
    """SIGKILL, to no other that has the number by now."""
    with contextlib.suppress(ProcessLookupError):
        if running(pid):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def stopped(pid):
    """The process does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def errno_of(function, *arguments):
    """The errno that a call fails with, None when it does not fail."""
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return None


def read_at(path, offset, length):
    """Opens, reads exactly there, closes."""
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while length > 0 and (part := os.pread(fd, length, offset)):
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def write_content(path, seed, size):
    """Writes the file of `seed` (see pattern.py)."""
    with open(path, "wb") as out:
        for view in pieces(seed, 0, size):
            out.write(view)


def same_content(path, seed, size, version="0"):
    """Reads all of `path` and compares it."""
    with open(path, "rb", buffering=0) as file:
        offset = 0
        while data := file.read(1 << 20):
            if data != content(seed, offset, len(data), version):
                return False
            offset += len(data)
    return offset == size


SIZE_PROBE = "bytes=0-0"  # what a stat(2) asks; its byte comes again with the first read


def fetched(stats):
    """Bytes that an origin sent and the client took, each as often as it came, but for the size
    probe's. How much of an answer that the client cut short fits into socket buffers differs between
    machines: of those counts what no other answer brought."""
    answers = [entry for entry in stats["log"] if entry["range"] != SIZE_PROBE and entry["sent"]]
    whole = [entry for entry in answers if entry["finished"] and not entry["cut"]]
    return sum(entry["sent"] for entry in whole) + covered(answers) - covered(whole)


def check_fetched(origin, url, most, least=0):
    """Fails when more of a file came than `most` bytes, or less than `least`. The origin counts what it
    has sent, and sees the end of a connection that was given up, when it gets to it."""
    def seen():
        return fetched(origin.stats(url))
    with contextlib.suppress(AssertionError):
        wait_until(lambda: least <= seen() <= most)
    got = seen()
    assert least <= got <= most, f"{got} bytes came, and not {least} to {most}"


def check_fetched_once(origin, url, size):
    check_fetched(origin, url, size, size)


def covered(answers):
    """How many bytes of the file at least one of them brought."""
    total = at = 0
    for first, sent in sorted((entry["first"], entry["sent"]) for entry in answers):
        total += max(0, first + sent - max(first, at))
        at = max(at, first + sent)
    return total


def xattr(path, name):
    return os.getxattr(path, f"user.adlfs.{name}").decode()


def whole_calls(trace):
    """strace's lines, those that another thread interrupted put together again."""
    begun, calls = {}, []
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        else:
            end = re.match(r"<\.\.\. \w+ resumed>", call)
            calls.append(begun.pop(thread, "") + call[end.end():] if end else call)
    return "\n".join(calls)


class Tracer:
    """Follows a process' system calls: one a line, with paths beside file descriptors and without
    data. LeakSanitizer does not work in a process that ends meanwhile."""

    def __init__(self, pid, calls, directory):
        self.trace, self.messages = directory / "trace", directory / "messages"
        with open(self.messages, "wb") as err:
            self.process = subprocess.Popen(
                ["strace", "-f", "-y", "-s", "0", "-o", self.trace, "-e", f"trace={calls}",
                 "-p", str(pid)], stdin=subprocess.DEVNULL, stderr=err, start_new_session=True)

    def __enter__(self):
        try:
            wait_until(lambda: "attached" in self.messages.read_text())
        except AssertionError:
            kill_group(self.process)
            raise
        return self

    def __exit__(self, *_):
        kill_group(self.process)

    def calls(self):
        """Those so far."""
        return whole_calls(self.trace.read_text())

    def end(self):
        """Follows no longer; all calls that there were."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        return self.calls()


class Mount:
    """One adlfs mount. Made by the `mount` fixture, which also ends it."""

    def __init__(self, binary, directory, cache):
        self.binary = binary
        self.directory = directory
        self.cache = cache
        self.path = directory / "mnt"
        self.path.mkdir()
        self.log_file = directory / "log"
        self.process = None  # in the foreground
        self.pid = None
        self.killed = self.hung = False
        self.watchdog = threading.Timer(MOUNT_LIMIT, self.give_up)
        self.watchdog.daemon = True

    def give_up(self):
        """A test waits in a read that never ends: without its daemon it does."""
        self.hung = True
        end_process(self.pid)

    def __truediv__(self, name):
        return self.path / name

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self, source, options, foreground=True):
        """`source` is what stands on the command line."""
        self.watchdog.start()
        command = [self.binary, "mount", f"--cache-dir={self.cache}", *options]
        if foreground:
            with open(self.log_file, "ab") as log:
                self.process = subprocess.Popen([*command, "-f", source, self.path], stdout=log,
                                                stderr=log, stdin=subprocess.DEVNULL,
                                                start_new_session=True)
            self.pid = Pid(self.process.pid)
            wait_until(lambda: mounted(self.path) or self.process.poll() is not None)
            assert self.process.poll() is None, f"adlfs mount ended: {self.log()}"
        else:
            run(*command, f"--log-file={self.log_file}", source, self.path)
            assert mounted(self.path)
            self.pid = Pid(xattr(self.path, "pid"))
        return self

    def wait_end(self):
        """The daemon is gone, in order."""
        if self.process:
            code = wait_until(lambda: (self.process.poll() is not None and [self.process.poll()]),
                              what="the daemon's end")[0]
            assert code == 0, f"the daemon ended with {code}: {self.log()[-4000:]}"
        else:
            wait_until(lambda: not running(self.pid), what="the daemon's end")
        assert not mounted(self.path)

    def umount(self):
        with nowhere_else(self.path):
            umount(self.binary, self.path)
            self.wait_end()

    def kill(self):
        """kill -9, and what is left of the mount is taken away."""
        self.kill_only()
        run("umount", "-l", self.path)

    def kill_only(self):
        self.killed = True
        end_process(self.pid)
        if self.process:
            self.process.wait(PATIENCE)
        else:
            wait_until(lambda: not running(self.pid))

    def files(self, suffix):
        """The cache's files, as paths."""
        return sorted(self.cache.glob(f"*{suffix}"))

    def close(self):
        """Ends it whatever state it is in. Fails when the daemon had crashed, or would not end."""
        self.watchdog.cancel()
        crashed = self.process and self.process.poll() not in (None, 0) and not self.killed
        for command in ("fusermount3", "-u"), ("umount", "-l"):
            if mounted(self.path):
                run(*command, self.path, check=False)
        stuck = ""
        if self.pid and not self.killed and not self.hung:
            try:
                with nowhere_else(self.path):
                    wait_until(lambda: not running(self.pid) or (self.process and
                               self.process.poll() is not None), PATIENCE)
            except AssertionError:
                # A name space of another user's holds on to its copies: not the daemon's fault.
                stuck = "" if other_spaces(self.path) else f"[{state_of(self.pid)}]"
                self.killed = True
                end_process(self.pid)
            if self.process:
                crashed = (self.process.wait(PATIENCE) != 0 and not self.killed) or crashed
        while mounted(self.path):
            run("umount", "-l", self.path)
        assert not self.hung, f"a hang, or more than {MOUNT_LIMIT} s: {self.log()[-4000:]}"
        assert not stuck, f"the daemon did not end after its unmount: {stuck}\n{self.log()[-4000:]}"
        assert not crashed, f"the daemon ended with {self.process.returncode}: {self.log()[-4000:]}"


NGINX_CONF = """\
daemon off;
worker_processes 1;
user root;
pid {dir}/pid;
error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
    log_format counters '$status "$http_range" $body_bytes_sent $connection $request_uri';
    access_log {dir}/access.log counters;
    client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
    uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
    sendfile on;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    limit_conn_zone $binary_remote_addr zone=few:1m;
    limit_req_zone $binary_remote_addr zone=slow:1m rate=4r/s;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {dir}/server.pem;
        ssl_certificate_key {dir}/server.key;
        root {dir}/root;
        location /whole/ {{ alias {dir}/root/; max_ranges 0; }}
        location /one/ {{ alias {dir}/root/; limit_conn few 1; limit_rate 512k; }}
        location /slow/ {{ alias {dir}/root/; limit_req zone=slow; limit_req_status 429; }}
        location /slow503/ {{ alias {dir}/root/; limit_req zone=slow burst=1 nodelay; }}
        location /once/ {{ alias {dir}/root/; keepalive_timeout 0; }}
        location /briefly/ {{ alias {dir}/root/; keepalive_timeout 50ms; }}
    }}
    server {{
        listen 127.0.0.1:{http2} ssl http2;
        listen 127.0.0.1:{h2c} http2;
        ssl_certificate {dir}/server.pem;
        ssl_certificate_key {dir}/server.key;
        root {dir}/root;
    }}
    server {{
        listen 127.0.0.1:{expired} ssl;
        ssl_certificate {dir}/expired.pem;
        ssl_certificate_key {dir}/server.key;
        root {dir}/root;
    }}
    server {{
        listen 127.0.0.1:{itself} ssl;
        ssl_certificate {dir}/itself.pem;
        ssl_certificate_key {dir}/itself.key;
        root {dir}/root;
    }}
}}
"""

NGINX_PORTS = ("http", "https", "http2", "h2c", "expired", "itself")

Served = collections.namedtuple("Served", "status range bytes connection uri")


class Nginx:
    """A real nginx over http and https, with a certificate for 127.0.0.1 from an authority of its
    own (`ca`). Files below /whole/ are served without ranges, below /one/ to one connection at a
    time, below /slow/ and /slow503/ four requests a second; /once/ has no keep-alive, /briefly/
    50 ms of it. `url` has the other servers: HTTP/2 with TLS (http2), without (h2c), and those with certificates
    that have expired (expired) or are signed by themselves (itself)."""

    def __init__(self, directory):
        self.directory = directory
        self.root = directory / "root"
        self.ca = directory / "ca.pem"
        self.process = None
        self.http = self.https = None
        self.url = {}

    def start(self):
        for name in self.root, self.directory / "tmp":
            name.mkdir()
        self.make_certificates()
        for _ in range(5):  # somebody else may take a port first
            if self.try_start():
                return self
        raise AssertionError(f"nginx does not start: {self.errors()}")

    def try_start(self):
        ports = dict(zip(NGINX_PORTS, free_ports(len(NGINX_PORTS))))
        self.url = {name: f"http{'' if name in ('http', 'h2c') else 's'}://127.0.0.1:{port}"
                    for name, port in ports.items()}
        self.http, self.https = self.url["http"], self.url["https"]
        conf = self.directory / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=self.directory, **ports))
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", nginx, "-e", self.directory / "error.log",
             "-p", self.directory, "-c", conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # It writes its id when it has all its ports, and not when somebody else answers at one.
        number = self.directory / "pid"
        wait_until(lambda: number.exists() or self.process.poll() is not None)
        wait_until(lambda: answers(ports["https"]) or self.process.poll() is not None)
        return self.process.poll() is None

    def errors(self):
        return (self.directory / "error.log").read_text()

    def make_certificates(self):
        at = self.directory
        (at / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", at / "ca.key", "-out", self.ca, "-days", "2",
            "-subj", "/CN=adlfs test authority")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", at / "server.key", "-out", at / "server.csr", "-subj", "/CN=127.0.0.1")
        run("openssl", "x509", "-req", "-in", at / "server.csr", "-CA", self.ca, "-CAkey",
            at / "ca.key", "-CAcreateserial", "-out", at / "server.pem", "-days", "2",
            "-extfile", at / "ext")
        # Of the past only an authority's book-keeping can make one, with every OpenSSL.
        (at / "index").touch()
        (at / "ca.conf").write_text(
            f"[ca]\ndefault_ca=it\n[it]\ndatabase={at}/index\nserial={at}/serial\n"
            f"new_certs_dir={at}\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        run("openssl", "ca", "-batch", "-notext", "-config", at / "ca.conf", "-rand_serial",
            "-in", at / "server.csr", "-cert", self.ca, "-keyfile", at / "ca.key",
            "-out", at / "expired.pem", "-extfile", at / "ext",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", at / "itself.key", "-out", at / "itself.pem", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def requests(self, uri):
        """What the access log says of a path (with its query); a request is logged at its end."""
        found = []
        for line in (self.directory / "access.log").read_text().splitlines():
            match = re.fullmatch(r'(\d+) "(.*)" (\d+) (\d+) (.*)', line)
            if match and match[5] == uri:
                found.append(Served(int(match[1]), match[2], int(match[3]), int(match[4]), uri))
        return found

    def served(self, uri):
        """Bytes of bodies, but for the size probe's."""
        return sum(one.bytes for one in self.requests(uri)
                   if one.status in (200, 206) and one.range != SIZE_PROBE)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                   for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
