"""The dashboard as somebody uses it: look, wait, click, type."""

import time
from collections.abc import Callable
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

WAIT_S = 30.0


class Page:
    """One window. Whatever it looks for, it waits for."""

    def __init__(self, browser: Chrome, base: str) -> None:
        self.browser = browser
        self.base = base

    def open(self, hash_: str = "#/") -> None:
        """Load the dashboard anew at a page of it, and wait until it is live."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.base}/{hash_}")
        self.until(self.is_live, "live")

    def go(self, hash_: str) -> None:
        """To another page of the dashboard, as a link would."""
        self.script("location.hash = arguments[0]", hash_)
        self.settled()

    def is_live(self) -> bool:
        """Connected, with an answer on the page."""
        return self.text("#link-words") == "Live" and not self.all("[aria-busy=true]")

    def settled(self) -> None:
        """Wait for the page's first answer."""
        self.until(lambda: not self.all("[aria-busy=true]"), "an answer")

    @property
    def hash(self) -> str:
        """Which page of the dashboard it is."""
        return "#" + str(self.browser.current_url).partition("#")[2]

    def all(self, css: str) -> list[WebElement]:
        """All elements, right now."""
        return list(self.browser.find_elements(By.CSS_SELECTOR, css))

    def one(self, css: str) -> WebElement:
        """The first element that is seen."""
        seen: list[WebElement] = []

        def look() -> bool:
            seen[:] = [each for each in self.all(css) if each.is_displayed()][:1]
            return bool(seen)

        self.until(look, css)
        return seen[0]

    def text(self, css: str) -> str:
        """What an element says."""
        found: Any = self.script(
            "const e = document.querySelector(arguments[0]); return e && e.innerText", css
        )
        return str(found or "").strip()

    def until(self, good: Callable[[], Any], what: str, seconds: float = WAIT_S) -> None:
        """Wait for something to be so."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if good():
                    return
            except StaleElementReferenceException:
                pass
            assert time.monotonic() < deadline, f"{what}:\n{self.text('body')}\n{self.console()}"
            time.sleep(0.05)

    def says(self, css: str, words: str) -> None:
        """Wait until an element says this."""
        self.until(lambda: words in self.text(css), f"{css} says {words}")

    def click(self, css: str) -> None:
        """Click the first element that is seen."""
        element = self.one(css)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def type(self, css: str, text: str) -> None:
        """Write into an empty field."""
        field = self.one(css)
        field.clear()
        field.send_keys(text)

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def focused(self, property_: str = "outerHTML") -> str:
        """A property of what has the focus."""
        return str(self.script("return document.activeElement[arguments[0]]", property_))

    def row(self, file: int) -> str:
        """CSS of a file's row."""
        return f'tr[data-id="{file}"]'

    def ids(self) -> list[int]:
        """The files of the list, from the top."""
        found: Any = self.script(
            "return [...document.querySelectorAll('tr[data-id]:not(.leaving)')]"
            ".map(e => Number(e.dataset.id))"
        )
        return list(found)

    def script(self, text: str, *arguments: Any) -> Any:
        """Ask the document."""
        return self.browser.execute_script(text, *arguments)

    def size(self, width: int, height: int) -> None:
        """Be a screen of this size."""
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def prefer(self, scheme: str) -> None:
        """Prefer a light or dark scheme, and reduced motion: colours don't fade in the test."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def console(self) -> list[str]:
        """Errors and warnings that the console got since the last call."""
        entries: Any = self.browser.get_log("browser")
        return [each["message"] for each in entries if each["level"] in ("SEVERE", "WARNING")]
