"""The README's tour, pasted into a shell as it stands, against a running portal."""

import json
import re
import subprocess

from tests.portals import ROOT, Portal

ADDRESS = "http://127.0.0.1:8000"


def tour(address: str) -> str:
    """The lines of the tour for a portal at that address, under a name and an email that no other test there takes."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- tour -->\n```sh\n(.*?)```\n<!-- /tour -->", readme, re.DOTALL)
    assert found, "the README has no tour"
    assert found[1].count(ADDRESS) == 1
    lines = found[1].replace(ADDRESS, address).replace("ada@", "tour@")
    return lines.replace("Zürich", "Tour").replace("zurich", "tour")


def test_the_tour_is_five_lines_that_work_when_pasted(live_portal: Portal) -> None:
    lines = tour(live_portal.base_url)
    assert len(lines.splitlines()) == 5
    done = subprocess.run(["/bin/sh", "-e"], input=lines, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    decoder = json.JSONDecoder()
    signed_up, end = decoder.raw_decode(done.stdout)
    looked_at, end = decoder.raw_decode(done.stdout, re.compile(r"\s*").match(done.stdout, end).end())  # type: ignore[union-attr]
    assert "organization" in signed_up, signed_up
    assert signed_up["organization"]["slug"] == looked_at["slug"] == "cafe_tour"
    assert (looked_at["collection"], looked_at["records"], looked_at["role"]) == ("org_cafe_tour", 0, "owner")
    assert done.stdout[end:].strip() == "204"
