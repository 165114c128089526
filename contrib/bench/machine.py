"""The machine: what it is, the processes that a measurement starts on it, and how it is brought to
rest before one."""

import mmap
import os
import platform
import signal
import subprocess
import threading
from pathlib import Path

PAGE = 4096
MOUNTINFO_ESCAPES = ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\"))


class Failure(Exception):
    """A measurement that cannot be made, or that came out wrong; the text says why."""


def describe():
    """What the numbers depend on, without naming the machine."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GiB": round(_meminfo("MemTotal") / 2**30, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
    }


def _field(path, name):
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _meminfo(name):
    """In bytes."""
    value = _field("/proc/meminfo", name)
    return int(value.split()[0]) * 1024 if value else 0


def environment(home):
    """For everything that is started: nobody's own settings, and no proxy before the origin."""
    kept = {k: v for k, v in os.environ.items()
            if not k.lower().endswith("_proxy") and not k.startswith("XDG_")}
    sbin = "/usr/local/sbin:/usr/sbin:/sbin"
    path = f"{kept.get('PATH', '/usr/bin:/bin')}:{sbin}"
    return kept | {"HOME": str(home), "LC_ALL": "C", "PATH": path}


def is_mounted(path):
    """Asks the kernel's list: stat(2) would hang on a mount whose daemon does."""
    wanted = os.path.realpath(path)
    for line in os.fsdecode(Path("/proc/self/mountinfo").read_bytes()).split("\n")[:-1]:
        point = line.split()[4]
        for escape, character in MOUNTINFO_ESCAPES:
            point = point.replace(escape, character)
        if point == wanted:
            return True
    return False


def unmount(path):
    """Detaches the path if need be; a mount that is still busy goes when it no longer is."""
    for options in ("-u",), ("-u", "-z"):
        for program in "fusermount3", "fusermount":
            if not is_mounted(path):
                return
            try:
                subprocess.run([program, *options, path], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=20, check=False)
            except (FileNotFoundError, subprocess.TimeoutExpired):
                pass


class Processes:
    """Processes that are ended together, and each by its own id. Threads may share one."""

    def __init__(self, env, cwd):
        self.env, self.cwd = env, cwd
        self.lock = threading.Lock()
        self.running = []
        self.closed = False

    def start(self, command, **options):
        """Out of reach of the terminal's Ctrl-C: whoever started them ends them, in order."""
        with self.lock:
            if self.closed:
                raise Failure("stopped")
            options = {"stdin": subprocess.DEVNULL, "env": self.env, "cwd": self.cwd,
                       "start_new_session": True} | options
            process = subprocess.Popen([str(word) for word in command], **options)
            self.running.append(process)
        return process

    def run(self, command, log=subprocess.DEVNULL):
        """Runs a command to its end. Returns (status, struct rusage)."""
        process = self.start(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.forget(process)
        return process.returncode, usage

    def forget(self, process):
        with self.lock:
            self.running.remove(process)

    def stop(self, process, patience):
        """Ends one that should be ending, or is asked to by SIGTERM after `patience` seconds."""
        for ask in (lambda: None), process.terminate, process.kill:
            ask()
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        self.forget(process)

    def kill(self):
        """Ends all of them, and nothing can be started any more. A mount whose daemon is gone
        fails its readers, so that no thread hangs in one."""
        with self.lock:
            self.closed = True
            for process in self.running:
                process.send_signal(signal.SIGKILL)


def family(pid):
    """A process and what it has started, if it is alive."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                found += family(int(child))
        except OSError:
            pass
    return found


def cpu_seconds(pid):
    """Of a process and what it has started, as long as they live."""
    ticks = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    """The most memory that a process has had resident, with what it has started."""
    return sum(int((_field(f"/proc/{member}/status", "VmHWM") or "0").split()[0]) * 1024
               for member in family(pid))


def read_through(path, size=128 * 1024):
    """Reads a file as cat(1) does. Returns the number of bytes."""
    buffer = [bytearray(size)]
    total = 0
    file = os.open(path, os.O_RDONLY)
    try:
        while got := os.readv(file, buffer):
            total += got
    finally:
        os.close(file)
    return total


def settle(directory, memory):
    """Brings the machine to rest, so that only the work is timed: nothing waits to be written, and
    `memory` bytes are free that have been in use just before. On a virtual machine a free page may
    have gone back to the host, and the first to use it again pays for that: several microseconds
    a page, seconds for a gigabyte."""
    subprocess.run(["sync", "-f", directory], check=True, timeout=300)
    memory = min(memory, _meminfo("MemAvailable") // 2) // PAGE * PAGE
    if memory:
        with mmap.mmap(-1, memory, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
            pages[::PAGE] = b"\1" * (memory // PAGE)
