"""API keys of an organization: the third credential beside session and token."""

from accounts.api_keys.service import (
    MAX_KEYS,
    ApiKey,
    NewKey,
    get_key,
    list_keys,
    make_key,
    principal_with,
    revoke_all_of_account,
    revoke_all_of_member,
    revoke_all_of_organization,
    revoke_key,
)
from accounts.api_keys.text import looks_like_key

__all__ = [
    "MAX_KEYS",
    "ApiKey",
    "NewKey",
    "get_key",
    "list_keys",
    "looks_like_key",
    "make_key",
    "principal_with",
    "revoke_all_of_account",
    "revoke_all_of_member",
    "revoke_all_of_organization",
    "revoke_key",
]
