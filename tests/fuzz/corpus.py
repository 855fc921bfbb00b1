#!/usr/bin/env python3
"""corpus.py DIRECTORY - write the seeds of all fuzzers: DIRECTORY/fuzz_NAME/NNNN, the same every time.

Each seed is one form of a grammar or one way to break it. What a checksum covers is left to the
fuzzers, which put right ones in; see the first bytes of each fuzzer's input."""
import itertools
import os
import sys

SEEDS = {}
RUNS = 4  # Option of fuzz_resp: runs are written short.


def compact(data):
    """As fuzz_expand reads it: long runs of one byte take four bytes."""
    out = b""
    for byte, group in itertools.groupby(data):
        left = len(list(group))
        while left > 0:
            count = min(left, 65535)
            short = count < 5 and byte != 0xfa
            out += bytes([byte]) * count if short else b"\xfa" + count.to_bytes(2, "big") + bytes([byte])
            left -= count
    return out


def seed(fuzzer, *parts):
    data = b"".join(bytes([p]) if isinstance(p, int) else p for p in parts)
    inputs = SEEDS.setdefault(fuzzer, [])
    if data not in inputs:
        inputs.append(data)


# ---- Requests of clients ----

def bulk(word):
    return b"$%d\r\n%s\r\n" % (len(word), word)


def request(*words):
    words = [w.encode() if isinstance(w, str) else w for w in words]
    return b"*%d\r\n" % len(words) + b"".join(map(bulk, words))


LENGTHS = [b"-2147483649", b"-2147483648", b"-2", b"-1", b"-0", b"0", b"00", b"01", b"1", b"2", b"+1",
           b" 1", b"1 ", b"", b"x", b"0x10", b"1e3", b"1.0", b"10", b"11", b"16384", b"16385",
           b"65535", b"65536", b"1048576", b"1048577", b"536870912", b"536870913", b"2147483647",
           b"2147483648", b"4294967295", b"4294967296", b"4294967297", b"9223372036854775807",
           b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
           b"99999999999999999999999", b"1\x00", b"\xff", b"1\r", b"000000000000000000001"]
ENDS = [b"\r\n", b"\n", b"\r", b"", b"\r\x00", b"\rX", b"\n\r", b"\r\r\n"]

INLINE = [b"PING", b"ping", b"  PING  ", b"SET k v", b'SET k "a b"', b"SET k 'a b'", b'SET k "a',
          b"SET k 'a", b'SET k "a"b', b"SET k 'a'b", b'"\\x41\\x4"', b'"\\x4g"', b'"\\n\\r\\t\\b\\a\\q"',
          b"'\\''", b"'\\n'", b'""', b"''", b'"" ""', b'a"b"', b"a'b' c", b"\x00", b"PING\x00PONG",
          b'"\x00"', b"\t\x0b\x0cPING", b"\xff\xfe", b'"\\', b'"\\x', b'"\\xa', b"'\\", b"", b" ",
          b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"Host: localhost", b"EHLO x", b"$5", b"+OK", b":1",
          b"-ERR", b"~1", b"%1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"a" * 65533,
          b"a" * 65534, b"a" * 65535, b"a" * 65536, b"a" * 65537, b"a " * 3000, b'"' * 400]

HTTP = (b"POST / HTTP/1.1\r\nHost: 127.0.0.1:6379\r\nContent-Length: 30\r\n\r\n"
        b"*1\r\n$8\r\nFLUSHALL\r\nSET a b\r\n")

# What has crashed Redis or confused it: lengths that overflow a product or a sum, null bulks where a
# word must be, arrays in arrays, a bulk that ends where another begins.
CVE_SHAPES = [
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870913\r\n", b"*1073741824\r\n$1\r\n", b"*-1\r\n*-1\r\nPING\r\n",
    b"*2\r\n$-1\r\n$-1\r\n", b"*1\r\n*1\r\n$4\r\nPING\r\n", b"*1\r\n:1\r\n", b"*1\r\n+PING\r\n",
    b"*2\r\n$4\r\nPING\r\n", b"*1\r\n$4\r\nPING", b"*1\r\n$4\r\nPINGPING\r\n", b"*1\r\n$4\r\nPI\r\n",
    b"*1\r\n$4\n\r\nPING\r\n", b"*1\r\n$4\r\nPING\r\n*", b"*1\r\n$4\r\nPING\r\n*1", b"*1\r\n$\r\n",
    b"*\r\n", b"*", b"*0\r\n*0\r\n*0\r\n", b"*1\r\n\r\n", b"*1\r\n\x00\r\n", b"*1000000\r\n" + b"$0\r\n\r\n" * 64,
    b"*2147483647\r\n" + b"$0\r\n\r\n" * 3, b"*1\r\n$2147483647\r\n" + b"A" * 64, b"$4\r\nPING\r\n",
    b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n", b"*11\r\n" + b"$1\r\na\r\n" * 11, b"*10\r\n" + b"$1\r\na\r\n" * 10,
    b"*1\r\n$16385\r\n" + b"a" * 16385 + b"\r\n", b"*1\r\n$16384\r\n" + b"a" * 16384 + b"\r\n",
    b"*" + b"1" * 65536, b"*1\r\n$" + b"1" * 65537, b"*" + b"0" * 70000 + b"1\r\n", HTTP,
    b"*3\r\n$8\r\nSETRANGE\r\n$1\r\nk\r\n$20\r\n18446744073709551615\r\n",
    b"*1\r\n$20\r\naaaaaaaaaaaaaaaaaaaa\r\n", b"*1\r\n$21\r\naaaaaaaaaaaaaaaaaaaaa\r\n",
    b"*5\r\n" + b"$14\r\naaaaaaaaaaaaaa\r\n" * 5, b"\r\n" * 50 + b"PING\r\n", b"\n\n\n*1\r\n$4\r\nPING\r\n",
]


def seed_resp(options, *parts):
    data = b"".join(parts)
    if len(data) > 300:
        seed("resp", options | RUNS, compact(data))
    else:
        seed("resp", options, data)


def seeds_resp():
    for options in range(4):
        for length in LENGTHS:
            seed_resp(options, b"*" + length + b"\r\n$4\r\nPING\r\n")
            seed_resp(options, b"*2\r\n$3\r\nGET\r\n$" + length + b"\r\nkk\r\n")
        for shape in CVE_SHAPES:
            seed_resp(options, shape)
    for end in ENDS:
        seed_resp(0, b"*1" + end + b"$4" + end + b"PING" + end + b"*1\r\n$4\r\nPING\r\n")
        seed_resp(0, b"PING" + end + b"*1\r\n$4\r\nPING\r\n")
        seed_resp(0, b"*2\r\n$4\r\nECHO\r\n$2" + end + end + b"\r\n")
    for line in INLINE:
        seed_resp(0, line, b"\r\n")
        seed_resp(1, request("PING"), line, b"\n", request("PING"))
    for word in [b"", b"\x00", b"\r\n", b"*1\r\n$4\r\nPING\r\n", b"\xff" * 9, b"a" * 300]:
        seed_resp(0, request(b"SET", word, word), request(word), request(b"GET", word))
    for count in range(0, 13):
        seed_resp(count % 4, request(*[b"w%d" % i for i in range(count)]), b"PING\r\n")


def main():
    for name, write in sorted(globals().items()):
        if name.startswith("seeds_"):
            write()
    for fuzzer, inputs in sorted(SEEDS.items()):
        folder = os.path.join(sys.argv[1], "fuzz_" + fuzzer)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(inputs):
            with open(os.path.join(folder, "%04d" % number), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
