"""Reads journal files by the description in assay-journal(5), not with the programs' own reader."""

import glob
import hashlib
import os
import struct
import uuid
from collections import namedtuple

HEAD, PROBE, ISSUE, SETTLED, REVOKE, BLOCK, CRL = 1, 2, 16, 17, 18, 19, 20
Record = namedtuple("Record", "type payload offset end")
Issue = namedtuple("Issue", "kind order account serial issuer shard not_before not_after spki names tbs")


def records(path):
    """Every record; what is not one at the end of the file is left out."""
    with open(path, "rb") as file:
        text = file.read()
    assert text[:8] == b"ASSAYJ1\n"
    at, found = 24, []
    while len(text) >= at + 28:
        mark, kind, size = struct.unpack(">4sB3xI", text[at:at + 12])
        end = at + 28 + size
        covered = text[8:24] + struct.pack(">Q", at) + text[at:end - 16]
        if mark != b"\xa5JR\n" or len(text) < end or hashlib.sha256(covered).digest()[:16] != text[end - 16:end]:
            break
        found.append(Record(kind, text[at + 12:end - 16], at, end))
        at = end
    assert found and found[0].type == HEAD
    return found


def files(folder, program="assay-signer"):
    return sorted(glob.glob(f"{folder}/journal/{program}/*.journal"))


def newest(folder, program="assay-signer"):
    """By the file system's clock: some signers of these tests live in another time."""
    return max(files(folder, program), key=os.path.getctime)


def issue(payload):
    kind, order, account, serial, issuer, shard, before, after, spki, size = struct.unpack(">B16s16s18s32sIqq32sI", payload[:139])
    names, rest = payload[139:139 + size], payload[139 + size:]
    (length,) = struct.unpack(">I", rest[:4])
    assert len(rest) == 4 + length
    return Issue(kind, uuid.UUID(bytes=order), uuid.UUID(bytes=account), serial, issuer, shard, before, after, spki,
                 names.decode(), rest[4:])


def revocation(payload):
    serial, at, reason = struct.unpack(">18sqB", payload)
    return serial, at, reason


def all_records(folder, kind, program="assay-signer"):
    return [record for path in files(folder, program) for record in records(path) if record.type == kind]
