"""Sealed secrets: they open for their purpose and owner, with today's key or an earlier one, and for nothing else."""

import pytest
from django.conf import LazySettings

from accounts import sealing


def test_what_is_sealed_opens_again_and_does_not_show_what_is_in_it() -> None:
    sealed = sealing.seal(b"a secret", purpose="test", owner="alice")
    assert sealing.unseal(sealed, purpose="test", owner="alice") == b"a secret"
    assert b"a secret" not in sealed
    assert sealing.seal(b"a secret", purpose="test", owner="alice") != sealed


@pytest.mark.parametrize(("purpose", "owner"), [("another", "alice"), ("test", "bob")])
def test_it_opens_for_no_other_purpose_or_owner(purpose: str, owner: str) -> None:
    sealed = sealing.seal(b"a secret", purpose="test", owner="alice")
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, purpose=purpose, owner=owner)


@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    sealed = bytearray(sealing.seal(b"a secret", purpose="test", owner="alice"))
    sealed[at] ^= 1
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(bytes(sealed), purpose="test", owner="alice")


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, purpose="test", owner="alice")
    assert not sealing.is_current(sealed, purpose="test", owner="alice")


def test_an_earlier_secret_key_still_opens_it_as_long_as_it_is_a_fallback(settings: LazySettings) -> None:
    earlier = settings.SECRET_KEY
    sealed = sealing.seal(b"a secret", purpose="test", owner="alice")
    assert sealing.is_current(sealed, purpose="test", owner="alice")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 10, [earlier]
    assert sealing.unseal(sealed, purpose="test", owner="alice") == b"a secret"
    assert not sealing.is_current(sealed, purpose="test", owner="alice")
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(sealing.CannotOpen):
        sealing.unseal(sealed, purpose="test", owner="alice")
