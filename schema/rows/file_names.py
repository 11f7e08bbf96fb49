"""What a PDF is called: in Drive, and when somebody downloads it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from schema.settings import FILE_NAME_FIELD
from schema.sql.times import as_time

_BYTES = 200  # Most file systems take 255, and browsers add " (1)".
# What Windows refuses in names, controls, line and paragraph ends, and marks that turn the writing direction.
_ODD = re.compile('[\\x00-\\x1f\\x7f-\\x9f\\\\/:*?"<>|\\u2028-\\u202e\\u2066-\\u2069\\ufeff\\ud800-\\udfff]')


def file_name(job: Mapping[str, Any], template: str) -> str:
    """The name that the caller gave the job, or the one that REPORTQ_FILE_NAME makes; it ends with .pdf.

    `job` is a row or a record. The day is that of the request, in UTC.
    """
    day = as_time(job["requested_at"])
    words = {name: str(job[name]) for name in ("product_id", "code", "job_id")} | {"date": f"{day:%Y-%m-%d}"}
    name = job["file_name"] or FILE_NAME_FIELD.sub(lambda found: words[found[1]], template)
    name = _ODD.sub("_", name).strip()
    if name.lower().endswith(".pdf"):
        name = name[:-4]
    return (name.encode()[:_BYTES].decode(errors="ignore").strip(" .") or "report") + ".pdf"


def disposition(name: str, kind: str) -> str:
    """The header Content-Disposition (RFC 6266): `kind` is inline or attachment."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f'{kind}; filename="{plain}"' + ("" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}")
