#!/usr/bin/python3 -B
"""Stop and start: what is kept, what a node refuses to start with, and the words it says."""

import os
import re
import shutil
import signal

from cluster import (Cluster, arguments, check, check_equal, exit_of, main, read_text, run_claims,
                     spawn, stop, tail, wait_until)

KEYS = 500
REFUSES_S = 30


def write_keys(cluster):
    for node in cluster:
        with node.connect() as connection:
            replies = connection.pipeline([("SET", f"{node.name}:{i}", f"value {i}")
                                           for i in range(KEYS)])
            check_equal(set(replies), {"OK"}, "replies to SET")


def check_keys(cluster):
    for node in cluster:
        with node.connect() as connection:
            for name in ("n1", "n2", "n3"):
                replies = connection.pipeline([("GET", f"{name}:{i}") for i in range(KEYS)])
                check_equal(replies, [f"value {i}".encode() for i in range(KEYS)],
                            f"keys of {name} through {node.name}")


def identities(cluster):
    found = {}
    for node in cluster:
        with node.connect() as connection:
            info = connection.info()
            found[node.name] = {name: info[name] for name in ("node_id", "actor", "boot")}
    return found


def an_orderly_restart_keeps_data_and_actor(cluster):
    write_keys(cluster)
    before = identities(cluster)
    cluster.stop()
    cluster.start()
    after = identities(cluster)
    for name, identity in before.items():
        check_equal(after[name]["node_id"], identity["node_id"], f"node id of {name}")
        check_equal(after[name]["actor"], identity["actor"], f"actor of {name}")
        check_equal(int(after[name]["boot"]), int(identity["boot"]) + 1, f"boot of {name}")
    check_keys(cluster)


def one_node_restarts_while_the_others_serve(cluster):
    before = identities(cluster)["n2"]
    cluster[1].terminate()
    with cluster[0].connect() as connection:
        wait_until(lambda: connection.call("SET", "meanwhile", "v") == "OK", "SET without n2", 10)
    cluster[1].start()
    cluster.wait_all_live()
    check_equal(identities(cluster)["n2"]["actor"], before["actor"], "actor after an orderly stop")
    cluster[1].kill()
    cluster[1].start()
    cluster.wait_all_live()
    after = identities(cluster)["n2"]
    check(after["actor"] != before["actor"], "after a kill a node issues dots as a new actor")
    check_equal(after["node_id"], before["node_id"], "node id after a kill")
    with cluster[1].connect() as connection:
        check_equal(connection.call("GET", "meanwhile"), b"v", "what n2 has missed")
    check_keys(cluster)


def a_second_process_with_the_same_directory_is_refused(cluster):
    status, said = exit_of([cluster.binary, "server", "-c", cluster[0].configuration], REFUSES_S)
    check_equal(status, 1, f"exit status; it said: {said}")
    check(f"client-listen 127.0.0.1:{cluster[0].port} cannot be opened: address already in use"
          in said, f"words about the port: {said}")
    others = ["--client-listen", "off", "--cluster-listen", "off", "--peer-listen",
              f"127.0.0.1:{cluster.base + 9}"]
    status, said = exit_of([cluster.binary, "server", "-c", cluster[0].configuration, *others],
                           REFUSES_S)
    check_equal(status, 1, f"exit status; it said: {said}")
    check("another process holds its lock" in said, f"words about the lock: {said}")
    check(f"pid {cluster[0].pid}" in said, f"it names the process: {said}")
    check_keys(cluster)


def a_taken_port_stops_the_demo(cluster):
    command = cluster.command()
    command[command.index("--dir") + 1] = os.path.join(cluster.root, "other")
    status, said = exit_of(command, REFUSES_S)
    check_equal(status, 1, f"exit status; it said: {said}")
    check(f"port {cluster.base} is taken" in said and "--port" in said, f"words: {said}")
    check(not os.path.exists(os.path.join(cluster.root, "other")), "nothing was made")


def bad_usage_is_answered_with_words(cluster):
    """Exit status 2, and words that name the value and what is allowed."""
    binary = cluster.binary
    for command, words in (
            ([binary, "server", "--n", "9"], "n must be a number from 1 to 7, not '9'"),
            ([binary, "server", "--chache-bytes", "1gb"], "cache-bytes"),
            ([binary, "server", "-c", os.path.join(cluster.root, "no.conf")], "no.conf"),
            ([binary, "demo", "--nodes", "0"], "--nodes must be a number from 1 to 64"),
            ([binary, "demo", "--port"], "needs a value"),
            ([binary, "sever"], "did you mean server?"),
            ([binary, "server", "--r", "1", "--w", "1"], "linearizable needs r + w above n"),
            ([binary, "server", "--client-listen", "0.0.0.0:1"], "wildcard")):
        status, said = exit_of(command, REFUSES_S)
        check_equal(status, 2, f"exit status of {command[1:]}; it said: {said}")
        check(words in said, f"{command[1:]}: expected {words!r} in: {said}")


