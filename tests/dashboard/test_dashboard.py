"""The dashboard in a real browser, over the real API, with real containers."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from locaria.local import processes
from locaria.web.settings import read_settings
from tests.acceptance.conftest import Place
from tests.dashboard.page import Page
from tests.dashboard.slow_source import SlowSource
from tests.web.conftest import Web

pytestmark = pytest.mark.acceptance
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
HELD = "insert into locaria.files (container, attributes, run_after) select %s, %s, 'infinity' "


def hold(place: Place, count: int = 1, container: str = "spare", **attributes: str) -> list[int]:
    """Insert files of which nothing becomes; returns their ids."""
    rows = place.db.execute(
        f"{HELD} from generate_series(1, %s) returning id",
        [container, json.dumps(attributes), count],
    )
    return sorted(row["id"] for row in rows.fetchall())


@pytest.fixture
def slow(source: SlowSource) -> Iterator[SlowSource]:
    """Files that come slowly, at first."""
    source.hold()
    yield source
    source.release()


def shown(page: Page, file: int, phase: str) -> None:
    """Wait until the list shows a file in a phase."""
    page.until(lambda: page.text(f"{page.row(file)} .badge") == phase, f"file {file} is {phase}")


def bar(page: Page) -> float:
    """The value of the file's progress bar."""
    value = page.script(
        "return document.querySelector('.meter.big progress').getAttribute('value')"
    )
    return float(value or 0)


def file_of(page: Page) -> int:
    """The file whose page is open."""
    page.until(lambda: page.hash.startswith("#/files/"), "a file's page")
    return int(page.hash.removeprefix("#/files/"))


def test_an_empty_list_shows_an_example_insert(place: Place, page: Page) -> None:
    for hash_ in ("#/", "#/files"):
        page.open(hash_)
        sql = page.one(".empty code").text
        assert sql.startswith("insert into locaria.files")
    place.db.execute(sql)
    page.until(lambda: len(page.ids()) == 1, "the inserted file")
    assert not page.one("table.files").get_attribute("hidden")
    place.forget()


def test_a_submitted_csv_moves_its_bar_and_is_done(
    place: Place, page: Page, slow: SlowSource
) -> None:
    page.open("#/submit/file_loader")
    page.type("[name=path]", slow.url("hills.csv"))
    page.type("[name=table]", "hills")
    page.click("form.parameters button.primary")
    file = file_of(page)
    page.until(lambda: 0 < bar(page) < 50, "the bar has begun to move")
    before = bar(page)
    page.until(lambda: before < bar(page) < 50, "the bar moves on")
    assert page.text(".state-row .badge") == "running"
    slow.release()
    page.says(".state-row .badge", "done")
    page.says(".facts", "301")
    page.says(".log-lines", "hills.csv")
    page.says(".timeline", "FARGATE_PROCESSING → FARGATE_PROCESSED")
    page.says(".runs", "succeeded")
    assert f"{slow.rows:,} rows" in page.text(".state-row")
    assert place.status(file)["phase"] == "done"
    assert place.one("select count(*) as n from public.hills")["n"] == slow.rows


