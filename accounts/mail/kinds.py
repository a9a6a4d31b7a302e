"""The kinds of letters and who writes them: each takes a letter and says what it comes to, or that it is pointless."""

from collections.abc import Mapping

from accounts import email_change, notices, recovery, verification
from accounts.invitations import sending
from accounts.mail.writing import Composer

COMPOSERS: Mapping[str, Composer] = {
    verification.LETTER_KIND: verification.compose,
    email_change.LETTER_KIND: email_change.compose,
    recovery.LETTER_KIND: recovery.compose,
    sending.LETTER_KIND: sending.compose,
    notices.LETTER_KIND: notices.compose,
}
