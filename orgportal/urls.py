"""All addresses of the portal."""

from django.urls import include, path

from orgportal import health, pages
from orgportal.api import api

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path(".well-known/jwks.json", health.jwks, name="jwks"),
    path("api/v1/", api.urls),
    path("", pages.landing, name="landing"),
    path("theme", pages.set_theme, name="theme"),
    path("", include("accounts.urls")),
    path("", include("tenants.urls")),
]

handler400 = "orgportal.answers.handler400"
handler403 = "orgportal.answers.handler403"
handler404 = "orgportal.answers.handler404"
handler500 = "orgportal.answers.handler500"
