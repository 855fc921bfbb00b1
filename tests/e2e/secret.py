#!/usr/bin/python3 -B
"""Members with one secret form a cluster; who has another, or none, is refused with words."""

import os

from cluster import (Cluster, Error, arguments, check, check_equal, exit_of, main, read_text,
                     run_claims, spawn, stop, tail, wait_until)

REFUSES_S = 30
KEYS = 200


def write_file(cluster, name, text):
    path = os.path.join(cluster.root, name)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        file.write(text)
    return path


def nodes_with_one_secret_serve(cluster):
    check("secret-file" in read_text(cluster[0].configuration), "the nodes were given the secret")
    with cluster[0].connect() as connection:
        replies = connection.pipeline([("SET", f"key:{i}", f"value {i}") for i in range(KEYS)])
        check_equal(set(replies), {"OK"}, "replies to SET")
    check_keys(cluster.nodes)


def check_keys(nodes):
    for node in nodes:
        with node.connect() as connection:
            check_equal(connection.pipeline([("GET", f"key:{i}") for i in range(KEYS)]),
                        [f"value {i}".encode() for i in range(KEYS)], f"keys of {node.name}")


def is_refused(cluster, node, server_options, label):
    """It starts with another secret: the others do not take it, say so, and go on; nor does it serve."""
    others = [other for other in cluster if other is not node]
    node.terminate()
    marks = [len(read_text(other.log)) for other in others]
    log = os.path.join(cluster.root, f"{label}.log")
    process = spawn([cluster.binary, "server", *server_options], log)
    try:
        for other, mark in zip(others, marks):
            # Whoever of the two dials is the first to see that the proofs differ.
            wait_until(lambda other=other, mark=mark: "secret" in read_text(other.log)[mark:] or
                       "secret" in read_text(log),
                       lambda other=other: f"one of the two says that secrets differ:\n"
                       f"{tail(other.log)}\n{tail(log)}", REFUSES_S)
            check_equal(other.live_count(), 2, f"members that {other.name} sees alive")
        check(process.poll() is None, f"it goes on trying:\n{tail(log)}")
        with node.connect() as connection:
            reply = connection.call("GET", "key:1")
            check(isinstance(reply, Error) and reply.word() in ("LOADING", "TRYAGAIN", "CLUSTERDOWN"),
                  f"it answers nothing without a quorum: {reply}")
            reply = connection.call("SET", "key:1", "changed")
            check(isinstance(reply, Error), f"it takes nothing: {reply}")
        check_keys(others)
    finally:
        stop(process)
    node.start()
    cluster.wait_all_live()
    check_keys(cluster.nodes)


def another_secret_is_refused(cluster):
    other = write_file(cluster, "other-secret", "not what the others have\n")
    for node in (cluster[2], cluster[0]):
        is_refused(cluster, node, ["-c", node.configuration, "--secret-file", other],
                   f"another-secret-{node.name}")


def a_secret_that_only_begins_alike_is_refused(cluster):
    other = write_file(cluster, "longer-secret", read_text(cluster.secret).strip() + "x\n")
    node = cluster[1]
    is_refused(cluster, node, ["-c", node.configuration, "--secret-file", other], "longer-secret")


def no_secret_is_refused(cluster):
    """The configuration file names one; without that line there is none."""
    node = cluster[2]
    text = read_text(node.configuration)
    lines = [line for line in text.splitlines() if not line.startswith("secret-file")]
    path = write_file(cluster, "no-secret.conf", "\n".join(lines) + "\n")
    is_refused(cluster, node, ["-c", path], "no-secret")


def a_secret_file_that_cannot_be_used_stops_the_start(cluster):
    for path in (os.path.join(cluster.root, "no such file"), write_file(cluster, "empty-secret", "")):
        status, said = exit_of([cluster.binary, "server", "-c", cluster[2].configuration,
                                "--secret-file", path], REFUSES_S)
        check(status in (1, 2), f"exit status {status}; it said: {said}")
        check("secret-file" in said and os.path.basename(path) in said, f"words: {said}")


def the_secret_is_shown_nowhere(cluster):
    secret = read_text(cluster.secret).strip()
    for node in cluster:
        check(secret not in read_text(node.log), f"the secret is in {node.name}'s log")
        with node.connect() as connection:
            shown = b"".join(part or b"" for part in connection.call("CONFIG", "GET", "*"))
            check(secret.encode() not in shown, "CONFIG GET shows the secret")


def body():
    given = arguments()
    cluster = Cluster(given.ringfort)
    cluster.secret = write_file(cluster, "secret", "what only members know 0123456789\n")
    cluster.options["secret-file"] = cluster.secret
    with cluster:
        run_claims([
            nodes_with_one_secret_serve,
            another_secret_is_refused,
            a_secret_that_only_begins_alike_is_refused,
            no_secret_is_refused,
            a_secret_file_that_cannot_be_used_stops_the_start,
            the_secret_is_shown_nowhere,
        ], cluster)


main(body)
