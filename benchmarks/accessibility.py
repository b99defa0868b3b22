"""The report page and the web page in a real browser: desktop and phone, light and dark, judged by axe-core.

    pip install playwright                  # drives a Chromium that is installed already; it need not download one
    npm install axe-core                    # Deque's rules, one file
    python benchmarks/accessibility.py --axe node_modules/axe-core/axe.min.js --shots shots demo/report.html

Opens every HTML file that is named, and `compoclip serve tiny --base tiny` before and after an answer; prints for each
page, width and scheme what axe finds, whether the page is wider than its window, and what the browser complained of.
`--shots` keeps pictures to look at. Exits 1 for a fault that axe calls serious or critical, a page that scrolls
sideways, an error in the console, or a page that asks another host for something.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from compoclip.data.world import composition_item, draw

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
GRAVE = ("serious", "critical")
ITEM = composition_item("swap-attribute", 0, 3)
Finding = tuple[str, str]  # (what is wrong, where); grave ones begin with "!"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pages", nargs="*", type=Path, help="HTML files")
    options.add_argument("--axe", type=Path, required=True, help="axe.min.js of the npm package axe-core")
    options.add_argument("--shots", type=Path, help="folder for screenshots")
    options.add_argument("--browser", default=None, help="a Chromium; default: the one on PATH")
    options.add_argument("--no-serve", action="store_true", help="only the files")
    chosen = options.parse_args()
    axe = chosen.axe.read_text(encoding="utf-8")
    program = chosen.browser or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        grave = sum(look_at_file(browser, path.resolve(), axe, chosen.shots) for path in chosen.pages)
        if not chosen.no_serve:
            with served() as address:
                grave += look_at_service(browser, address, axe, chosen.shots)
        browser.close()
    print(f"grave faults: {grave}")
    sys.exit(1 if grave else 0)


@contextmanager
def opened(browser: Browser, size: str, scheme: str, **more: Any) -> Iterator[tuple[BrowserContext, Page, list[str]]]:
    """A page of its own, and what its console complains of or asks of other hosts."""
    width, height = SIZES[size]
    phone = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if size == "phone" else {}
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **phone, **more)
    page, told = context.new_page(), []
    page.on("console", lambda line: told.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda r: told.append(f"asks {r.url}") if not re.match(LOCAL, r.url) else None)
    try:
        yield context, page, told
    finally:
        context.close()


LOCAL = r"file:|data:|about:|blob:|http://127\.0\.0\.1"


def judged(page: Page, name: str, axe: str, told: list[str], shots: Path | None) -> int:
    """Print what is wrong with a page as it stands; the number of grave faults."""
    page.evaluate(axe)
    report = page.evaluate("() => axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    findings = [
        (f"{'!' if v['impact'] in GRAVE else ' '} axe {v['impact']} {v['id']} x{len(v['nodes'])}: {v['help']}",
         v["nodes"][0]["html"][:120])
        for v in report["violations"]
    ]  # fmt: skip
    over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    findings += [(f"! {over} px wider than its window", "")] if over > 0 else []
    findings += [(f"! {line[:160]}", "") for line in dict.fromkeys(told)]
    unsure = ", ".join(f"{v['id']} x{len(v['nodes'])}" for v in report["incomplete"])
    print(f"{name}: {len(report['passes'])} rules pass, {len(findings)} findings; to be judged by eye: {unsure or '-'}")
    for what, where in findings:
        print(f"  {what}  {where}")
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shots / f"{name.replace('/', '-').replace(' ', '-')}.png", full_page=True)
    return sum(what.startswith("!") for what, _ in findings)


def look_at_file(browser: Browser, path: Path, axe: str, shots: Path | None) -> int:
    grave = 0
    for size in SIZES:
        for scheme in SCHEMES:
            with opened(browser, size, scheme) as (_, page, told):
                page.goto(path.as_uri())
                grave += judged(page, f"{path.parent.name}/{path.stem} {size} {scheme}", axe, told, shots)
    return grave


@contextmanager
def served() -> Iterator[str]:
    command = [sys.executable, "-m", "compoclip", "serve", "tiny", "--base", "tiny", "--port", "0", "--rate", "1000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        try:
            assert server.stderr is not None
            line = next(line for line in server.stderr if "http://" in line)
            yield re.findall(r"http://\S+", line)[0]
        finally:
            server.terminate()


def look_at_service(browser: Browser, address: str, axe: str, shots: Path | None) -> int:
    """The empty page, its answer with script, and its answer without; and how long an answer takes in the browser."""
    grave, seconds = 0, []
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "scene.png"
        Image.fromarray(draw(ITEM.scene)).resize((512, 512)).save(picture)
        for size in SIZES:
            for scheme in SCHEMES:
                for script in (True, False):
                    with opened(browser, size, scheme, java_script_enabled=script) as (_, page, told):
                        page.goto(address)
                        if script:
                            grave += judged(page, f"serve/empty {size} {scheme}", axe, told, shots)
                        seconds.append(ask(page, picture))
                        if script:
                            grave += judged(page, f"serve/answer {size} {scheme}", axe, told, shots)
                        elif told or page.locator("table").count() < 2:
                            print(f"serve/answer without script {size} {scheme}: no answer; {told}")
                            grave += 1
            grave += refused(browser, address, size)
    print(f"answers of serve in the browser: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s")
    return grave


def ask(page: Page, picture: Path) -> float:
    """Fill the form as a person does; seconds until the tables stand there."""
    page.set_input_files("input[type=file]", picture)
    page.fill("textarea", f"{ITEM.caption}\n{ITEM.negative}")
    started = time.perf_counter()
    page.click("button[type=submit], form button")
    page.wait_for_selector("table", timeout=60_000)
    return time.perf_counter() - started


def refused(browser: Browser, address: str, size: str) -> int:
    """A file that is no picture: one sentence on the page, and the captions still there."""
    with tempfile.TemporaryDirectory() as folder, opened(browser, size, "light") as (_, page, _told):
        broken = Path(folder) / "broken.png"
        broken.write_bytes(b"no picture at all")
        page.goto(address)
        page.set_input_files("input[type=file]", broken)
        page.fill("textarea", "a dog")
        page.click("button[type=submit], form button")
        page.wait_for_selector("[role=alert]", timeout=60_000)
        kept = page.input_value("textarea") == "a dog"
    if not kept:
        print(f"serve/refused {size}: the captions are gone")
    return int(not kept)


if __name__ == "__main__":
    main()
