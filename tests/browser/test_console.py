"""The console in Chromium on the real system: from a failed job to its PDF without reloading, and nothing executes."""

from __future__ import annotations

import pytest
import requests
from selenium.webdriver.common.keys import Keys

from ops.servers.process import wait_until
from ops.stack import Stack
from schema.http.problems import problem_of
from tests.browser.chromium import DESKTOP, PHONE, Chromium
from tests.browser.conftest import sign_in
from tests.browser.pictures import pages
from tests.browser.scenes import OPERATOR, READER, SAMPLE, Scene

pytestmark = pytest.mark.timeout(600)


def mark(console: Chromium) -> None:
    console.driver.execute_script("window.sameDocument = true")


def not_reloaded(console: Chromium) -> bool:
    return bool(console.driver.execute_script("return window.sameDocument === true"))


def test_a_key_is_asked_for_once_and_kept_in_the_tab(chromium: Chromium, stack: Stack) -> None:
    chromium.driver.get(stack.url + "/console/icon.svg")
    chromium.driver.execute_script("sessionStorage.clear()")
    chromium.driver.get(stack.url + "/")
    chromium.wait_text("A key is needed")
    chromium.one("dialog input").send_keys("not-a-key", Keys.ENTER)
    chromium.wait_text("That key is not accepted")
    chromium.one("dialog input").send_keys(OPERATOR, Keys.ENTER)
    chromium.wait_text("Waits by priority")
    chromium.driver.refresh()
    assert "A key is needed" not in chromium.wait_text("Waits by priority")


def test_found_understood_replayed_and_watched_to_its_end_without_reloading(
    console: Chromium, stack: Stack, scene: Scene
) -> None:
    console.wait_text("Waits by priority")
    mark(console)
    console.one("body").send_keys("/")
    console.driver.switch_to.active_element.send_keys("K-2043", Keys.ENTER)
    console.click("tbody a", scene.missing)
    told = console.wait_text("What happened", "Dead letter", "What to do:", "report_not_found")
    assert "Callback answered 200" in told
    stack.save_report("K-2043", "minatBakatUmum", SAMPLE)
    console.click("nav a", "Dead letters")
    console.click("button.plain", "4")
    console.click(f'input[aria-label="Select {scene.missing}"]')
    console.click(".bar button", "Replay 1 letter")
    console.wait_text("Dry run: 1 replayed. Nothing was changed.")
    assert stack.job(scene.missing)["round"] == 1
    console.one("dialog input").send_keys("the report was written")
    console.click("dialog button.main")
    console.wait_text("1 of 1 followed jobs completed")
    console.click("section[data-key=run] a", scene.missing)
    told = console.wait_text("PDF stored", "Replayed by night", "the report was written", "Download PDF")
    assert told.count("Callback answered 200") >= 1
    assert not_reloaded(console)
    assert stack.job(scene.missing)["status"] == "completed"


def test_one_job_is_replayed_from_its_own_page(console: Chromium, stack: Stack, scene: Scene) -> None:
    job = stack.submit(code="K-3000")
    stack.wait_ended(job)
    stack.save_report("K-3000", "minatBakatUmum", SAMPLE)
    console.driver.get(f"{stack.url}/#/jobs/{job}")
    console.wait_text("report_not_found")
    mark(console)
    console.click("main button", "Replay")
    console.click("dialog button.main", "Replay")
    console.wait_text("PDF stored", "Download PDF")
    assert not_reloaded(console)


def test_a_refused_callback_tells_its_hint_and_is_sent_again(console: Chromium, stack: Stack, scene: Scene) -> None:
    console.driver.get(f"{stack.url}/#/jobs/{scene.refused}")
    hint = stack.job(scene.refused)["webhook"]["hint"]
    told = console.wait_text("The callback did not arrive.", hint, "Callback answered 410", "Callback given up")
    assert f"What to do: {problem_of('webhook_gone').next_step}" in told
    stack.receiver.script("/webhook/ill", {"status": 200})
    console.click("main button", "Send callback again")
    console.click("dialog button.main", "Send")
    console.wait_text("Callback answered 200")


def test_a_job_that_asked_for_no_callback_is_told_so_and_code_reads_as_code(
    console: Chromium, stack: Stack, scene: Scene
) -> None:
    job = stack.submit(code="K-3100")
    stack.wait_ended(job)
    console.driver.get(f"{stack.url}/#/jobs/{job}")
    told = console.wait_text(
        "What to do: ", "no callback asked; recorded", "Recorded for good; no callback was asked for"
    )
    assert "did not arrive" not in told
    assert "`" not in told
    assert console.one(".note.bad p code", "data").text == "data"
    assert (
        console.driver.execute_script(
            "const { prose } = await import('/console/dom.js'); const p = document.createElement('p');"
            "p.append(...prose('a `<img src=x>` b <b>c</b> `')); return p.innerHTML"
        )
        == "a <code>&lt;img src=x&gt;</code> b &lt;b&gt;c&lt;/b&gt; `"
    )


