#!/usr/bin/python3 -B
"""kill -9 of one node after the other under load, twenty times: no acknowledged write is lost.

Each client thread keeps to one node and to keys of its own, and writes values that are unique. So the
truth about a key is known from its writer's replies: the last acknowledged value is there, or one
whose outcome is unknown (UNCERTAIN, or the connection broke before the reply). A value that was
refused (TRYAGAIN and other errors: nothing was applied) is never seen, nor an acknowledged one again
once a later one is acknowledged.
"""

import random
import sys
import threading
import time

from cluster import (Cluster, Connection, Error, Failed, arguments, check, check_equal, count, main,
                     run_claims, wait_until)

ROUNDS = 20
THREADS_PER_NODE = 2
HOT_KEYS = 40         # Per thread, written again and again.
FRESH_PART = 0.5      # Of writes go to a key of their own, written once.
OUTAGE_WRITES = 200   # That clients of the other nodes complete while a node is down.
OUTAGE_READS = 200
OUTAGE_ERRORS_MAX = 0.05
ANSWER_S = 5


class KeyTruth:
    """What a key may hold, as its only writer knows."""

    def __init__(self):
        self.acknowledged = None
        self.unknown = set()
        self.refused = set()
        self.superseded = set()

    def problem(self, value):
        """Why the key must not hold this value; None when it may."""
        if value == self.acknowledged or value in self.unknown:
            return None
        if value in self.refused:
            return "a refused value"
        if value in self.superseded:
            return f"an old value; {self.acknowledged} was acknowledged after it"
        return f"neither the acknowledged {self.acknowledged} nor an unknown value"


class Client(threading.Thread):
    """One connection's worth of load. Its counters are read by the main thread."""

    def __init__(self, node, number):
        super().__init__(daemon=True)
        self.node = node
        self.number = number
        self.random = random.Random(number)
        self.truths = {}
        self.sequence = 0
        self.writes = self.reads = self.refused = self.unknown = self.failed_reads = 0
        self.is_stopping = False
        self.failure = None

    def errors(self):
        return self.refused + self.unknown + self.failed_reads

    def operations(self):
        return self.writes + self.reads + self.errors()

    def run(self):
        try:
            while not self.is_stopping:
                try:
                    with Connection(self.node.port, ANSWER_S) as connection:
                        while not self.is_stopping:
                            self.step(connection)
                except OSError:  # The node is down: dial again, not in a busy loop.
                    time.sleep(0.01)
        except Failed as failure:
            self.failure = failure

    def step(self, connection):
        if self.random.random() < 0.5 or not self.truths:
            self.write(connection)
        else:
            self.read(connection, self.random.choice(list(self.truths)))

    def write(self, connection):
        self.sequence += 1
        if self.random.random() < FRESH_PART:
            key = f"fresh:{self.number}:{self.sequence}"
        else:
            key = f"hot:{self.number}:{self.random.randrange(HOT_KEYS)}"
        value = f"{self.number}-{self.sequence}"
        truth = self.truths.setdefault(key, KeyTruth())
        truth.unknown.add(value)  # Until the reply says more, even if none comes.
        try:
            reply = connection.call("SET", key, value)
        except OSError:
            self.unknown += 1
            raise
        if reply == "OK":
            truth.unknown.discard(value)
            if truth.acknowledged is not None:
                truth.superseded.add(truth.acknowledged)
            truth.acknowledged = value
            self.writes += 1
        elif isinstance(reply, Error) and reply.word() == "UNCERTAIN":
            self.unknown += 1
        elif isinstance(reply, Error):
            truth.unknown.discard(value)
            truth.refused.add(value)
            self.refused += 1
        else:
            raise Failed(f"SET answers {reply!r}")

    def read(self, connection, key):
        try:
            reply = connection.call("GET", key)
        except OSError:
            self.failed_reads += 1
            raise
        if isinstance(reply, Error):
            self.failed_reads += 1
            return
        value = None if reply is None else reply.decode()
        problem = self.truths[key].problem(value)
        if problem is not None:
            raise Failed(f"GET {key} through {self.node.name} is {value}: {problem}")
        self.reads += 1


class Load:
    """All clients together."""

    def __init__(self, cluster):
        self.clients = [Client(node, index * THREADS_PER_NODE + i)
                        for index, node in enumerate(cluster) for i in range(THREADS_PER_NODE)]
        for client in self.clients:
            client.start()

    def of_others(self, victim):
        return [client for client in self.clients if client.node is not victim]

    def check(self):
        for client in self.clients:
            if client.failure is not None:
                raise client.failure

    def stop(self):
        for client in self.clients:
            client.is_stopping = True
        for client in self.clients:
            client.join(2 * ANSWER_S)
            check(not client.is_alive(), "a client thread ends")
        self.check()


