#!/usr/bin/python3 -B
"""Who is not a member changes nothing: whatever is sent to the peer ports, and peer frames to clients' ports."""

import os
import random
import socket
import ssl
import struct

from cluster import (Cluster, Connection, arguments, check, check_equal, count, encode, main,
                     read_text, reserve_ports, run_claims, spawn, stop, tail, wait_until)

KEYS = 200
CROWD = 60            # Strangers at a time.
CROWD_SENDS = 256 * 1024
MEMORY_PER_STRANGER = 16 * 1024
ANSWER_S = 10


def write_keys(cluster):
    with cluster[0].connect() as connection:
        connection.pipeline([("SET", f"key:{i}", f"value {i}") for i in range(KEYS)])


def check_unharmed(cluster):
    """All members live and serving, every key there, and no other."""
    cluster.wait_all_live()
    for node in cluster:
        with node.connect() as connection:
            replies = connection.pipeline([("GET", f"key:{i}") for i in range(KEYS)])
            check_equal(replies, [f"value {i}".encode() for i in range(KEYS)], f"keys of {node.name}")
            wait_until(lambda connection=connection: connection.call("DBSIZE") == KEYS,
                       f"{node.name} has no key that nobody wrote")


def client_hello():
    """The first bytes of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.org")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def frame(kind, body, version=1, size=None):
    """A peer frame whose checksum is wrong."""
    rest = struct.pack(">BBHQHQQQ", kind, version, 0, 0, 0, 0, 0, 0x0123456789abcdef) + body
    return struct.pack(">I", len(rest) if size is None else size) + rest


def strange_words():
    generator = random.Random(23)
    words = [generator.randbytes(generator.randrange(1, 3000)) for _ in range(40)]
    words += [bytes([byte]) * 64 for byte in (0, 1, 0x7f, 0x80, 0xff)]
    words += [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /key:1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        client_hello(),
        encode("SET", "key:1", "changed") + encode("FLUSHALL") + encode("SHUTDOWN"),
        b"SET key:1 changed\r\nFLUSHALL\r\nSHUTDOWN\r\n",
        frame(1, b"\x80"), frame(1, b"\x80", version=2), frame(16, b"\x80"), frame(255, b""),
        frame(1, b"", size=0), frame(1, b"", size=41), frame(1, b"", size=0xffffffff),
        frame(1, b"", size=60 << 20) + b"x" * 100000,
        frame(1, b"\xde\xff\xff" + b"\x81" * 3000),
    ]
    return words


def said_until_closed(stranger):
    """All that the other side says before it hangs up; None when it does not hang up."""
    stranger.settimeout(ANSWER_S)
    said = b""
    try:
        while part := stranger.recv(65536):
            said += part
    except ConnectionError:
        pass
    except socket.timeout:
        return None
    return said


def is_dropped(stranger):
    """The other side closes; what it says before is at most a refusal in words."""
    said = said_until_closed(stranger)
    check(said is None or len(said) < 4096, f"a stranger is told much: {(said or b'')[:200]!r}")
    return said is not None


def nothing_sent_to_a_peer_port_changes_anything(cluster):
    write_keys(cluster)
    words = strange_words()
    dropped = 0
    for i, text in enumerate(words):
        node = cluster[i % 3]
        with socket.create_connection(("127.0.0.1", node.peer_port), ANSWER_S) as stranger:
            try:
                stranger.sendall(text)
                stranger.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # Cut off in the middle.
            check(is_dropped(stranger), f"{node.name} hangs up on {text[:40]!r}")
            dropped += 1
    count("strangers_dropped", dropped)
    check_unharmed(cluster)


def memory_of(node):
    with node.connect() as connection:
        return int(connection.info("memory")["used_memory"])


def open_crowd(node, text):
    crowd = []
    for _ in range(CROWD):
        stranger = socket.create_connection(("127.0.0.1", node.peer_port), ANSWER_S)
        stranger.setblocking(False)
        crowd.append([stranger, text])
    return crowd


def feed_crowd(crowd):
    """Give each what its socket takes. Drop those that were cut off."""
    for entry in list(crowd):
        stranger, text = entry
        try:
            entry[1] = text[stranger.send(text):]
        except BlockingIOError:
            pass
        except OSError:
            stranger.close()
            crowd.remove(entry)


def memory_of_a_crowd_is_bounded(cluster):
    """A frame that says it is 60 MB long and never ends must not be kept before a handshake."""
    node = cluster[1]
    for text in (frame(1, b"x" * CROWD_SENDS, size=60 << 20), b"", b"\0\0\0\x40\x01\x01"):
        before = memory_of(node)
        crowd = open_crowd(node, text)
        most = before
        for _ in range(50):
            feed_crowd(crowd)
            most = max(most, memory_of(node))
        growth = (most - before) / CROWD
        print(f"   {CROWD} strangers sending {len(text)} bytes: {growth:.0f} bytes each, "
              f"{len(crowd)} still connected", flush=True)
        check(growth < MEMORY_PER_STRANGER, f"memory per stranger: {growth} bytes")
        for stranger, _ in crowd:
            stranger.close()
        wait_until(lambda before=before: memory_of(node) - before < MEMORY_PER_STRANGER,
                   "the memory of strangers is given back")
    check_unharmed(cluster)


def silent_strangers_do_not_keep_a_member_out(cluster):
    """They take every place, the dead member's too; its own handshake still finds one in time."""
    cluster[0].kill()
    crowd = open_crowd(cluster[1], b"") + open_crowd(cluster[2], b"")
    cluster[0].start()
    cluster.wait_all_live()
    for stranger, _ in crowd:
        stranger.close()
    check_unharmed(cluster)


