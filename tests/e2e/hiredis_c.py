#!/usr/bin/python3 -B
"""A C program over hiredis: long pipelines, keys and values of any bytes, large values."""

from cluster import Cluster, arguments, main, run, run_claims


def what_one_node_was_given_another_answers(cluster, client):
    for writer, reader in ((0, 1), (1, 2), (2, 2)):
        ports = [str(cluster[writer].port), str(cluster[reader].port)]
        print(run([client, *ports], seconds=120), end="", flush=True)


def body():
    given = arguments("client")
    with Cluster(given.ringfort) as cluster:
        run_claims([what_one_node_was_given_another_answers], cluster, given.client)


main(body)
