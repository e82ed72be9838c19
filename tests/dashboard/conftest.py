"""A real Locaria and a real browser for all tests of a module."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from locaria.install import read_dockers
from locaria.local.runtime import Runtime
from locaria.local.status import read_status
from locaria.resources import DOCKERS_JSON
from tests.acceptance.conftest import Place
from tests.dashboard.page import Page
from tests.dashboard.slow_source import SlowSource

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def write_containers(folder: Path) -> Path:
    """The real file_loader, whose tasks leave soon."""
    folder.mkdir()
    for part in ("file_loader", "modules"):
        (folder / part).symlink_to(DOCKERS_JSON.parent / part)
    loader = read_dockers()["file_loader"]
    loader["limits"] |= {"idle_timeout": "2 seconds", "backoff": "0 seconds"}
    spare = {"entry_point": ["true"], "type": "loader", "description": "Is never asked for"}
    (folder / "dockers.json").write_text(json.dumps({"file_loader": loader, "spare": spare}))
    return folder


@pytest.fixture(scope="module")
def place(browser: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A Locaria for all tests of a module; not started where there is no browser."""
    del browser
    folder = tmp_path_factory.mktemp("dashboard")
    runtime = Runtime(
        folder / "state",
        bin_dir=os.environ.get("LOCARIA_TEST_PG_BIN"),
        durable=False,
        containers_dir=write_containers(folder / "containers"),
        task_environment={"LOCARIA_FETCH_PRIVATE": "1"},
        tick_every_s=0.2,
        http_port=0,
    )
    with runtime:
        place = Place(runtime)
        yield place
        place.forget()
        place.db.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """Debian's headless chromium with a profile of its own."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        pytest.skip("no browser: install chromium and chromium-driver")
    chromium, driver = map(str, programs)
    with tempfile.TemporaryDirectory(prefix="locaria-browser-", ignore_cleanup_errors=True) as home:
        options = Options()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={home}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(driver))
        yield browser
        browser.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, place: Place) -> Iterator[Page]:
    """The dashboard in a new document; after each test the console must hold no error."""
    page = Page(browser, read_status(place.runtime.state_dir)["http"])
    page.size(1280, 900)
    page.prefer("light")
    page.console()
    yield page
    errors = page.console()
    browser.get("about:blank")
    assert errors == []


@pytest.fixture(scope="module")
def source() -> Iterator[SlowSource]:
    """An HTTP server that gives CSV files as slowly as a test wants."""
    with SlowSource() as source:
        yield source
