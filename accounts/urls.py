"""Pages about who is calling."""

from django.urls import path

from accounts import recovery_views, views
from accounts.api_keys import views as api_keys
from accounts.factors import views as factors
from accounts.invitations import views as invitations
from accounts.membership import views as membership
from accounts.passkeys import views as passkeys
from accounts.session_list import views as session_list

urlpatterns = [
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
    path("account", views.account, name="account"),
    path("account/sessions", session_list.own_sessions, name="own_sessions"),
    path("account/sessions/end-others", session_list.sessions_end_others, name="sessions_end_others"),
    path("account/sessions/<session_id>/end", session_list.session_end, name="session_end"),
    path("password/forgot", recovery_views.password_forgot, name="password_forgot"),
    path("password/sent", recovery_views.password_sent, name="password_sent"),
    path("password/reset/<reset_token>", recovery_views.password_reset, name="password_reset"),
    path("email/resend", recovery_views.email_resend, name="email_resend"),
    path("email/verify/<verify_token>", recovery_views.email_verify, name="email_verify"),
    path("email/change", recovery_views.email_change_page, name="email_change"),
    path("email/change/<change_token>", recovery_views.email_change_confirm, name="email_change_confirm"),
    path("members", membership.members, name="members"),
    path("members/leave", membership.members_leave, name="members_leave"),
    path("members/<account_id>/role", membership.member_role, name="member_role"),
    path("members/<account_id>/remove", membership.member_remove, name="member_remove"),
    path("members/<account_id>/transfer", membership.member_transfer, name="member_transfer"),
    path("keys", api_keys.keys, name="keys"),
    path("keys/new", api_keys.key_new, name="key_new"),
    path("keys/<key_id>/revoke", api_keys.key_revoke, name="key_revoke"),
    path("members/invite", invitations.invite, name="invite"),
    path("members/invitations/<invitation_id>/resend", invitations.resend, name="invitation_resend"),
    path("members/invitations/<invitation_id>/revoke", invitations.revoke, name="invitation_revoke"),
    path("invitations/<invitation_token>", invitations.offer, name="invitation"),
    path("login/code", factors.login_code, name="login_code"),
    path("login/code/passkey", passkeys.login_code_passkey, name="login_code_passkey"),
    path("login/code/passkey/options", passkeys.login_code_options, name="login_code_options"),
    path("login/passkey", passkeys.login_passkey, name="login_passkey"),
    path("sudo", factors.sudo_page, name="sudo"),
    path("sudo/passkey", passkeys.sudo_passkey, name="sudo_passkey"),
    path("account/security", factors.account_security, name="account_security"),
    path("account/security/begin", factors.second_factor_begin, name="second_factor_begin"),
    path("account/security/setup", factors.second_factor_setup, name="second_factor_setup"),
    path("account/security/off", factors.second_factor_off, name="second_factor_off"),
    path("account/security/codes", factors.recovery_codes, name="recovery_codes"),
    path("account/security/passkeys/new", passkeys.passkey_new, name="passkey_new"),
    path("account/security/passkeys/<passkey_id>", passkeys.passkey_rename, name="passkey_rename"),
    path("account/security/passkeys/<passkey_id>/remove", passkeys.passkey_remove, name="passkey_remove"),
]
