"""The API calls that do what a page shows, as commands to paste. Pure."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from tenants.records import grid
from tenants.records.documents import Record
from tenants.records.grid import GridState

AUTHORIZATION = '-H "Authorization: Bearer $TOKEN"'


@dataclass(frozen=True)
class Call:
    """A command with a title."""

    title: str
    text: str


def list_call(state: GridState, *, address: str) -> str:
    """What gives the records on the screen. The columns are named where somebody chose them."""
    fields = [path for path in state.columns if grid.is_field(path)]
    parameters = [
        ("filter", grid.filter_text(state.effective_filter)),
        ("sort", state.sort_text),
        ("fields", ",".join(fields)),
        ("limit", str(state.limit)),
        ("cursor", state.cursor),
    ]
    given = [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in parameters if value]
    return _command(f"-G {shlex.quote(address)}", [AUTHORIZATION, *given])


def record_calls(record: Record, *, address: str, may_write: bool) -> list[Call]:
    """What reads this record and, for those who may, changes or deletes it as it is now."""
    where = shlex.quote(f"{address}/{quote(record.id, safe='~:@')}")
    etag = f'"{record.version}"'
    unchanged = f"-H {shlex.quote(f'If-Match: {etag}')}"
    calls = [Call("Read it", _command(where, [AUTHORIZATION]))]
    if may_write:
        change = [
            AUTHORIZATION,
            unchanged,
            "-H 'Content-Type: application/json'",
            """-d '{"data": {"field": "value"}}'""",
        ]
        calls.append(Call("Change a field, if nobody was faster", _command(f"-X PATCH {where}", change)))
        calls.append(
            Call("Delete it, if nobody was faster", _command(f"-X DELETE {where}", [AUTHORIZATION, unchanged]))
        )
    return calls


def _command(target: str, arguments: Iterable[str]) -> str:
    return " \\\n  ".join([f"curl -sS {target}", *arguments])
