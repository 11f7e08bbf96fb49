"""Nothing of one person's report is left in the next one, whatever was drawn before and by how many threads."""

from __future__ import annotations

import hashlib
import re
import zlib
from concurrent.futures import ThreadPoolExecutor

from actors.pdf.renderer import PdfRenderer
from tests.people import people
from tests.unit.pdf.conftest import Crowd, request, sample


def streams(pdf: bytes) -> bytes:
    """All streams of a file, unpacked, and everything outside them."""
    found = [pdf]
    for packed in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(packed))
        except zlib.error:
            found.append(packed)
    return b"\n".join(found)


def test_a_report_has_the_same_bytes_after_a_hundred_others(crowd: Crowd) -> None:
    used = crowd.renderer
    assert crowd.drawn.total() > 100
    odd = sample("profilKepribadian")
    odd["peserta"]["nama"] = "Ωμέγα ßẞ Ȁŵ अनुष्का محمد"
    used.render(request("profilKepribadian", odd))
    assert used.render(request("profilKepribadian", sample("profilKepribadian"))) == crowd.before


def test_no_glyph_of_a_rare_name_is_in_the_next_file() -> None:
    """Given a Greek name in one report, then the next file embeds no Greek and no Devanagari."""
    renderer = PdfRenderer()
    greek = sample("profilKognitif")
    greek["peserta"]["nama"] = "Ωμέγα अनुष्का"
    with_greek = streams(renderer.render(request("profilKognitif", greek)))
    after = streams(renderer.render(request("profilKognitif", sample("profilKognitif"))))
    assert b"<03A9>" in with_greek
    assert b"Devanagari" in with_greek
    assert b"<03A9>" not in after
    assert b"Devanagari" not in after


def test_threads_do_not_mix_reports() -> None:
    renderer = PdfRenderer()
    jobs = [request(product, report, f"pdf_{number}") for number, (product, report) in enumerate(people(every=150))]
    alone = [hashlib.sha256(renderer.render(job)).hexdigest() for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: hashlib.sha256(renderer.render(job)).hexdigest(), jobs))
    assert together == alone
