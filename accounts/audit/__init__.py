"""The audit: who did what, on what, when, from where, and how it ended, in chains that show every change.

    with audit.act(action="member.removed", org_ids=[org_id], actor=principal, target=f"account:{account_id}"):
        ...

Each organization has a chain of its own, the portal one more (`audit.PORTAL`) for what belongs to none.
"""

from accounts.audit.actors import OPERATOR, SYSTEM, Actor, account, anonymous
from accounts.audit.acts import act, happened, note
from accounts.audit.chain import forget
from accounts.audit.entries import PORTAL

__all__ = ["OPERATOR", "PORTAL", "SYSTEM", "Actor", "account", "act", "anonymous", "forget", "happened", "note"]