def outage(cluster, load, victim):
    """Kill, see the others go on, start again. Return their operations and errors meanwhile."""
    others = load.of_others(victim)
    before = [(client.writes, client.reads, client.errors()) for client in others]
    victim.kill()

    def goes_on():
        load.check()
        return all(client.writes - writes >= OUTAGE_WRITES // len(others) and
                   client.reads - reads >= OUTAGE_READS // len(others)
                   for client, (writes, reads, _) in zip(others, before))
    wait_until(goes_on, f"every client of the other nodes reads and writes without {victim.name}", 10)
    done = sum(client.operations() - sum(counts) for client, counts in zip(others, before))
    errors = sum(client.errors() - counts[2] for client, counts in zip(others, before))
    victim.start()
    victim.wait_serving()
    # Until it takes part again: without it the next outage would leave one node.
    cluster.wait_all_live()
    load.check()
    return done, errors


def every_outage_is_survived(cluster, load):
    generator = random.Random(11)
    done_sum = errors_sum = 0
    begin = time.monotonic()
    for number in range(ROUNDS):
        victim = generator.choice(cluster.nodes)
        done, errors = outage(cluster, load, victim)
        check(errors <= max(len(load.clients), done * OUTAGE_ERRORS_MAX),
              f"errors of clients of living nodes in outage {number}: {errors} of {done}")
        done_sum += done
        errors_sum += errors
    print(f"   {ROUNDS} outages in {time.monotonic() - begin:.1f} s; clients of living nodes: "
          f"{done_sum} operations, {errors_sum} errors", flush=True)
    count("kill9_outages", ROUNDS)
    count("kill9_operations_in_outages", done_sum)
    count("kill9_errors_in_outages", errors_sum)


def a_blackout_is_survived(cluster, load):
    """All nodes at once, in the middle of the load: what was acknowledged is on their disks."""
    for node in cluster:
        node.kill()
    for node in cluster:
        node.start()
    cluster.wait_all_live()
    before = [client.writes for client in load.clients]

    def goes_on():
        load.check()
        return all(client.writes > writes for client, writes in zip(load.clients, before))
    wait_until(goes_on, "every client writes again")


def the_load_ends(_, load):
    load.stop()
    for name in ("writes", "reads", "refused", "unknown", "failed_reads"):
        count(f"kill9_{name}", sum(getattr(client, name) for client in load.clients))


def no_acknowledged_write_is_lost(cluster, load):
    truths = {key: truth for client in load.clients for key, truth in client.truths.items()}
    keys = list(truths)
    late = 0
    for node in cluster:
        connection = node.connect(30)
        for i in range(0, len(keys), 1000):
            part = keys[i:i + 1000]
            replies = connection.pipeline([("GET", key) for key in part])
            for key, reply in zip(part, replies):
                check(not isinstance(reply, Error), f"GET {key} through {node.name}: {reply}")
                value = None if reply is None else reply.decode()
                problem = truths[key].problem(value)
                check(problem is None, f"{key} through {node.name} is {value}: {problem}")
                late += value != truths[key].acknowledged
    count("kill9_keys_audited", len(keys) * len(cluster.nodes))
    count("kill9_unknown_writes_seen", late)


def the_nodes_agree(cluster, load):
    """What one node answers all answer, also to reads of unknown writes: they are written back."""
    keys = sorted({key for client in load.clients for key in client.truths if key[0] == "h"})
    answers = []
    for node in cluster:
        with node.connect(30) as connection:
            answers.append(connection.pipeline([("GET", key) for key in keys]))
    for key, *values in zip(keys, *answers):
        check_equal(len(set(values)), 1, f"answers of the nodes for {key}: {values}")


def the_audit_would_notice(*_):
    """The audit's own alarm: it must refuse what a broken store could answer."""
    truth = KeyTruth()
    truth.acknowledged, truth.superseded, truth.refused = "new", {"old"}, {"no"}
    truth.unknown = {"perhaps"}
    for value in ("old", "no", None, "never written"):
        check(truth.problem(value) is not None, f"the audit accepts {value}")
    for value in ("new", "perhaps"):
        check(truth.problem(value) is None, f"the audit refuses {value}")


def body():
    given = arguments()
    sys.setswitchinterval(0.001)
    with Cluster(given.ringfort) as cluster:
        load = Load(cluster)
        run_claims([
            the_audit_would_notice,
            every_outage_is_survived,
            a_blackout_is_survived,
            the_load_ends,
            no_acknowledged_write_is_lost,
            the_nodes_agree,
        ], cluster, load)


main(body)
