"""From the bytes of a file to its documents, one format to a module."""

from tenants.imports.options import Options
from tenants.imports.parsers.base import Parser
from tenants.imports.parsers.csv_rows import CsvRows
from tenants.imports.parsers.ejson import Ejson
from tenants.imports.parsers.json_array import JsonArray
from tenants.imports.parsers.ndjson import Ndjson

__all__ = ["Parser", "parser_for"]


def parser_for(options: Options) -> Parser:
    """A new parser of the format that the options name."""
    if options.format == "csv":
        return CsvRows(options)
    if options.format == "json":
        return JsonArray()
    return Ejson() if options.format == "ejson" else Ndjson()
