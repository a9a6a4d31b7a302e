"""Which rules a new password of an account is held to: those of the portal and of every organization it belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.directory import directory
from accounts.passwords import MIN_LENGTH, MIN_LENGTH_WITH_FACTOR, check_password_policy, length_of
from accounts.principal import Membership
from orgportal.database import Document


@dataclass(frozen=True)
class PasswordRules:
    """The least length, and the words that a password must not lean on."""

    minimum: int
    words: tuple[str, ...]

    def check(self, password: str) -> None:
        """Raises PortalError 422 (path `password`) that says what is wrong with it."""
        check_password_policy(password, self.words, minimum=self.minimum)


def rules_for(
    *, email: str, name: str = "", memberships: Iterable[Membership], has_second_factor: bool = False
) -> PasswordRules:
    """The rules for an account: one round trip for its organizations.

    With a second factor eight characters are enough (NIST SP 800-63B, 3.1.1.2), unless an organization wants more.
    """
    organizations = directory().open_ones([one.org_id for one in memberships])
    wanted = [one.policy.min_password_length or 0 for one in organizations]
    names = [text for one in organizations for text in (one.name, one.slug)]
    words = (*names, email, email.partition("@")[0], name)
    return PasswordRules(max(MIN_LENGTH_WITH_FACTOR if has_second_factor else MIN_LENGTH, *wanted, 0), words)


def length_note(password: str, *, has_second_factor: bool) -> Document:
    """What to set in an account's document along with a password: whether it needs the second factor to stay."""
    return {"secrets.short_password": length_of(password) < MIN_LENGTH} if has_second_factor else {}
