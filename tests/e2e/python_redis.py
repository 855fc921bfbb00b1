#!/usr/bin/python3 -B
"""Debian's python3-redis, unmodified: Redis on the plain face, RedisCluster on the cluster face."""

import logging
import time

import redis
from redis.cluster import ClusterNode, RedisCluster

from cluster import (Cluster, Failed, arguments, check, check_equal, count, main, run_claims,
                     wait_until)

KEYS = 500
TIMEOUT_S = 10

logging.getLogger("redis").addHandler(logging.NullHandler())  # It prints what it retries.


def plain(node, **more):
    return redis.Redis(port=node.port, socket_timeout=TIMEOUT_S, **more)


def clustered(cluster, **more):
    seeds = [ClusterNode("127.0.0.1", node.cluster_port) for node in cluster]
    return RedisCluster(startup_nodes=seeds, socket_timeout=TIMEOUT_S, **more)


def commands_answer_as_redis_does(cluster):
    client, other = plain(cluster[0]), plain(cluster[1])
    check(client.ping(), "PING")
    check(client.set("word", "value"), "SET")
    check_equal(other.get("word"), b"value", "GET through another node")
    try:
        other.set("word", "x", nx=True)
        raise Failed("SET NX needs one winner and is refused")
    except redis.ResponseError as refusal:
        check("nothing was written" in str(refusal), f"what SET NX answers: {refusal}")
    check(client.setex("brief", 100, "v"), "SETEX")
    check(0 < other.ttl("brief") <= 100, "TTL")
    check(0 < other.pttl("brief") <= 100000, "PTTL")
    check_equal(other.ttl("word"), -1, "TTL of a key that stays")
    check_equal(other.ttl("no such key"), -2, "TTL of nothing")
    check(client.mset({"{m}a": "1", "b": "2", "c": ""}), "MSET")
    check_equal(other.mget("{m}a", "b", "c", "d"), [b"1", b"2", b"", None], "MGET")
    check_equal(other.exists("b", "c", "d"), 2, "EXISTS")
    check_equal(other.strlen("word"), 5, "STRLEN")
    check_equal(other.type("word"), b"string", "TYPE")
    check_equal(client.delete("b", "c", "d"), 2, "DEL")
    check_equal(other.unlink("{m}a"), 1, "UNLINK")
    check_equal(other.echo("bytes \x00 \xff"), "bytes \x00 \xff".encode(), "ECHO")
    check(other.info()["redis_version"] == "7.0.15", "INFO is parsed")
    check(abs(other.time()[0] - time.time()) < 100, "TIME")
    check_equal(client.get("word"), b"value", "the rest is untouched")


def a_key_expires_everywhere(cluster):
    plain(cluster[0]).set("soon gone", "v", px=300)
    check_equal(plain(cluster[1]).get("soon gone"), b"v", "before its time")
    for node in cluster:
        wait_until(lambda node=node: plain(node).get("soon gone") is None,
                   f"{node.name} answers nothing after the time", 5)


def pipelines_keep_their_order(cluster):
    pipeline = plain(cluster[0]).pipeline(transaction=False)
    for i in range(KEYS):
        pipeline.set(f"p:{i}", i).get(f"p:{i}")
    replies = pipeline.execute()
    check_equal(replies[1::2], [str(i).encode() for i in range(KEYS)], "a pipeline's own reads")
    count("python_redis_replies", len(replies))


def binary_keys_and_databases_are_kept_apart(cluster):
    for database in (0, 7, 15):
        plain(cluster[0], db=database).set(b"\x00\xff{\r\n}", bytes([database]) * 3)
    for database in (0, 7, 15):
        check_equal(plain(cluster[2], db=database).get(b"\x00\xff{\r\n}"), bytes([database]) * 3,
                    f"database {database}")
    check_equal(plain(cluster[2], db=7).dbsize(), 1, "DBSIZE of database 7")
    plain(cluster[0], db=7).flushdb()
    check_equal(plain(cluster[1], db=7).get(b"\x00\xff{\r\n}"), None, "after FLUSHDB")
    check_equal(plain(cluster[1], db=15).dbsize(), 1, "another database after FLUSHDB")


