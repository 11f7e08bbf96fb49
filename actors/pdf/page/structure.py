"""The structure tree: what a screen reader is told about what is drawn (ISO 32000-1, 14.7 and 14.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fpdf.annotations import PDFAnnotation
from fpdf.syntax import PDFObject, PDFString

LINKS = 1_000_000  # the number of the first link in the parent tree, above that of any page


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """One element of the tree. All that is drawn with the same tag, on any page, belongs to it; identity counts."""

    name: str  # A standard structure type: P, H1, TD, Figure …
    parent: Tag | None = None  # The document, when there is none.
    alternative: str = ""  # What a voice reads in place of a figure.
    actual: str = ""  # The text that a drawn sign means.
    attributes: str = ""  # A PDF dictionary.


ARTIFACT = Tag("Artifact")  # not read out: furniture, and marks that a figure's description covers


class Element(PDFObject):
    """A tag as the file holds it, with its children in the order in which they were drawn."""

    def __init__(self, tag: Tag, parent: PDFObject, pages: Mapping[int, PDFObject]) -> None:
        super().__init__()
        self._tag = tag
        self._parent = parent
        self._pages = pages
        self.children: list[PDFObject] = []
        self.marks: list[tuple[int, int, int]] = []  # page, number of the mark on it, children before it

    def serialize(self, obj_dict: Any = None, _security_handler: Any = None) -> str:
        tag = self._tag
        kids: list[str] = [
            f"<</Type/OBJR/Obj {child.ref}>>" if isinstance(child, PDFAnnotation) else child.ref
            for child in self.children
        ]
        home = self.marks[0][0] if self.marks else 0
        for page, number, before in reversed(self.marks):
            kid = str(number) if page == home else f"<</Type/MCR/Pg {self._pages[page].ref}/MCID {number}>>"
            kids.insert(before, kid)
        parts = [f"{self.id} 0 obj\n<</Type/StructElem/S/{tag.name}/P {self._parent.ref}"]
        if home:
            parts.append(f"/Pg {self._pages[home].ref}")
        if kids:
            parts.append(f"/K[{' '.join(kids)}]")
        if tag.alternative:
            parts.append(f"/Alt {PDFString(tag.alternative, encrypt=True).serialize(_security_handler, self.id)}")
        if tag.actual:
            parts.append(f"/ActualText {PDFString(tag.actual, encrypt=True).serialize(_security_handler, self.id)}")
        if tag.attributes:
            parts.append(f"/A {tag.attributes}")
        parts.append(">>\nendobj")
        return "".join(parts)


class Structure(PDFObject):
    """The root of the tree, and which element each mark of a page and each link belongs to."""

    def __init__(self, pages: Mapping[int, PDFObject]) -> None:
        super().__init__()
        self._pages = pages
        self._document = Element(Tag("Document"), self, pages)
        self._elements: dict[Tag, Element] = {}
        self._marks: dict[int, list[Element]] = {}
        self._links: list[Element] = []

    def knows(self, tag: Tag) -> bool:
        """Whether something was drawn with the tag before."""
        return tag in self._elements

    def element(self, tag: Tag) -> Element:
        """The tag's element, made below its parent when the tag is met for the first time."""
        found = self._elements.get(tag)
        if found is None:
            parent = self.element(tag.parent) if tag.parent else self._document
            found = self._elements[tag] = Element(tag, parent, self._pages)
            parent.children.append(found)
        return found

    def mark(self, page: int, tag: Tag) -> int:
        """A new mark on a page that belongs to the tag; its number there."""
        owner = self.element(tag)
        marks = self._marks.setdefault(page, [])
        owner.marks.append((page, len(marks), len(owner.children)))
        marks.append(owner)
        return len(marks) - 1

    def link(self, tag: Tag, annotation: PDFAnnotation) -> None:
        """The annotation belongs to the tag."""
        owner = self.element(tag)
        owner.children.append(annotation)
        annotation.struct_parent = LINKS + len(self._links)  # type: ignore[attr-defined]
        self._links.append(owner)

    def objects(self) -> Iterator[PDFObject]:
        """Everything that the file holds of the tree."""
        yield self
        yield self._document
        yield from self._elements.values()

    def serialize(self, obj_dict: Any = None, _security_handler: Any = None) -> str:
        marks = sorted(self._marks.items())
        rows = [f"{page - 1}[{' '.join(owner.ref for owner in owners)}]" for page, owners in marks]
        rows += [f"{number} {owner.ref}" for number, owner in enumerate(self._links, start=LINKS)]
        return (
            f"{self.id} 0 obj\n<</Type/StructTreeRoot/K[{self._document.ref}]"
            f"/ParentTree<</Nums[{' '.join(rows)}]>>/ParentTreeNextKey {LINKS + len(self._links)}>>\nendobj"
        )
