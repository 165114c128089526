#!/usr/bin/env python3
"""The misbehaving origin: a web server whose behaviour is chosen in the URL.

    http://127.0.0.1:PORT/SEED/SIZE/OPTIONS/NAME

SEED makes the bytes (see pattern.py), SIZE is their number ('1000', '64K', '10M', '1G'), NAME is
what the client likes to call the file. OPTIONS is '-' or 'key=value;key=value', percent-encoded
where need be. Groups of options stand apart by ',': each may say when it counts, and a later one
overrides an earlier one. 'rate=1M,status=503;first=2' refuses two requests and then serves slowly.

  When (requests are counted for each path, from 1)
    first=K  the first K requests    after=K  those behind them    every=N  each N-th

  Time
    latency=S     seconds before the answer       rate=BYTES  a second, for each answer
    drip=S        one byte every S seconds        silent      takes the request, never answers
    gate=NAME     no answer until the test opens the gate; with hold=N the first N bytes of the
                  body go out before it (and reset=N, truncate=N with the same N come behind it)

  The body's end
    truncate=N    closes after N bytes of the body      reset=N   the same, by a TCP reset
    length=none   no Content-Length, ends by closing    length=N, length=+N, length=-N  a lie
    longer=N      N bytes more than promised            chunked
    leftover=N    the same, but they come once the connection's next request is there
    chunked=untold  in chunks, and no Transfer-Encoding says so (raw= may, in its own way)
    chunk=BYTES   in place of each chunk's size         trailer=BYTES  lines behind the last chunk
    close=after   closes after the answer, though it did not say so
    close=next    takes one more request on the connection, and closes instead of answering

  The status
    status=CODE   retry-after=S or retry-after=date:S (a date in S seconds)
    redirect=N (a chain of N), redirect=loop, redirect=URL; redirect-status=CODE
    head=405      auth=USER:PASSWORD (else 401)         require=NAME:VALUE, a header (else 403)
    connections=N resets the connections of a path beyond N open ones; with over=CODE the requests
                  beyond N at a time are answered so

  Ranges (honoured if nothing else is said)
    ranges=ignore | refuse (416) | star | missing | malformed | huge | unit | backwards | twice |
           wrong-total | other-start | other-end | zero (starts at 0) | multipart
    cap=BYTES     at most so much for one range         accept-ranges=none | absent | bytes

  The version
    version=N, version=each   other bytes, other validators    size=BYTES   another size
    etag=strong | weak | none | each | flip | weak-flip | VALUE
    modified=fixed | none | each | SECONDS (Unix time)
    conditional=ignore, if-range=ignore                        encoding=gzip

  The head
    raw=BYTES     put at the head's end as they are     front=BYTES  behind the status line
    line=BYTES    in place of the status line           headers=endless | drip (a byte a 0.1 s)
    interim=N     so many heads of status 100 come before it; interim=endless;
    interim=BYTES one such head with these lines
    http2         speaks HTTP/2 only: SETTINGS, GOAWAY, and the end

Control, for programs: GET /_stats[?path=P], /_reset[?path=P], /_open?gate=G, /_close?gate=G,
/_set?path=P&options=O (in place of the URL's, from now on), /_wait?path=P&requests=K&bytes=N...
(until the counters are there). From Python, class Origin does the same.

As a program it prints its URL, and serves until it is told to stop:

    python3 tests/origin.py --port 0
"""

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
from urllib.parse import quote, urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from origin_server import Server  # noqa: E402
from pattern import content, pieces  # noqa: E402, F401 (for those who import this)


class Origin:
    """A server in a process of its own, so that whoever waits for a file that it serves (in a page
    fault, say, where Python holds its lock) can never hold up the server itself."""

    def __init__(self):
        self.process = None
        self.url = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--address=loopback", "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), "the origin did not start"
        return self

    def stop(self):
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def file(self, seed, size, options="-", name="data.bin", host="127.0.0.1"):
        """The URL of a file; `options` as in this module's description. Any `host` of 127.0.0.0/8
        is this server, and an origin of its own to who asks."""
        path = f"{quote(str(seed), safe='')}/{size}/{_encoded(options)}/{name}"
        return f"http://{host}:{urlsplit(self.url).port}/{path}"

    def stats(self, url):
        """The counters of a file: requests, finished, bytes (of bodies), active, peak (most active
        at a time), connections, open, and log, one entry a request; `cut` in it: the client did not
        take all that was sent."""
        return self._ask("stats", path=_path(url))

    def everything(self):
        """The same for all paths."""
        return self._ask("stats")

    def reset(self, url=None):
        """Sets a file's counters to nothing; without a URL, forgets all counters, gates and what
        was set."""
        self._ask("reset", **({"path": _path(url)} if url else {}))

    def set(self, url, options):
        """Behave so from now on, whatever the URL says; requests count from 1 again."""
        self._ask("set", path=_path(url), options=_encoded(options))

    def open(self, gate):
        self._ask("open", gate=gate)

    def close(self, gate):
        self._ask("close", gate=gate)

    def wait(self, url, timeout=180, **counters):
        """Waits until each named counter has reached its value (idle=1: no request under way)."""
        answer = self._ask("wait", path=_path(url), timeout=timeout, **counters)
        assert answer["reached"], (
            f"{counters} not reached in {timeout} s: {_short(self.stats(url))}")

    def _ask(self, what, **query):
        address = urlsplit(self.url)
        patience = 60 + query.get("timeout", 0)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=patience)
        try:
            text = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in query.items())
            connection.request("GET", f"/_{what}?{text}")
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body.decode()
            return json.loads(body)
        finally:
            connection.close()


def _encoded(options):
    """What has a meaning in the options is the caller's to encode."""
    return quote(options, safe=";=,:+%")


def _path(url):
    return urlsplit(url).path


def _short(stats):
    log = [(entry["range"], entry["status"], entry["sent"]) for entry in stats.pop("log")[-10:]]
    return {**stats, "last": log}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 for any (default)")
    parser.add_argument("--address", default="127.0.0.1",
                        help="'loopback' for all of 127.0.0.0/8")
    parser.add_argument("--until-eof", action="store_true",
                        help="stop when standard input ends, instead of by a signal")
    arguments = parser.parse_args()
    stop = {signal.SIGINT, signal.SIGTERM}
    if not arguments.until_eof:
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    server = Server(arguments.port, arguments.address).start()
    print(server.url, flush=True)
    try:
        if arguments.until_eof:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it says when
            sys.stdin.read()
        else:
            signal.sigwait(stop)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
