"""Draws the README's pictures of the console; with a folder, all of them: `python -m tests.browser.pictures [FOLDER]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from ops.servers.process import wait_until
from ops.stack import ROOT, Stack
from tests.browser.chromium import DESKTOP, PHONE, Chromium
from tests.browser.conftest import sign_in
from tests.browser.scenes import KEYS, OPERATOR, Scene, play


def pages(scene: Scene) -> dict[str, tuple[str, str]]:
    """Name → (address behind #, words that show that it is drawn)."""
    return {
        "overview": ("/", "Waits by priority"),
        "jobs": ("/jobs", scene.completed),
        "job": (f"/jobs/{scene.missing}", "What happened"),
        "batches": ("/batches", scene.batch),
        "batch": (f"/batches/{scene.batch}", "in the order of submission"),
        "callback": (f"/jobs/{scene.refused}", "What happened"),
        "dead-letters": ("/dead-letters", "A dry run comes first"),
        "queues": ("/queues", "Callbacks (webhooks)"),
    }


SHOWN = (
    "overview-desktop",
    "job-desktop",
    "overview-phone",
    "callback-phone",
    "dead-letters-phone",
)  # shown by the README


def draw(browser: Chromium, stack: Stack, scene: Scene, folder: Path) -> list[Path]:
    """Every page at both widths, light and dark."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for width, size in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            browser.look(size, dark=scheme == "dark")
            for name, (place, words) in pages(scene).items():
                browser.driver.get(f"{stack.url}/#{place}")
                browser.wait_text(words)
                drawn.append(folder / f"{name}-{width}-{scheme}.png")
                browser.picture(drawn[-1])
    return drawn


def history(stack: Stack) -> None:
    """An hour's work behind it, so that the charts have something to show."""
    at = "TIMESTAMPADD(SECOND, -FLOOR(60 + 3500 * POW(seq / 700, 1.3) + 40 * SIN(seq / 9)), UTC_TIMESTAMP(6))"
    stack.sql_write(
        "INSERT INTO pdf_job_results (job_id, code, product_id, status, created_at, requested_at, run_at, ended_at, "
        "priority, turn, error_code, progress) SELECT CONCAT('pdf_01K', LPAD(seq, 23, '0')), CONCAT('K-', seq), "
        f"'minatBakatUmum', IF(seq MOD 41 = 0, 'failed', 'completed'), {at}, {at}, {at}, {at}, 5, 4, "
        "IF(seq MOD 41 = 0, 'render_failed', NULL), 100 FROM seq_1_to_700"
    )


def smaller(path: Path) -> None:
    """A palette is enough for a page of text; this method keeps the colours of small dots."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(160, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def main(argv: list[str]) -> int:
    """Start everything, draw, end everything."""
    folder = Path(argv[0]) if argv else ROOT / "ops" / "console-pictures"
    with (
        tempfile.TemporaryDirectory() as place,
        Stack(Path(place) / "stack", drive=False, settings={"REPORTQ_API_KEYS": KEYS}) as stack,
    ):
        scene = play(stack)
        history(stack)
        # Right after the start the verdict is older than the workers.
        wait_until(lambda: stack.call("GET", "/readyz").json()["verdict"]["state"] != "bad", 60, "all work")
        browser = Chromium(Path(place) / "profile")
        try:
            sign_in(browser, stack, OPERATOR)
            for path in draw(browser, stack, scene, folder):
                if not argv and not path.name.startswith(SHOWN):
                    path.unlink()
                    continue
                smaller(path)
                print(path, path.stat().st_size)
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
