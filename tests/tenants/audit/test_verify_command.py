"""`manage.py verify_audit`: a line for each chain, and an exit that programs understand."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from orgportal import database
from tests.scripts import log_in, sign_up


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("verify_audit", *arguments, no_color=True)
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def acme(clean_database: None) -> str:
    """Acme with two entries, Beta with one, the portal with the beginnings of both."""
    org_id: str = sign_up("Acme", slug="acme")["organization"]["id"]
    log_in("owner@acme.example")
    sign_up("Beta", slug="beta")
    return org_id


def test_whole_chains_are_named_with_their_length(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert lines[0].startswith("portal: ")
    assert lines[0].endswith(" entries, whole")
    assert sorted(lines[1:]) == ["acme: 2 entries, whole", "beta: 1 entries, whole"]


def test_one_organization_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--organization", "acme").splitlines()[1:] == ["acme: 2 entries, whole"]
    with pytest.raises(CommandError, match="There is no organization nobody"):
        call_command("verify_audit", "--organization", "nobody")


def test_the_first_fault_is_named_and_the_exit_is_1(acme: str, capsys: pytest.CaptureFixture[str]) -> None:
    database.collection("audit").update_one({"_id": f"{acme}:2"}, {"$set": {"result": "failed"}})
    with pytest.raises(CommandError, match="1 chain is broken") as refused:
        call_command("verify_audit", no_color=True)
    assert refused.value.returncode == 1
    said = capsys.readouterr().out
    assert "acme: 1 entries are whole, then broken: entry 2 was changed: its hash does not fit what it says" in said
    assert "beta: 1 entries, whole" in said


def test_a_log_and_an_export_are_witnesses(acme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "portal.log"
    seen = [{"event": "audit", "chain": acme, "seq": 7, "hash": "f" * 64}]
    log.write_text("no JSON\n[1]\n" + "".join(json.dumps(line) + "\n" for line in seen))
    with pytest.raises(CommandError, match="1 chain is broken"):
        call_command("verify_audit", "--witness", str(log), no_color=True)
    assert "entry 7 is missing, and a witness saw it" in capsys.readouterr().out

    export = tmp_path / "acme.ndjson"
    answer = log_in("owner@acme.example").get("/api/v1/orgs/acme/audit/export")
    export.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert "acme: 4 entries, whole" in said(capsys, "--witness", str(export))


def test_a_witness_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_audit", "--witness", str(tmp_path / "nothing"))
