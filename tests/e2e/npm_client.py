#!/usr/bin/python3 -B
"""Clients from npm, pinned by package-lock.json, unmodified: npm_client.py RINGFORT INSTALL_DIR CLIENT.

They are installed once per version of the lock file. A registry out of reach fails the test.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys

from cluster import (END_WITH_PARENT, Cluster, Failed, arguments, check, count, main, read_text,
                     run)

HERE = os.path.dirname(os.path.abspath(__file__))
NODE_VERSION_MIN = 20
INSTALL_S = 240
CLIENT_S = 120


def install(source, directory):
    """`npm ci` of source's lock file into directory, unless that very lock file is installed there."""
    os.makedirs(directory, exist_ok=True)
    lock_text = read_text(os.path.join(source, "package-lock.json"))
    installed = os.path.join(directory, "installed-lock.json")
    with open(os.path.join(directory, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # The two tests share the directory.
        if read_text(installed) == lock_text:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(source, name), directory)
        check(shutil.which("npm"), "npm is missing: ./dev deps installs it")
        try:
            run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], INSTALL_S, cwd=directory)
        except (Failed, subprocess.TimeoutExpired) as problem:
            raise Failed("the clients could not be fetched from the npm registry; this test needs it "
                         f"once for each package-lock.json: {problem}") from None
        with open(installed, "w", encoding="utf-8") as file:
            file.write(lock_text)


def node_program(directory):
    """A Node.js that is new enough: the machine's, or one from npm."""
    own = shutil.which("node")
    if own is not None:
        version = re.match(r"v(\d+)", run([own, "--version"]))
        if version and int(version[1]) >= NODE_VERSION_MIN:
            return own
    install(os.path.join(HERE, "node"), directory)
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine)
    program = os.path.join(directory, "node_modules", f"node-linux-{machine}", "bin", "node")
    check(os.path.exists(program), f"npm has no Node.js for {os.uname().machine}")
    return program


def carry_out(cluster, words):
    verb, number = words.split()
    node = cluster[int(number) - 1]
    if verb == "kill":
        node.kill()
    else:
        node.start()
        cluster.wait_all_live()


def converse(cluster, command, directory):
    """Run the client; do what it asks for."""
    with subprocess.Popen(END_WITH_PARENT + ["timeout", str(CLIENT_S)] + command, cwd=directory,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as client:
        claims = 0
        for line in client.stdout:
            if line.startswith("ASK "):
                carry_out(cluster, line[4:])
                try:
                    os.write(client.stdin.fileno(), b"done\n")
                except BrokenPipeError:
                    pass  # It has failed meanwhile, and says why.
            else:
                claims += line.startswith("ok ")
                print(line, end="", flush=True)
    check(client.returncode == 0, f"the client's exit status is {client.returncode}")
    check(claims > 0, "the client has checked something")
    count("npm_client_claims", claims)


def body():
    given = arguments("directory", "client")
    clients = os.path.join(given.directory, "clients")
    install(HERE, clients)
    node = node_program(os.path.join(given.directory, "node"))
    name = os.path.basename(given.client)
    for script in (name, "npm_claims.mjs"):  # Beside node_modules, where imports are looked for.
        target = os.path.join(clients, script)
        shutil.copy(os.path.join(HERE, script), f"{target}.{os.getpid()}")
        os.replace(f"{target}.{os.getpid()}", target)
    with Cluster(given.ringfort) as cluster:
        ports = [",".join(str(port) for port in ports) for ports in (
            [node.port for node in cluster], [node.cluster_port for node in cluster])]
        converse(cluster, [node, name, *ports], clients)


if __name__ == "__main__":
    sys.exit(main(body))