def scans_see_every_key(cluster):
    client = plain(cluster[1], db=9)
    names = {f"scan:{i}".encode() for i in range(KEYS)}
    for name in names:
        client.set(name, "v")
    check_equal(set(plain(cluster[0], db=9).scan_iter(count=50)), names, "SCAN")
    check_equal(set(plain(cluster[0], db=9).scan_iter(match="scan:4?")),
                {f"scan:4{i}".encode() for i in range(10)}, "SCAN MATCH")
    check_equal(set(plain(cluster[2], db=9).keys("*")), names, "KEYS")


def a_connection_pool_survives_a_restart(cluster):
    client = plain(cluster[2], retry_on_timeout=True)
    client.set("pooled", "before")
    cluster[2].terminate()
    cluster[2].start()
    cluster.wait_all_live()

    def reads():
        try:
            return client.get("pooled") == b"before"
        except redis.ConnectionError:  # The pooled connection was of the process that ended.
            return False
    wait_until(reads, "the same client reads again", TIMEOUT_S)


def the_cluster_client_finds_every_key(cluster):
    client = clustered(cluster)
    check_equal(len(client.get_primaries()), 3, "primaries that the client sees")
    for i in range(KEYS):
        check(client.set(f"c:{i}", i), f"SET c:{i}")
    check_equal([client.get(f"c:{i}") for i in range(KEYS)], [str(i).encode() for i in range(KEYS)],
                "GET of all")
    check_equal(client.mset({"{t}1": 1, "{t}2": 2}), True, "MSET in one slot")
    check_equal(client.mget("{t}1", "{t}2", "{t}3"), [b"1", b"2", None], "MGET in one slot")
    check_equal(client.delete("{t}1", "{t}2"), 2, "DEL in one slot")
    check_equal({client.keyslot(name) for name in ("foo", "{foo}bar")}, {12182}, "slots")
    check_equal(client.cluster_keyslot("foo"), 12182, "CLUSTER KEYSLOT")


def the_cluster_client_pipelines(cluster):
    client = clustered(cluster, read_from_replicas=True)
    pipeline = client.pipeline()
    for i in range(KEYS):
        pipeline.set(f"cp:{i}", i)
        pipeline.get(f"cp:{i}")
    replies = pipeline.execute()
    check_equal(replies[1::2], [str(i).encode() for i in range(KEYS)], "replies in order")
    count("python_redis_replies", len(replies))


def the_cluster_client_counts_keys_once(cluster):
    client = clustered(cluster)
    whole = plain(cluster[0]).dbsize()
    wait_until(lambda: client.dbsize(target_nodes=RedisCluster.PRIMARIES) == whole,
               "DBSIZE over all primaries is DBSIZE of the plain face", TIMEOUT_S)
    check_equal(len(list(client.scan_iter(count=100))), whole, "keys of SCAN over all primaries")


def the_cluster_client_goes_on_without_a_node(cluster):
    client = clustered(cluster)
    cluster[1].kill()
    left = [f"c:{i}" for i in range(KEYS)]

    def reads_on():
        while left:
            try:
                check_equal(client.get(left[-1]), left[-1][2:].encode(), f"GET {left[-1]}")
            except (redis.ConnectionError, redis.TimeoutError):
                return False
            left.pop()
        return True
    wait_until(reads_on, f"{KEYS} reads after a node was killed", 60)
    cluster[1].start()
    cluster.wait_all_live()


def body():
    given = arguments()
    with Cluster(given.ringfort) as cluster:
        run_claims([
            commands_answer_as_redis_does,
            a_key_expires_everywhere,
            pipelines_keep_their_order,
            binary_keys_and_databases_are_kept_apart,
            scans_see_every_key,
            a_connection_pool_survives_a_restart,
            the_cluster_client_finds_every_key,
            the_cluster_client_pipelines,
            the_cluster_client_counts_keys_once,
            the_cluster_client_goes_on_without_a_node,
        ], cluster)


main(body)
