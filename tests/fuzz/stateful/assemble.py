#!/usr/bin/env python3
"""Writes a program of the stateful target from text: assemble.py SCRIPT OUTPUT.

A line is an operation; `#` begins a comment. Words stand in any order behind the operation; README.md lists them all.

    settings seed=1 slow-disk
    request udp1 REGISTER alice contact=own expires=60
    time 100ms
    expect 401
"""
import shlex
import sys

OPS = ["request", "respond", "resend", "cancel", "ack", "raw", "time", "step", "connect", "stream", "link", "disk",
       "lane", "wall", "reload", "module", "restart", "stall", "names", "command", "expect"]
HOSTS, STREAMS = 6, 6
SOURCES = {f"udp{i + 1}": i for i in range(HOSTS)} | {f"tcp{i + 1}": HOSTS + i for i in range(STREAMS)}
METHODS = ["REGISTER", "MESSAGE", "OPTIONS", "INVITE", "ACK", "BYE", "CANCEL", "INFO", "PRACK", "UPDATE", "REFER",
           "SUBSCRIBE", "NOTIFY", "PUBLISH", "FOO", "message"]
USERS = ["alice", "bob", "carol", "trunk", "nobody", "anonymous", "escaped", "none"]
BRANCH = {"new": 0, "same": 1, "no-cookie": 2, "absent": 3}
TO_TAG = {"none": 0, "known": 1, "made-up": 2}
CSEQ = {"next": 0, "same": 1, "one": 2, "zero": 3, "high": 4, "highest": 5}
AUTH = {"none": 0, "right": 1, "wrong": 2, "forged": 3, "again": 4, "no-qop": 5, "elsewhere": 6, "ahead": 7}
CONTACT = ["none", "own", "tcp", "star", "two", "name", "remove", "instance", "nowhere", "self", "broken", "other",
           "both", "sips", "tel", "loops"]
EXPIRES = ["none", "60", "0", "3600", "1", "4294967295", "4294967296", "-1", "soon", "30"]
EXTRAS = {"route": 1, "via": 2, "last-hop": 4, "require": 8, "body": 16, "compact": 32, "path": 64,
          "proxy-require": 128}
STATUSES = [200, 100, 180, 183, 202, 299, 301, 302, 400, 401, 404, 407, 408, 480, 486, 487, 491, 500, 503, 600, 603,
            606, 699, 199]
ANSWER = {"no-tag": 1, "forged": 2, "below-via": 4, "twice": 8, "long": 16, "contact": 32}
TIMES = ["100us", "1ms", "5ms", "20ms", "100ms", "500ms", "1s", "2s", "4s", "5s", "10s", "20s", "32s", "33s", "64s",
         "600s"]
STREAM = ["close", "reset", "shutdown", "vanish", "pause", "resume", "cut", "rest"]
LINK = ["cut", "mend", "busy", "idle", "refuse", "accept", "segments", "whole"]
DISK = ["open", "read", "write", "sync", "truncate", "delete"]
LANE = ["run", "hold", "slow", "hold-files", "run-files"]
WALL = ["+1", "-1", "+30", "-30", "+3600", "-3600", "+86400", "-86400"]
MODULES = ["messaging", "registrar", "options", "nat", "acl", "authenticator_digest", "outbound_authenticator_digest",
           "endpoint_identifier_user", "endpoint_identifier_ip", "logger"]
NAMES = ["missing", "timeout", "found"]
KINDS = {"header": 0, "insert": 1, "over": 2, "delete": 3, "end": 4, "append": 5, "value": 6, "repeat": 7}


class Mistake(Exception):
    """What the script gets wrong."""


def number(text):
    return int(text, 0) & 255


def text_of(words):
    """The changes to a message: header=…, value:N=…, insert:N=…, over:N=…, delete:N=COUNT, end:N, repeat:N=COUNT."""
    out = b""
    for word in words:
        key, _, value = word.partition("=")
        kind, _, place = key.partition(":")
        if kind not in KINDS:
            raise Mistake(f"what is {word}?")
        data = value.encode().decode("unicode_escape").encode("latin-1")
        if kind in ("delete", "repeat", "end"):
            out += bytes([KINDS[kind], number(place or "0"), number(value or "0")])
        else:
            out += bytes([KINDS[kind], number(place or "0"), len(data)]) + data
    return bytes([len(out)]) + out


