#!/usr/bin/python3 -B
"""redis-cli as people use it: the first session that the demo prints, both faces, its tools."""

import os
import re
import shlex

from cluster import (Cluster, arguments, check, check_equal, count, main, run, run_claims,
                     wait_until)

KEYS = 300


def cli(port, *words, **more):
    return run(["redis-cli", "-p", str(port), *map(str, words)], **more)


def the_first_session_works_as_printed(cluster):
    """Every command under `In another terminal:` is run as it stands there."""
    with open(cluster.output, encoding="utf-8") as file:
        text = file.read()
    commands = re.findall(r"^  ((?:redis-cli|kill|/).*)$", text.split("In another terminal:")[1],
                          re.MULTILINE)
    check_equal(len(commands), 5, "commands that the demo suggests")
    said = []
    for command in commands:
        if command.startswith("kill"):
            victim = cluster[2]
            check_equal(command, f"kill -9 {victim.pid}", "the process to kill")
            victim.kill()
        else:
            said.append(run(shlex.split(command)))
    check_equal(said[:3], ["OK\n", "hello\n", "hello\n"], "replies before and after the kill")
    check("state:serving" in said[3], f"status of a node after the kill:\n{said[3]}")
    check(re.search(r"^n3 +down", said[3], re.MULTILINE), f"status shows that n3 is down:\n{said[3]}")
    cluster[2].start()
    cluster.wait_all_live()
    check_equal(cli(cluster[2].port, "get", "greeting"), "hello\n", "read through the node killed")


README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
# What the README's two sessions say, in their order; a command that is not here fails the test.
README_SAYS = [
    (r"redis-cli -p 7001 set greeting hello", r"^OK$"),
    (r"redis-cli -p 7002 get greeting", r"^hello$"),
    (r"kill -9 31107", r"^$"),
    (r"redis-cli -p 7001 set greeting again", r"^OK$"),
    (r"redis-cli -p 7002 get greeting", r"^again$"),
    (r"build/release/ringfort status -p 7001", r"(?s)1024 with a quorum.*^n3 +down"),
    (r"kill -9 31106", r"^$"),
    (r"redis-cli -p 7001 get greeting", r"^TRYAGAIN no quorum: 1 of 2 owners"),
]


def readme_commands():
    """The commands of `Two commands` and `Break it` that follow `In another terminal`."""
    with open(README, encoding="utf-8") as file:
        text = file.read().split("In another terminal:")[1].split("Start a node again")[0]
    commands = re.findall(r"^    (?:\$ )?((?:redis-cli|kill|build/).*?)(?:  +#.*)?$", text,
                          re.MULTILINE)
    return [part for command in commands for part in command.split(" && ")]


def the_readme_session_goes_as_it_says(cluster):
    commands = readme_commands()
    check_equal(commands, [command for command, _ in README_SAYS], "commands of README.md")
    for command, expected in README_SAYS:
        if command.startswith("kill"):
            cluster[2 if "31107" in command else 1].kill()
            continue
        command = command.replace("build/release/ringfort", cluster.binary)
        command = re.sub(r"-p 700(\d)", lambda found: f"-p {cluster[int(found[1]) - 1].port}", command)
        said = run(shlex.split(command), check_status=False)
        check(re.search(expected, said, re.MULTILINE), f"{command}: expected {expected}, got:\n{said}")
    for node in cluster.nodes[1:]:
        node.start()
    cluster.wait_all_live()
    check_equal(cli(cluster[2].port, "get", "greeting"), "again\n", "what n3 has missed")


def values_of_any_byte_come_back(cluster):
    node = cluster[0]
    for value in ("", " ", "a\"b'c", "line\nline", "\u00fc\u4e16\u754c", "-1", "*3"):
        check_equal(cli(node.port, "set", "odd", value), "OK\n", "reply to SET")
        check_equal(cli(cluster[1].port, "get", "odd"), value + "\n", "what GET prints")
    check_equal(cli(node.port, "del", "odd", "odd"), "1\n", "DEL of the same key twice")
    check_equal(cli(node.port, "get", "odd"), "\n", "GET of a deleted key")


def resp3_prints_what_resp2_prints(cluster):
    port = cluster[0].port
    cli(port, "-3", "set", "third", "version")
    check_equal(cli(port, "-3", "get", "third"), "version\n", "GET in RESP3")
    check_equal(cli(port, "-3", "get", "no such key"), "\n", "GET of nothing in RESP3")
    for face in (port, cluster[0].cluster_port):
        hello = cli(face, "-3", "hello", "3")
        check(re.search(r"^proto 3$", hello, re.MULTILINE), f"HELLO 3 says:\n{hello}")
    check("redis_version:7.0.15" in cli(port, "-3", "info", "server"), "INFO is text in RESP3 too")


def load(cluster):
    """KEYS keys through -c on one node, the rest follows redirections; piped commands, one process."""
    lines = "".join(f"set key:{i} {'x' * (i % 50 + 1)}\n" for i in range(KEYS))
    said = run(["redis-cli", "-c", "-p", str(cluster[0].cluster_port)], input=lines)
    check_equal(said.count("OK"), KEYS, f"replies OK to piped SETs:\n{said[:500]}")


