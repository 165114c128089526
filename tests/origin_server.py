"""The misbehaving origin's server. See origin.py for what it understands.

One thread a connection, HTTP/1.1 with keep-alive, by hand on sockets: what a proper HTTP library
would refuse to send is what this one is for. Everything that threads share (records, gates, the set
of connections) is guarded by one condition, Server.changed, which is notified on every change, so
that a test can wait for 'three requests seen' or '64 KiB sent' and never has to sleep.
"""

import array
import collections
import fcntl
import json
import select
import socket
import struct
import termios
import threading
import time
from urllib.parse import parse_qs, unquote

from origin_answers import Exchange, Wrong, http_date, number, options_of

PIECE = 1 << 18  # bytes in one send, so that counters move while a large body is under way
SEND_BUFFER = 1 << 18  # keeps 'sent' near what the client has
LOG_MAX = 20000  # requests kept for each path
HEAD_MAX = 65536
LOOPBACK = "loopback"

Request = collections.namedtuple("Request", "method target path query headers")


class Gone(Exception):
    """The connection is over; `reset` says how it is to be closed."""

    def __init__(self, reset=False):
        super().__init__()
        self.reset = reset


class Record:
    """What happened on one path. Guarded by Server.changed."""

    def __init__(self):
        self.override = None  # options set from outside, in place of the URL's
        self.since = 0  # requests seen before that
        self.connections = set()
        self.open = set()  # connections that have asked for this path and are still open
        self.requests = self.finished = self.bytes = self.active = self.peak = 0
        self.log = []

    def view(self):
        return {
            "requests": self.requests, "finished": self.finished, "bytes": self.bytes,
            "active": self.active, "peak": self.peak, "connections": len(self.connections),
            "open": len(self.open), "log": self.log,
        }