def test_a_pdf_is_downloaded(console: Chromium, stack: Stack, scene: Scene) -> None:
    console.driver.get(f"{stack.url}/#/jobs/{scene.completed}")
    console.wait_text("Download PDF")
    console.driver.execute_script(
        "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((t) => window.saved.push(t.slice(0, 5)));"
        " return 'blob:none'; }"
    )
    console.click("main button", "Download PDF")
    wait_until(lambda: console.driver.execute_script("return window.saved[0]") == "%PDF-", 60, "the PDF is there")


def test_a_batch_is_found_its_pdfs_are_saved_and_what_failed_is_replayed(
    console: Chromium, stack: Stack, scene: Scene
) -> None:
    console.one("body").send_keys("/")
    console.driver.switch_to.active_element.send_keys(scene.batch.lower(), Keys.ENTER)
    told = console.wait_text("Its jobs, in the order of submission", "2 completed, 1 failed", "no callback asked")
    assert "invalid_data" in told
    console.driver.execute_script(
        "window.saved = []; URL.createObjectURL = (blob) => { blob.text().then((t) => window.saved.push(t.slice(0, 2)));"
        " return 'blob:none'; }"
    )
    console.click("main button", "Download all PDFs")
    wait_until(lambda: console.driver.execute_script("return window.saved[0]") == "PK", 60, "the archive is there")
    console.click("main button", "Replay 1 failed job")
    console.one("dialog input").send_keys("the data was mended")
    console.click("dialog button.main", "Replay")
    console.wait_text("in round 2")
    console.wait_text("ended in round 2", "2 completed, 1 failed")
    console.click("tbody a", f"pdf_{scene.batch[4:]}")
    told = console.wait_text("What happened", "PDF stored")
    assert f"in batch {scene.batch}" in told
    console.click("main a", scene.batch)
    console.wait_text("Its jobs, in the order of submission")
    console.click("nav a", "Batches")
    console.click("tbody a", scene.batch)
    console.wait_text("Its jobs, in the order of submission")
    assert [one for one in console.complaints() if "blob:none" not in one] == []  # that URL is this test's


def test_the_rest_of_a_batch_is_cancelled(console: Chromium, stack: Stack) -> None:
    stack.call("POST", "/api/queues/pdf/pause", json={})
    try:
        wanted = [
            {"code": "K-4100", "productId": "minatBakatUmum", "data": SAMPLE}
        ] * 16  # a page of jobs shows 50 of all
        batch = stack.call("POST", "/api/reports/batch", json={"jobs": wanted}).json()["batch_id"]
        console.driver.get(f"{stack.url}/#/batches/{batch}")
        console.wait_text("of 16 jobs")
        console.click("main button", "Cancel the rest")
        console.click("dialog button", "Cancel the rest")
        told = console.wait_text("· ended ", " cancelled")
        assert "Cancel the rest" not in told
    finally:
        stack.call("POST", "/api/queues/pdf/resume", json={})


def test_a_queue_is_paused_and_resumed(console: Chromium, stack: Stack) -> None:
    console.driver.get(f"{stack.url}/#/queues")
    console.click("section[data-key=pdf] button", "Pause")
    console.one("dialog input").send_keys("<b>maintenance</b>")
    console.click("dialog button", "Pause")
    console.wait_text("Paused by night", "<b>maintenance</b>")
    assert stack.call("GET", "/api/queues").json()["queues"][0]["paused"]
    console.click("section[data-key=pdf] button", "Resume")
    console.click("dialog button", "Resume")
    console.one("section[data-key=pdf] button", "Pause")
    assert not stack.call("GET", "/api/queues").json()["queues"][0]["paused"]


def test_what_waits_is_cancelled(console: Chromium, stack: Stack) -> None:
    stack.call("POST", "/api/queues/pdf/pause", json={})
    waiting: list[str] = []

    def one_waits() -> bool:
        """A worker sees the pause up to REPORTQ_SWITCH_POLL late, and may take a job until then."""
        job = stack.submit(data=SAMPLE, code="K-4000")
        shown = stack.call("GET", f"/api/jobs/{job}", headers={"Prefer": "wait=2"}).json()
        if shown["status"] == "queued":
            waiting.append(job)
        return bool(waiting)

    try:
        wait_until(one_waits, 60, "a job waits in the paused queue")
        job = waiting[0]
        console.driver.get(f"{stack.url}/#/jobs/{job}")
        console.click("main button", "Cancel job")
        console.click("dialog button", "Cancel the job")
        console.wait_text("Job cancelled")
    finally:
        stack.call("POST", "/api/queues/pdf/resume", json={})