def catch_hello(cluster, given):
    """A real node's first frame: start one whose only other member is this test, and let it dial."""
    base = reserve_ports()
    directory = os.path.join(cluster.root, "lonely")
    log = os.path.join(cluster.root, "lonely.log")
    with socket.create_server(("127.0.0.1", base + 1000)) as listener:
        listener.settimeout(30)
        members = f"a@127.0.0.1:{base + 1001}, b@127.0.0.1:{base + 1000}"
        lonely = spawn([given.ringfort, "server", "--data-dir", directory, "--node-name", "a",
                        "--client-listen", f"127.0.0.1:{base}", "--peer-listen",
                        f"127.0.0.1:{base + 1001}", "--initial-members", members], log)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                data = b""
                while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
                    part = connection.recv(4096)
                    check(part, f"the node says hello:\n{tail(log)}")
                    data += part
        finally:
            stop(lonely)
    check_equal(data[4], 1, "type of the first frame")
    return data


def a_hello_from_another_cluster_is_refused_with_words(cluster, given):
    hello = catch_hello(cluster, given)
    for node in cluster:
        with socket.create_connection(("127.0.0.1", node.peer_port), ANSWER_S) as stranger:
            stranger.sendall(hello)
            check(is_dropped(stranger), f"{node.name} hangs up on another cluster's member")
        wait_until(lambda node=node: "initial-members" in read_text(node.log).split("refused")[-1],
                   f"{node.name}'s log says why")
    check_unharmed(cluster)


def peer_frames_on_client_ports_are_refused(cluster, given):
    """They are no RESP: lines of unknown commands at best, as for Redis. Nothing but errors answers them."""
    hello = catch_hello(cluster, given)
    for node in cluster:
        for port in (node.port, node.cluster_port):
            for text in (hello, hello * 500, frame(16, b"\x81" * 70000)):
                with socket.create_connection(("127.0.0.1", port), ANSWER_S) as client:
                    try:
                        client.sendall(text)
                        client.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass  # Cut off in the middle.
                    said = said_until_closed(client)
                    check(said is not None, f"port {port} hangs up on peer frames")
                    lines = said.split(b"\r\n-")
                    check(said == b"" or all(line.lstrip(b"-").startswith(b"ERR ") for line in lines),
                          f"port {port} answers peer frames: {said[:200]!r}")
    check_unharmed(cluster)


def client_ports_bear_nonsense(cluster, given):
    """Random bytes, HTTP and half commands on a client port: errors at most, and memory comes back."""
    node = cluster[2]
    before = memory_of(node)
    for text in strange_words()[:45] + [client_hello(), b"*1000000\r\n", b"*1\r\n$1000000000\r\n",
                                        b"*-5\r\n", b"$5\r\nhello\r\n", b"GET key:1" * 20000]:
        with socket.create_connection(("127.0.0.1", node.port), ANSWER_S) as client:
            try:
                client.sendall(text.replace(b"SHUTDOWN", b"shut"))
                client.shutdown(socket.SHUT_WR)
                client.settimeout(ANSWER_S)
                while client.recv(65536):
                    pass
            except ConnectionError:
                pass  # Cut off in the middle.
    for text in (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET key:1 changed\r\n",):
        with Connection(node.port) as client:
            client.send(text)
            check(is_dropped(client.socket), "cross-protocol scripting is cut off")
    wait_until(lambda: memory_of(node) - before < 1 << 20, "the memory comes back")
    check_unharmed(cluster)


def body():
    given = arguments()
    with Cluster(given.ringfort) as cluster:
        run_claims([
            nothing_sent_to_a_peer_port_changes_anything,
            memory_of_a_crowd_is_bounded,
            silent_strangers_do_not_keep_a_member_out,
        ], cluster)
        run_claims([
            a_hello_from_another_cluster_is_refused_with_words,
            peer_frames_on_client_ports_are_refused,
            client_ports_bear_nonsense,
        ], cluster, given)


main(body)
