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


# ---- What members send each other ----

def pack(value):
    """msgpack, in the shortest forms, as msgpack-c writes it."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        if value < 0:
            return b"\xd3" + value.to_bytes(8, "big", signed=True)
        for tag, width in ((0xcc, 1), (0xcd, 2), (0xce, 4), (0xcf, 8)):
            if value < 1 << 8 * width:
                return bytes([tag]) + value.to_bytes(width, "big")
    if isinstance(value, bytes):
        head = b"\xc4" + bytes([len(value)]) if len(value) < 256 else b"\xc5" + len(value).to_bytes(2, "big")
        return head + value
    if isinstance(value, list):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + len(value).to_bytes(2, "big")
        return head + b"".join(map(pack, value))
    head = bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + len(value).to_bytes(2, "big")
    return head + b"".join(pack(k) + pack(v) for k, v in value.items())


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def stored_key(user):
    """fuzz_wire and fuzz_record put slot and hash in place of the mark."""
    return b"\xee\xee\x00\xee\xee\xee\xee" + varint(len(user)) + user + b"\x00"


def clock(actors):
    """{actor: [(gap, length - 1), ...]}"""
    out = varint(len(actors))
    for actor, intervals in sorted(actors.items()):
        out += actor.to_bytes(8, "big") + varint(len(intervals))
        out += b"".join(varint(gap) + varint(length) for gap, length in intervals)
    return out


def version(actor, counter, payload=b"value", kind=1, flags=0, absent=False, size=None, expiry=0):
    size = len(payload) if size is None else size
    return [actor, counter, 1 << 50, expiry, kind, flags, absent, size, payload]


BIG = 2 ** 64 - 1
KEY = stored_key(b"key")
CLOCK = clock({7: [(0, 4), (3, 0)], 9: [(1, 1)]})
OWNER = [2, True, True, False, [version(7, 1, b"", absent=True, size=5)]]
OP = [1, False, True, False, 2, 2, 1000, 0, b"value", [7, 1, 1 << 50, 9, 3, 1 << 49]]
RESULT = [0, True, 2, 1, 30, 0, 0, 1 << 50, 7, 3, b"value", [version(7, 3), version(9, 1, flags=1)],
          [7, 3, 1 << 50], [OWNER]]
FIELDS = {  # By number: what is right for it, then what is not, or just so.
    1: [KEY, b"", KEY + b"x", KEY[:-1], b"\x00" * 8, stored_key(b""), stored_key(b"a" * 100), b"\x00\x00", 1],
    2: [[7, 1, 9, 3], [], [7], [7, 0], [7, BIG], [7, 1, 7, 1], [9, 3, 7, 1], [b"", 1], {}],
    3: [True, False, 1, None],
    4: [b"\x00\x01\x02", b"", b"\x03", b"\xff" * 40, []],
    5: [[version(7, 1)], [], [version(7, 1), version(9, 2, flags=1)], [version(7, 1, b"", kind=0)],
        [version(7, 1, kind=2)], [version(7, 1, flags=2)], [version(7, 1, absent=True)],
        [version(7, 1, b"", absent=True, size=BIG)], [version(7, 1, size=4)], [version(7, 1, expiry=-5)],
        [version(7, 0)], [version(7, 1)[:8]], [version(7, 1) + [0]], [1], [[]], [version(7, 1, b"p", kind=0)],
        [version(7, BIG - 1)], [version(9, 1), version(7, 1), version(7, 1)], [None] * 200],
    6: [b"\x00" * 8, b"\x00" * 16, b"\x00" * 7, b"", 0],
    7: [1, 2, 3, 0, 4, 255, 256, BIG],
    8: [[3, CLOCK], [], [3, b""], [3, clock({})], [65536, CLOCK], [3], [3, CLOCK + b"x"], [3, CLOCK[:-1]],
        [3, clock({7: []})], [3, clock({7: [(0, 0), (0, 0)]})], [3, clock({7: [(BIG - 1, 0)]})],
        [3, clock({7: [(0, BIG - 2)]})], [3, varint(BIG)], [3, CLOCK, 4, CLOCK], [3, b"\x01" + b"\x00" * 8 + varint(BIG)]],
    9: [[7, 1, KEY], [], [7, 0, KEY], [7, 1, b""], [7, 1], [7, 1, KEY, 9, 3, stored_key(b"other")]],
    10: [[KEY, [version(7, 1)], [9, 3]], [], [KEY, [], []], [b"", [], []], [KEY, [version(7, 1, absent=True)], []],
         [KEY, [], [9]], [KEY, [version(7, 1)], [9, 3], stored_key(b"other"), [version(8, 2)], []]],
    11: [True, 0], 12: [True, 0],
    13: [OP, [], OP[:9], OP + [1], [7] + OP[1:], OP[:4] + [8, 2] + OP[6:], OP[:6] + [3600001] + OP[7:],
         OP[:9] + [[7, 1]], OP[:7] + [-1, b"", []], OP[:9] + [[7, 1, 5] * 40]],
    14: [RESULT, [], RESULT[:13], [6] + RESULT[1:], RESULT[:13] + [[[65536] + OWNER[1:]]], RESULT[:13] + [[[]]],
         RESULT[:11] + [[], [], []], [0, True, 256, 1] + RESULT[4:], [0, True, 2, 1, 1 << 40] + RESULT[5:]],
    15: [1, 16384 << 32, BIG, -1], 16: [16384 << 32, BIG], 17: [100, 0, BIG, 1 << 24], 18: [1, 15, 16, BIG],
    19: [[b"key", 5, True], [], [b"key", 5], [b"", 0, False], [1, 2, 3], [b"a" * 200, BIG, True] * 3],
    20: [b"\x00\x03", b"\x00", b"", b"\xff\xff"], 21: [b"\x00" * 256, b"", b"\x00" * 255, b"\x00" * 257],
    0: [1], 22: [{}], 99: [[[[]]]], BIG: [None],
}
TYPES = {  # The fields that a type has, as the first entries of FIELDS.
    16: [1, 2, 3], 17: [1, 4, 5], 18: [1, 2, 5], 19: [1, 2, 5], 20: [6], 21: [7], 22: [8], 23: [8],
    24: [8, 9, 10, 11], 25: [1, 13], 26: [1, 14], 27: [15, 16, 17, 18], 28: [15, 19], 29: [20], 30: [21],
}
BODIES = [b"", b"\x80", b"\x90", b"\xc0", b"\x81", b"\x81\x01", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff",
          b"\x81\x05\xdd\x7f\xff\xff\xff", b"\x81\x01\xc6\xff\xff\xff\xff", b"\x81\x01\xdb\x7f\xff\xff\xff",
          b"\x81\x02\x82\x01", b"\x81\x63" + b"\x91" * 15 + b"\x90", b"\x81\x63" + b"\x91" * 16 + b"\x90",
          b"\x81\x63" + b"\x91" * 600 + b"\x90", b"\x81\x63" + b"\x81\x01" * 15 + b"\x80", b"\xc1", b"\x81\xc1\x01",
          b"\x80\x80", b"\x81\x01\xa3key", b"\x81\x63\xc7\x03\x01abc", b"\x81\x63\xd4\x01a", b"\x81\x63\xca\x00\x00\x00\x00",
          b"\x81\x63\xcb\x00", b"\x81\x63\xc7\x00\x01", b"\x81\x63\xc9\xff\xff\xff\xff\x01", b"\x81\xd0\x05\x90",
          b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00", b"\xde\x00\x01\x63\x01", b"\xdc" + b"\x03\xe8" + b"\x00" * 1000,
          b"\x81\x05\xdc" + b"\x03\xe8" + b"\x00" * 1000, b"\x81\x08\xdc" + b"\x03\xe8" + b"\x00" * 1000]


def frame(kind, body, wire_version=1, length=None, checksum=b"\x00" * 8):
    rest = bytes([kind, wire_version]) + b"\x00\x01" + b"\x00" * 7 + b"\x09" + b"\x00\x03" + b"\x00" * 8
    rest += (1 << 56).to_bytes(8, "big") + checksum + body
    return (len(rest) if length is None else length).to_bytes(4, "big") + rest


def seeds_wire():
    for kind, fields in TYPES.items():
        right = {field: FIELDS[field][0] for field in fields}
        seed("wire", 2, kind, pack(right))
        seed("wire", 1, frame(kind, pack(right)), frame(kind, pack(right)))
        for field in fields:
            seed("wire", 2, kind, pack({f: v for f, v in right.items() if f != field}))
            for value in FIELDS[field][1:]:
                seed("wire", 2, kind, pack({**right, field: value}))
        seed("wire", 2, kind, pack(right)[:-1])
        seed("wire", 2, kind, pack({**right, 99: [[], {}, None, -1]}))
    every = {field: values[0] for field, values in FIELDS.items()}
    for kind in list(TYPES) + [0, 15, 31, 255]:
        seed("wire", 2, kind, pack(every))
    for body in BODIES:
        seed("wire", 2, 18, body)
        seed("wire", 1, frame(18, body))
    for length in [0, 1, 37, 38, 39, 40, 4051, 4052, 4092, 4093, 65535, 2 ** 31, 2 ** 32 - 1]:
        seed("wire", 1, frame(4, b"", length=length), frame(4, b""))
    for wire_version in [0, 2, 255]:
        seed("wire", 1, frame(4, b""), frame(4, b"", wire_version), frame(4, b""))
    seed("wire", 1, frame(4, b"a" * 4050), frame(4, b"a" * 4051), frame(4, b"a" * 4052))
    seed("wire", 0, frame(4, b"", checksum=b"\x01" * 8))
    seed("wire", 0, HTTP)
    seed("wire", 0, request("PING"))
    for kind in range(1, 9):
        seed("wire", 1, frame(kind, b""), frame(kind, pack({1: b"x" * 16, 2: 5, 3: [b"y" * 16]})))


# ---- Contexts ----

def groups(dots, newest=BIG >> 8, actors=None):
    """{actor: [(step, age), ...]} in the order given."""
    out = newest.to_bytes(8, "big") + varint(len(dots) if actors is None else actors)
    for actor, steps in dots:
        out += actor.to_bytes(8, "big") + varint(len(steps))
        out += b"".join(varint(step) + varint(age) for step, age in steps)
    return out


def seeds_context():
    one = groups([(7, [(1, 0)])])
    two = groups([(7, [(1, 0), (2, 5)]), (9, [(300, 1000)])])
    for said in [one, two, one[:-1], one + b"\x00", one[:8], b"", groups([]), groups([(7, [])]),
                 groups([(7, [(0, 0)])]), groups([(9, [(1, 0)]), (7, [(1, 0)])]), groups([(7, [(1, 0)]), (7, [(2, 0)])]),
                 groups([(7, [(BIG, 0)])]), groups([(7, [(BIG, 0), (1, 0)])]), groups([(7, [(1, BIG)])]),
                 groups([(7, [(1, 0)])], newest=0), groups([(7, [(1, 1)])], newest=0), groups([(0, [(1, 0)])]),
                 groups([(7, [(1, 0)])], actors=2), groups([(7, [(1, 0)])], actors=0), groups([(7, [(1, 0)])], actors=BIG),
                 groups([(a, [(1, a)]) for a in range(100)]), groups([(BIG, [(1, 0)] * 200)]),
                 one[:17] + varint(BIG) + one[18:], one[:17] + b"\x81\x00" + one[18:],
                 one[:-2] + b"\x80" * 10 + b"\x00", one[:9] + b"\xff" * 300]:
        seed("context", 1, said)
    for text in [b"", b"A", b"AA", b"AAA=", b"AQ", b"AR", b"-_-_", b"+/+/", b" ", b"\x00" * 60, b"\xff" * 60, b"A" * 60,
                 b"AQ" * 40, b"A" * 65, b"B" * 4000, b"nil", b"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]:
        seed("context", 0, text)
    for dots in [b"", b"\x00", b"\x01\x02\x03", b"\x20" * 5, b"\x80" * 40, b"\xc0" * 9, b"\xff" * 64, bytes(range(64)),
                 b"\x01\x91\x02\xa1" * 16, b"\x0f\x1f\x8f" * 20]:
        seed("context", 2, b"\x05", (1 << 60).to_bytes(8, "big"), dots)
        seed("context", 2, b"\xff" * 9, dots)


# ---- Configuration ----

KEYS = 100  # More than there are: the fuzzer takes them modulo.
VALUES = [b"", b"0", b"1", b"3", b"7", b"8", b"00", b"-1", b"+1", b" 1", b"1 ", b"1.5", b"64mb", b"64MB", b"64 mb", b"1gb",
          b"1kb", b"1023", b"1025gb", b"99999999999999999gb", b"999999999999999999", b"9999999999999999999", b"kb",
          b"yes", b"no", b"Yes", b"always", b"quorum", b"default", b"debug", b"json", b"off", b"127.0.0.1:1", b"localhost:65535",
          b"localhost:65536", b"[::1]:80", b"[::1]", b"::1:80", b"0.0.0.0:80", b"host:0", b":80", b"host:", b"a" * 127 + b":1",
          b"a" * 128 + b":1", b"n1", b"a" * 63, b"a" * 64, b"a" * 255, b"a" * 256, b"dc1/r1", b"a b", b"a;b", b"a #b", b"a ;b",
          b"\x01\x7f\xff", b"'", b"%s%n", b"n1@h:1", b"n1@h:1,n2@h:2 rack=a/b weight=3", b"n1@h:1,", b",n1@h:1", b"n1@h:1,n1@h:2",
          b"n1@h:1,n2@h:1", b"@h:1", b"n1@", b"n1@h:1 weight=0", b"n1@h:1 weight=1001", b"n1@h:1 rack=", b"n1@h:1 x=1",
          b"n1@" + b"h" * 125 + b":1", b"n1@h:1" + b" " * 400, b",".join(b"n%d@h:%d" % (i, i) for i in range(1, 256)),
          b",".join(b"n%d@h:%d" % (i, i) for i in range(1, 258))]
FILES = [b"", b"\n", b"# comment\n", b"; comment\n", b"n = 3\nr=2\n w=1\n", b"n = 3\n", b"n = 3", b"n: 3\n", b"n 3\n", b"= 3\n",
         b"[node]\nn = 3\n", b"[node\n", b"  [node]\n", b"n =\n", b"n = 3 ; three\n", b"n = 3;three\n", b"n = 3 # three\n",
         b"initial-members = n1@h:1,\n  n2@h:2,\n  n3@h:3\n", b"initial-members = n1@h:1,\n\n  n2@h:2\n",
         b"initial-members = n1@h:1,\n# no\n  n2@h:2\n", b"initial-members =\n  n1@h:1\n",
         b"initial-members = " + b", ".join(b"node-%d@host-%d:%d rack=dc%d/r%d" % (i, i, i, i % 3, i) for i in range(1, 40)) + b"\n",
         b"data-dir = " + b"/d" * 100 + b"\n", b"data-dir = " + b"/" * 200 + b"\n", b"data-dir = " + b"d" * 300 + b"\n",
         b"data-dir = " + b"d;" * 90 + b"\n", b"data-dir = " + b"d ;" * 60 + b"\n", b"data-dir = " + b"d #" * 60 + b"\n",
         b"data-dir = " + b"d = " * 50 + b"\n", b"data-dir = a\n b\n\tc\n", b"a" * 63 + b" = 1\n", b"a" * 64 + b" = 1\n", b"a" * 250 + b" = 1\n",
         b"n\x00 = 3\n", b"\xef\xbb\xbfn = 3\n", b"\xff = 3\n", b"n = 3\r\nr = 2\r\n", b"n = 3\rr = 2\r", b" n = 3\n", b"\tn = 3\n r = 2\n",
         b"requirepass = a b c\n", b"requirepass = #x\n", b"requirepass = x\n  ;y\n", b"requirepass = \"q\"\n", b"n = 3\nn = 4\n",
         b"node-name = n1\ninitial-members = n1@h:1\nclient-listen = off\npeer-listen = 0.0.0.0:1\n", b"db.0.r = 1\ndb.15.w = default\n",
         b"consistency = quorum\nr = 1\nw = 1\n", b"rack=" + b" " * 300 + b"a\n", b"rack = a" + b" " * 300 + b"\n", b"x" * 5000, b"n = 3\n" * 200]


def seeds_config():
    for number, value in enumerate(VALUES):
        for key in range(0, KEYS, 9):
            seed("config", 0, (key + number) % KEYS, value)
        for name in [b"initial-members", b"client-listen", b"cache-bytes", b"n", b"", b"nn", b"clinet-listen", b"a" * 100]:
            if number % 8 == len(name) % 8:
                seed("config", 1, name, b"\x00", value)
    for file in FILES:
        seed("config", 2, file)
    for words in [[], [b"--n", b"3"], [b"--n=3"], [b"--n"], [b"-n", b"3"], [b"--"], [b"--=3"], [b"--n", b"--r"], [b"n=3"],
                  [b"-c"], [b"--" + b"a" * 80, b"1"], [b"--" + b"a" * 2000 + b"=1"], [b"-c", b"/nonexistent"], [b"--n=3", b"--n=4"],
                  [b"--data-dir=" + b"a" * 2000], [b"--initial-members", VALUES[55]], [b"--n", b"3"] * 16, [b""], [b"", b""]]:
        seed("config", 3, b"\x00".join(words))


# ---- What lies on the disk ----

def stored(versions, residual=(), form=1, counts=None):
    out = bytes([form]) + b"\x00" * 8 + varint(len(versions) if counts is None else counts[0])
    for actor, counter, stamp, expiry, kind, flags, payload in versions:
        out += actor.to_bytes(8, "big") + varint(counter) + stamp.to_bytes(8, "big")
        out += expiry.to_bytes(8, "big", signed=True) + bytes([kind, flags]) + varint(len(payload)) + payload
    out += varint(len(residual) if counts is None else counts[1])
    return out + b"".join(a.to_bytes(8, "big") + varint(c) for a, c in residual)


NOW = 1750000000000
PLAIN = (7, 1, NOW << 16, 0, 1, 0, b"value")
CAUSAL = (9, 3, (NOW << 16) + 1, 0, 1, 1, b"sibling")
GONE = (5, 2, NOW << 16, 0, 0, 0, b"")
MORTAL = (7, 2, NOW << 16, NOW + 1500, 1, 0, b"mortal")
RECORDS = [
    stored([PLAIN]), stored([PLAIN, CAUSAL]), stored([GONE]), stored([GONE, PLAIN, CAUSAL], [(1, 1), (1, 2), (8, 300)]),
    stored([], [(7, 1)]), stored([]), stored([MORTAL]), stored([PLAIN], form=0), stored([PLAIN], form=2),
    stored([CAUSAL, PLAIN]), stored([PLAIN, PLAIN]), stored([PLAIN], [(7, 1)]), stored([PLAIN], [(9, 1), (7, 1)]),
    stored([PLAIN], [(7, 0)]), stored([(7, 0) + PLAIN[2:]]), stored([(7, BIG) + PLAIN[2:]]), stored([PLAIN[:4] + (2, 0, b"v")]),
    stored([PLAIN[:4] + (1, 2, b"v")]), stored([PLAIN[:4] + (255, 255, b"v")]), stored([PLAIN[:4] + (0, 0, b"payload")]),
    stored([PLAIN[:3] + (-1, 1, 0, b"v")]), stored([PLAIN[:3] + (-2 ** 63, 1, 0, b"v")]), stored([PLAIN[:3] + (2 ** 63 - 1, 1, 0, b"v")]),
    stored([(7, 1, BIG, 0, 1, 0, b"v")]), stored([(7, 1, 0, 0, 1, 0, b"")]), stored([PLAIN], counts=(2, 0)), stored([PLAIN], counts=(0, 0)),
    stored([PLAIN], counts=(1, 1)), stored([PLAIN], counts=(BIG, 0)), stored([PLAIN], counts=(1, BIG)), stored([PLAIN], counts=(2 ** 32, 0)),
    stored([PLAIN])[:-1], stored([PLAIN]) + b"\x00", stored([PLAIN])[:9], stored([PLAIN])[:8], b"", b"\x01",
    stored([(a, 1, a, 0, 1, 1, b"s%d" % a) for a in range(1, 41)]), stored([(7, 1, 5, 0, 1, 0, b"a" * 500)]),
    stored([(7, 1, 5, 0, 1, 0, b"a")]).replace(b"\x01a", b"\xff\xff\xff\xff\x0fa"),
    stored([(7, 1, 5, 0, 1, 0, b"a")]).replace(b"\x01a", b"\x81\x00a")]
CLOCKS = [clock({}), CLOCK, clock({7: [(0, 0)]}), clock({7: []}), clock({7: [(0, 0), (0, 0)]}), clock({7: [(BIG - 2, 0)]}),
          clock({7: [(BIG - 1, 0)]}), clock({7: [(BIG, 0)]}), clock({7: [(0, BIG - 2)]}), clock({7: [(0, BIG - 1)]}), clock({0: [(0, 0)], BIG: [(5, 5)]}),
          b"", b"\x00", b"\x80", b"\x81\x00", b"\x02" + b"\x00" * 7 + b"\x07\x01\x00\x00" * 2, CLOCK[:-1], CLOCK + b"\x00", varint(BIG) + CLOCK[1:],
          clock({a: [(1, 1)] for a in range(64)}), clock({a: [(1, 1)] for a in range(65)}), clock({7: [(1, 1)] * 65}), clock({7: [(i + 1, i) for i in range(30)]})]


def entry(family, key, value, flags=0, database=0):
    return bytes([family | flags | database << 4, len(key)]) + key + len(value).to_bytes(2, "big") + value


def segment(number, *entries):
    value = b"".join(p.to_bytes(2, "big") + a.to_bytes(8, "big") + varint(c) + varint(len(k)) + k for p, a, c, k in entries)
    return entry(1, number.to_bytes(8, "big"), value)


def record_entry(key, record, database=0):
    return entry(0, key, record, 12, database)


def seeds_record():
    for record in RECORDS:
        seed("record", 1, record)
    seed("record", 0, stored([PLAIN]))
    for user in [b"", b"a", b"{a}b", b"{}", b"{", b"\x00", b"a" * 127, b"a" * 128, b"a" * 250]:
        for key in [stored_key(user), stored_key(user)[:-1], stored_key(user)[:-1] + b"\x01sub", stored_key(user) + b"x"]:
            seed("record", 2, key)
    for key in [b"", b"\x00" * 6, b"\x00" * 7, b"\x00" * 8, b"\x00" * 9, b"\x00" * 7 + b"\x80\x00", b"\x00" * 7 + varint(BIG), b"\x00" * 7 + varint(60 * 1024), varint(60 * 1024 + 1)]:
        seed("record", 2, key)
    for text in CLOCKS:
        seed("record", 3, text)


def seeds_disk():
    for record in RECORDS:
        seed("disk", record_entry(b"a", record), record_entry(b"b", stored([PLAIN])))
        seed("disk", entry(0, b"a", record, 8), record_entry(b"{a}1", record), record_entry(b"a", record, 1))
    for text in CLOCKS:
        seed("disk", entry(3, b"c\x00\x03", text))
    name = stored_key(b"a")
    seed("disk")
    for number in [0, 1, 2, 1000, 2 ** 20, 2 ** 32, BIG - 1, BIG]:
        seed("disk", segment(number, (3, 7, 1, name)))
        seed("disk", segment(1, (3, 7, 1, name)), segment(number, (3, 7, 2, name), (4, 7, 1, name)))
    for line in [(8, 7, 1, name), (65535, 7, 1, name), (3, 7, 0, name), (3, 7, BIG, name), (3, 7, BIG - 1, name), (3, 0, 1, name), (3, 7, 1, b""), (3, 7, 1, b"x" * 200)]:
        seed("disk", segment(5, line), record_entry(b"a", stored([PLAIN])))
        seed("disk", segment(5, (3, 7, 1, name), line, line))
    seed("disk", segment(5), segment(6))
    seed("disk", entry(1, b"short", b""), entry(1, b"\x00" * 9, b""))
    for value in [b"", b"\x00", b"\x01", b"\x02", b"n1", b"n2", b"\x00" * 8, b"\xff" * 8, b"\x00" * 16, b"\xff" * 7, b"\x01" * 49, b"\x01" * 33]:
        for meta in [b"format", b"node", b"name", b"cluster", b"actor", b"boot", b"hlc", b"clean", b"c\x00\x01", b"c\xff\xff", b"c", b"", b"zz"]:
            seed("disk", entry(3, meta, value), record_entry(b"a", stored([PLAIN])))
    seed("disk", entry(3, b"actor", b"\x00" * 7 + b"\x07"), entry(3, b"clean", b""), segment(5, (3, 7, 1, name)))
    seed("disk", entry(0, b"", b""), entry(0, b"x", b"y"), entry(0, b"\xff" * 20, b"y"), record_entry(b"a", stored([PLAIN])))
    seed("disk", *[record_entry(b"%d" % i, stored([PLAIN])) for i in range(60)])


# ---- Sessions ----

COMMANDS = """PING|PING hello|PING a b|ECHO x|ECHO|GET k|GET|GET k k|SET k v|SET k v EX 10|SET k v PX 1|SET k v EX 0|SET k v EX -1
SET k v EX 9223372036854775807|SET k v PX 9223372036854775807|SET k v EXAT 1|SET k v PXAT 1750000005000|SET k v EX 10 PX 10|SET k v KEEPTTL
SET k v GET|SET k v NX|SET k v XX|SET k v NX XX|SET k v EX|SET k v BAD|SET k v EX abc|SET|SETEX k 10 v|SETEX k 0 v|SETEX k -1 v|SETEX k 99999999999999999 v
PSETEX k 10 v|PSETEX k x v|MSET a 1 b 2|MSET a|MSET a 1 b|MSET a 1 a 2|MSET {t}a 1 {t}b 2|MGET a b|MGET|MGET {t}a {t}b|DEL k|DEL a b c|UNLINK k|EXISTS k k
STRLEN k|TYPE k|TTL k|PTTL k|DBSIZE|KEYS *|KEYS a*b?[a-c]\\*|KEYS [|KEYS [^|KEYS ******************a|KEYS|SCAN 0|SCAN 0 MATCH a* COUNT 5|SCAN 0 COUNT 0|SCAN 0 COUNT -1
SCAN abc|SCAN -1|SCAN 18446744073709551615|SCAN 9223372036854775808|SCAN 0 TYPE string|SCAN 0 TYPE list|SCAN 0 MATCH|SCAN 70368744177663 COUNT 100000|FLUSHALL|FLUSHALL ASYNC|FLUSHALL BAD
FLUSHDB|FLUSHDB SYNC|SELECT 0|SELECT 1|SELECT 15|SELECT 16|SELECT -1|SELECT a|HELLO|HELLO 2|HELLO 3|HELLO 4|HELLO 3 AUTH default x|HELLO 3 SETNAME n|HELLO 3 AUTH a
AUTH password|AUTH default password|AUTH wrong|AUTH a b c|RESET|QUIT|TIME|COMMAND|COMMAND COUNT|COMMAND DOCS|COMMAND DOCS get nope|COMMAND INFO get nope|COMMAND LIST|COMMAND LIST FILTERBY PATTERN g*
COMMAND LIST FILTERBY MODULE x|COMMAND GETKEYS GET k|COMMAND GETKEYS MSET a 1 b|COMMAND GETKEYS NOPE a b|COMMAND HELP|COMMAND NOPE|CONFIG GET *|CONFIG GET max*|CONFIG GET|CONFIG SET maxmemory 1
CONFIG SET max-value-bytes 1kb|CONFIG SET requirepass x|CONFIG SET requirepass|CONFIG RESETSTAT|CONFIG HELP|CONFIG SET max-clients 1|CONFIG SET client-pipeline-max 1|CLIENT ID|CLIENT INFO|CLIENT LIST
CLIENT LIST ID 1 2|CLIENT LIST TYPE normal|CLIENT LIST BAD|CLIENT SETNAME n|CLIENT SETNAME a\\x20b|CLIENT GETNAME|CLIENT SETINFO lib-name x|CLIENT SETINFO bad x|CLIENT NO-EVICT on|CLIENT NO-TOUCH off|CLIENT HELP
CLIENT|CLIENT KILL 1|INFO|INFO server|INFO everything nope|CLUSTER INFO|CLUSTER NODES|CLUSTER SLOTS|CLUSTER SHARDS|CLUSTER MYID|CLUSTER KEYSLOT k|CLUSTER KEYSLOT {a}{b}|CLUSTER COUNTKEYSINSLOT 0
CLUSTER COUNTKEYSINSLOT 16384|CLUSTER COUNTKEYSINSLOT -1|CLUSTER RESET|CLUSTER MEET a 1|CLUSTER HELP|READONLY|READWRITE|ASKING|WAIT 0 0|WAIT 1 0|WAIT 1 10|WAIT -1 0|WAIT a b|WAIT 99999999999 1|SHUTDOWN|SHUTDOWN NOSAVE
SHUTDOWN BAD|RF.GET k|RF.GET|RF.SET k v|RF.SET k v CONTEXT|RF.SET k v CONTEXT abc|RF.SET k v nil|RF.DEL k|RF.DEL k CONTEXT x|RF.EXPLAIN k|RF.STATUS|RF.STATUS x|RF.CONSISTENCY GET|RF.CONSISTENCY SET quorum
RF.CONSISTENCY SET R 1|RF.CONSISTENCY SET R 8|RF.CONSISTENCY SET W 0|RF.CONSISTENCY SET|RF.CONSISTENCY HELP|RF.WITH R 1 GET k|RF.WITH W 1 SET k v|RF.WITH R 1|RF.WITH|RF.WITH R 9 GET k|RF.WITH CONSISTENCY quorum GET k
RF.WITH TIMEOUT 10 GET k|RF.WITH TIMEOUT 0 GET k|RF.WITH R 1 RF.WITH R 1 GET k|RF.WITH R 1 PING|RF.WITH R 1 W 1 MSET a 1 b 2|DEBUG SLEEP 0|DEBUG SEGFAULT|DEBUG|NOPE|NOPE a b c|GET|client|id|LPUSH l 1|EVAL x 0|MULTI|EXEC
SUBSCRIBE c|MONITOR|OBJECT ENCODING k|APPEND k v|INCR k|GETRANGE k 0 -1|SETRANGE k 536870913 x|LOLWUT|SAVE|DUMP k|POST / HTTP/1.1|Host: x""".replace("\n", "|").split("|")


def words_of(command):
    return command.replace("\\x20", " ").split(" ")


def seeds_session():
    before = request("SET", "k", "old") + request("MSET", "a", "1", "{t}b", "2")
    for number, command in enumerate(COMMANDS):
        seed("session", 0, before, request(*words_of(command)), request("GET", "k"))
        if number % 3 == 0:
            seed("session", 1, before, request(*words_of(command)), request("GET", "k"))
        elif number % 3 == 1:
            seed("session", 2, request(*words_of(command)), request("AUTH", "password"), request(*words_of(command)))
        else:
            seed("session", 0, request("HELLO", "3"), before, request(*words_of(command)) * 3, b"PING\r\n")
    for shape in CVE_SHAPES:
        seed("session", 4, compact(before + shape + request("GET", "k")))
        seed("session", 6, compact(shape))
    for length in LENGTHS:
        seed("session", 0, request("PING"), b"*2\r\n$3\r\nGET\r\n$" + length + b"\r\nkk\r\n", request("SET", "k", "x"))
    for line in INLINE:
        seed("session", 4, compact(line + b"\r\nPING\r\n"))
    pipeline = b"".join(request("SET", "k%d" % (i % 5), "v%d" % i) + request("GET", "k%d" % (i % 7)) for i in range(30))
    seed("session", 0, pipeline)
    seed("session", 0, pipeline, request("MGET", *["k%d" % i for i in range(7)]), request("DBSIZE"), request("KEYS", "*"))
    for size in [0, 1, 1023, 61440, 61441, 65535, 65536, 65537, 131072]:
        seed("session", 4, compact(request("SET", "k", b"v" * size) + request("STRLEN", "k") + request("GET", "k")))
        seed("session", 4, compact(request("SET", b"k" * size, "v") + request("EXISTS", b"k" * size)))
        seed("session", 4, compact(request("SET", "k", "v") * 3 + request("MSET", "a", b"v" * size, "b", b"w" * size)))
    for value in [b"\x00", b"\r\n", b"-ERR x\r\n", b"\xff" * 8, b"1", b"-1", b"9223372036854775807", b"nan", b"1e400", b" 1"]:
        seed("session", 0, request("SET", value, value), request("GET", value), request("RF.GET", value), request("RF.SET", value, value), request("SCAN", "0"))
    for count in [1, 10, 100]:
        seed("session", 0, *[request("RF.SET", "k", "v%d" % i) for i in range(count)], request("RF.GET", "k"), request("GET", "k"), request("RF.DEL", "k"), request("GET", "k"))


# ---- Members ----

GET, SET, DEL, SET_OTHER, RF_GET, RF_SET, RF_DEL, EXPLAIN, SCAN, DBSIZE, KEYS_, MSET, MGET = range(0x20, 0x2d)
PASS, GONE_AND_BACK = 0x40, 0x60
ANSWERS = 1


def said(kind, fields, flags=0):
    body = fields if isinstance(fields, bytes) else pack(fields)
    return bytes([kind, flags]) + len(body).to_bytes(2, "big") + body


def seeds_peer():
    for kind, fields in TYPES.items():
        right = {field: FIELDS[field][0] for field in fields}
        for flags in [0, 1, 2]:
            seed("peer", 1, SET, said(kind, right, flags), GET, PASS + 5)
        seed("peer", 1, GET, said(kind, right, ANSWERS), said(kind, right, ANSWERS), PASS + 31)
        for field in fields:
            seed("peer", 1, RF_GET, said(kind, {f: v for f, v in right.items() if f != field}, ANSWERS), PASS)
            for value in FIELDS[field][1:]:
                seed("peer", 1, SET + kind % 8, said(kind, {**right, field: value}, ANSWERS), GET)
    for operation in range(0x20, 0x36):
        seed("peer", 1, operation, said(17, {}, ANSWERS), said(20, {6: b"\xdd" * 8}), PASS, operation, said(20, {6: b"\xdd" * 8}), said(17, {}, ANSWERS), said(28, {16: 16384 << 32}, ANSWERS), said(30, {21: b"\x00" * 256}, ANSWERS), PASS)
        seed("peer", 1, said(18, {1: KEY, 5: [version(7, 1)]}), operation, said(17, {1: KEY, 5: [version(7, 1)]}, ANSWERS), PASS + 31, operation)
        seed("peer", 1, operation, GONE_AND_BACK, operation, PASS + 31, operation)
        agreed = said(17, {}, ANSWERS), PASS, said(20, {6: b"\xdd" * 8}), PASS
        seed("peer", 1, operation, *agreed, operation, *agreed)
        seed("peer", 1, RF_SET, *agreed, operation, *agreed, GET, *agreed)
    for reason in [1, 2, 3]:
        seed("peer", 1, SET, said(21, {7: reason}, ANSWERS), PASS, GET)
    for operation in range(7):
        seed("peer", 1, said(25, {1: KEY, 13: [operation] + OP[1:]}, 9), said(17, {1: KEY}, ANSWERS), PASS + 31)
    deltas = [said(18, {1: KEY, 5: [version(7, c, b"v%d" % c, flags=c % 2)], 2: [7, c - 1] if c > 1 else []}) for c in range(1, 12)]
    seed("peer", 1, *deltas, GET, RF_GET, said(23, {8: [3, clock({})]}), said(22, {8: [3, CLOCK]}))
    seed("peer", 1, *reversed(deltas), RF_GET, EXPLAIN, PASS + 31, SCAN, said(28, {15: 1, 19: [b"key", 5, True]}, ANSWERS))
    for body in BODIES[:20]:
        seed("peer", 1, said(18, body), GET)
    for kind in [1, 2, 3, 4, 5, 6, 7, 8, 9, 15]:
        seed("peer", 1, said(kind, b"", 0x20), said(kind, pack({1: b"x" * 16}), 0x10), GET)
    many = b"".join(said(18, {1: stored_key(b"key%d" % c), 5: [version(7, c, b"v" * 300)]}) for c in range(1, 12))
    seed("peer", 1, many, PASS, GET, SCAN)
    seed("peer", 1, GET, many, PASS, GONE_AND_BACK, many, GET)
    seed("peer", 1, 0x80, len(HTTP).to_bytes(2, "big"), HTTP, GET)
    seed("peer", 1, GET, 0x80, b"\x00\x04", b"\xff\xff\xff\xff", GET)
    hello = {1: b"ringfort", 2: b"g" * 16, 4: b"n1", 5: b"i" * 16, 6: 1, 7: 7, 8: 1, 9: 0, 10: 1, 11: b"n" * 16, 12: 0, 13: b"a:1", 14: b"", 15: b"a:2", 16: 65536}
    for field in list(hello) + [0]:
        seed("peer", 0, frame(1, pack({f: v for f, v in hello.items() if f != field})))
    for field, value in [(1, b"other"), (2, b"g" * 15), (3, b"c" * 16), (3, b"c"), (4, b"n2"), (4, b"n3"), (5, b""), (9, 1), (10, 2), (11, b""), (12, 3), (13, b"x" * 200), (16, 1)]:
        seed("peer", 0, frame(1, pack({**hello, field: value})), frame(2, b"p" * 32))
    for stream in [b"", HTTP, request("PING"), frame(2, b"p" * 32), frame(4, b""), frame(18, b""), frame(3, b"words"), frame(1, b"a" * 2000), frame(1, b"a" * 3000), b"\xff" * 3000,
                   b"\x00" * 3000, b"\x7f\xff\xff\xff" + b"\x01\x01" * 30, frame(1, b"", wire_version=2), b"\x00\x00\x07\xf0", frame(3, b"\x1b[31m\n" * 9)]:
        seed("peer", 0, stream)


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
