"""Static files are gathered when one of them changed, and only then."""

import json
import threading
from pathlib import Path

import pytest
from pytest_django import Settings

from orgportal import assets


@pytest.fixture
def source(tmp_path: Path, settings: Settings) -> Path:
    """A folder with one static file, and an empty STATIC_ROOT beside it."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "site.css").write_text("body { color: black }", encoding="ascii")
    settings.STATICFILES_DIRS = [folder]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "gathered"
    return folder


def _served(root: Path) -> str:
    """What a page that asks for site.css gets."""
    manifest = json.loads((root / "staticfiles.json").read_text(encoding="utf-8"))
    return (root / str(manifest["paths"]["site.css"])).read_text(encoding="utf-8")


def test_files_are_gathered_under_hashed_names_and_compressed(source: Path, settings: Settings) -> None:
    assert assets.collect_if_changed() is True

    assert _served(settings.STATIC_ROOT) == "body { color: black }"
    assert [path.name for path in settings.STATIC_ROOT.glob("site.*.css")]


def test_nothing_is_done_when_nothing_changed(source: Path) -> None:
    assets.collect_if_changed()

    assert assets.collect_if_changed() is False


def test_a_changed_file_is_gathered_again(source: Path, settings: Settings) -> None:
    assets.collect_if_changed()
    (source / "site.css").write_text("body { color: white; }", encoding="ascii")

    assert assets.collect_if_changed() is True
    assert _served(settings.STATIC_ROOT) == "body { color: white; }"


def test_a_new_and_a_removed_file_are_noticed(source: Path) -> None:
    assets.collect_if_changed()
    (source / "more.css").write_text("p { margin: 0 }", encoding="ascii")
    assert assets.collect_if_changed() is True
    (source / "more.css").unlink()
    assert assets.collect_if_changed() is True


def test_work_that_broke_off_is_done_again(source: Path, settings: Settings) -> None:
    (source / "broken.css").write_text("body { background: url(missing.png) }", encoding="ascii")
    with pytest.raises(ValueError, match=r"missing\.png"):
        assets.collect_if_changed()
    (source / "broken.css").unlink()

    assert assets.collect_if_changed() is True


def test_of_many_at_once_one_does_the_work(source: Path) -> None:
    did: list[bool] = []
    threads = [threading.Thread(target=lambda: did.append(assets.collect_if_changed())) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(did) == [False] * 5 + [True]
