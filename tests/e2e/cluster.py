"""Clusters of real processes for end-to-end tests: start, kill, start again, stop, and clean up.

A cluster is one `ringfort demo` in a directory of its own, on ports that are free. Every process is
told by the kernel to end when the test does (setpriv --pdeathsig), so that a test killed by its time
limit leaves none behind. Nothing here waits a fixed time: wait_until polls for a condition and gives
up with words at a deadline.
"""

import argparse
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

POLL_S = 0.02
START_S = 30  # A sanitized binary on a busy machine.
END_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"]

# What no log may hold, whatever the test does.
LOG_ALARMS = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:"
                        r"|ThreadSanitizer|assertion|ASSERT|broken invariant", re.IGNORECASE)


class Failed(Exception):
    """A claim of a test does not hold."""


def check(condition, words):
    """Fail the test with words unless the condition holds."""
    if not condition:
        raise Failed(words)


def check_equal(got, expected, words):
    """Fail the test unless two values are equal."""
    if got != expected:
        raise Failed(f"{words}: expected {shown(expected)}, got {shown(got)}")


def shown(value, limit=300):
    """A value for people, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def count(name, number):
    """Tell `./dev test` how much was done; it sums these up by name."""
    print(f"COUNT {name} {int(number)}", flush=True)


def wait_until(condition, what, seconds=START_S):
    """Poll until condition() is true and return its value; fail with words at the deadline.

    `what` is text, or a function that makes it then.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(POLL_S)


# --- a client whose every byte the test decides ---------------------------------------------------


class Error(str):
    """An error reply, as a value."""

    def word(self):
        """Its first word, which tells clients what to do: TRYAGAIN, UNCERTAIN, ERR."""
        return self.split(" ", 1)[0]


def encode(*arguments):
    """One command as RESP."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if not isinstance(argument, bytes):
            argument = str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


class Connection:
    """RESP2 over one socket. Replies: str for +, Error for -, int, bytes, None, list."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 256 * 1024)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next reply. Raises ConnectionError when the other side has closed."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed by the node")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._read_bulk(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise Failed(f"no RESP2: {shown(line)}")

    def _read_bulk(self, size):
        if size < 0:
            return None
        data = self.file.read(size + 2)
        if len(data) != size + 2:
            raise ConnectionError("closed by the node")
        return data[:-2]

    def call(self, *arguments):
        self.send(encode(*arguments))
        return self.read()

    def pipeline(self, commands):
        """Send all, then read all."""
        self.send(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def info(self, section="ringfort"):
        """INFO as a dictionary of texts."""
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and line[0] != "#")

    def explain(self, key):
        """RF.EXPLAIN: per owner the kinds of the versions that it holds; None for a silent one."""
        reply = fields(self.call("RF.EXPLAIN", key))
        owners = {}
        for owner in map(fields, reply["owners"]):
            kinds = [fields(version)["kind"].decode() for version in owner["versions"]]
            owners[owner["member"].decode()] = kinds if owner["answer"] == b"read" else None
        return owners


def fields(flat):
    """A map as RESP2 shows it, names and values in turn, as a dictionary."""
    check(isinstance(flat, list), f"no map: {shown(flat)}")
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2])}


# --- ports ----------------------------------------------------------------------------------------

NODES_MAX = 10
_reserved = []  # Sockets that hold a reservation for as long as this process lives.


def _bases():
    """Blocks of ports that never overlap, below those that the kernel gives to clients.

    A demo on base takes base, +100, +1000 and +2000, each for up to NODES_MAX nodes.
    """
    bases = [10000 + 3000 * block + 200 * group + NODES_MAX * slot
             for block in range(7) for group in range(5) for slot in range(10)]
    random.SystemRandom().shuffle(bases)
    return bases


def _port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def reserve_ports():
    """The base of a block of free ports that no other test of this machine will choose meanwhile."""
    for base in _bases():
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0ringfort-test-ports-{base}")  # Abstract: gone with this process.
        except OSError:
            mark.close()
            continue
        ports = [base + offset + i for offset in (0, 100, 1000, 2000) for i in range(NODES_MAX)]
        if all(map(_port_is_free, ports)):
            _reserved.append(mark)
            return base
        mark.close()
    raise Failed("no block of free ports")


