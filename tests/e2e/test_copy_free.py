"""Cached bytes go from the cache file to the kernel without passing through the daemon's memory."""

import os
import re

from harness import Tracer, run, same_content

MIB = 1 << 20
SIZE = 8 * MIB
SMALL = 4096  # bytes; heads of answers, attributes and directories are below


def test_cached_reads_are_spliced(mount, origin, scratch):
    m = mount([origin.file("splice", SIZE)], "--revalidate=never")
    # While somebody has it open from before it was complete, it is not passed through.
    held = os.open(m / "data.bin", os.O_RDONLY)
    try:
        assert same_content(m / "data.bin", "splice", SIZE)
        os.posix_fadvise(held, 0, 0, os.POSIX_FADV_DONTNEED)
        with Tracer(m.pid, "read,readv,pread64,preadv,write,writev,mmap,splice,sendfile",
                    scratch) as tracer:
            run("cat", m / "data.bin")
            calls = tracer.end()
    finally:
        os.close(held)
    assert not re.search(r"\b(read|readv|pread64|preadv)\(\d+<[^>]*\.data", calls)
    assert not re.search(r"\bmmap\([^)]*<[^>]*\.data", calls)
    written = re.findall(r"\bwritev?\(\d+</dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert max(map(int, written), default=0) <= SMALL
    spliced = re.findall(r"\bsplice\(.*/dev/fuse>.*= (\d+)$", calls, re.MULTILINE)
    assert sum(int(size) for size in spliced) >= SIZE
