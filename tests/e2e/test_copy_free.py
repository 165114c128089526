"""Cached bytes go from the cache file to the kernel without passing through the daemon's memory."""

import re
import signal

from harness import run, same_content, wait_until

MIB = 1 << 20
SIZE = 8 * MIB
SMALL = 4096  # bytes; heads of answers, attributes and directories are below


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


def test_cached_reads_are_spliced(mount, origin, scratch, start):
    m = mount([origin.file("splice", SIZE)], "--revalidate=never", cache=scratch / "cache")
    assert same_content(m / "data.bin", "splice", SIZE)
    m.umount()
    m = mount([origin.file("splice", SIZE)], "--revalidate=never", cache=scratch / "cache")
    trace = scratch / "trace"
    messages = scratch / "messages"
    with open(messages, "wb") as err:
        tracer = start("strace", "-f", "-y", "-s", "0", "-o", trace, "-e",
                       "trace=read,readv,pread64,preadv,write,writev,mmap,splice,sendfile",
                       "-p", m.pid, stderr=err)
    wait_until(lambda: "attached" in messages.read_text())
    run("cat", m / "data.bin")
    tracer.send_signal(signal.SIGINT)
    tracer.wait(30)
    calls = whole_calls(trace.read_text())
    assert not re.search(r"\b(read|readv|pread64|preadv)\(\d+<[^>]*\.data", calls)
    assert not re.search(r"\bmmap\([^)]*<[^>]*\.data", calls)
    written = re.findall(r"\bwritev?\(\d+</dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert max(map(int, written), default=0) <= SMALL
    spliced = re.findall(r"\bsplice\(.*/dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert sum(int(size) for size in spliced) >= SIZE