def cluster_mode_reaches_every_key_from_every_node(cluster):
    for node in cluster:
        lines = "".join(f"strlen key:{i}\n" for i in range(KEYS))
        said = run(["redis-cli", "-c", "-p", str(node.cluster_port)], input=lines)
        sizes = [int(line) for line in said.split("\n") if line.isdigit()]
        check_equal(sizes, [i % 50 + 1 for i in range(KEYS)], f"lengths through {node.name}")


def cluster_check_finds_all_slots_covered(cluster):
    def counts_are_whole():
        said = run(["redis-cli", "--cluster", "check", f"127.0.0.1:{cluster[1].cluster_port}"])
        check("[OK] All nodes agree about slots configuration." in said, said)
        check("[OK] All 16384 slots covered." in said, said)
        check("[ERR]" not in said and "[WARNING]" not in said, said)
        total = re.search(r"\[OK\] (\d+) keys in 3 masters", said)
        check(total, f"three masters:\n{said}")
        # Each node counts in a pass of its own over what it holds.
        return int(total.group(1)) == keys_now(cluster)
    wait_until(counts_are_whole, "the nodes' counts add up to all keys")
    for node in cluster:
        said = run(["redis-cli", "--cluster", "info", f"127.0.0.1:{node.cluster_port}"])
        check("in 3 masters" in said, said)


def keys_now(cluster):
    return int(cli(cluster[0].port, "dbsize"))


def scan_lists_every_key_once(cluster):
    expected = sorted([f"key:{i}" for i in range(KEYS)] + ["greeting", "third"])
    for node in cluster:
        listed = cli(node.port, "--scan").split()
        check_equal(sorted(listed), expected, f"--scan on the plain face of {node.name}")
        listed = cli(node.port, "--scan", "--pattern", "key:1?").split()
        check_equal(sorted(listed), [f"key:1{i}" for i in range(10)], "--scan --pattern")
    parts = [cli(node.cluster_port, "--scan").split() for node in cluster]
    check_equal(sorted(sum(parts, [])), expected, "--scan over the cluster faces of all nodes")
    check(all(parts), "every node shows some of the keys on its cluster face")


def bigkeys_finds_the_biggest(cluster):
    cli(cluster[0].port, "set", "big", "y" * 5000)
    said = cli(cluster[1].port, "--bigkeys")
    check("Biggest string found '\"big\"' has 5000 bytes" in said, said)
    check(re.search(rf"^Sampled {KEYS + 3} keys", said, re.MULTILINE), said)


def multi_key_commands_cross_slots_on_the_plain_face_only(cluster):
    check_equal(cli(cluster[0].port, "mset", "a", "1", "b", "2"), "OK\n", "MSET on the plain face")
    check_equal(cli(cluster[1].port, "mget", "a", "b"), "1\n2\n", "MGET on the plain face")
    check_equal(cli(cluster[1].port, "exists", "a", "b", "c"), "2\n", "EXISTS on the plain face")
    said = cli(cluster[0].cluster_port, "mset", "a", "1", "b", "2", check_status=False)
    check(said.startswith("CROSSSLOT"), f"MSET over slots on the cluster face: {said}")
    said = cli(cluster[0].cluster_port, "select", "1", check_status=False)
    check("SELECT is not allowed in cluster mode" in said, said)
    cli(cluster[0].port, "-n", "3", "set", "a", "three")
    check_equal(cli(cluster[1].port, "-n", "3", "get", "a"), "three\n", "GET in database 3")
    check_equal(cli(cluster[1].port, "get", "a"), "1\n", "GET in database 0")


def mistakes_are_answered_with_words(cluster):
    port = cluster[0].port
    for words, expected in (
            (["frobnicate", "a"], "ERR unknown command 'frobnicate'"),
            (["get"], "ERR wrong number of arguments for 'get' command"),
            (["set", "a", "b", "px", "0"], "ERR invalid expire time in 'set' command"),
            (["select", "16"], "ERR DB index is out of range")):
        said = cli(port, *words, check_status=False)
        check(said.startswith(expected), f"{words}: expected {expected}, got {said}")
    said = run(["redis-cli", "-p", str(cluster[0].cluster_port), "cluster", "reset"],
               check_status=False)
    check(said.startswith("ERR"), f"CLUSTER RESET is refused: {said}")


def a_pipe_loads_many_commands(cluster):
    commands = b"".join(b"*3\r\n$3\r\nSET\r\n$%d\r\npipe:%d\r\n$1\r\nv\r\n" % (len(f"pipe:{i}"), i)
                        for i in range(2000))
    path = os.path.join(cluster.root, "pipe")
    with open(path, "wb") as file:
        file.write(commands)
    with open(path, "rb") as file:
        said = run(["redis-cli", "-p", str(cluster[0].port), "--pipe"], stdin=file)
    check("errors: 0, replies: 2000" in said, said)


def body():
    given = arguments()
    with Cluster(given.ringfort) as cluster:
        run_claims([
            the_first_session_works_as_printed,
            the_readme_session_goes_as_it_says,
            values_of_any_byte_come_back,
            resp3_prints_what_resp2_prints,
            load,
            scan_lists_every_key_once,
            cluster_mode_reaches_every_key_from_every_node,
            cluster_check_finds_all_slots_covered,
            bigkeys_finds_the_biggest,
            multi_key_commands_cross_slots_on_the_plain_face_only,
            mistakes_are_answered_with_words,
            a_pipe_loads_many_commands,
        ], cluster)
        count("redis_cli_keys", keys_now(cluster))


main(body)
