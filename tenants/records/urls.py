"""Pages of records. A record's address has `id/` before its id, which may be any word, also that of another page."""

from django.urls import path

from tenants.records import bulk_views, export_views, grid_views, import_views, record_views

urlpatterns = [
    path("records", grid_views.records, name="records"),
    path("records/count", grid_views.records_count, name="records_count"),
    path("records/delete", bulk_views.records_delete, name="records_delete"),
    path("records/import", import_views.import_new, name="import_new"),
    path("records/import/sample", import_views.import_sample, name="import_sample"),
    path("records/imports", import_views.imports, name="imports"),
    path("records/imports/<import_id>", import_views.import_progress, name="import_progress"),
    path("records/imports/<import_id>/cancel", import_views.import_cancel, name="import_cancel"),
    path("records/export", export_views.records_export, name="records_export"),
    path("records/new", record_views.record_new, name="record_new"),
    path("records/id/<id>", record_views.record, name="record"),
    path("records/id/<id>/delete", record_views.record_delete, name="record_delete"),
]