def a_bad_line_is_named(cluster):
    path = os.path.join(cluster.root, "bad.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# a comment\nnode-name = x\nsync = sometimes\n")
    status, said = exit_of([cluster.binary, "server", "-c", path], REFUSES_S)
    check_equal(status, 2, f"exit status; it said: {said}")
    check("bad.conf:3" in said or ("bad.conf" in said and "line 3" in said), f"file and line: {said}")
    check("sometimes" in said and "always" in said, f"value and what is allowed: {said}")


def refuses(cluster, changes, words):
    """n3 is stopped; with these changes its process ends with words. It is left stopped."""
    node = cluster[2]
    options = [text for key, value in changes.items() for text in (f"--{key}", value)]
    status, said = exit_of([cluster.binary, "server", "-c", node.configuration, *options], REFUSES_S)
    check_equal(status, 1, f"exit status with {changes}; it said:\n{said}")
    check(re.search(words, said), f"{changes}: expected {words!r} in:\n{said}")


def what_does_not_fit_the_data_is_refused(cluster):
    """Another node's directory, other members, another n: all would be a quiet loss of data."""
    node = cluster[2]
    node.terminate()
    members = re.search(r"^initial-members = (.*)$", read_text(node.configuration), re.MULTILINE)[1]
    copy = os.path.join(cluster.root, "n1-copy")
    cluster[0].terminate()
    shutil.copytree(cluster[0].directory, copy)
    refuses(cluster, {"data-dir": copy}, r"belongs to node 'n1', this is 'n3'")
    changed = members.replace(str(cluster[1].peer_port), str(cluster[1].peer_port + 5))
    check(changed != members, "an address was changed")
    for value in (members + f", n4@127.0.0.1:{cluster.base + 1008}",
                  members.replace("n2@", "m2@"), members.replace(", ", " weight=2, ", 1)):
        refuses(cluster, {"initial-members": value}, r"formed with other members")
    refuses(cluster, {"n": "2", "r": "2", "w": "2"}, r"other members, racks, weights, partitions, n")
    refuses(cluster, {"partitions": "2048"}, r"other members, racks, weights, partitions")
    refuses(cluster, {"cluster-name": "elsewhere"}, r"cluster-name")
    cluster[0].start()
    node.start()
    cluster.wait_all_live()
    check_keys(cluster)


def a_lost_directory_is_refused_by_the_others(cluster):
    """A known name with a new node id: it would count in quorums without what it had acknowledged."""
    node = cluster[2]
    node.terminate()
    empty = os.path.join(cluster.root, "empty")
    log = os.path.join(cluster.root, "empty.log")
    process = spawn([cluster.binary, "server", "-c", node.configuration, "--data-dir", empty], log)
    try:
        for other in cluster.nodes[:2]:
            wait_until(lambda other=other: "known with another node id" in read_text(other.log),
                       f"{other.name} says why:\n{tail(other.log)}", REFUSES_S)
        for other in cluster.nodes[:2]:
            check_equal(other.live_count(), 2, f"members that {other.name} sees alive")
        with node.connect() as connection:
            reply = connection.call("GET", "n1:1")
            check(str(reply).startswith(("LOADING", "TRYAGAIN", "CLUSTERDOWN")),
                  f"it does not serve: {reply}")
    finally:
        stop(process)
    node.start()
    cluster.wait_all_live()
    check_keys(cluster)


def a_damaged_store_is_refused(cluster):
    node = cluster[2]
    node.terminate()
    current = os.path.join(node.directory, "store", "CURRENT")
    os.rename(current, current + ".away")
    refuses(cluster, {}, r"damaged: the file CURRENT is missing")
    os.rename(current + ".away", current)
    node.start()
    cluster.wait_all_live()
    check_keys(cluster)


def an_unusable_directory_is_refused(cluster):
    path = os.path.join(cluster.root, "a-file")
    with open(path, "w", encoding="utf-8"):
        pass
    status, said = exit_of([cluster.binary, "server", "--client-listen",
                            f"127.0.0.1:{cluster.base + 9}", "--data-dir", path], REFUSES_S)
    check_equal(status, 1, f"exit status; it said: {said}")
    check(path in said and "Not a directory" in said, f"words: {said}")


def a_signal_to_the_demo_ends_all(cluster):
    pids = [node.pid for node in cluster if node.process is None]
    cluster.process.send_signal(signal.SIGINT)
    cluster.process.wait(30)
    check(not any(os.path.exists(f"/proc/{pid}") for pid in pids), "all of the demo's nodes have ended")


def body():
    given = arguments()
    with Cluster(given.ringfort) as cluster:
        run_claims([
            an_orderly_restart_keeps_data_and_actor,
            one_node_restarts_while_the_others_serve,
            a_second_process_with_the_same_directory_is_refused,
            a_taken_port_stops_the_demo,
            bad_usage_is_answered_with_words,
            a_bad_line_is_named,
            what_does_not_fit_the_data_is_refused,
            a_lost_directory_is_refused_by_the_others,
            a_damaged_store_is_refused,
            an_unusable_directory_is_refused,
            a_signal_to_the_demo_ends_all,
        ], cluster)


main(body)
