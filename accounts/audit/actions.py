"""Every action that the audit knows, with what people read of it. An action that is not here cannot be written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Action:
    """Its dotted name, for programs and filters, and a phrase for people that says what was done or tried."""

    name: str
    phrase: str


ACTIONS: tuple[Action, ...] = (
    # The audit itself
    Action("audit.begun", "A chain of entries was begun"),
    Action("audit.ended", "A chain of entries was removed with its organization"),
    Action("audit.torn", "The chain was found damaged, and went on"),
    Action("audit.exported", "The audit was exported"),
    # The keys of the portal
    Action("keys.resealed", "Sealed second factors with the key in use"),
    Action("keys.rotated", "Made a new key of the portal"),
    Action("keys.forgotten", "Ended the earlier keys of the portal"),
    # Logging in and out
    Action("login.succeeded", "Logged in"),
    Action("login.failed", "Failed to log in"),
    Action("login.refused", "Was refused a login"),
    Action("session.ended", "Logged out"),
    Action("session.revoked", "Ended one of the own sessions"),
    Action("session.others_ended", "Ended the other sessions"),
    Action("session.organization_chosen", "Went on in this organization"),
    Action("token.issued", "Was issued tokens"),
    Action("token.reuse_detected", "A refresh token was used twice, and its tokens were revoked"),
    # The account
    Action("password.changed", "Changed the password"),
    # The second factor, and confirming a change of security
    Action("second_factor.switched_on", "Switched the second factor on"),
    Action("second_factor.switched_off", "Switched the second factor off"),
    Action("second_factor.app_added", "Added an authenticator app beside a passkey"),
    Action("second_factor.app_removed", "Removed the authenticator app, and kept a passkey"),
    Action("passkey.added", "Added a passkey"),
    Action("passkey.renamed", "Gave a passkey another name"),
    Action("passkey.removed", "Removed a passkey"),
    Action("passkey.counter_refused", "Was refused with a passkey whose counter went back: there may be a copy of it"),
    Action("second_factor.codes_renewed", "Made new recovery codes"),
    Action("second_factor.recovery_used", "Logged in with a recovery code"),
    Action("sudo.confirmed", "Entered the password again, or showed a passkey"),
    Action("sudo.failed", "Entered a wrong password or code for a change of security"),
    Action("password.reset_requested", "Asked for a link to reset the password"),
    Action("password.reset", "Reset the password with a link"),
    Action("email.verified", "Confirmed the email address"),
    Action("email.changed", "Changed the email address"),
    # Invitations
    Action("invitation.sent", "Invited somebody"),
    Action("invitation.resent", "Sent an invitation again"),
    Action("invitation.revoked", "Took an invitation back"),
    Action("invitation.accepted", "Accepted an invitation"),
    # Members
    Action("member.role_changed", "Changed a member's role"),
    Action("member.removed", "Removed a member"),
    Action("member.left", "Left the organization"),
    Action("organization.transferred", "Handed the ownership over"),
    # API keys
    Action("api_key.created", "Made an API key"),
    Action("api_key.revoked", "Revoked an API key"),
    # Records, where they are many
    Action("records.deleted", "Deleted records"),
    Action("records.imported", "Imported records"),
    Action("records.import_cancelled", "Cancelled an import"),
    Action("records.exported", "Exported records"),
    # The organization
    Action("organization.policy_changed", "Changed what is demanded of members"),
    Action("organization.created", "Created the organization"),
    Action("organization.changed", "Changed the organization"),
    Action("organization.renamed", "Changed the short name"),
    Action("organization.deleted", "Deleted the organization"),
    Action("organization.suspended", "Suspended the organization"),
    Action("organization.resumed", "Opened the organization again"),
    Action("organization.schema_set", "Began to switch a schema on"),
    Action("organization.schema_off", "Switched the schema off"),
    Action("organization.index_added", "Added an index"),
    Action("organization.index_removed", "Removed an index"),
    Action("organization.operation_resumed", "Went on with what was under way or interrupted"),
)

PHRASES = {action.name: action.phrase for action in ACTIONS}