def test_a_running_file_that_is_cancelled_stops(place: Place, page: Page, slow: SlowSource) -> None:
    file = place.submit("file_loader", path=slow.url("moor.csv"), table="moor")
    page.open("#/files")
    shown(page, file, "running")
    page.click(f"{page.row(file)} [data-action=cancel_file]")
    page.press("not wanted", Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"), "Esc keeps the file")
    assert place.status(file)["phase"] == "running"
    assert page.focused("dataset.action") or "cancel_file" in page.focused()
    page.click(f"{page.row(file)} [data-action=cancel_file]")
    page.press("not wanted", Keys.ENTER)
    shown(page, file, "cancelled")
    page.says(page.row(file), "not wanted")
    assert [run["outcome"] for run in place.runs(file)] == ["cancelled"]
    assert place.status(file)["phase"] == "cancelled"


def test_a_failed_file_shows_its_error_and_can_be_retried(
    place: Place, page: Page, tmp_path: Path
) -> None:
    late = tmp_path / "late.csv"
    file = place.submit("file_loader", path=str(late), table="late")
    page.open(f"#/files/{file}")
    page.says(".state-row .badge", "failed")
    page.says(".error-box", "late.csv")
    late.write_text("id\n1\n")
    page.click("[data-action=retry_file]")
    page.click("dialog .primary")
    page.says(".state-row .badge", "done")
    assert place.one("select count(*) as n from public.late")["n"] == 1
    page.until(lambda: len(page.all(".runs li")) == len(place.runs(file)), "every run")


def test_filters_stand_in_the_address_and_back_goes_back(place: Place, page: Page) -> None:
    [mine] = hold(place, kind="one of a kind")
    [other] = hold(place, container="file_loader")
    page.open("#/files?container=spare")
    assert mine in page.ids()
    assert other not in page.ids()
    assert page.one("#by-container").get_attribute("value") == "spare"
    page.click(".chips [data-phase=held]")
    page.until(lambda: "phase=held" in page.hash and mine in page.ids(), "held ones of spare")
    page.click(".chips [data-phase=done]")
    page.until(lambda: page.ids() == [], "none of spare is done")
    page.says(".empty", "phase done, container spare")
    page.browser.back()
    page.until(lambda: mine in page.ids(), "back again")
    page.type("#by-attribute", "kind=one of a kind")
    page.press(Keys.ENTER)
    page.until(lambda: page.ids() == [mine], "the only one of its kind")
    [another] = hold(place, kind="one of a kind")
    page.until(lambda: page.ids() == [another, mine], "one more of the kind, live")
    place.db.execute("select locaria.cancel(%s)", [[mine]])
    page.until(lambda: page.ids() == [another], "a cancelled file leaves the list of held ones")


def test_paging_works_and_the_document_stays_small(place: Place, page: Page) -> None:
    ids = hold(place, 3000, container="spare", of="many")
    page.open("#/files?with=of%3Dmany")
    assert page.ids() == ids[::-1][:50]
    page.click("[rel=next]")
    page.until(lambda: page.ids() == ids[::-1][50:100], "the second page")
    page.click("[rel=prev]")
    page.until(lambda: page.ids() == ids[::-1][:50], "the first page again")
    page.go("#/files?with=of%3Dmany")
    more = hold(place, 1000, of="many")
    page.until(lambda: page.ids() == more[::-1][:50], "the newest, after 1000 inserts")
    place.db.execute("select locaria.cancel(%s)", [more])
    page.until(
        lambda: (
            set(
                page.script(
                    "return [...document.querySelectorAll('tr .badge')].map(e => e.innerText)"
                )
            )
            == {"cancelled"}
        ),
        "all are cancelled",
    )
    assert page.ids() == more[::-1][:50]
    place.db.execute("select locaria.cancel(%s)", [ids])


def test_invalid_parameters_are_reported_at_their_fields(page: Page) -> None:
    page.open("#/submit")
    page.click(".choice a[href$=file_loader]")
    page.type("[name=path]", "/nowhere.csv")
    page.click(".fold summary")
    page.type("[name=types]", "{not json")
    page.click("form.parameters button.primary")
    page.until(lambda: page.focused("name") == "types", "the wrong field has the focus")
    assert "Not valid JSON" in page.text("#p-types-error")
    page.type("[name=types]", '{"id": "int"}')
    page.script(
        "const o = document.querySelector('select[name=mode]');"
        "if (o) { o.options[0].value = JSON.stringify('sideways'); o.selectedIndex = 0; }"
    )
    page.click("form.parameters button.primary")
    page.until(lambda: page.text("#p-mode-error") != "", "the server's reason at the field")
    assert page.hash == "#/submit/file_loader"
    assert page.focused("name") == "mode"


def test_everything_works_by_keyboard(place: Place, page: Page, tmp_path: Path) -> None:
    csv = tmp_path / "keys.csv"
    csv.write_text("id\n1\n2\n")
    page.open("#/")
    page.press(Keys.TAB)
    assert page.focused("id") == "skip"
    page.press(Keys.ENTER)
    assert page.focused("id") == "main"
    page.script("document.activeElement.blur()")
    tab_to(page, "href", "#/submit")
    page.press(Keys.ENTER)
    page.settled()
    tab_to(page, "href", "#/submit/file_loader")
    page.press(Keys.ENTER)
    page.settled()
    tab_to(page, "name", "path")
    page.press(str(csv))
    tab_to(page, "name", "table")
    page.press("keys", Keys.ENTER)
    file = file_of(page)
    page.says(".state-row .badge", "done")
    tab_to(page, "dataset.action", "retry_file")
    page.press(Keys.ENTER)
    page.until(lambda: page.all("dialog[open]"), "the question")
    seen = set()
    for _ in range(6):
        page.press(Keys.TAB)
        seen.add(page.script("return document.activeElement.closest('dialog, body').tagName"))
    assert "A" not in seen
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"), "Esc closes")
    assert page.script("return document.activeElement.dataset.action") == "retry_file"
    assert place.status(file)["phase"] == "done"


def tab_to(page: Page, property_: str, wanted: str) -> None:
    """Press Tab until it is there."""
    look = "return arguments[0].split('.').reduce((e, n) => e?.[n], document.activeElement) ?? ''"
    for _ in range(60):
        found = str(page.script(look, property_))
        if found == wanted or found.endswith(wanted):
            return
        page.press(Keys.TAB)
    raise AssertionError(f"Tab never comes to {wanted}")


NAMELESS = """
const controls = document.querySelectorAll("button, a, input, select, textarea");
const isNamed = (e) => e.innerText || e.ariaLabel || e.labels?.length;
return [...controls].filter((e) => e.checkVisibility() && !isNamed(e)).map((e) => e.outerHTML);
"""
BANNER = """
window.told = [];
const banner = document.getElementById("banner");
const tell = () => told.push(banner.innerText);
new MutationObserver(tell).observe(banner, {childList: true, attributes: true});
"""
STORED = "return JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"


def shown_code(code: int) -> str:
    """How a character that can't be seen is shown."""
    return f"\u2039U+{code:04X}\u203a"


HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>\u202egnp.exe\x07" + "w" * 300


def test_hostile_text_is_shown_as_text(place: Place, page: Page) -> None:
    long = "<b>" + "long " * 2000
    [file] = hold(
        place, path=f"/data/{HOSTILE}", table="'; drop table files; --\n<svg/onload=hacked=1>"
    )
    place.db.execute(
        "insert into locaria.log_messages (file_id, run_id, at, level, stage, message) "
        "select %s, 0, locaria.clock(), 'info', 'load', m from unnest(%s::text[]) as m",
        [file, [long, "\x1b[31mred\u202e <script>hacked=1</script>"]],
    )
    page.size(360, 740)
    for hash_ in ("#/", "#/files", f"#/files/{file}"):
        page.open(hash_)
        assert page.script("return document.documentElement.scrollWidth <= innerWidth"), hash_
        assert page.script(
            "const made = document.querySelectorAll('main :is(img, script, b)');"
            "return [typeof hacked, made.length]"
        ) == ["undefined", 0]
    assert shown_code(0x202E) + "gnp.exe" + shown_code(7) in page.text("h1")
    assert "<script>hacked=1</script>" in page.text(".log-lines")
    assert len(page.text(".log-lines")) < 1500
    page.click(".log-lines button")
    assert len(page.text(".log-lines")) > 10_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast_in_light_and_dark(
    place: Place, page: Page, scheme: str
) -> None:
    [file] = hold(place, table="contrast")
    page.prefer(scheme)
    for hash_ in ("#/", "#/files", f"#/files/{file}", "#/submit/file_loader"):
        page.open(hash_)
        assert page.script(CONTRAST) == [], hash_
        ground = page.script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 150) == (scheme == "dark")