class Connection:
    """One client's connection, on a thread of its own."""

    def __init__(self, server, sock, ident):
        self.server = server
        self.sock = sock
        self.ident = ident
        self.buffer = b""
        self.seen = set()  # paths
        self.leaving = False  # the next request is not answered
        self.leftover = 0  # bytes that come before its answer
        self.entry = None  # the last answer's, in its record's log

    def run(self):
        reset = False
        try:
            while not self.server.stopping.is_set():
                request = self.read_request()
                if request is None or self.leaving or not self.serve(request):
                    break
        except Gone as gone:
            reset = gone.reset
            self.look_for_cut(select.POLLRDHUP)
        except OSError:
            self.cut_short()
        finally:
            self.close(reset)
            self.server.forget(self)

    def cut_short(self):
        """The client did not take all of the last answer."""
        if self.entry:
            self.entry["cut"] = True

    def look_for_cut(self, events=0):
        """A client that closes before it has read all that the kernel has for it resets the
        connection, also when all of the answer had been sent by then."""
        if self.sock.fileno() >= 0:
            poll = select.poll()
            poll.register(self.sock, events)
            if poll.poll(0):
                self.cut_short()

    def close(self, reset):
        """A reset waits until the peer's kernel has what was sent: SO_LINGER 0 throws away what is
        still in the send buffer."""
        try:
            if reset:
                for _ in range(2000):
                    if self.unsent() == 0:
                        break
                    time.sleep(0.001)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        with self.server.changed:  # who looks for a cut may have its number in hand
            self.sock.close()

    def unsent(self):
        left = array.array("i", [0])
        fcntl.ioctl(self.sock, termios.TIOCOUTQ, left)
        return left[0]

    def read_request(self):
        """None at the end of the connection."""
        while b"\r\n\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            self.buffer += data
            if not data or len(self.buffer) > HEAD_MAX:
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        path, _, query = target.partition("?")
        return Request(method, target, path, parse_qs(query), headers)

    def serve(self, request):
        """True when the connection may carry another request."""
        if request.path.startswith("/_"):
            return self.control(request)
        try:
            return self.serve_file(request)
        except (Wrong, ValueError) as error:
            self.plain(400, f"{request.target}: {error}\n".encode())
            return False

    def serve_file(self, request):
        parts = request.path.split("/", 4)
        if len(parts) != 5:
            raise Wrong("not /SEED/SIZE/OPTIONS/NAME")
        seed, size = unquote(parts[1]), number(parts[2])
        record, entry, count = self.server.begin(self, request)
        try:
            options = options_of(record.override or parts[3], count)
            self.limit(record, options)
            exchange = Exchange(request, options, count, seed, size)
            self.wait(float(options.get("latency", "0")))
            if "gate" in options and "hold" not in options:
                self.wait_gate(options["gate"])
            if "silent" in options and "hold" not in options:
                self.wait_gate(None)
            if "http2" in options:
                self.speak_http2()
            self.sock.sendall(b"x" * self.leftover)
            self.leftover = int(options.get("leftover", "0"))
            answer = exchange.answer()
            entry["status"], entry["first"] = answer.status, answer.first
            keep = Sender(self, record, entry, request, options).send(answer, exchange.seed)
            self.leaving = options.get("close") == "next"
            return keep and options.get("close") != "after"
        finally:
            self.server.end(record, entry)

    def limit(self, record, options):
        """connections=N: of a path's open connections those beyond N are reset; with over=CODE
        requests that are under way are counted instead, as nginx's limit_conn does."""
        count = record.active if "over" in options else len(record.open)
        if count <= int(options.get("connections", count)):
            return
        if "over" not in options:
            raise Gone(reset=True)
        options["status"] = options["over"]

    def control(self, request):
        query = {key: values[0] for key, values in request.query.items()}
        answer = self.server.control(request.path, query, self)
        if answer is None:
            return self.plain(404, b"no such control\n")
        return self.plain(200, json.dumps(answer).encode())

    def plain(self, status, body):
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\n\r\n"
        self.sock.sendall(head.encode() + body)
        return True

    def alive(self):
        """False once the client has closed its side, or the server stops."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return not self.server.stopping.is_set() and not poll.poll(0)

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self.alive():
                raise Gone
            time.sleep(min(left, 0.02))

    def speak_http2(self):
        """What an HTTP/2 server says to who does not begin as RFC 9113 3.4 wants it."""
        settings = b"\0\0\0\4\0\0\0\0\0"
        goaway = b"\0\0\x08\7\0\0\0\0\0" + struct.pack(">II", 0, 1)
        self.sock.sendall(settings + goaway)
        raise Gone

    def wait_gate(self, name):
        """None is a gate that nobody opens."""
        server = self.server
        while name is None and self.alive():
            time.sleep(0.05)  # there may be many, and not all need to hear of every change
        while self.alive():
            with server.changed:
                if server.changed.wait_for(lambda: name in server.gates, 0.05):
                    return
        raise Gone


class Sender:
    """Sends one answer, with the faults of the body that the options ask for."""

    def __init__(self, connection, record, entry, request, options):
        self.connection = connection
        self.record = record
        self.entry = entry
        self.request = request
        self.options = options
        self.chunked = "chunked" in options
        self.chunk = options["chunk"].encode("latin-1") if "chunk" in options else None
        self.rate = number(options["rate"]) if "rate" in options else 0
        self.drip = float(options.get("drip", "0"))
        self.hold = number(options["hold"]) if "hold" in options else None
        self.reset = "reset" in options
        cut = options.get("reset", options.get("truncate"))
        self.cut = None if cut is None else number(cut)

    def send(self, answer, seed):
        """True when the connection may carry another request."""
        keep = self.send_head(answer)
        if self.request.method == "HEAD" or answer.status == 304:
            return keep
        if 200 <= answer.status < 300:
            answer.body.append(b"x" * int(self.options.get("longer", "0")))
        else:  # faults are the file's, not the error page's
            self.cut = self.hold = None
        self.started = time.monotonic()
        for view in answer.pieces(seed):
            self.send_view(view)
        if self.chunked:
            trailer = self.options.get("trailer", "").encode("latin-1")
            self.connection.sock.sendall(b"0\r\n" + trailer + b"\r\n")
        return keep

    def send_interim(self):
        what, sock = self.options.get("interim", ""), self.connection.sock
        if what == "endless":
            while self.connection.alive():
                sock.sendall(b"HTTP/1.1 100 -\r\n\r\n" * 100)
            raise Gone
        count, lines = (int(what), "") if what.isdigit() else (bool(what), what)
        for _ in range(count):
            sock.sendall(f"HTTP/1.1 100 -\r\n{lines}\r\n".encode("latin-1"))

    def send_head(self, answer):
        self.send_interim()
        lines = [self.options.get("line", f"HTTP/1.1 {answer.status} -")]
        if "front" in self.options:
            lines.append(self.options["front"])
        lines.append(f"Date: {http_date(time.time())}")
        keep, promised = True, answer.length
        if self.chunked:
            if self.options["chunked"] != "untold":
                lines.append("Transfer-Encoding: chunked")
        elif self.options.get("length") == "none":
            keep = False
            lines.append("Connection: close")
        elif answer.status != 304:
            told = self.options.get("length", str(promised))
            told = promised + int(told) if told[0] in "+-" else int(told)
            keep = told == promised and "longer" not in self.options
            lines.append(f"Content-Length: {told}")
        lines += [f"{name}: {value}" for name, value in answer.fields]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n"
        if "raw" in self.options:
            head += self.options["raw"].encode("latin-1") + b"\r\n"
        self.connection.sock.sendall(head)
        if "headers" in self.options:
            self.send_headers_forever(slowly=self.options["headers"] == "drip")
        self.connection.sock.sendall(b"\r\n")
        return keep

    def send_headers_forever(self, slowly):
        while slowly and self.connection.alive():
            self.connection.sock.sendall(b"X")
            self.connection.wait(0.1)
        while self.connection.alive():
            self.connection.sock.sendall(b"X-More: and another one, and another one\r\n" * 100)
        raise Gone

    def send_view(self, view):
        sock = self.connection.sock
        while view:
            piece = view[:self.admit(min(len(view), PIECE))]
            if self.chunked:
                size = b"%x" % len(piece) if self.chunk is None else self.chunk
                sock.sendall(size + b"\r\n" + piece + b"\r\n")
            else:
                sock.sendall(piece)
            self.connection.server.sent(self.record, self.entry, len(piece))
            view = view[len(piece):]

    def admit(self, length):
        """Waits until some bytes may go; how many."""
        sent = self.entry["sent"]
        if self.hold is not None:
            if sent >= self.hold:
                self.connection.wait_gate(self.options.get("gate"))
                self.hold = None
            else:
                length = min(length, self.hold - sent)
        if self.cut is not None:
            if sent >= self.cut:
                raise Gone(self.reset)
            length = min(length, self.cut - sent)
        if self.drip:
            self.connection.wait(self.drip)
            return 1
        if self.rate:
            due = self.started + sent / self.rate
            self.connection.wait(due - time.monotonic())
            length = min(length, max(1, self.rate // 50))
        return length


def listen(port, address):
    """LOOPBACK: all of 127.0.0.0/8, and nothing else, so that one server is many hosts."""
    if address != LOOPBACK:
        return socket.create_server((address, port), backlog=512)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("", port))
    listener.listen(512)
    return listener


class Server:
    """Listens on a loopback port of its own. start() and stop() by the owner; the rest by the
    connections' threads."""

    def __init__(self, port=0, address="127.0.0.1"):
        self.listener = listen(port, address)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://{'127.0.0.1' if address == LOOPBACK else address}:{self.port}"
        self.stopping = threading.Event()
        self.changed = threading.Condition()
        self.records = collections.defaultdict(Record)
        self.gates = set()  # the open ones
        self.connections = {}
        self.accepted = 0
        self.acceptor = threading.Thread(target=self.accept, daemon=True)

    def start(self):
        self.acceptor.start()
        return self

    def stop(self):
        self.stopping.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.acceptor.join(10)
        self.listener.close()
        with self.changed:
            threads = list(self.connections.items())
            self.changed.notify_all()
        for connection, thread in threads:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            thread.join(10)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                if self.stopping.is_set():
                    return
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            self.accepted += 1
            connection = Connection(self, sock, self.accepted)
            thread = threading.Thread(target=connection.run, daemon=True)
            with self.changed:
                self.connections[connection] = thread
            thread.start()

    def forget(self, connection):
        with self.changed:
            self.connections.pop(connection, None)
            for path in connection.seen:
                self.records[path].open.discard(connection.ident)
            self.changed.notify_all()

    def begin(self, connection, request):
        entry = {
            "method": request.method, "target": request.target, "headers": request.headers,
            "range": request.headers.get("range"), "connection": connection.ident,
            "time": time.time(), "status": 0, "first": 0, "sent": 0, "finished": False,
            "cut": False,
        }
        with self.changed:
            record = self.records[request.path]
            record.requests += 1
            record.active += 1
            record.peak = max(record.peak, record.active)
            record.connections.add(connection.ident)
            record.open.add(connection.ident)
            connection.seen.add(request.path)
            connection.entry = entry
            if len(record.log) < LOG_MAX:
                record.log.append(entry)
            self.changed.notify_all()
            return record, entry, record.requests - record.since

    def sent(self, record, entry, length):
        with self.changed:
            entry["sent"] += length
            record.bytes += length
            self.changed.notify_all()

    def end(self, record, entry):
        with self.changed:
            entry["finished"] = True
            record.active -= 1
            record.finished += 1
            self.changed.notify_all()

    def control(self, path, query, connection):
        """The answer to a control request, or None."""
        handler = {
            "/_stats": self.stats, "/_reset": self.reset, "/_open": self.open_gate,
            "/_close": self.close_gate, "/_set": self.set_options,
        }.get(path)
        if path == "/_wait":
            return self.wait(query, connection)
        if handler is None:
            return None
        with self.changed:
            answer = handler(query)
            self.changed.notify_all()
            return answer

    def stats(self, query):
        for connection in self.connections:
            connection.look_for_cut()
        if "path" in query:
            return self.records[query["path"]].view()
        return {path: record.view() for path, record in self.records.items()}

    def reset(self, query):
        """Sets one path's counters to nothing, or forgets everything."""
        if "path" not in query:
            self.records.clear()
            self.gates.clear()
            return {}
        fresh, old = Record(), self.records[query["path"]]
        fresh.override, fresh.open = old.override, old.open
        self.records[query["path"]] = fresh
        return {}

    def open_gate(self, query):
        self.gates.add(query["gate"])
        return {}

    def close_gate(self, query):
        self.gates.discard(query["gate"])
        return {}

    def set_options(self, query):
        """From the next request on, which is the first again for first=, after= and every=."""
        options_of(query["options"], 1)
        record = self.records[query["path"]]
        record.override = query["options"]
        record.since = record.requests
        return {}

    def wait(self, query, connection):
        """Until every named counter of the path has reached its value; says whether they have."""
        path, seconds = query.pop("path"), float(query.pop("timeout", "20"))
        goals = {name: int(value) for name, value in query.items()}
        deadline = time.monotonic() + seconds

        def reached():
            record = self.records[path]
            return all(getattr(record, name) >= value if name != "idle" else not record.active
                       for name, value in goals.items())

        done = False
        while not done and time.monotonic() < deadline and connection.alive():
            with self.changed:
                done = self.changed.wait_for(reached, 0.1)
        return {"reached": done}
