"""The bytes of a test file: made from a seed, at any offset, without keeping the file anywhere.

A file repeats a block of SHAKE-256 output whose length is a prime. No power of two is a multiple of
it, so bytes that end up a block, a page or a sector away from where they belong never look right.
"""

import functools
import hashlib

PERIOD = 1048573  # the largest prime below 2^20
COPIES = 4  # a slice of up to COPIES - 1 periods is one view, without a copy


@functools.lru_cache(maxsize=16)
def _tape(seed):
    block = hashlib.shake_256(seed.encode()).digest(PERIOD)
    return memoryview(block * COPIES)


def pieces(seed, offset, length):
    """Bytes [offset, offset + length) of the file of `seed`, as views of about 3 MiB."""
    tape = _tape(seed)
    while length > 0:
        start = offset % PERIOD
        view = tape[start:start + min(length, (COPIES - 1) * PERIOD)]
        yield view
        offset += len(view)
        length -= len(view)


def content(seed, offset, length, version="0"):
    """The same as one bytes object; `version` as in an origin's version= option."""
    return b"".join(pieces(versioned(seed, version), offset, length))


def versioned(seed, version):
    """The seed that a version of a file is made from."""
    return seed if version == "0" else f"{seed}#{version}"
