#!/usr/bin/env python3
"""Verifies an exported ledger without Bihuan: python3 verify-ledger.py EXPORT.jsonl (- for standard input)

    --key HEX                            the public key that must have signed every checkpoint
    --report ID --salt HEX --act ID      also find an act of one's own in a report's chain

Needs Python 3.8 or newer and nothing else. docs/ledger.md describes the layout. Exit 0: all fits, 1: something does not,
2: the file cannot be read as an export. The signature check is written for clarity, not for secrets: it holds no private key.
"""
import argparse
import base64
import datetime
import hashlib
import json
import re
import sys

NOTHING = bytes(32)


class Fault(Exception):
    """The first thing that does not fit."""


def sha256(data):
    return hashlib.sha256(data).digest()


class MerkleTree:
    """RFC 6962, section 2.1: one hash per full subtree, from left to right."""

    def __init__(self):
        self.count = 0
        self.subtrees = []

    def append(self, leaf):
        self.count += 1
        size, node = 1, sha256(b"\x00" + leaf)
        while self.subtrees and self.subtrees[-1][0] == size:
            size, node = size * 2, sha256(b"\x01" + self.subtrees.pop()[1] + node)
        self.subtrees.append((size, node))

    def root(self):
        if not self.subtrees:
            return sha256(b"")
        node = self.subtrees[-1][1]
        for _, left in reversed(self.subtrees[:-1]):
            node = sha256(b"\x01" + left + node)
        return node


# Ed25519 (RFC 8032), verification only --------------------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def point(data):
    """Decodes 32 bytes; None if they are no point of the curve."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else (0, y, 1, 0)
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - x2) % P:
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, p):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, p)
        p, scalar = add(p, p), scalar >> 1
    return result


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point(BASE_Y.to_bytes(32, "little"))


def signature_is_valid(public_key, message, signature):
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, r, s = point(public_key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    left, right = multiply(s, BASE), add(r, multiply(int.from_bytes(digest, "little") % ORDER, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# The lines ------------------------------------------------------------------------------------------------------------------

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
DIGEST = "[0-9a-f]{64}"
PLACE = {"chain": UUID, "kind": "report|unit|office|nobody", "id": "[a-z0-9-]+"}
# The keys of each kind of line in their order, with what a text must look like; int and True are themselves.
LINES = [
    {**PLACE, "sequence": int, "bytes": "[A-Za-z0-9+/]+=*", "hash": DIGEST},
    {**PLACE, "sequence": int, "bytes": "[A-Za-z0-9+/]+=*", "hash": DIGEST, "covered_by": int},
    {**PLACE, "head": DIGEST, "count": int},
    {"checkpoint": int, "signed_at": "[0-9TZ:.-]+", "entries": int, "root": DIGEST, "previous": DIGEST,
     "public_key": DIGEST, "signature": "[0-9a-f]{128}"},
    {"end": True, "chains": int, "entries": int},
]


def read_line(data):
    """A line as an export writes it, byte for byte: no key twice, unknown or elsewhere, no value written otherwise."""
    line = json.loads(data.decode("ascii"))
    if json.dumps(line, separators=(",", ":")).encode() != data:
        raise ValueError("not the form of an export")
    for form in LINES:
        if list(form) == list(line) and all(fits(line[key], form[key]) for key in form):
            return line
    raise ValueError("a line of no known kind")


def fits(value, form):
    if isinstance(form, str):
        return isinstance(value, str) and re.fullmatch(form, value, re.ASCII) is not None
    return value is True if form is True else type(value) is int and value >= 0


def entry_bytes(line):
    data = base64.b64decode(line["bytes"], validate=True)
    if base64.b64encode(data).decode() != line["bytes"]:
        raise ValueError("not the form of an export")
    return data


def moment(text):
    """A time in UTC, in microseconds."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    time = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    return (time - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1) + int(fraction.ljust(6, "0"))


# The ledger -----------------------------------------------------------------------------------------------------------------


