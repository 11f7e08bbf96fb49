"""What makes a file PDF/A-2a and PDF/UA-1 beside its tags: metadata in XMP, and what its colours mean.

The file claims that it conforms; `tests/verapdf` lets veraPDF judge that.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from fpdf.output import PDFICCProfile
from fpdf.util import builtin_srgb2014_bytes

PRODUCER = "reportq"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a PDF reader shows about the document, each in one line."""

    title: str
    author: str
    subject: str
    language: str
    document_id: str
    date: datetime
    conforms: bool = True  # False, it claims nothing: a preview is not kept, and PDF/A knows no passwords
    template: str = ""  # name and version of what it was drawn from


_profile = cache(builtin_srgb2014_bytes)
_CLAIMS = "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance><pdfuaid:part>1</pdfuaid:part>\n"
# What a document says of itself stands in braces. PDF/A wants each schema that it does not know described: PDF/UA's.
_XMP = Path(__file__).with_name("xmp.xml").read_text("utf-8").rstrip("\n")


def xmp(metadata: Metadata) -> str:
    """The metadata as XMP (ISO 16684-1), the same for every drawing of a document."""
    date = metadata.date if metadata.date.tzinfo else metadata.date.replace(tzinfo=UTC)
    texts = {name: escape(value) for name, value in asdict(metadata).items() if isinstance(value, str)}
    claims = _CLAIMS if metadata.conforms else ""
    return _XMP.format(**texts | {"claims": claims, "date": date.isoformat(timespec="seconds"), "producer": PRODUCER})


def colours() -> PDFICCProfile:
    """The ICC's own profile of sRGB (3 kB), which comes with fpdf2 and may be embedded freely."""
    return PDFICCProfile(contents=_profile(), n=3, alternate="DeviceRGB")
