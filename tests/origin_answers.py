"""What the misbehaving origin answers: options and a request -> status, header lines, body. Does
no I/O; origin_server.py sends it."""

import base64
import email.utils
import gzip
import hashlib
import re
import time
from urllib.parse import unquote

from pattern import pieces, versioned

EPOCH = 1700000000  # Last-Modified of version 0

WHEN = ("first", "after", "every")
KNOWN = set(WHEN) | {
    "latency", "gate", "hold", "rate", "drip", "silent",
    "truncate", "reset",
    "status", "retry-after", "redirect", "redirect-status", "head",
    "ranges", "cap", "accept-ranges", "conditional", "if-range",
    "length", "longer", "leftover", "chunked",
    "version", "size", "etag", "modified", "encoding",
    "raw", "front", "headers", "line", "interim", "trailer", "chunk", "close", "http2",
    "auth", "require", "connections", "over",
}


class Wrong(Exception):
    """The URL makes no sense; answered with 400, so that a test with a typo says so."""


def number(text):
    """'1234', '64K', '10M', '1G' -> bytes."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not match:
        raise Wrong(f"not a size: {text}")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def options_of(text, count):
    """The options in force for the count-th request (from 1): later groups win."""
    merged = {}
    for group in text.split(","):
        options = {}
        for item in group.split(";"):
            key, _, value = item.partition("=")
            if item in ("", "-"):
                continue
            if key not in KNOWN:
                raise Wrong(f"no such option: {key}")
            options[key] = unquote(value, "latin-1")
        first, after, every = (options.pop(key, None) for key in WHEN)
        if ((first is None or count <= int(first)) and (after is None or count > int(after))
                and (every is None or count % int(every) == 0)):
            merged.update(options)
    return merged


def http_date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


def wanted_range(header, size):
    """(first, last), None for no usable range, or 'unsatisfied' (RFC 9110 14.1.2)."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not match or match[1] == match[2] == "":
        return None
    if match[1] == "":
        count = min(int(match[2]), size)
        return (size - count, size - 1) if count else "unsatisfied"
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if last < first and match[2]:
        return None
    return (first, min(last, size - 1)) if first < size else "unsatisfied"


class Answer:
    """One answer: a status, header lines, and a body of bytes objects and (offset, length) parts
    of the file."""

    def __init__(self, status, body=(), fields=()):
        self.status = status
        self.body = list(body)
        self.fields = list(fields)
        self.first = 0  # where in the file the body begins

    @property
    def length(self):
        return sum(len(part) if isinstance(part, bytes) else part[1] for part in self.body)

    def pieces(self, seed):
        for part in self.body:
            if isinstance(part, bytes):
                yield memoryview(part)
            else:
                yield from pieces(seed, *part)


