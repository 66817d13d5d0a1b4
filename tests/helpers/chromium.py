"""A real browser that opens pages from disk: headless Chromium without a network.

``AXE_CORE`` names the file ``axe.min.js`` of axe-core, which checks how accessible a page is;
tests that need what is missing are skipped.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'google-chrome'))), None)
DRIVER = shutil.which('chromedriver')
AXE = os.environ.get('AXE_CORE', '')

_FLAGS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-sync',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-extensions',
    '--host-resolver-rules=MAP * ~NOTFOUND',
    '--window-size=1280,900',
    '--hide-scrollbars',
)
_WEBGL = ('--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader')
_NO_WEBGL = ('--disable-3d-apis',)
#: Sizes of a window: a desk, a phone
DESK, PHONE = (1280, 900), (390, 844)


class Browser:
    """A session of Chromium, with what a page must not do noted as it is opened."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def visit(
        self,
        page: Path,
        size: tuple[int, int] = DESK,
        *,
        scripts: bool = True,
        dark: bool = False,
        fragment: str = '',
    ) -> None:
        """Open a page and assert what holds for all of them.

        Nothing in the console that is an error, nothing fetched but the page itself, every
        picture complete, nothing that is wider than the window.
        """
        self.command('Emulation.setScriptExecutionDisabled', value=not scripts)
        metrics = {'width': size[0], 'height': size[1], 'deviceScaleFactor': 1}
        self.command('Emulation.setDeviceMetricsOverride', **metrics, mobile=size == PHONE)
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        still = {
            'name': 'prefers-reduced-motion',
            'value': 'reduce',
        }  # or it scrolls while one clicks
        self.command('Emulation.setEmulatedMedia', features=[scheme, still])
        self.driver.get('about:blank')
        for log in ('browser', 'performance'):
            self.driver.get_log(log)  # what was before
        self.driver.get(f'{page.as_uri()}{fragment}')
        self.check(page, size)

    def check(self, page: Path, size: tuple[int, int]) -> None:
        """Assert what :meth:`visit` promises, of what happened since the last time."""
        errors = [entry for entry in self.driver.get_log('browser') if entry['level'] == 'SEVERE']
        assert not errors, errors
        fetched = {url for url in self.requests() if not url.startswith(('data:', 'blob:'))}
        assert fetched <= {page.as_uri()}
        broken = self.run('return [...document.images].filter(i => !i.naturalWidth).length')
        assert broken == 0
        assert self.run('return document.documentElement.scrollWidth') <= size[0]

    def requests(self) -> list[str]:
        """Address of everything that was asked for since the last time."""
        events = [json.loads(entry['message'])['message'] for entry in self._events()]
        return [
            event['params']['request']['url']
            for event in events
            if event['method'] == 'Network.requestWillBeSent'
        ]

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page as it is."""
        self.run(Path(AXE).read_text(encoding='utf-8'))
        found = self.driver.execute_async_script(
            'axe.run(document, {resultTypes: ["violations"]}).then(arguments[0])'
        )
        return [
            f'{rule["id"]}: {rule["help"]}: {node["html"][:200]}: {node["failureSummary"]}'
            for rule in found['violations']
            for node in rule['nodes']
        ]

    def run(self, script: str, *values: Any) -> Any:
        """Run a script in the page; ``arguments`` has the values."""
        return self.driver.execute_script(script, *values)

    def element(self, selector: str) -> Any:
        """First element that fits a CSS selector."""
        return self.driver.find_element('css selector', selector)

    def text(self, identifier: str) -> str:
        """Text of an element by its id, seen or not."""
        return self.run('return document.getElementById(arguments[0]).textContent', identifier)

    def pixels(self, selector: str) -> np.ndarray:
        """An element as it is seen: (rows, columns, 3), 0 to 255."""
        picture = Image.open(io.BytesIO(self.element(selector).screenshot_as_png))
        return np.asarray(picture.convert('RGB')).astype(float)

    def wait(self, script: str, seconds: float = 20) -> None:
        """Wait until a script returns something true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f'after {seconds} s still not: {script}'
            time.sleep(0.02)

    def command(self, name: str, **values: Any) -> None:
        """Give a command of the Chrome DevTools Protocol."""
        self.driver.execute_cdp_cmd(name, values)

    def _events(self) -> list[dict[str, Any]]:
        return self.driver.get_log('performance')


@contextmanager
def open_browser(profile: Path, *, webgl: bool = True) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; skip the test where it or its driver is missing."""
    if not (CHROMIUM and DRIVER):
        pytest.skip('needs Chromium and its driver (Debian: chromium, chromium-driver)')
    # selenium must neither look for a driver nor tell anybody
    os.environ.update(SE_OFFLINE='true', SE_AVOID_STATS='true')
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    flags = (*_FLAGS, *(_WEBGL if webgl else _NO_WEBGL), f'--user-data-dir={profile}')
    for flag in flags:
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


needs_axe = pytest.mark.skipif(
    not Path(AXE).is_file(), reason='needs axe-core: set AXE_CORE to its axe.min.js'
)
