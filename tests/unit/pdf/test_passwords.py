"""A PDF with a password is the same PDF for a reader who knows it, and nothing for others."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PasswordType, PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from actors.pdf.renderer import PdfRenderer
from ops.authoring.gallery import sample as gallery_sample
from tests.unit.pdf.conftest import PRODUCTS, copied, request, sample, text_of
from tests.unit.pdf.test_templates import product

PASSWORD = "17-08 Merdeka!"


def opened(pdf: bytes, password: str = PASSWORD) -> PdfReader:
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.is_encrypted
    assert reader.decrypt(password) != PasswordType.NOT_DECRYPTED
    return reader


def tree(value: Any, seen: dict[int, int]) -> Any:
    """All that hangs on an object, decrypted, whatever its objects are numbered."""
    if isinstance(value, IndirectObject):
        if value.idnum in seen:
            return f"object {seen[value.idnum]}"
        seen[value.idnum] = len(seen)
        return tree(value.get_object(), seen)
    if isinstance(value, DictionaryObject):
        left_out = {"/Length"} if isinstance(value, StreamObject) else set()
        held = {name: tree(value.raw_get(name), seen) for name in sorted(value) if name not in left_out}
        return {**held, "stream": value._data} if isinstance(value, StreamObject) else held
    return [tree(one, seen) for one in value] if isinstance(value, ArrayObject) else (type(value).__name__, value)


def everything(reader: PdfReader) -> Any:
    root = reader.trailer["/Root"]
    seen: dict[int, int] = {}
    known = {
        name: tree(root.raw_get(name), seen) for name in sorted(root) if name not in ("/OutputIntents", "/Metadata")
    }
    return known, tree(reader.trailer.raw_get("/Info"), seen), reader.trailer["/ID"]


@pytest.fixture(autouse=True)
def deep(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Chains of objects are followed to their end."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("shipped", [*PRODUCTS, "gallery"])
def test_who_knows_it_has_every_object_of_the_same_report(
    renderer: PdfRenderer, gallery: tuple[PdfRenderer, str], shipped: str
) -> None:
    drawing, name = gallery if shipped == "gallery" else (renderer, shipped)
    report = gallery_sample() if shipped == "gallery" else sample(name)
    asked = request(name, report)
    plain = PdfReader(io.BytesIO(drawing.render(asked)))
    locked = opened(drawing.render(replace(asked, password=PASSWORD)))
    assert everything(locked) == everything(plain)
    assert locked.xmp_metadata is not None
    assert plain.xmp_metadata is not None
    assert locked.xmp_metadata.dc_title == plain.xmp_metadata.dc_title


# Latin-1, PDF's own encoding and Unicode do not agree about all of these.
@pytest.mark.parametrize("name", ["Ani", "a\u00a0b", "a\u00adb", "é ÿ §", "€ – 王", "\U0001f600", "(\\)\\) <b>"])
def test_odd_characters_in_titles_and_bookmarks_stay_what_they_are(tmp_path: Path, name: str) -> None:
    renderer, asked = product(tmp_path), request("uji", {"nama": name})
    plain, locked = (PdfReader(io.BytesIO(renderer.render(one))) for one in (asked, replace(asked, password=PASSWORD)))
    locked.decrypt(PASSWORD)
    assert everything(locked) == everything(plain)
    assert locked.metadata is not None
    assert locked.metadata.title == f"Uji {name}".replace("\u00ad", "")  # a soft hyphen is no part of a title


def test_who_does_not_know_it_reads_nothing(renderer: PdfRenderer) -> None:
    report = sample("profilKognitif")
    report["peserta"]["nama"] = "Nyi Roro Kidul"
    asked = request("profilKognitif", report)
    plain, locked = renderer.render(asked), renderer.render(replace(asked, password=PASSWORD))
    for name in ("Nyi Roro Kidul", "Profil"):
        for spelt in (name.encode(), name.encode("utf-16-be"), name.encode("utf-16-be").hex().encode()):
            assert spelt.lower() not in locked.lower()
    assert b"<rdf:" in plain
    assert b"<rdf:" not in locked
    for wrong in ("", "17-08 merdeka!", PASSWORD + " ", PASSWORD[:-1]):
        reader = PdfReader(io.BytesIO(locked))
        assert reader.decrypt(wrong) == PasswordType.NOT_DECRYPTED
        with pytest.raises(subprocess.CalledProcessError):
            copied(locked, "-upw", wrong)
    assert "Nyi Roro Kidul" in copied(locked, "-upw", PASSWORD)
    assert text_of(plain) == "\n".join(page.extract_text() for page in opened(locked).pages)


def test_it_is_aes_256_and_claims_no_conformance(renderer: PdfRenderer) -> None:
    asked = replace(request(PRODUCTS[0], sample(PRODUCTS[0])), password=PASSWORD)
    reader = opened(renderer.render(asked))
    lock = reader.trailer["/Encrypt"]
    assert (lock["/V"], lock["/R"], lock["/Length"], lock["/CF"]["/StdCF"]["/CFM"]) == (5, 6, 256, "/AESV3")
    assert lock.get("/EncryptMetadata", True) is not False
    claims = reader.trailer["/Root"]["/Metadata"].get_data()
    assert b"<dc:title>" in claims
    assert b"<pdfaid:" not in claims
    assert b"<pdfuaid:" not in claims
    assert "/OutputIntents" not in reader.trailer["/Root"]


@pytest.mark.parametrize("password", ["x", "~" * 127, "(\\) <b> %s", "12345678"])
def test_whatever_a_request_may_hold_opens_it(renderer: PdfRenderer, password: str) -> None:
    locked = renderer.render(replace(request(PRODUCTS[0], sample(PRODUCTS[0])), password=password))
    assert len(opened(locked, password).pages) > 3
    if len(password) <= 32:  # pdftotext takes no more
        assert copied(locked, "-upw", password)


def test_a_report_after_it_has_none(renderer: PdfRenderer) -> None:
    asked = request(PRODUCTS[0], sample(PRODUCTS[0]))
    before = renderer.render(asked)
    locked = replace(asked, password=PASSWORD)
    assert renderer.render(locked) != renderer.render(locked)
    assert renderer.render(asked) == before
    assert PASSWORD not in repr(locked)
