"""A file that comes with a form: kept on disk while it arrives, without a name, so that none of it is left behind."""

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class SpoolingHandler(FileUploadHandler):
    """Takes at most IMPORT_MAX_BYTES; `is_too_large` says afterwards that there was more."""

    chunk_size = 256 * 1024

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.is_too_large = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        folder: Path = settings.DATA_DIR / "spool"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - Django closes it: `file` is where it looks

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > settings.IMPORT_MAX_BYTES:
            self.is_too_large = True
            raise StopUpload(connection_reset=True)
        self.file.write(raw_data)

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        self.file.seek(0)
        return UploadedFile(self.file, self.file_name, self.content_type, file_size, self.charset)
