"""The report in a real browser, from a file and without network: nothing fails, nothing is loaded, nothing overflows.

EVENBENCH_REQUIRE_BROWSER=1 makes a missing browser a failure. EVENBENCH_SCREENSHOTS=folder keeps what was seen.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fixtures.asv_results import MACHINE, certificates, manifest, quick_run

from reports.load import load
from reports.site import report_files
from reports.write import write_all

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
]
WIDTHS = {"wide": 1280, "phone": 390}
CHARTS = 9  # inference and training of two models, a roofline of each phase of the kernels, two of learning curves


def missing_browser() -> str | None:
    """Why these tests cannot run here."""
    try:
        import selenium  # noqa: F401
    except ModuleNotFoundError:
        return "selenium is not installed"
    absent = [path for path in (CHROMIUM, DRIVER) if not Path(path).exists()]
    return f"{' and '.join(absent)} not found: install Debian's chromium and chromium-driver" if absent else None


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser that keeps its console and a log of every request."""
    reason = missing_browser()
    if reason and os.environ.get("EVENBENCH_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report on a whole quick run with everything that can be marked."""
    folder = tmp_path_factory.mktemp("a folder with a space")
    proofs = certificates(**{"conv2d-1x7": 3.2e-3})
    taints = [{"condition": "steal", "reason": "the hypervisor took 3.1% of the CPU time"}]
    conditions = {**manifest()["conditions"], "taints": taints}
    taint = {"verdict": "tainted", "taints": [{"reason": "other programs took 60% of the CPUs, in 5 of 65 s"}]}
    places = (("resnet50", "inference", "224px-batch1"), ("conv2d-1x1", "forward", None))
    stages = [{"workload": workload, "stage": stage, "size": size, **taint} for workload, stage, size in places]
    about = {"certificates": proofs, "conditions": conditions, "stage_conditions": stages}
    quick_run(folder, dirty=True, finished_at=None, **about)
    (folder / "results" / MACHINE / "cut.json").write_text('{"results": ')
    write_all(folder / "report", report_files(load(folder)))
    return (folder / "report" / "index.html").as_uri()


def open_page(driver: Chrome, url: str, width: int, scheme: str = "light") -> None:
    """Open it afresh at a width, and wait until its charts are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(url)
    WebDriverWait(driver, 30, 0.1).until(lambda browser: drawn(browser))
    assert drawn(driver) == CHARTS


def drawn(driver: Chrome) -> int:
    """How many charts are drawn."""
    return int(driver.execute_script("return document.documentElement.dataset.drawn ?? 0"))


def keep(driver: Chrome, name: str) -> None:
    """A picture of the whole page, in parts that an image viewer can show."""
    folder = os.environ.get("EVENBENCH_SCREENSHOTS")
    if not folder:
        return
    width, height = driver.execute_script("const e = document.documentElement; return [innerWidth, e.scrollHeight]")
    for part, top in enumerate(range(0, height, 1600)):
        clip = {"x": 0, "y": top, "width": width, "height": min(1600, height - top), "scale": 1}
        picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path = Path(folder) / f"{name}-{part:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture["data"]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_page_opens_without_error_request_or_overflow(driver: Chrome, page: str, width: str, scheme: str) -> None:
    open_page(driver, page, WIDTHS[width], scheme)
    keep(driver, f"{width}-{scheme}")
    assert driver.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    assert {url.partition("#")[0] for url in asked} == {page}
    inner, scroll = driver.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert inner == WIDTHS[width]
    assert scroll <= inner
    # Text is readable against its background: ink and paper are far apart in either scheme.
    ink, paper = driver.execute_script("""
        const style = getComputedStyle(document.body);
        return [style.color, style.backgroundColor].map((colour) => colour.match(/[0-9]+/g).map(Number));
    """)
    assert (sum(ink[:3]) > sum(paper[:3])) == (scheme == "dark")
    assert abs(sum(ink[:3]) - sum(paper[:3])) > 450


def test_every_chart_draws_its_marks_within_its_place(driver: Chrome, page: str) -> None:
    open_page(driver, page, WIDTHS["phone"])
    charts = driver.execute_script("""
        return [...document.querySelectorAll(".chart:not(details:not([open]) *)")].map((chart) => {
          const box = chart.querySelector("svg").getBoundingClientRect();
          const marks = [...chart.querySelectorAll("svg .mark-symbol path, svg .mark-line path, svg .mark-rule line")];
          const inside = marks.filter((mark) => {
            const place = mark.getBoundingClientRect();
            return place.left >= box.left - 1 && place.right <= box.right + 1;
          });
          return {width: box.width, height: box.height, marks: marks.length, inside: inside.length};
        });
    """)
    assert len(charts) == CHARTS
    for chart in charts:
        assert 300 < chart["width"] <= WIDTHS["phone"]
        assert chart["height"] > 150
        assert chart["marks"] >= 4
        assert chart["inside"] == chart["marks"]
    # A model's chart holds every call: six programs (five, where one failed), 14 calls each, beside rules and axes.
    assert [chart["marks"] >= 5 * 14 for chart in charts[:4]] == [True] * 4


def test_rooflines_draw_a_point_for_every_program_under_both_ceilings(driver: Chrome, page: str) -> None:
    open_page(driver, page, WIDTHS["phone"])
    charts = driver.execute_script("""
        return [...document.querySelectorAll("[data-chart^=roofline]")].map((chart) => ({
          points: [...chart.querySelectorAll(".programs_marks path")].filter((mark) => mark.getAttribute("d")).length,
          roofs: [...chart.querySelectorAll(".mark-line path")].map((line) => line.getTotalLength()),
          texts: [...chart.querySelectorAll(".mark-text text")].map((text) => text.textContent),
        }));
    """)
    # Four frameworks on twenty kernels, 17 of which have weights: one has no arithmetic, conv2d-1x7 no proof.
    assert [chart["points"] for chart in charts] == [4 * 18, 4 * 18, 4 * 16]
    for chart in charts:
        assert len(chart["roofs"]) == 1
        assert chart["roofs"][0] > 200
        assert {"matrix product 210 GFLOP/s", "memory 21.0 GB/s"} <= set(chart["texts"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_heat_map_is_coloured_and_readable(driver: Chrome, page: str, scheme: str) -> None:
    open_page(driver, page, WIDTHS["phone"], scheme)
    cells = driver.execute_script("""
        return [...document.querySelectorAll(".heat tbody tr:not(.group) td")].map((cell) => {
          const style = getComputedStyle(cell), numbers = (text) => text.match(/[0-9.]+/g).map(Number);
          return {
            text: cell.textContent, hint: cell.title, css: cell.classList[0],
            ink: numbers(style.color), paper: numbers(style.backgroundColor),
          };
        });
    """)
    assert len(cells) == 20 * 3 * 4
    coloured = [cell for cell in cells if cell["css"] != "heat-none"]
    assert len({tuple(cell["paper"]) for cell in coloured}) >= 4
    for cell in coloured:
        assert abs(sum(cell["ink"][:3]) - sum(cell["paper"][:3])) > 250
    # Three kernels have no gradient by weight, and all three phases of conv2d-1x7 are withheld.
    assert [sum(cell["text"] == sign for cell in cells) for sign in "–?"] == [3 * 4, 3 * 4]
    assert all(cell["hint"] for cell in cells)


def test_a_folded_chart_is_drawn_when_it_is_unfolded(driver: Chrome, page: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(driver, page, WIDTHS["phone"])
    driver.execute_script("document.querySelector('[data-chart=kernels-1]').closest('details').open = true")
    WebDriverWait(driver, 10, 0.1).until(lambda browser: drawn(browser) == CHARTS + 1)
    marks = "return document.querySelectorAll('[data-chart=kernels-1] .mark-symbol path').length"
    assert driver.execute_script(marks) >= 20 * 4 * 15  # 14 calls and the median of each program
    inner, scroll = driver.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert scroll <= inner
    assert driver.get_log("browser") == []


def test_tooltip_tells_the_figure_as_text(driver: Chrome, page: str) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(driver, page, WIDTHS["wide"])
    mark = driver.execute_script("""
        const marks = document.querySelectorAll(".chart svg .layer_0_marks path");
        marks[3].scrollIntoView({block: "center"});
        return marks[3];
    """)
    ActionChains(driver).move_to_element(mark).perform()
    tooltip = "return document.querySelector('#vg-tooltip-element.visible')?.innerText"
    text = WebDriverWait(driver, 10, 0.1).until(lambda browser: browser.execute_script(tooltip))
    assert "PyTorch (compiled)" in text
    assert "this call, ms" in text
    assert driver.get_log("browser") == []


def test_charts_follow_a_change_of_the_colour_scheme(driver: Chrome, page: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    open_page(driver, page, WIDTHS["wide"])
    label = "return document.querySelector('.chart svg .mark-text text').getAttribute('fill')"
    light = driver.execute_script(label)
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    WebDriverWait(driver, 10, 0.1).until(lambda browser: browser.execute_script(label) != light)
    assert driver.get_log("browser") == []


def test_a_script_that_finds_its_way_in_does_not_run(driver: Chrome, page: str) -> None:
    open_page(driver, page, WIDTHS["wide"])
    driver.execute_script("""
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.ran = true");
        image.src = "https://example.org/x.png";
        document.body.append(image);
    """)
    assert driver.execute_script("return window.ran === undefined") is True
    assert any("Content Security Policy" in entry["message"] for entry in driver.get_log("browser"))


def test_printing_opens_what_is_folded_and_folds_it_again(driver: Chrome, page: str) -> None:
    open_page(driver, page, WIDTHS["wide"])
    folded = "return document.querySelectorAll('details:not([open], .long)').length"
    before = driver.execute_script(folded)
    assert before > 10
    assert driver.execute_script("dispatchEvent(new Event('beforeprint'));" + folded) == 0
    assert driver.execute_script("dispatchEvent(new Event('afterprint'));" + folded) == before
    printed = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert printed.startswith(b"%PDF")
