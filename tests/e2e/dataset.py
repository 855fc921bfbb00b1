#!/usr/bin/python3 -B
"""A real data set: 100,000 words and a few large values, written and read back through every node."""

import hashlib
import random

from cluster import Cluster, arguments, check, check_equal, count, main, run_claims, wait_until

WORDS = "/usr/share/dict/words"  # Package wamerican.
WORDS_COUNT = 100000
BATCH = 1000
LARGE_SIZES = [1 << 20, (1 << 20) + 1, 3 << 20, 16 << 20]


def read_words():
    """WORDS_COUNT different words; where the file has fewer, derived ones follow."""
    with open(WORDS, encoding="utf-8") as file:
        words = list(dict.fromkeys(file.read().split()))
    check(len(words) > 10000, f"{WORDS} has {len(words)} words")
    own = list(words)
    while len(words) < WORDS_COUNT:
        words.append(f"{own[len(words) % len(own)]}-{len(words) // len(own)}")
    return words[:WORDS_COUNT]


def value_of(word):
    """Something that only this word has, of a size that varies."""
    digest = hashlib.blake2b(word.encode(), digest_size=32).hexdigest().encode()
    return digest * (1 + digest[0] % 4)


def batches(words):
    return [words[i:i + BATCH] for i in range(0, len(words), BATCH)]


def every_word_is_accepted(cluster, words):
    connections = [node.connect(30) for node in cluster]
    for i, batch in enumerate(batches(words)):
        replies = connections[i % len(connections)].pipeline(
            [("SET", word, value_of(word)) for word in batch])
        check_equal(set(replies), {"OK"}, "replies to SET")
    count("dataset_words", len(words))


def every_node_reads_every_word(cluster, words):
    for node in cluster:
        connection = node.connect(30)
        for batch in batches(words):
            replies = connection.pipeline([("GET", word) for word in batch])
            for word, reply in zip(batch, replies):
                check_equal(reply, value_of(word), f"{word} through {node.name}")
        count("dataset_reads", len(words))


def every_node_counts_every_word(cluster, words):
    for node in cluster:
        with node.connect() as connection:
            wait_until(lambda connection=connection: connection.call("DBSIZE") == len(words),
                       f"DBSIZE of {node.name} is {len(words)}")
    seen, cursor = set(), b"0"
    with cluster[1].connect() as connection:
        while True:
            cursor, keys = connection.call("SCAN", cursor, "COUNT", "5000")
            seen.update(keys)
            if cursor == b"0":
                break
    check_equal(len(seen ^ {word.encode() for word in words}), 0, "words that SCAN lost or made up")


def large_values_come_back(cluster, _):
    generator = random.Random(7)
    values = {f"large:{size}": generator.randbytes(size) for size in LARGE_SIZES}
    with cluster[0].connect(30) as connection:
        for key, value in values.items():
            check_equal(connection.call("SET", key, value), "OK", f"SET {key}")
    for node in cluster:
        with node.connect(30) as connection:
            for key, value in values.items():
                check_equal(connection.call("STRLEN", key), len(value), f"STRLEN {key}")
                check(connection.call("GET", key) == value, f"{key} through {node.name}")
            replies = connection.pipeline([("GET", key) for key in values])
            check(replies == list(values.values()), f"all in one pipeline through {node.name}")
    count("dataset_large_values", len(values))


def a_value_over_the_limit_is_refused(cluster, _):
    connection = cluster[0].connect(30)
    reply = connection.call("SET", "too large", b"x" * ((64 << 20) + 1))
    check(str(reply).startswith("ERR"), f"SET of 64 MB and a byte: {reply}")
    with cluster[1].connect() as other:
        check_equal(other.call("GET", "too large"), None, "it was not written")


def all_is_there_after_an_orderly_restart(cluster, words):
    cluster.stop()
    cluster.start()
    every_node_reads_every_word(cluster, random.Random(3).sample(words, 10000))


def body():
    given = arguments()
    words = read_words()
    with Cluster(given.ringfort, options={"request-timeout-ms": 10000}) as cluster:
        run_claims([
            every_word_is_accepted,
            every_node_reads_every_word,
            every_node_counts_every_word,
            large_values_come_back,
            a_value_over_the_limit_is_refused,
            all_is_there_after_an_orderly_restart,
        ], cluster, words)


main(body)