def request(words):
    v, users, rest = [0] * 9, [], []
    for word in words:
        key, _, value = word.partition("=")
        if word in SOURCES:
            v[0] = SOURCES[word]
        elif word in METHODS:
            v[1] = METHODS.index(word)
        elif word in USERS:
            users.append(USERS.index(word))
        elif word in EXTRAS:
            v[8] |= EXTRAS[word]
        elif key == "branch":
            name, _, back = value.partition(":")
            v[3] = BRANCH[name] | number(back or "0") << 2
        elif key == "call":
            v[4] |= number(value) & 15
        elif key == "to-tag":
            v[4] |= TO_TAG[value] << 4
        elif word == "other-from":
            v[4] |= 64
        elif key == "cseq":
            v[5] = CSEQ[value]
        elif key == "auth":
            v[6] |= AUTH[value]
        elif key == "as":
            v[6] |= (USERS.index(value) - users[0] & 7) << 3
        elif key == "contact":
            v[7] |= CONTACT.index(value)
        elif key == "expires":
            v[7] |= EXPIRES.index(value) << 4
        else:
            rest.append(word)
    if users:
        v[2] = users[0] | users[-1] << 4
    return bytes(v) + text_of(rest)


def respond(words):
    v, rest = [0] * 3, []
    for word in words:
        key, _, value = word.partition("=")
        if word.isdigit():
            v[1] = STATUSES.index(int(word))
        elif word in ANSWER:
            v[2] |= ANSWER[word]
        elif key == "back":
            v[0] = number(value)
        elif key == "tag":
            v[2] |= number(value) << 6
        else:
            rest.append(word)
    return bytes(v) + text_of(rest)


def raw(words):
    data = " ".join(words[1:]).encode().decode("unicode_escape").encode("latin-1")
    if len(data) > 255:
        raise Mistake("the text is longer than 255 bytes")
    return bytes([SOURCES[words[0]], len(data)]) + data


def slot(word):
    return SOURCES[word] - HOSTS


def stream(words):
    action = STREAM.index(words[1])
    return bytes([slot(words[0]), action | (number(words[2]) & 0xf8 if len(words) > 2 else 0)])


def disk(words):
    times, after = (number(w) for w in (words[1:] + ["1", "0"])[:2])
    if words[0] == "full":
        return bytes([6 | 8, times])
    if words[0] == "room":
        return bytes([6, 0])
    return bytes([DISK.index(words[0]) | (times - 1) << 3, after])


def module(words):
    return bytes([MODULES.index(words[1]) << 1 | (words[0] == "load")])


def names(words):
    host = SOURCES[words[0]] << 4
    if words[1] in ("mute", "speak"):
        return bytes([host | 3 | (8 if words[1] == "mute" else 0)])
    return bytes([host | NAMES.index(words[1])])


ASSEMBLERS = {
    "request": request,
    "respond": respond,
    "resend": lambda w: bytes([number(w[0] if w else "0"), SOURCES[w[1]] + 1 if len(w) > 1 else 0]),
    "cancel": lambda w: bytes([number(w[0] if w else "0")]),
    "ack": lambda w: bytes([number(w[0] if w else "0"), 1 if "new-branch" in w else 0]),
    "raw": raw,
    "time": lambda w: bytes([TIMES.index(w[0])]),
    "step": lambda w: bytes([len(w)]) + bytes(number(x) for x in w),
    "connect": lambda w: bytes([slot(w[0]) | number(w[1]) - 1 << 4]),
    "stream": stream,
    "link": lambda w: bytes([SOURCES[w[0]], LINK.index(w[1])]),
    "disk": disk,
    "lane": lambda w: bytes([LANE.index(w[0])]),
    "wall": lambda w: bytes([WALL.index(w[0])]),
    "reload": lambda w: bytes([number(w[0])]),
    "module": module,
    "restart": lambda w: bytes([1 if w and w[0] == "power" else 0]),
    "stall": lambda w: bytes([TIMES.index(w[0])]),
    "names": names,
    "command": lambda w: bytes([number(w[0])]),
    "expect": lambda w: int(w[0]).to_bytes(2, "big"),
}


def settings(words):
    seed = next((number(w[5:]) for w in words if w.startswith("seed=")), 1)
    return bytes([seed, ("slow-disk" in words) | ("segments" in words) << 1])


def assemble(lines):
    head, out = settings([]), b""
    for n, line in enumerate(lines, 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        try:
            if words[0] == "settings":
                head = settings(words[1:])
            else:
                out += bytes([OPS.index(words[0])]) + ASSEMBLERS[words[0]](words[1:])
        except (Mistake, KeyError, ValueError, IndexError) as e:
            raise SystemExit(f"line {n}: {line.strip()}: {e}") from e
    return head + out


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        program = assemble(f)
    with open(sys.argv[2], "wb") as f:
        f.write(program)


if __name__ == "__main__":
    main()