class Verifier:
    def __init__(self, pinned_key=None, wanted=None):
        self.pinned_key = pinned_key
        self.wanted = wanted  # the chain and the commitment of an act to be found
        self.found = []
        self.chain = None  # of the entries read since the last head
        self.subject = None
        self.last_time = None
        self.reached = (0, NOTHING)
        self.last_chain = ""
        self.trees = {}
        self.keys = set()
        self.entries = self.chains = self.checkpoints = self.uncovered = 0
        self.previous_statement = NOTHING
        self.ended = False

    def take(self, line):
        if self.ended:
            raise Fault("something follows the end of the export")
        if "sequence" in line:
            self.entry(line)
        elif "head" in line:
            self.head(line)
        elif "checkpoint" in line:
            self.checkpoint(line)
        elif line.get("end") is True:
            self.end(line)
        else:
            raise ValueError("a line of no known kind")

    def entry(self, line):
        if line["chain"] != self.chain:
            self.close()
            self.chain, self.reached, self.subject, self.last_time = line["chain"], (0, NOTHING), None, None
        self.check_identity(line)
        place = f"{line['kind']} {line['id']}, entry "
        count, previous = self.reached
        if line["kind"] == "nobody":
            raise Fault(f"{place}{line['sequence']}: no report, unit or office owns this chain")
        if line["sequence"] != count + 1:
            raise Fault(f"{place}{count + 1}: the entry is missing; entry {line['sequence']} comes next")
        sequence = line["sequence"].to_bytes(8, "big")
        found = bytes.fromhex(line["hash"])
        data = entry_bytes(line)
        if sha256(previous + sequence + data) != found:
            raise Fault(f"{place}{count + 1}: the hash does not fit the entry's bytes and the entry before")
        event = json.loads(data)
        # A chain's own name belongs to what is hashed.
        if count == 0 and event.get(line["kind"]) != line["id"]:
            raise Fault(f"{place}1: the entry begins the chain of something else")
        time = moment(event["at"])
        if self.last_time is not None and time < self.last_time:
            raise Fault(f"{place}{count + 1}: its time is before that of the entry before")
        self.last_time = time
        if self.wanted == (line["chain"], event.get("act")):
            self.found.append(f"entry {count + 1}: {event['event']} by {event['by']} at {event['at']}")
        self.reached = (count + 1, found)
        self.entries += 1
        if "covered_by" not in line:
            self.uncovered += 1
            return
        leaf = bytes.fromhex(line["chain"].replace("-", "")) + sequence + found
        self.trees.setdefault(line["covered_by"], MerkleTree()).append(leaf)

    def check_identity(self, line):
        """One kind and id on all lines of a chain; a report's chain is its id."""
        subject = (line["kind"], line["id"])
        if self.subject not in (None, subject):
            raise Fault(f"{line['kind']} {line['id']}: the lines of one chain name it and {' '.join(self.subject)}")
        self.subject = subject
        if line["kind"] == "report" and line["id"] != line["chain"]:
            raise Fault(f"report {line['id']}: its chain is {line['chain']}, and a report's chain is its id")

    def head(self, line):
        if line["chain"] != self.chain:
            self.close()
            self.reached, self.subject = (0, NOTHING), None
        self.check_identity(line)
        count, found = self.reached
        place = f"{line['kind']} {line['id']}"
        if line["chain"] <= self.last_chain:
            raise Fault(f"{place}: the chain stands twice or out of order")
        if line["count"] != count:
            raise Fault(
                f"{place}, entry {min(count, line['count']) + 1}: the head counts {line['count']} entries, and there are {count}")
        if bytes.fromhex(line["head"]) != found:
            raise Fault(f"{place}, entry {count}: the head names another hash than the last entry has")
        if count == 0:
            raise Fault(f"{place}: the chain has no entries")
        self.chains += 1
        self.chain, self.last_chain, self.reached, self.subject = None, line["chain"], (0, NOTHING), None

    def checkpoint(self, line):
        self.close()
        number = line["checkpoint"]
        if number != self.checkpoints + 1:
            raise Fault(f"checkpoint {number}: the one before it is missing")
        if bytes.fromhex(line["previous"]) != self.previous_statement:
            raise Fault(f"checkpoint {number}: it names another checkpoint before it")
        if self.pinned_key not in (None, line["public_key"]):
            raise Fault(f"checkpoint {number}: it was signed with another key than the given one")
        statement = (
            "bihuan ledger checkpoint v1\n"
            f"number {number}\nsigned_at {line['signed_at']}\nentries {line['entries']}\n"
            f"root {line['root']}\nprevious {line['previous']}\n"
        ).encode()
        if not signature_is_valid(bytes.fromhex(line["public_key"]), statement, bytes.fromhex(line["signature"])):
            raise Fault(f"checkpoint {number}: the signature is not valid")
        tree = self.trees.pop(number, MerkleTree())
        if tree.count != line["entries"]:
            raise Fault(f"checkpoint {number}: it counts {line['entries']} entries, and it covers {tree.count}")
        if tree.root().hex() != line["root"]:
            raise Fault(f"checkpoint {number}: its root is not that of the entries it covers")
        self.previous_statement = sha256(statement)
        self.checkpoints = number
        self.keys.add(line["public_key"])

    def end(self, line):
        self.close()
        if self.trees:
            raise Fault(f"entries name checkpoint {min(self.trees)}, which is missing")
        if (line["chains"], line["entries"]) != (self.chains, self.entries):
            raise Fault(
                f"the end counts {line['chains']} chains and {line['entries']} entries, "
                f"and there are {self.chains} and {self.entries}")
        self.ended = True

    def close(self):
        if self.chain is not None:
            raise Fault(f"chain {self.chain}: it has no head")


def arguments():
    parser = argparse.ArgumentParser(
        usage=argparse.SUPPRESS, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--key", "--report", "--salt", "--act"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("export", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not (given.report and given.salt and given.act) and (given.report or given.salt or given.act):
        parser.error("--report, --salt and --act belong together")
    return given


class Unreadable(Exception):
    """A line that no export has."""


def verify(file, verifier):
    for number, data in enumerate(file, 1):
        if not data.endswith(b"\n"):
            raise Fault("the export was cut off within its last line")
        try:
            verifier.take(read_line(data[:-1]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise Unreadable(f"line {number} is not as an export writes it")
    if not verifier.ended:
        raise Fault("the export was cut off: its last line is missing")


def main():
    given = arguments()
    wanted = None
    if given.act:
        act = sha256(bytes.fromhex(given.salt) + sha256(given.act.encode())).hex()
        wanted = (given.report, act)
    verifier = Verifier(given.key, wanted)
    try:
        with (sys.stdin.buffer if given.export == "-" else open(given.export, "rb")) as file:
            verify(file, verifier)
    except Fault as fault:
        print(f"the ledger is NOT whole: {fault}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{given.export} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    except Unreadable as fault:
        print(f"the ledger is NOT whole: {fault}", file=sys.stderr)
        return 2
    late = f", {verifier.uncovered} entries not yet under one" if verifier.uncovered else ""
    print(
        f"the ledger is whole: {verifier.entries} entries in {verifier.chains} chains, "
        f"{verifier.checkpoints} checkpoints{late}")
    for key in sorted(verifier.keys):
        print(f"signed with {key}")
    if not wanted:
        return 0
    print("\n".join(verifier.found) or f"the chain of report {given.report} has no entry of this act")
    return 0 if verifier.found else 1


if __name__ == "__main__":
    sys.exit(main())