class Exchange:
    """Decides what one request is answered."""

    def __init__(self, request, options, count, seed, size):
        self.request = request
        self.options = options
        version = options.get("version", "0")
        self.version = str(count) if version == "each" else version
        self.seed = versioned(seed, self.version)
        self.size = number(options["size"]) if "size" in options else size
        self.etag = self.make_etag(options.get("etag", "strong"), count)
        self.modified = self.make_modified(options.get("modified", "fixed"), count)

    def make_etag(self, kind, count):
        name = hashlib.sha1(f"{self.seed} {self.size}".encode()).hexdigest()[:16]
        return {
            "none": None, "strong": f'"{name}"', "weak": f'W/"{name}"',
            "each": f'"{name}-{count}"', "flip": f'"{name}-{count % 2}"',
            "weak-flip": f'W/"{name}-{count % 2}"',
        }.get(kind, kind)

    def make_modified(self, kind, count):
        if kind == "none":
            return None
        if kind == "each":
            return http_date(EPOCH + 60 * count)
        if kind != "fixed":
            return http_date(int(kind))
        return http_date(EPOCH + 3600 * (int(self.version) if self.version.isdigit() else 0))

    def answer(self):
        """The answer without its Content-Length."""
        return self.refused() or self.redirected() or self.unchanged() or self.file()

    def refused(self):
        options, headers = self.options, self.request.headers
        if "auth" in options:
            token = base64.b64encode(options["auth"].encode()).decode()
            if headers.get("authorization") != f"Basic {token}":
                return Answer(401, [b"who are you?\n"], [("WWW-Authenticate", 'Basic realm="x"')])
        if "require" in options:
            name, _, value = options["require"].partition(":")
            if headers.get(name.lower()) != value.strip():
                return Answer(403, [b"not without the header\n"])
        if "status" in options:
            code = int(options["status"])
            return Answer(code, [f"status {code}\n".encode()], self.retry_after())
        if self.request.method == "HEAD" and options.get("head") == "405":
            return Answer(405, [], [("Allow", "GET")])
        return None

    def retry_after(self):
        value = self.options.get("retry-after")
        if value is None:
            return []
        if value.startswith("date:"):
            value = http_date(time.time() + float(value[5:]))
        return [("Retry-After", value)]

    def redirected(self):
        """redirect=3 is a chain of three, redirect=loop has no end, else it is a Location."""
        to = self.options.get("redirect")
        if to is None:
            return None
        hop = int(self.request.query.get("hop", ["0"])[0])
        if to.isdigit() and hop >= int(to):
            return None
        if to.isdigit() or to == "loop":
            to = f"{self.request.path}?hop={hop + 1}"
        return Answer(int(self.options.get("redirect-status", "302")), [b"elsewhere\n"],
                      [("Location", to)])

    def validators(self):
        fields = []
        if self.etag:
            fields.append(("ETag", self.etag))
        if self.modified:
            fields.append(("Last-Modified", self.modified))
        return fields

    def unchanged(self):
        if self.options.get("conditional") == "ignore":
            return None
        match = self.request.headers.get("if-none-match")
        since = self.request.headers.get("if-modified-since")
        weak = [tag.strip().removeprefix("W/") for tag in (match or "").split(",")]
        same = (self.etag and self.etag.removeprefix("W/") in weak if match is not None
                else since is not None and since == self.modified)
        return Answer(304, [], self.validators()) if same else None

    def file(self):
        headers, options = self.request.headers, self.options
        span = wanted_range(headers.get("range"), self.size)
        condition = headers.get("if-range")
        if condition and options.get("if-range") != "ignore":
            strong = self.etag and not self.etag.startswith("W/") and condition == self.etag
            if not strong and condition != self.modified:
                span = None
        kind = options.get("ranges", "honoured")
        fields = self.validators() + [("Content-Type", "application/octet-stream")]
        if options.get("accept-ranges", "bytes") != "absent":
            fields.append(("Accept-Ranges", options.get("accept-ranges", "bytes")))
        if options.get("encoding") == "gzip":
            packed = gzip.compress(b"".join(pieces(self.seed, 0, self.size)), 1)
            return Answer(200, [packed], fields + [("Content-Encoding", "gzip")])
        if span is None or kind == "ignore":
            return Answer(200, [(0, self.size)], fields)
        if span == "unsatisfied" or kind == "refuse":
            return Answer(416, [b"no such range\n"],
                          fields + [("Content-Range", f"bytes */{self.size}")])
        return self.part(span, kind, fields)

    def part(self, span, kind, fields):
        """A 206, right or wrong in the way that `kind` asks for."""
        first, last = span
        if "cap" in self.options:
            last = min(last, first + number(self.options["cap"]) - 1)
        total = self.size
        if kind == "other-start":
            first, last = first + 1, min(last + 1, self.size - 1)
        elif kind == "other-end":
            last = min(last + 1, self.size - 1)
        elif kind == "zero":
            first, last = 0, last - first
        body = [(first, last - first + 1)]
        if kind == "multipart":
            return self.multipart(first, last, fields)
        text = {
            "honoured": f"bytes {first}-{last}/{total}", "star": f"bytes {first}-{last}/*",
            "wrong-total": f"bytes {first}-{last}/{total + 1}",
            "malformed": f"bytes {first}..{last} of {total}",
            "huge": f"bytes {first}-{last}/99999999999999999999999",
            "unit": f"items {first}-{last}/{total}",
            "backwards": f"bytes {last + 1}-{first}/{total}",
            "other-start": f"bytes {first}-{last}/{total}",
            "other-end": f"bytes {first}-{last}/{total}",
            "zero": f"bytes {first}-{last}/{total}",
        }
        if kind == "missing":
            lines = []
        elif kind == "twice":
            lines = [text["honoured"], f"bytes {first + 1}-{last + 1}/{total + 1}"]
        elif kind in text:
            lines = [text[kind]]
        else:
            raise Wrong(f"no such ranges=: {kind}")
        answer = Answer(206, body, fields + [("Content-Range", line) for line in lines])
        answer.first = first
        return answer

    def multipart(self, first, last, fields):
        fields = [field for field in fields if field[0] != "Content-Type"]
        head = (f"--xyz\r\nContent-Type: application/octet-stream\r\n"
                f"Content-Range: bytes {first}-{last}/{self.size}\r\n\r\n").encode()
        body = [head, (first, last - first + 1), b"\r\n--xyz--\r\n"]
        return Answer(206, body, fields + [("Content-Type", "multipart/byteranges; boundary=xyz")])
