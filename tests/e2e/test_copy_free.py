"""Cached bytes go from the cache file to the kernel without passing through the daemon's memory."""

import re
import signal

from harness import run, same_content, wait_until

MIB = 1 << 20
SIZE = 8 * MIB
SMALL = 4096  # bytes; heads of answers, attributes and directories are below


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
    calls = trace.read_text()
    assert not re.search(r"\b(read|readv|pread64|preadv)\(\d+<[^>]*\.data", calls)
    assert not re.search(r"\bmmap\([^)]*<[^>]*\.data", calls)
    fuse = r"\((\d+)<[^>]*/dev/fuse>.*= (\d+)$"
    written = [int(size) for _, size in re.findall(r"\bwritev?" + fuse, calls, re.MULTILINE)]
    assert max(written, default=0) <= SMALL
    spliced = re.findall(r"\bsplice\(.*/dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert sum(int(size) for size in spliced) >= SIZE
