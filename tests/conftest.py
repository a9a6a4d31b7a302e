"""A database server for each process that runs tests, and the environment before Django.

The embedded database does one thing at a time: with one server for all xdist workers they waited for each other more
than they worked (220 s against 124 s for the same tests). TEST_MONGODB_URI names a server to run against instead.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orgportal.env import VARIABLES
from tests import order
from tests.emptying import Traces
from tests.portals import Portal
from tests.servers import DatabaseServer

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
CONTROLS = WORKER == "main"
# In memory where there is such a folder: kill -9 of a process loses as little there as on a disk.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
FOLDER = Path(
    tempfile.mkdtemp(prefix=f"orgportal-tests-{WORKER}-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)
)
DATABASE = f"test_{WORKER}"
OWN_SERVER = "TEST_OWN_MONGODB_URI"

_server: DatabaseServer | None = None
_traces = Traces(DATABASE)


def _set_environment() -> None:
    """Before anything imports Django's settings: conftest modules below this one may do so at once."""
    global _server  # noqa: PLW0603
    # An xdist worker inherits the environment of the process that controls it, and that one's server with it.
    if os.environ.get(OWN_SERVER) == os.environ.get("TEST_MONGODB_URI"):
        _server = DatabaseServer(FOLDER / "database", durable=False).start()
        os.environ["TEST_MONGODB_URI"] = os.environ[OWN_SERVER] = _server.uri
    for variable in VARIABLES:
        os.environ.pop(variable.name, None)
    os.environ |= {
        "ORGPORTAL_ENV": "local",
        "MONGODB_URI": os.environ["TEST_MONGODB_URI"],
        "MONGODB_DATABASE": DATABASE,
        "DATA_DIR": str(FOLDER / "data"),
        "SITE_URL": "http://testserver",
        "ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
        "BCRYPT_ROUNDS": "4",
    }


def _load_settings() -> None:
    """Loads them from this process's environment, and hides them from pytest-django in the xdist workers.

    It would load them there before this module, out of the environment that the workers inherit.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "orgportal.settings"
    from django.conf import settings

    assert os.environ["MONGODB_DATABASE"] == settings.MONGODB_DATABASE
    # Every new test client sets the middleware up again, and WhiteNoise would list all static files each time.
    settings.WHITENOISE_AUTOREFRESH = True
    del os.environ["DJANGO_SETTINGS_MODULE"]


_set_environment()
_load_settings()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    import django

    django.setup()
    _traces.watch()
    from tests import remembered

    remembered.watch(_traces)
    if CONTROLS:
        from orgportal import assets

        assets.collect_if_changed()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what its module shortens, so that `make chaos` finds it."""
    if isinstance(item, pytest.Function) and {"effort", "FULL"} & vars(item.module).keys():
        item.add_marker("shortened")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Behind pytest-randomly, which shuffles: each worker begins with its share of what takes long."""
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = order.dealt(items, workers)


def pytest_unconfigure(config: pytest.Config) -> None:
    from orgportal import database

    _traces.close()
    database.forget_clients()
    if _server is not None:
        _server.kill()
    shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def database_indexes() -> None:
    """The master database with its indexes, once per worker."""
    from orgportal import database, indexes

    database.client().drop_database(DATABASE)
    indexes.ensure_indexes()


@pytest.fixture
def clean_database(database_indexes: None) -> None:
    """An empty master database (indexes kept) and no organization's collection.

    `pytestmark = pytest.mark.usefixtures("clean_database")` puts it on a whole module.
    """
    from orgportal import database

    _traces.remove(database.master())


@pytest.fixture(scope="session")
def ear() -> None:
    """`tests.wire.ears.EAR` hears what is sent from now on: once, though modules are run in parts."""
    from pymongo import monitoring

    from orgportal import database
    from tests.wire.ears import EAR

    # A listener reaches only the clients that are opened after it.
    monitoring.register(EAR)
    database.forget_clients()


@pytest.fixture
def database_server() -> Iterator[Callable[..., DatabaseServer]]:
    """Makes started servers of the test's own: `database_server(durable=True, failpoints=True)`."""
    servers: list[DatabaseServer] = []

    def make(*, durable: bool = True, failpoints: bool = False) -> DatabaseServer:
        folder = Path(tempfile.mkdtemp(prefix="database-", dir=FOLDER)) / "data"
        servers.append(DatabaseServer(folder, durable=durable, failpoints=failpoints).start())
        return servers[-1]

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def live_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """Gunicorn and worker, real processes on this process's database server, with a database of their own."""
    portal = Portal(
        uri=os.environ["TEST_MONGODB_URI"],
        database=f"live_{WORKER}",
        folder=tmp_path_factory.mktemp("live-portal"),
        # Browsers keep passkeys for host names only.
        host="localhost",
    )
    with portal.mongo() as client:
        client.drop_database(portal.database)
    portal.start()
    yield portal
    # What is thrown away need not end in order: that takes seconds while a browser keeps its connections.
    portal.kill("web")
    portal.kill("worker")