def test_a_reader_sees_why_a_button_is_not_theirs(chromium: Chromium, stack: Stack, scene: Scene) -> None:
    chromium.look(DESKTOP)
    sign_in(chromium, stack, READER)
    chromium.driver.get(f"{stack.url}/#/queues")
    chromium.wait_text("Rendering")
    button = chromium.one("section[data-key=pdf] button", "Pause")
    assert not button.is_enabled()
    assert button.get_attribute("title") == "Needs a key with the role operate; yours has read."


def test_hostile_names_are_shown_and_do_not_execute(console: Chromium, stack: Stack, scene: Scene) -> None:
    for place in (f"/jobs/{scene.hostile}", "/jobs", "/dead-letters", "/dead-letters?view=letters", "/"):
        console.driver.get(f"{stack.url}/#{place}")
        console.wait_text("As of")
        if "jobs" in place:
            console.wait_text("<img src=x onerror=window.hacked=1>")
        if place.endswith(scene.hostile):
            assert "<script>window.hacked=1</script>" in console.text()
        hacked = (
            "return [window.hacked, document.querySelectorAll('main img, main script, a[href^=javascript]').length]"
        )
        assert console.driver.execute_script(hacked) == [None, 0]
    assert console.complaints() == []


def test_axe_finds_no_serious_fault_and_nothing_is_wider_than_a_phone(
    console: Chromium, stack: Stack, scene: Scene
) -> None:
    faults = []
    for size in (DESKTOP, PHONE):
        for dark in (False, True):
            console.look(size, dark=dark)
            for name, (place, words) in pages(scene).items():
                console.driver.get(f"{stack.url}/#{place}")
                console.wait_text(words.replace("A dry run comes first", "Dead letters"))
                faults += [f"{name} {size} dark={dark} {fault}" for fault in console.axe()]
                if console.overflow() > 0:
                    faults.append(f"{name} {size} is {console.overflow()} pixels too wide")
    assert faults == []
    assert console.complaints() == []


def test_the_keyboard_reaches_everything_and_focus_survives_a_refresh(console: Chromium, stack: Stack) -> None:
    console.wait_text("Waits by priority")
    console.one("body").send_keys(Keys.TAB)
    focus = "return document.activeElement.id || document.activeElement.textContent"
    assert console.driver.execute_script(focus) == "skip"
    console.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert console.driver.execute_script(focus) == "main"
    console.one("main .tiles a").send_keys("")
    console.driver.execute_script("document.querySelector('main .tiles a').focus()")
    before = console.one("#freshness").text
    wait_until(lambda: console.one("#freshness").text != before, 60, "the page was asked again")
    assert "waiting" in console.driver.execute_script(focus)


def test_the_policy_is_strict_and_the_files_need_no_key(stack: Stack) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for path in ("/", "/console/main.js", "/console/console.css"):
            answer = session.get(stack.url + path)
            assert answer.status_code == 200
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            again = session.get(stack.url + path, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status_code == 304
        assert session.get(stack.url + "/console/..%2fconsole.py").status_code == 404
        assert session.get(stack.url + "/api/overview").status_code == 401


def test_not_now_holds_until_the_person_asks_for_a_key(chromium: Chromium, stack: Stack) -> None:
    """The page that asks the API again must not bring the dialog back each time."""
    chromium.driver.get(stack.url + "/console/icon.svg")
    chromium.driver.execute_script("sessionStorage.clear()")
    chromium.driver.get(stack.url + "/")
    chromium.click("dialog button", "Not now")
    chromium.wait_text("The key is missing or not known.")
    asked = "return performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/api/overview')).length"
    before = chromium.driver.execute_script(asked)
    chromium.driver.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(lambda: chromium.driver.execute_script(asked) > before, 60, "the page was asked again")
    chromium.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert not chromium.driver.execute_script("return document.getElementById('dialog').open")
    chromium.click("footer button", "Use a key")
    chromium.wait_text("A key is needed")
    chromium.one("dialog input").send_keys(OPERATOR, Keys.ENTER)
    chromium.wait_text("Waits by priority")


def test_an_outage_of_the_database_is_said_and_nothing_old_is_told_as_working(console: Chromium, stack: Stack) -> None:
    console.wait_text("Working")
    stack.mariadb.kill()
    try:
        told = console.wait_text("Not working", "Nothing is accepted", "These facts were read")
        assert "Jobs are accepted and worked on" not in told
    finally:
        stack.mariadb.start()
    console.wait_text("Working")
    assert not console.one("#trouble").is_displayed()


def test_a_relay_that_is_silent_is_told_with_what_to_do(console: Chromium, stack: Stack) -> None:
    console.wait_text("Working")
    with stack.stopped("relay"):
        told = console.wait_text("Not working", "No relay has looked for due work", "ops/runbooks/ReportqRelayStuck.md")
        assert "Jobs are accepted and worked on" not in told
    console.wait_text("Working")
