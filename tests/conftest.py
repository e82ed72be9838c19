"""A real Postgres for every test: one server a session, one migrated template, a clone per test."""

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from pytest_postgresql.janitor import DatabaseJanitor

from locaria.install import install
from locaria.local.aws.standin import install_standin
from locaria.local.postgres.server import PostgresServer

Connection = psycopg.Connection[dict[str, Any]]

OWNER = "locaria_owner"
PASSWORD = "for tests only"
TEMPLATE = "locaria_template"
MEMORY = Path("/dev/shm")
ENOUGH = 6 << 30  # bytes, for a few servers at a time
LOGINS = {
    "app": "locaria_app",
    "loader": "locaria_loader",
    "reader": "locaria_reader",
    "operator": "locaria_operator",
}


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that are tested, and have enough sockets.

    A suite that a script has put into its background ignores it, and what it starts inherits that.
    Many systems give 1,024 open files to who does not ask for more.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Database:
    """A migrated database of a test's own."""

    server: PostgresServer
    name: str
    connections: list[Connection] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """As the owner, who is no superuser."""
        return self.server.dsn_for(self.name, OWNER, PASSWORD)

    @property
    def superuser_dsn(self) -> str:
        """As the superuser of the cluster."""
        return self.server.dsn_for(self.name)

    def dsn_of(self, role: str) -> str:
        """As a login that is in one of the group roles: app, loader, reader, operator."""
        return self.server.dsn_for(self.name, f"test_{role}", PASSWORD)

    def connect(self, role: str | None = None, *, autocommit: bool = True) -> Connection:
        """Open a connection as the owner or as a role; closed when the test ends."""
        dsn = self.dsn if role is None else self.dsn_of(role)
        connection = psycopg.connect(dsn, autocommit=autocommit, row_factory=dict_row)
        self.connections.append(connection)
        return connection

    def close(self) -> None:
        """Close what connect() opened."""
        for connection in self.connections:
            connection.close()


@pytest.fixture(scope="session")
def pg_server() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this test session: embedded, or LOCARIA_TEST_PG_BIN's."""
    bin_dir = os.environ.get("LOCARIA_TEST_PG_BIN")
    with server_folder() as folder:
        server = PostgresServer(folder, bin_dir=Path(bin_dir) if bin_dir else None, durable=False)
        with server:
            yield server
        server.destroy()


@contextmanager
def server_folder() -> Iterator[Path]:
    """For the files of a server: in memory, where there is room.

    Each clone is a thousand files, and file systems are slow to make files where others have just
    been deleted.
    """
    begin = "locaria-tests-"
    for left in MEMORY.glob(f"{begin}*"):
        if not Path("/proc", left.name.split("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH
    folder = tempfile.mkdtemp(prefix=f"{begin}{os.getpid()}-", dir=MEMORY if roomy else None)
    try:
        Path(folder).chmod(0o755)  # as root, the server runs as somebody else
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(pg_server: PostgresServer) -> str:
    """A migrated database, from which each test gets its clone."""
    return make_template(pg_server)


def make_template(pg_server: PostgresServer) -> str:
    """Migrate a database of a server and make its logins; its name."""
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        superuser.execute(
            sql.SQL("create role {} login createrole password {}").format(
                sql.Identifier(OWNER), PASSWORD
            )
        )
        superuser.execute(f"create database {TEMPLATE} owner {OWNER}")
    install_standin(pg_server.dsn_for(TEMPLATE), OWNER)
    dsn = pg_server.dsn_for(TEMPLATE, OWNER, PASSWORD)
    install(dsn)
    with closing(psycopg.connect(dsn, autocommit=True)) as owner:
        owner.execute("select locaria.turn_log_partitions()")
        owner.execute(
            "select locaria.register_container(name, '{}') "
            "from unnest(array['file_loader', 'file_download']) as name"
        )
        owner.execute(
            """
            update locaria.parameters set parameter = '{"default": {
              "arn": "arn:aws:lambda:local:000000000000:function:ecsRunTask",
              "region": "local", "mode": "Event", "cluster": "locaria",
              "subnets": ["subnet-1"], "security_groups": ["sg-1"]}}'
            where parameter_name = 'fargate_config'
            """
        )
        owner.execute(
            "update locaria.parameters set parameter = parameter || '{\"movable_clock\": true}' "
            "where parameter_name = 'installation'"
        )
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        for login, group in LOGINS.items():
            superuser.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    sql.Identifier(f"test_{login}"), PASSWORD, sql.Identifier(group)
                )
            )
        # The login of the web server: nothing of its own, but may become what its clients are.
        superuser.execute(
            sql.SQL(
                "create role test_web login noinherit password {} in role "
                "locaria_app, locaria_reader, locaria_operator, locaria_web"
            ).format(PASSWORD)
        )
    return TEMPLATE


@contextmanager
def cloned(pg_server: PostgresServer, template: str, node: str) -> Iterator[Database]:
    """A clone of the template for a test or a module, named after it."""
    name = f"test_{abs(hash(node)) % 10**12}"
    with closing(psycopg.connect(pg_server.dsn, autocommit=True)) as superuser:
        info = superuser.info
        janitor = DatabaseJanitor(
            user=info.user,
            password=info.password,
            host=info.host,
            port=info.port,
            dbname=name,
        )
        _clone(superuser, template, name)
    database = Database(pg_server, name)
    try:
        yield database
    finally:
        database.close()
        janitor.drop()


def _clone(superuser: psycopg.Connection[Any], template: str, name: str) -> None:
    """Copy the files of a database, which is a quarter of the work of writing it to the WAL.

    A clone belongs to the owner, who thus may create in its schema public.
    """
    words = "create database {} template {} owner {}"
    if superuser.info.server_version >= 150_000:
        words += " strategy file_copy"
    superuser.execute(
        "select set_config(name, 'clone', false) from pg_settings"
        " where name = 'file_copy_method' and 'clone' = any(enumvals)"
    )
    names = map(sql.Identifier, (name, template, OWNER))
    superuser.execute(sql.SQL(words).format(*names))


@pytest.fixture
def db(
    pg_server: PostgresServer, template: str, request: pytest.FixtureRequest
) -> Iterator[Database]:
    """A fresh clone of the template."""
    with cloned(pg_server, template, request.node.nodeid) as database:
        yield database
