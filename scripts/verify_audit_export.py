#!/usr/bin/env python3
"""Check an export of the audit offline: Python alone, nothing of the portal, no network.

    python verify_audit_export.py audit.ndjson [--earlier last-month.ndjson] [--key-file audit_key]

Says whether every entry is in its place, follows the one before it, and has the hash of what it says. With
`--earlier`, also whether everything of an earlier export is still there, unchanged: keep exports where the
portal's administrators cannot write, and nobody can rewrite history. With `--key-file` (the portal's AUDIT_KEY),
also whether the portal itself sealed every entry. Exits 1 at the first thing that is wrong.
"""

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Broken(Exception):
    """What is wrong, and where."""


def canonical(content: Mapping[str, Any]) -> bytes:
    """The bytes that an entry's hash is made of: JSON in ASCII, names sorted, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The file's JSON objects, one a line."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                content = json.loads(line)
            except ValueError:
                raise Broken(f"line {number} is not JSON: was the file cut?") from None
            if not isinstance(content, dict):
                raise Broken(f"line {number} is no entry")
            yield content


def entries_of(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a whole export, each checked against the one before it."""
    lines = lines_of(path)
    opening = next(lines, {})
    if opening.get("audit_export") != 1:
        raise Broken("the first line does not say that this is an export of the audit")
    previous, count, closing = opening.get("origin"), 0, None
    for line in lines:
        if closing is not None:
            raise Broken("something stands behind the last line")
        if "entries" in line and "seq" not in line:
            closing = line
            continue
        count += 1
        _check_entry(line, count, opening.get("chain"), previous)
        previous = line["hash"]
        yield line
    if closing is None:
        raise Broken(f"the export ends after entry {count} without its last line: it was cut")
    if (closing.get("entries"), closing.get("last_hash")) != (count, previous):
        raise Broken(f"the last line names {closing.get('entries')} entries, and another end than entry {count}")


def _check_entry(entry: Mapping[str, Any], place: int, chain: object, previous: object) -> None:
    if entry.get("seq") != place or isinstance(entry.get("seq"), bool):
        raise Broken(f"entry {place} is missing or not in its place")
    if entry.get("chain") != chain:
        raise Broken(f"entry {place} belongs to another chain")
    if entry.get("previous") != previous:
        raise Broken(f"entry {place} does not follow the entry before it")
    content = {name: value for name, value in entry.items() if name not in {"hash", "mac"}}
    if entry.get("hash") != hashlib.sha256(canonical(content)).hexdigest():
        raise Broken(f"entry {place} was changed: its hash does not fit what it says")


def seal_of(digest: str, secret: str) -> tuple[str, str]:
    """The id of the key, and the code that the portal puts on an entry with this hash."""
    key = hmac.new(secret.encode(), b"orgportal audit", hashlib.sha256).digest()
    code = hmac.new(key, f"entry:{digest}".encode(), hashlib.sha256).hexdigest()
    return hashlib.sha256(b"id" + key).hexdigest()[:16], code


def check(path: Path, *, earlier: Path | None = None, secrets: tuple[str, ...] = ()) -> int:
    """How many entries the export has, once all is found to be well. Raises Broken, saying what is not."""
    known = {entry["seq"]: entry["hash"] for entry in entries_of(earlier)} if earlier else {}
    count = 0
    for entry in entries_of(path):
        count = entry["seq"]
        if known.pop(count, entry["hash"]) != entry["hash"]:
            raise Broken(f"entry {count} is another one than in the earlier export")
        if secrets and (entry.get("key"), entry.get("mac")) not in {seal_of(entry["hash"], one) for one in secrets}:
            raise Broken(f"entry {count} was not sealed by the portal with this key")
    if known:
        raise Broken(f"entry {min(known)} is missing, and the earlier export has it")
    return count


def main() -> int:
    """The command: 0 when all is well, 1 when something is wrong."""
    parser = argparse.ArgumentParser(description="Check an export of the audit, offline.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--earlier", type=Path, help="an earlier export of the same chain")
    parser.add_argument("--key-file", type=Path, action="append", default=[], help="a file with the audit key")
    asked = parser.parse_args()
    try:
        secrets = tuple(path.read_text(encoding="utf-8").strip() for path in asked.key_file)
        count = check(asked.export, earlier=asked.earlier, secrets=secrets)
    except Broken as broken:
        print(f"BROKEN: {broken}.")
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"BROKEN: the file cannot be read: {error}")
        return 1
    print(f"{count} entries, whole.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
