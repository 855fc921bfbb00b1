#!/usr/bin/python3 -B
"""A key that was deleted, or has expired, leaves zero bytes on the disk of every node."""

import glob
import os

from cluster import (Cluster, arguments, check, check_equal, count, main, run, run_claims,
                     wait_until)

GONE = "gone-without-trace"  # In the key and the value of every key that must vanish,
STAY = "stays-on-disk"       # and in those of every key that must be found.
KEYS = 300
STAYING = 50
COLLECTED_S = 60


def mset(connection, names, *more):
    replies = connection.pipeline([("SET", name, name + "=" + "v" * 64, *more) for name in names])
    check_equal(set(replies), {"OK"}, "replies to SET")


DELETED = [f"{GONE}:deleted:{i}" for i in range(KEYS)]
EXPIRED = [f"{GONE}:expired:{i}" for i in range(KEYS)]
CAUSAL = [f"{GONE}:causal:{i}" for i in range(KEYS // 10)]
KEPT = [f"{STAY}:{i}" for i in range(STAYING)]


def keys_are_written_and_go(cluster):
    one, two, three = [node.connect(30) for node in cluster]
    mset(one, KEPT)
    mset(one, DELETED)
    mset(two, DELETED[::2])  # A second version by another node.
    mset(three, EXPIRED[::3])
    mset(three, EXPIRED, "PX", 400)
    for key in CAUSAL:
        two.call("RF.SET", key, key + "=sibling 1")
        three.call("RF.SET", key, key + "=sibling 2")
    for commands in ([("DEL", key) for key in DELETED], [("DEL", key) for key in CAUSAL]):
        check_equal(three.pipeline(commands), [1] * len(commands), "replies to DEL")
    # Deleted, written and deleted again, and the delete of nothing.
    mset(one, DELETED[:20])
    two.pipeline([("UNLINK", key) for key in DELETED[:20]])
    two.pipeline([("DEL", f"{GONE}:never there:{i}") for i in range(20)])
    check_equal(one.call("GET", DELETED[0]), None, "a deleted key")
    for node in cluster:
        with node.connect() as connection:
            wait_until(lambda connection=connection:
                       connection.pipeline([("GET", key) for key in EXPIRED]) == [None] * KEYS,
                       f"all keys with PX have expired on {node.name}")


def one_key_is_deleted_while_a_node_is_down(cluster):
    """Its tombstone must stay until that node has heard of it."""
    key = f"{GONE}:missed by a node"
    with cluster[0].connect() as connection:
        mset(connection, [key])
        cluster[2].kill()
        wait_until(lambda: connection.call("DEL", key) == 1, "DEL with a node down", 10)
        owners = connection.explain(key)
        check("tombstone" in owners["n1"] + owners["n2"], f"a tombstone waits for n3: {owners}")
        cluster[2].start()
        cluster.wait_all_live()
        DELETED.append(key)


def no_owner_holds_a_version(cluster):
    with cluster[0].connect(30) as connection:
        left = set(DELETED + EXPIRED + CAUSAL)

        def all_are_gone():
            for key in sorted(left):
                owners = connection.explain(key)
                if any(versions != [] for versions in owners.values()):
                    return False
                left.discard(key)
            return True
        wait_until(all_are_gone, lambda: f"all owners have forgotten every key; {len(left)} are left, "
                   f"such as {min(left)}: {connection.explain(min(left))}", COLLECTED_S)
    count("disk_zero_keys", len(DELETED) + len(EXPIRED) + len(CAUSAL))


def the_logs_of_writes_empty(cluster):
    for node in cluster:
        with node.connect() as connection:
            wait_until(lambda connection=connection: connection.info()["log_entries"] == "0",
                       f"{node.name} has collected its log", COLLECTED_S)


def every_node_counts_what_stays(cluster):
    for node in cluster:
        with node.connect() as connection:
            check_equal(connection.call("DBSIZE"), STAYING, f"DBSIZE of {node.name}")


def dump(given, node, text):
    """What a stopped node holds: family -> (entries, entries with the text)."""
    said = run([given.store_dump, os.path.join(node.directory, "store"), text])
    return {name: (int(entries), int(holders))
            for name, entries, holders in (line.split() for line in said.splitlines())}


def files_with(node, text):
    """The store's own files that hold the text; a stranger to compression, which the dump is not."""
    return [os.path.basename(path) for path in glob.glob(os.path.join(node.directory, "store", "*"))
            if os.path.isfile(path) and text.encode() in open(path, "rb").read()]


def no_store_holds_a_byte_of_them(cluster, given):
    cluster.stop()
    for node in cluster:
        gone = dump(given, node, GONE)
        stay = dump(given, node, STAY)
        print(f"   {node.name}: {gone}", flush=True)
        check_equal(stay["data"][1], STAYING, f"keys that the dump of {node.name} finds")
        check_equal({name: holders for name, (_, holders) in gone.items()},
                    dict.fromkeys(gone, 0), f"entries of {node.name} with a vanished key")
        check_equal(gone["data"][0], STAYING, f"records of {node.name}")
        check_equal(gone["log"][0], 0, f"log entries of {node.name}")
        check_equal(files_with(node, GONE), [], f"files of {node.name} with a vanished key")


def body():
    given = arguments("store_dump")
    with Cluster(given.ringfort) as cluster:
        run_claims([
            keys_are_written_and_go,
            one_key_is_deleted_while_a_node_is_down,
            no_owner_holds_a_version,
            the_logs_of_writes_empty,
            every_node_counts_what_stays,
        ], cluster)
        run_claims([no_store_holds_a_byte_of_them], cluster, given)


main(body)
