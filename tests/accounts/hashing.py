"""Counts the hashes that bcrypt itself is asked for, at the library's boundary."""

from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt
import pytest


@contextmanager
def hashes_counted() -> Iterator[list[int]]:
    """The costs of the hashes that are made meanwhile, in their order."""
    costs: list[int] = []
    really = bcrypt.hashpw

    def counting(password: bytes, salt: bytes) -> bytes:
        costs.append(int(salt.split(b"$")[2]))
        return really(password, salt)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bcrypt, "hashpw", counting)
        yield costs
