"""The sample file that an empty collection offers: orders of a coffee roaster, with every kind of value."""

from pathlib import Path
from typing import BinaryIO

FILE = Path(__file__).with_name("sample.ejson")
FORMAT = "ejson"
NAME = "coffee-orders.ejson"
COUNT = 60


def open_sample() -> BinaryIO:
    """The file, one record of Extended JSON on each line."""
    return FILE.open("rb")