def test_a_phone_shows_everything_without_scrolling_sideways(place: Place, page: Page) -> None:
    [file] = hold(place, path="/data/" + "a-very-long-name-of-a-file" * 8 + ".csv")
    page.size(360, 740)
    for hash_ in ("#/", "#/files", f"#/files/{file}", "#/submit/file_loader", "#/nowhere"):
        page.open(hash_)
        assert page.script("return document.documentElement.scrollWidth") <= 360, hash_
        assert page.script(NAMELESS) == [], hash_


def test_the_overview_shows_containers_throughput_and_health(place: Place, page: Page) -> None:
    page.open("#/")
    assert "Loads files of every usual format" in page.text(".cards")
    assert page.one(".well").text.startswith("Healthy")
    picture = page.one("[data-plot=ended]")
    assert picture.accessible_name.startswith("Finished per minute")
    tab_to(page, "className", "plots")
    page.press(Keys.END)
    page.says(".readout", "waiting")
    page.click(".numbers-table summary")
    assert page.all(".numbers-table caption")
    place.db.execute("select locaria.pause('spare', 'the disk is <full>')")
    try:
        page.open("#/")
        page.says(".overview", "paused by locaria: the disk is <full>")
    finally:
        place.db.execute("select locaria.resume('spare')")
    held = page.text(".tiles [data-phase=held] strong")
    hold(place)
    page.until(lambda: page.text(".tiles [data-phase=held] strong") != held, "one more is held")


def test_a_health_finding_is_shown_with_its_fix(place: Place, page: Page) -> None:
    wrong = {"arn": "arn:aws:lambda:local:000000000000:function:nobody"}
    change = "update locaria.parameters set parameter = {} where parameter_name = 'fargate_config'"
    page.open("#/")
    place.db.execute(change.format("parameter || %s"), [json.dumps({"spare": wrong})])
    file = place.submit("spare")
    try:
        page.says(".findings", "dispatch of spare")
        assert "select * from locaria.dispatches" in page.text(".findings .copyable code")
        page.says(page.row(file), "no task could be started")
    finally:
        place.db.execute("select locaria.cancel(%s)", [[file]])
        place.db.execute(change.format("parameter - 'spare'"))
        place.forget()


