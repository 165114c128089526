"""A second implementation of the sidecar's format, from its description in src/README.md alone, for
tests that look at what is on the disk, and that damage it so that it still looks right."""

import ctypes
import os
import struct

PAGE = 4096
BLOCKS_PER_PAGE = 500

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
_xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def checksum(data, seed=0):
    return _xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed)


class Sidecar:
    """KEY.map as it is on the disk. `valid`: it has a head; `blocks`: {number: checksum} of what
    its pages claim."""

    def __init__(self, path):
        self.path = path
        self.data_path = path.with_suffix(".data")
        try:
            self.bytes = path.read_bytes()
        except FileNotFoundError:
            self.bytes = b""
        self.blocks = {}
        head = self.bytes[:PAGE]
        self.valid = (len(head) == PAGE and head[:8] == b"adlfsmap" and
                      checksum(head[16:]) == struct.unpack_from("<Q", head, 8)[0])
        if not self.valid:
            return
        self.block_size, self.size = struct.unpack_from("<IQ", head, 20)
        self.random, self.epoch = struct.unpack_from("<QQ", head, 48)
        self.url = head[280:280 + 2048].rstrip(b"\0").decode()
        for at in range(PAGE, len(self.bytes), PAGE):
            self._take_page(at // PAGE - 1, self.bytes[at:at + PAGE])

    def _take_page(self, number, page):
        if (len(page) < PAGE or struct.unpack_from("<Q", page, 8)[0] != number or
                checksum(page[8:], self.random) != struct.unpack_from("<Q", page, 0)[0]):
            return
        bits = int.from_bytes(page[32:96], "little")
        sums = struct.unpack_from(f"<{BLOCKS_PER_PAGE}Q", page, 96)
        for i in range(BLOCKS_PER_PAGE):
            if bits >> i & 1:
                self.blocks[number * BLOCKS_PER_PAGE + i] = sums[i]

    def span(self, block):
        """The block's bytes in the file, as (first, end)."""
        first = block * self.block_size
        return first, min(first + self.block_size, self.size)

    def intact(self):
        """Those claimed blocks whose bytes in the data file are what their checksums say."""
        try:
            fd = os.open(self.data_path, os.O_RDONLY)
        except FileNotFoundError:
            return set()
        try:
            if os.fstat(fd).st_size != self.size:
                return set()
            return {block for block, want in self.blocks.items()
                    if checksum(os.pread(fd, self.span(block)[1] - self.span(block)[0],
                                         self.span(block)[0])) == want}
        finally:
            os.close(fd)


def forge_boot(path, boot):
    """Makes the head say that the data file, with the inode and the ctime that it has now, was left
    in another boot."""
    data = bytearray(path.read_bytes())
    st = path.with_suffix(".data").stat()
    data[64:80] = boot
    struct.pack_into("<QqI", data, 80, st.st_ino, st.st_ctime_ns // 10**9, st.st_ctime_ns % 10**9)
    struct.pack_into("<Q", data, 8, checksum(data[16:PAGE]))
    path.write_bytes(data)
