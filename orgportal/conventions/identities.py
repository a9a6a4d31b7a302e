"""Ids in addresses: what is not written as one is as unknown as an id that nothing has."""

import re
from typing import Annotated

from bson import ObjectId
from pydantic import WithJsonSchema

from orgportal.errors import not_found

_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)

# Checked by `object_id`, not by the schema: an id that cannot exist is 404, not 422.
IdInPath = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{24}$", "examples": ["66f0c0ffee0123456789abcd"]})
]
# The same for slugs: the lookup knows which there are.
SlugInPath = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]{1,39}$", "examples": ["acme"]})
]


def object_id(text: str) -> ObjectId:
    """The id that an address names. Raises PortalError 404 for what cannot be one."""
    if not _OBJECT_ID.fullmatch(text):
        raise not_found()
    return ObjectId(text)
