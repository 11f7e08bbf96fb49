"""What makes a file PDF/A-2a and PDF/UA-1 beside its tags: metadata in XMP, and what its colours mean.

It says of itself that it conforms; `tests/verapdf` lets veraPDF judge that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from xml.sax.saxutils import escape

from fpdf.output import PDFICCProfile
from fpdf.util import builtin_srgb2014_bytes

PRODUCER = "reportq"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a PDF reader shows about the document."""

    title: str
    author: str
    subject: str
    language: str
    document_id: str
    date: datetime
    conforms: bool = True  # False, it claims nothing: a preview is not kept, and PDF/A knows no passwords
    template: str = ""  # name and version of what it was drawn from


_CLAIMS = "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance><pdfuaid:part>1</pdfuaid:part>\n"
# PDF/A wants each schema that it does not know itself described: here that of PDF/UA.
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
 xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
{claims}<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
<dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<dc:source>{template}</dc:source>
<pdf:Keywords>{document_id}</pdf:Keywords><pdf:Producer>{producer}</pdf:Producer>
<xmp:CreatorTool>{producer}</xmp:CreatorTool><xmp:CreateDate>{date}</xmp:CreateDate>
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def xmp(metadata: Metadata) -> str:
    """The metadata as XMP (ISO 16684-1), the same for every drawing of a document."""
    date = metadata.date if metadata.date.tzinfo else metadata.date.replace(tzinfo=UTC)
    return _XMP.format(
        claims=_CLAIMS if metadata.conforms else "",
        title=escape(metadata.title),
        author=escape(metadata.author),
        subject=escape(metadata.subject),
        language=escape(metadata.language),
        template=escape(metadata.template),
        document_id=escape(metadata.document_id),
        date=date.isoformat(timespec="seconds"),
        producer=PRODUCER,
    )


@lru_cache(maxsize=1)
def _profile() -> bytes:
    return builtin_srgb2014_bytes()


def colours() -> PDFICCProfile:
    """The ICC's own profile of sRGB (3 kB), which comes with fpdf2 and may be embedded freely."""
    return PDFICCProfile(contents=_profile(), n=3, alternate="DeviceRGB")