def test_an_unknown_address_shows_not_found(page: Page) -> None:
    page.open("#/files/999999999")
    page.says("main", "There is no file 999999999")
    page.go("#/files/abc")
    page.says("main", "Page not found")
    page.go("#/files?phase=sideways")
    page.says("main", "sideways")
    page.click("main a[href='#/files']")
    page.until(lambda: page.ids() and page.all(".chips"), "the list again")


def web_processes() -> list[int]:
    """The web server of the runtime: a child of this process."""
    children = Path("/proc/self/task").glob("*/children")
    pids = [int(pid) for path in children for pid in path.read_text().split()]
    return [pid for pid in pids if "locaria.web" in processes.command_line(pid)]


def test_a_lost_connection_is_reported_and_caught_up(place: Place, page: Page) -> None:
    [before] = hold(place)
    page.open("#/files")
    page.script(BANNER)
    for pid in web_processes():
        os.kill(pid, signal.SIGKILL)
    page.until(lambda: "connection is lost" in " ".join(page.script("return told")), "says so")
    [during] = hold(place)
    page.until(page.is_live, "reconnected")
    page.until(lambda: page.ids()[:2] == [during, before], "what happened meanwhile")
    assert page.script("return document.getElementById('banner').hidden")
    [after] = hold(place)
    page.until(lambda: page.ids()[0] == after, "subscribed again")
    page.console()  # The browser itself says there that the connection broke.


def test_a_paused_log_collects_new_messages(place: Place, page: Page, slow: SlowSource) -> None:
    file = place.submit("file_loader", path=slow.url("pause.csv"), table="pause", debug="")
    page.open(f"#/files/{file}")
    page.says(".state-row .badge", "running")
    page.until(lambda: page.all(".log-lines li"), "the first messages")
    page.click(".log .bar button")
    lines = len(page.all(".log-lines li"))
    slow.release()
    page.says(".state-row .badge", "done")
    page.says(".log .bar button", "new message")
    assert len(page.all(".log-lines li")) == lines
    page.click(".log .bar button")
    page.until(lambda: len(page.all(".log-lines li")) > lines, "what was held back")


def test_an_unknown_user_signs_in_and_a_reader_has_no_actions(
    place: Place, page: Page, tmp_path: Path
) -> None:
    [file] = hold(place)
    tokens = tmp_path / "tokens.json"
    tokens.touch(mode=0o600)
    tokens.write_text(
        json.dumps(
            {
                "tokens": [
                    {"token": "reader-token-0123", "role": "reader", "subject": "wall display"}
                ]
            }
        )
    )
    settings = read_settings(
        place.runtime.site.web_dsn, "127.0.0.1", {"LOCARIA_WEB_TOKENS": str(tokens)}
    )
    with Web(settings) as web:
        guarded = Page(page.browser, web.http)
        guarded.browser.get(f"{web.http}/#/files/{file}")
        guarded.one("dialog #token")
        guarded.press("a wrong one", Keys.ENTER)
        guarded.says("#dialog-text", "does not accept")
        guarded.press("reader-token-0123", Keys.ENTER)
        guarded.until(guarded.is_live, "signed in")
        guarded.says("#whoami", "wall display")
        guarded.says(".state-row .badge", "held")
        assert not [each for each in guarded.all(".action") if each.is_displayed()]
        guarded.go("#/submit/file_loader")
        guarded.says(".notice", "requires the role submitter")
        assert guarded.all("form.parameters") == []
        kept = guarded.script(STORED)
        assert "reader-token" not in kept
        page.browser.get("about:blank")
    page.console()  # The browser itself says there that it was refused.


def test_a_listener_shows_its_endpoint_and_command(place: Place, page: Page) -> None:
    place.limit("spare", max_tasks=1)
    task = place.one("select task_id from locaria.start_task('spare', null, null, null, '{}')")
    file = place.submit("spare")
    run = place.one("select run_id from locaria.claim_files(%s)", task["task_id"])["run_id"]
    report = "select locaria.report_listening(%s, 'http://127.0.0.1:9', %s)"
    try:
        place.db.execute(report, [run, None])
        page.open(f"#/files/{file}")
        page.says("main", "listening")
        assert "http://127.0.0.1:9" in page.text("main")
        assert not any(bar.is_displayed() for bar in page.all("main progress"))
        place.db.execute(report, [run, "find Heathrow"])
        page.says("main", "find Heathrow")
        page.one("main progress")
    finally:
        place.db.execute("select locaria.finish_run(%s)", [run])
        place.db.execute("select locaria.leave_task(%s, 0)", [task["task_id"]])
