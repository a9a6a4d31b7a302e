"""Metadata: what an organization may keep about itself."""

from typing import Any

import pytest

from orgportal.errors import PortalError
from tenants.metadata import clean_metadata


def test_flat_json_values_are_kept_as_they_are() -> None:
    metadata = {"text": "Ünï\n", "whole": 2**63 - 1, "part": 1.5, "yes": True, "nothing": None, "": "x"}
    del metadata[""]
    cleaned = clean_metadata(metadata)
    assert cleaned == metadata
    assert isinstance(cleaned["yes"], bool)


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"$where": "1"}, "metadata.$where"),
        ({"a.b": 1}, "metadata.a.b"),
        ({"": 1}, "metadata."),
        ({"a\0": 1}, "metadata.a\0"),
        ({"_cls": "Account"}, "metadata._cls"),
        ({"_ref": 1}, "metadata._ref"),
        ({"k" * 65: 1}, "metadata." + "k" * 64),
        ({"a\ud800": 1}, "metadata.a\ud800"),
        ({"a": {"$ne": 1}}, "metadata.a"),
        ({"a": [1]}, "metadata.a"),
        ({"a": 2**63}, "metadata.a"),
        ({"a": float("nan")}, "metadata.a"),
        ({"a": float("inf")}, "metadata.a"),
        ({"a": "x" * 1001}, "metadata.a"),
        ({"a": "\ud800"}, "metadata.a"),
        ({"a": "\0"}, "metadata.a"),
        ({str(n): n for n in range(51)}, "metadata"),
    ],
)
def test_anything_else_is_refused_with_its_path(metadata: dict[str, Any], path: str) -> None:
    with pytest.raises(PortalError) as refusal:
        clean_metadata(metadata)
    assert refusal.value.status == 422
    assert path in [entry.path for entry in refusal.value.errors]


@pytest.mark.parametrize("metadata", [[], "text", 1])
def test_what_is_no_object_is_refused(metadata: Any) -> None:
    with pytest.raises(PortalError):
        clean_metadata(metadata)