# --- processes ------------------------------------------------------------------------------------


def spawn(command, log_path, **more):
    """Start a process whose output goes to the end of a file and that ends when this one does.

    The kernel watches the thread that calls: it must be one that lives as long as the process shall.
    """
    with open(log_path, "ab") as log:
        return subprocess.Popen(END_WITH_PARENT + command, stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, **more)


def stop(process, seconds=20):
    """SIGTERM, and SIGKILL for what does not end. Return the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failed(f"process {process.pid} does not end on SIGTERM") from None
    return process.returncode


def run(command, seconds=60, check_status=True, **more):
    """Run a client to its end. Return its output; fail when its exit status is not 0."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", timeout=seconds, check=False, **more)
    if check_status and result.returncode != 0:
        raise Failed(f"{shlex.join(map(str, command))}: exit status {result.returncode}\n"
                     f"{result.stdout[-2000:]}")
    return result.stdout


def exit_of(command, seconds=30):
    """Run a command that must refuse. Return its exit status and what it said."""
    result = subprocess.run(END_WITH_PARENT + command, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", timeout=seconds, check=False)
    return result.returncode, result.stdout


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Node:
    """One node of a cluster."""

    def __init__(self, cluster, number, pid):
        self.cluster = cluster
        self.number = number
        self.name = f"n{number}"
        self.pid = pid
        self.process = None  # Set when this test, not the demo, is its parent.
        self.command = None  # And then how it was started.
        self.port = cluster.base + number - 1
        self.cluster_port = self.port + 100
        self.peer_port = self.port + 1000
        self.directory = os.path.join(cluster.directory, self.name)
        self.configuration = os.path.join(self.directory, "ringfort.conf")
        self.log = os.path.join(self.directory, "log")

    def connect(self, timeout=10):
        return Connection(self.port, timeout)

    def is_running(self):
        if self.process is not None:
            return self.process.poll() is None
        return self.pid is not None and os.path.exists(f"/proc/{self.pid}")

    def kill(self):
        """kill -9, and wait until the process is gone."""
        os.kill(self.pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            return
        wait_until(lambda: self.start_command() is not None, f"the demo tells of {self.name}'s end")

    def terminate(self):
        """An orderly stop, and wait until the process is gone."""
        if self.process is not None:
            check_equal(stop(self.process), 0, f"exit status of {self.name}")
            return
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: self.start_command() is not None, f"the demo tells of {self.name}'s end")

    def start_command(self):
        """The command with which the demo says that the node is started again."""
        text = read_text(self.cluster.output)
        found = re.search(rf"^n{self.number} \(pid {self.pid}\).*start it again with: (.*)$", text,
                          re.MULTILINE)
        return shlex.split(found.group(1)) if found else None

    def start(self):
        """Start the node again after kill or terminate, as the demo says it is done."""
        self.command = self.start_command() or self.command
        self.process = spawn(self.command, self.log)
        self.pid = self.process.pid

    def is_serving(self):
        try:
            with self.connect(2) as connection:
                return connection.info().get("serving") == "1"
        except (OSError, AttributeError):  # Not there yet, or an error instead of INFO.
            return False

    def wait_serving(self, seconds=START_S):
        def serves():
            check(self.is_running(), f"{self.name} has ended; its log:\n{tail(self.log)}")
            return self.is_serving()
        wait_until(serves, lambda: f"{self.name} serves; its log:\n{tail(self.log)}", seconds)

    def live_count(self):
        """How many members this node sees alive, itself included."""
        try:
            with self.connect(2) as connection:
                return int(connection.info().get("members_live", 0))
        except (OSError, AttributeError):
            return 0


def tail(path, lines=25):
    """The last lines of a file, for a message."""
    return "\n".join("    " + line for line in read_text(path).splitlines()[-lines:])


class Cluster:
    """A `ringfort demo` in a temporary directory; a context manager that always cleans up."""

    def __init__(self, binary, nodes=3, options=None):
        self.binary = binary
        self.nodes_count = nodes
        self.options = options or {}
        self.root = tempfile.mkdtemp(prefix="ringfort-e2e-")
        self.directory = os.path.join(self.root, "demo")
        self.output = os.path.join(self.root, "demo.log")
        self.base = reserve_ports()
        self.process = None
        self.nodes = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                self.print_logs()
        finally:
            self.clean_up()

    def __getitem__(self, index):
        return self.nodes[index]

    def command(self):
        """How this cluster is started."""
        options = [text for key, value in self.options.items() for text in (f"--{key}", str(value))]
        return [self.binary, "demo", "--nodes", str(self.nodes_count), "--dir", self.directory,
                "--port", str(self.base), *options]

    def start(self):
        """Start all nodes, for the first time or with the data of the last."""
        with open(self.output, "wb"):
            pass  # What an earlier demo said is about other processes.
        self.process = spawn(self.command(), self.output)

        def is_up():
            text = read_text(self.output)
            check(self.process.poll() is None, f"the demo has ended:\n{text}")
            return "Ctrl-C ends all nodes" in text
        wait_until(is_up, "the demo serves", 2 * START_S)
        pids = re.findall(r"^  n(\d+) +(\d+) +127", read_text(self.output), re.MULTILINE)
        check_equal(len(pids), self.nodes_count, "nodes that the demo lists")
        self.nodes = [Node(self, int(number), int(pid)) for number, pid in pids]

    def wait_all_live(self, seconds=START_S):
        """Until every node sees every node."""
        for node in self.nodes:
            wait_until(lambda node=node: node.live_count() == self.nodes_count,
                       lambda node=node: f"{node.name} sees {self.nodes_count} nodes alive, not "
                       f"{node.live_count()}; its log:\n{tail(node.log)}", seconds)

    def stop(self):
        """An orderly stop of all; then the logs must hold no alarm."""
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                check_equal(stop(node.process), 0, f"exit status of {node.name}")
        if self.process is not None:
            check(stop(self.process) in (0, 1), "the demo ends by itself")
        said = read_text(self.output)
        check("do not end" not in said, f"every node ends in time:\n{said}")
        self.check_logs()

    def check_logs(self):
        """No node ended by itself, and none says that something is broken inside."""
        for line in read_text(self.output).splitlines():
            check(not re.search(r"was killed by signal (?!9\b)|ended with status [^0]", line), line)
        for node in self.nodes:
            text = read_text(node.log)
            found = LOG_ALARMS.search(text)
            if found:
                raise Failed(f"{node.name}'s log:\n{text[max(0, found.start() - 200):][:4000]}")

    def print_logs(self):
        for path in [self.output] + [node.log for node in self.nodes]:
            print(f"--- {os.path.relpath(path, self.root)}\n{tail(path)}", flush=True)

    def clean_up(self):
        for process in [node.process for node in self.nodes] + [self.process]:
            if process is not None and process.poll() is None:
                process.terminate()
        for process in [node.process for node in self.nodes] + [self.process]:
            if process is not None:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if os.environ.get("RINGFORT_E2E_KEEP"):
            print(f"kept: {self.root}", flush=True)
        else:
            shutil.rmtree(self.root, ignore_errors=True)


# --- one script is one test -----------------------------------------------------------------------


def arguments(*more):
    """Parse the command line: the built ringfort, then what else this test is given by name."""
    parser = argparse.ArgumentParser()
    for name in ("ringfort", *more):
        parser.add_argument(name, type=os.path.abspath)
    return parser.parse_args()


def run_claims(claims, *given):
    """Call each claim with what is given, print its name and how long it took. Return the exit status."""
    random.seed(1)
    for claim in claims:
        begin = time.monotonic()
        claim(*given)
        print(f"ok {claim.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)


def main(body):
    """Run a test's body: exit status 0 when it returns, 1 with the reason when it does not."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        body()
    except (Failed, OSError, subprocess.SubprocessError, AssertionError) as problem:
        traceback.print_exc(file=sys.stdout)
        print(f"FAILED: {problem}", flush=True)
        sys.exit(1)
