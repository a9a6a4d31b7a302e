"""Pages about who is calling."""

from django.urls import path

from accounts import views
from accounts.factors import views as factors

urlpatterns = [
    path("login", views.login, name="login"),
    path("logout", views.logout, name="logout"),
    path("account", views.account, name="account"),
    path("login/code", factors.login_code, name="login_code"),
    path("sudo", factors.sudo_page, name="sudo"),
    path("account/security", factors.account_security, name="account_security"),
    path("account/security/begin", factors.second_factor_begin, name="second_factor_begin"),
    path("account/security/setup", factors.second_factor_setup, name="second_factor_setup"),
    path("account/security/off", factors.second_factor_off, name="second_factor_off"),
    path("account/security/codes", factors.recovery_codes, name="recovery_codes"),
]
