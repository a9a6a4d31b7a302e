"""API keys as text: recognisable, hard to mistype, impossible to guess."""

import pytest

from accounts.api_keys.text import PREFIX, is_well_formed, looks_like_key, new_key, shown_prefix


def test_a_new_key_is_well_formed_and_like_no_other() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert {len(key) for key in keys} == {59}
    assert all(key.startswith(PREFIX) and is_well_formed(key) and looks_like_key(key) for key in keys)


def test_a_mistyped_key_is_no_key() -> None:
    """The checksum finds every single change of a character, and neighbours that changed places."""
    key = new_key()
    for place in range(len(key)):
        for character in "0aZ_":
            changed = key[:place] + character + key[place + 1 :]
            assert is_well_formed(changed) == (changed == key), changed
        swapped = key[:place] + key[place : place + 2][::-1] + key[place + 2 :]
        assert is_well_formed(swapped) == (swapped == key), swapped


@pytest.mark.parametrize(
    "text", ["", "orgp_live_", "orgp_live_abc", "orgp_test_" + "a" * 49, "{key}\n", " {key}", "{key}a"]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert not is_well_formed(text.format(key=new_key()))


def test_what_is_shown_of_a_key_gives_little_away() -> None:
    key = new_key()
    assert shown_prefix(key) == key[:14]
