"""Pages about organizations. The organization always comes from the session, so that no address names a tenant."""

from django.urls import include, path

from tenants import signup_views, views
from tenants.audit import views as audit
from tenants.figures import views as figures
from tenants.policies import views as policies
from tenants.record_indexes import views as indexes
from tenants.rules import views as rules

urlpatterns = [
    path("signup", signup_views.signup, name="signup"),
    path("signup/name", signup_views.name_preview, name="name_preview"),
    path("new", signup_views.organization_new, name="organization_new"),
    path("choose", views.choose, name="choose"),
    path("dashboard", views.dashboard, name="dashboard"),
    path("progress", views.progress, name="progress"),
    path("settings", views.organization_settings, name="organization_settings"),
    path("security", policies.organization_security, name="organization_security"),
    path("audit", audit.audit, name="audit"),
    path("audit/export", audit.audit_export, name="audit_export"),
    path("dashboard/field", figures.distribution, name="distribution"),
    path("records/schema", rules.schema, name="schema"),
    path("records/schema/off", rules.schema_off, name="schema_off"),
    path("records/indexes", indexes.indexes, name="indexes"),
    path("records/indexes/<index_id>/remove", indexes.index_remove, name="index_remove"),
    path("", include("tenants.records.urls")),
    path("delete", views.delete_organization, name="delete_organization"),
]
