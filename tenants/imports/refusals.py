"""Why a whole file, or one line of it, is not taken."""

from orgportal.errors import InputError, PortalError

# What is said of a whole file, of which then nothing is written.
REFUSALS = frozenset({"file_refused", "file_too_large", "unsupported_encoding", "key_needs_index"})


def file_refused(message: str, *, line: int | None = None) -> PortalError:
    """422: the file is not what its format says. Nothing of it was written."""
    return PortalError("file_refused", 422, message, errors=[InputError(f"line {line}" if line else "file", message)])


def too_large(message: str) -> PortalError:
    """413: the file has more than an import may have. Nothing of it was written."""
    return PortalError("file_too_large", 413, message)


def compressed(kind: str) -> PortalError:
    """415: nobody knows how large that becomes."""
    return PortalError("unsupported_encoding", 415, f"This is a {kind} file. Send what is in it, uncompressed.")


def key_needs_index(path: str, most: int) -> PortalError:
    """422: nothing finds the records of the key in bounded time and memory. Nothing of the file was written."""
    message = f"To upsert by this key among over {most:,} records, add an index on {path[:200]}, and import again."
    return PortalError("key_needs_index", 422, message, errors=[InputError("key", message)])


def line_flaw(message: str, path: str = "") -> PortalError:
    """What is wrong with one line; the others go on."""
    return PortalError("invalid_input", 422, message, errors=[InputError(path, message)])


def import_running(seconds: int) -> PortalError:
    """409: there is one import at a time in an organization."""
    return PortalError(
        "import_running", 409, "Another import of this organization is running. Wait for its end.", retry_after=seconds
    )


def taken_over() -> PortalError:
    """409: the same import was sent again, and that repetition goes on with it."""
    return PortalError(
        "import_taken_over", 409, "This import was sent again, and goes on there. Look at its progress.", retry_after=2
    )


def key_reused() -> PortalError:
    """422: an Idempotency-Key names one file and one way to import it."""
    return PortalError(
        "idempotency_key_reused", 422, "This Idempotency-Key was used with another file or other parameters."
    )
