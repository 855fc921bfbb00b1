#!/usr/bin/python3 -B
"""redis-benchmark runs to its end on both faces, with and without pipelining, without one error."""

import csv

from cluster import (Cluster, arguments, check, check_equal, count, main, run, run_claims)

REQUESTS = 4000
TESTS = {"ping": ["PING_INLINE", "PING_MBULK"], "set": ["SET"], "get": ["GET"],
         "mset": ["MSET (10 keys)"]}


def benchmark(port, pipeline, *more):
    """Run all tests. redis-benchmark ends with status 1 at the first error reply."""
    said = run(["redis-benchmark", "-p", str(port), "-c", "50", "-P", str(pipeline), "-n",
                str(REQUESTS), "-r", "10000", "-d", "100", "-t", ",".join(TESTS), "--csv", *more],
               seconds=120)
    check("error" not in said.lower() and "WARNING" not in said, said)
    rows = [row for row in csv.reader(said.splitlines()) if len(row) > 1 and row[0] != "test"]
    names = [row[0] for row in rows]
    check_equal(names, sum(TESTS.values(), []), f"tests that ran on port {port}, -P {pipeline}")
    for name, rate, *_ in rows:
        check(float(rate) > 0, f"{name}: {rate} requests per second")
        print(f"   -P {pipeline} {' '.join(more)} {name}: {float(rate):.0f} requests/s", flush=True)
    count("redis_benchmark_requests", REQUESTS * len(rows))


def the_plain_face_serves(cluster):
    for node, pipeline in ((cluster[0], 1), (cluster[1], 16)):
        benchmark(node.port, pipeline)


def the_cluster_face_serves(cluster):
    for node, pipeline in ((cluster[2], 1), (cluster[0], 16)):
        benchmark(node.cluster_port, pipeline, "--cluster")


def resp3_serves(cluster):
    benchmark(cluster[0].port, 16, "-3")


def what_was_written_is_there(cluster):
    with cluster[0].connect() as connection:
        keys = connection.call("KEYS", "key:*")
        check(keys, "redis-benchmark left keys")
        values = [connection.call("GET", key) for key in keys[:1000]]
        check_equal({len(value) for value in values}, {100}, "sizes of the values")


def body():
    given = arguments()
    with Cluster(given.ringfort) as cluster:
        run_claims([the_plain_face_serves, the_cluster_face_serves, resp3_serves,
                    what_was_written_is_there], cluster)


main(body)
