"""Generated requests over the OpenAPI document against real processes: every check of Schemathesis, no failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.effort import FULL
from tests.portals import Portal, clean_environment
from tests.wire.routes import operations_of_the_document

HERE = Path(__file__).resolve().parent
# What is at the bounds of every schema takes minutes. The short run sends the same requests every time.
SHORT = ("--phases", "examples,fuzzing,stateful", "--max-examples", "1", "--seed", "20261127")
OPTIONS = ("--max-examples", "2") if FULL else SHORT
LONG_SECONDS = os.environ.get("FUZZ_SECONDS", "")


def schemathesis(portal: Portal, folder: Path, *options: str, timeout: float) -> "subprocess.CompletedProcess[str]":
    """Run the command with all checks. The portal's own database keeps what it creates."""
    return subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"),
            "run", f"{portal.base_url}/api/v1/openapi.json",
            "--checks", "all", "--continue-on-failure", "--suppress-health-check", "all", "--no-color", *options,
        ],
        cwd=folder,
        env=clean_environment()
        | {
            "ORGPORTAL_UNDER_TEST": portal.base_url,
            "SCHEMATHESIS_HOOKS": "tests.wire.schemathesis_hooks",
            "PYTHONPATH": str(HERE.parent.parent),
        },
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )  # fmt: skip


@pytest.mark.fuzz
def test_no_generated_request_breaks_a_promise_of_the_document(live_portal: Portal, tmp_path: Path) -> None:
    run = schemathesis(live_portal, tmp_path, *OPTIONS, timeout=600)
    assert run.returncode == 0, run.stdout + run.stderr
    number = len(operations_of_the_document())
    assert f"Operations:       {number} selected / {number} total" in run.stdout
    assert "unexpected_error" not in live_portal.log


@pytest.mark.fuzz
@pytest.mark.skipif(not LONG_SECONDS, reason="set FUZZ_SECONDS to send generated requests for so long")
def test_no_generated_request_breaks_a_promise_of_the_document_for_long(live_portal: Portal, tmp_path: Path) -> None:
    run = schemathesis(live_portal, tmp_path, "--max-time", LONG_SECONDS, timeout=float(LONG_SECONDS) + 300)
    assert run.returncode == 0, run.stdout + run.stderr
