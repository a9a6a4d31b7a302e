"""Takes the file of a form as it comes in, chunk by chunk into the database, so that its size costs no memory.

A page that takes such a form is exempt from the CSRF check on the way in, for that would read the whole form, sets
this handler, and checks then (`django.views.decorators.csrf.csrf_protect`):

    handler = ImportUploadHandler(request, start=lambda file_name: service.start_upload(access=…, file_name=file_name))
    request.upload_handlers = [handler]
"""

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

from orgportal.errors import PortalError
from tenants.imports.service import Upload


class ImportUploadHandler(FileUploadHandler):
    """The first file of a form becomes an `Upload`, still to be finished or aborted by the page.

    `upload` is None when there was no file, and `refusal` is why it could not be taken; then the rest of the form is
    read all the same, so that the page can be shown again.
    """

    def __init__(self, request: HttpRequest, *, start: Callable[[str], Upload]) -> None:
        super().__init__(request)
        self._start = start
        self.upload: Upload | None = None
        self.refusal: PortalError | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """A file begins."""
        super().new_file(*args, **kwargs)
        if self.upload is not None or self.refusal is not None or not self.file_name:
            raise SkipFile
        try:
            self.upload = self._start(self.file_name)
        except PortalError as error:
            self.refusal = error
            raise SkipFile from None

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """More of it."""
        if self.upload is None or self.refusal is not None:
            return
        try:
            self.upload.write(raw_data)
        except PortalError as error:
            self.refusal = error

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """All of it was there; the form's file has a name and a size, and no content here."""
        return UploadedFile(name=self.file_name, size=file_size, content_type=self.content_type)

    def upload_interrupted(self) -> None:
        """The browser has gone."""
        if self.upload is not None:
            self.upload.abort()
