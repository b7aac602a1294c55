"""W&B's offline files, read with W&B's own messages: what it writes is its protobuf records in LevelDB's log format."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BLOCK, HEADER = 32 * 1024, struct.Struct("<IHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
#: ":W&B" and a version.
PREAMBLE = 7


def records(path: Path) -> list:
    """The records of one ``run-<id>.wandb``."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, parts, found = path.read_bytes(), PREAMBLE, [], []
    assert data[:4] == b":W&B"
    while at + HEADER.size <= len(data):
        if BLOCK - at % BLOCK < HEADER.size:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(data, at)
        at += HEADER.size
        parts.append(data[at : at + length])
        at += length
        if kind in (FULL, LAST):
            found.append(Record.FromString(b"".join(parts)))
            parts = []
    return found


def history(path: Path) -> list[dict]:
    """The logged lines, each a dictionary."""
    lines = [record.history.item for record in records(path) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in line} for line in lines]
