"""The Makefile and its scripts, as far as they can be told without installing anything."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.portals import ROOT


def _run(
    *command: str, path: str | None = None, cwd: Path = ROOT, **variables: str
) -> "subprocess.CompletedProcess[str]":
    ours = ("MAKE", "MFLAGS", "CHROMIUM", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    (folder / name).chmod(0o755)


def _tools(folder: Path, *names: str) -> None:
    """Ordinary tools and nothing else, so that a test decides what else there is."""
    folder.mkdir(exist_ok=True)
    for name in [*names, "sh", "dirname", "cat", "cksum", "rm", "id"]:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)


def test_make_alone_lists_every_target() -> None:
    listed = re.findall(r"^  make ([a-z-]+) ", _run("make").stdout, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert set(listed) == set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE))
    assert {"run", "test", "lint", "types", "check", "format", "bench", "clean"} <= set(listed)


def test_continuous_integration_calls_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"

    assert stat.S_IMODE(script.stat().st_mode) & 0o111
    assert script.read_text(encoding="utf-8").splitlines()[-1] == "exec make test"


def test_make_test_runs_every_check() -> None:
    planned = _run("make", "--dry-run", "test").stdout

    for part in ["ruff check", "ruff format --check", "lint-imports", "mypy", "-m pytest"]:
        assert part in planned, part


def test_the_procfile_names_what_is_there() -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())

    assert set(lines) == {"release", "web", "worker"}
    assert "ensure_indexes" in lines["release"]
    assert "check --deploy --fail-level WARNING" in lines["release"]
    assert lines["web"] == "gunicorn -c orgportal/gunicorn_conf.py orgportal.wsgi"
    assert lines["worker"] == "python manage.py worker"


def test_every_requirement_is_pinned() -> None:
    for name in ["requirements.txt", "requirements-dev.txt"]:
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[\w+\])?==[\w.]+(; python_version [<>]=? \"3\.\d+\")?", line), (
                    line
                )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Only what installing needs, without a virtual environment."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ["requirements.txt", "requirements-dev.txt"]:
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_without_a_fitting_python_it_says_which_one_it_needs(checkout: Path, tmp_path: Path) -> None:
    _tools(tmp_path / "bin")
    _program(tmp_path / "bin", "python3", "exit 1")

    answer = _run("scripts/install.sh", "run", path=str(tmp_path / "bin"), cwd=checkout)

    assert answer.returncode == 1
    assert "Python 3.10, 3.11, 3.12 or 3.13 is needed" in answer.stderr


def test_without_venv_and_without_root_it_names_the_package(checkout: Path, tmp_path: Path) -> None:
    _tools(tmp_path / "bin")
    # A Python of Debian without python3-venv, on a machine where apt-get may not install.
    _program(
        tmp_path / "bin", "python3",
        'case "$2" in *ensurepip*) exit 1 ;; *"print("*) echo 3.12 ;; *) exit 0 ;; esac',
    )  # fmt: skip
    _program(tmp_path / "bin", "apt-get", "exit 100")

    answer = _run("scripts/install.sh", "run", path=str(tmp_path / "bin"), cwd=checkout)

    assert answer.returncode == 1
    assert "apt-get install python3.12-venv" in answer.stderr
    assert not (checkout / ".venv").exists()


def test_the_systems_python_comes_before_others_and_after_the_one_that_is_asked_for(
    checkout: Path, tmp_path: Path
) -> None:
    fits = "import ensurepip, venv, sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))"
    if (
        not Path("/usr/bin/python3").exists()
        or subprocess.run(["/usr/bin/python3", "-c", fits], check=False).returncode
    ):
        pytest.skip("the system has no Python that fits")
    another = tmp_path / "bin" / "python3"
    _program(tmp_path / "bin", "python3", 'case "$*" in --version) echo another ;; esac')
    # The old environment is removed after the choice was told: here it ends.
    _program(tmp_path / "bin", "rm", "exit 9")

    by_itself = _run("scripts/install.sh", "run", path=f"{another.parent}:/usr/bin", cwd=checkout)
    asked = _run("scripts/install.sh", "run", path=f"{another.parent}:/usr/bin", cwd=checkout, PYTHON=str(another))
    wrong = _run("scripts/install.sh", "run", path=f"{another.parent}:/usr/bin", cwd=checkout, PYTHON="/no/python")
    alone = _run("scripts/install.sh", "run", path=f"{another.parent}:/bin", cwd=checkout)

    assert [answer.returncode for answer in (by_itself, asked, alone)] == [9, 9, 9]
    system = subprocess.check_output(["/usr/bin/python3", "--version"], text=True).strip()
    assert by_itself.stdout == f"orgportal: making .venv with {system}\n"
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "PYTHON is /no/python, which is not Python 3.10" in wrong.stderr
    assert asked.stdout == alone.stdout == "orgportal: making .venv with another\n"


def test_it_installs_once_and_again_when_the_requirements_change(checkout: Path, tmp_path: Path) -> None:
    _tools(tmp_path / "bin")
    calls = tmp_path / "calls"
    # A Python that makes a virtual environment out of itself and notes what pip is asked for.
    _program(
        tmp_path / "bin", "python3",
        f'case "$*" in *"-m venv"*) "$(command -v mkdir)" -p .venv/bin; cp "$0" .venv/bin/python ;;'
        f' *"pip install"*) echo "$*" >>{calls} ;; *"pip --version"*) [ "$0" != python3 ] ;; esac',
    )  # fmt: skip
    for name in ["mkdir", "cp"]:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    for _ in range(2):
        answer = _run("scripts/install.sh", "dev", path=str(tmp_path / "bin"), cwd=checkout)
        assert answer.returncode == 0, answer.stderr
    assert len(calls.read_text(encoding="ascii").splitlines()) == 1
    (checkout / "requirements.txt").write_text("Django==5.2.19\n", encoding="ascii")

    _run("scripts/install.sh", "dev", path=str(tmp_path / "bin"), cwd=checkout)

    [first, second] = calls.read_text(encoding="ascii").splitlines()
    assert first == second
    assert first.endswith("-r requirements.txt -r requirements-dev.txt")


def test_a_browser_that_does_not_start_is_not_taken(checkout: Path, tmp_path: Path) -> None:
    _tools(tmp_path / "bin")
    _program(tmp_path / "bin", "chromium", "exit 1")
    _program(tmp_path / "bin", "google-chrome", "echo Chromium 1")

    answer = _run("scripts/chromium.sh", path=str(tmp_path / "bin"), cwd=checkout)

    assert answer.stdout.strip() == str(tmp_path / "bin" / "google-chrome")


def test_without_a_browser_it_names_the_package(checkout: Path, tmp_path: Path) -> None:
    _tools(tmp_path / "bin")
    _program(tmp_path / "bin", "apt-get", "exit 100")

    answer = _run("scripts/chromium.sh", path=str(tmp_path / "bin"), cwd=checkout)

    assert answer.returncode == 1
    assert "apt-get install chromium" in answer.stderr
