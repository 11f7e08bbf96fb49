"""A picture in a request's data travels through API, queue and renderer; one that cannot be drawn says where it stands."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from pypdf import PdfReader

from ops.demo import Api
from ops.servers.process import free_port, wait_until

pytestmark = pytest.mark.timeout(180)
PICTURE = "{alternative: Foto, data: 'orang[0].foto'}"
TEMPLATE = f"{{title: T, subject: S, blocks: [{{block: cover, title: T, name: A, picture: {PICTURE}}}]}}"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    home = tmp_path / "templates" / "foto"
    home.mkdir(parents=True)
    (home / "template.yaml").write_text(TEMPLATE)
    (home / "schema.json").write_text("{}")
    port = free_port()
    environ = {
        "REPORTQ_DATABASE_URL": f"sqlite:///{tmp_path}/reportq.db",
        "REPORTQ_ARTIFACTS_URL": f"file:{tmp_path}/artifacts",
        "REPORTQ_RUN_DIR": str(tmp_path / "run"),
        "REPORTQ_TEMPLATES_DIR": str(home.parent),
        "REPORTQ_PORT": str(port),
    }
    with Api(tmp_path / "api", port, environ) as running:
        yield running


def photo() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((1_200, 900), 60).save(out, "JPEG", quality=60)
    return out.getvalue()


def test_a_photograph_as_large_as_a_request_may_be_is_drawn_and_half_of_one_is_wrong_data(api: Api) -> None:
    whole = photo()
    assert 300_000 < len(json.dumps(base64.b64encode(whole).decode())) < 1_000_000

    def ended(source: bytes) -> dict[str, Any]:
        data = {"orang": [{"foto": base64.b64encode(source).decode()}]}
        body = {"code": "K1", "productId": "foto", "data": data}
        answer = requests.post(f"{api.url}/api/reports/generate-async", json=body, timeout=30)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = {}

        def there() -> bool:
            job.update(requests.get(f"{api.url}/api/jobs/{answer.json()['job_id']}", timeout=30).json())
            return job["status"] in ("completed", "failed")

        wait_until(there, 60, "the job ends")
        return job

    job = ended(whole)
    assert job["status"] == "completed", job["error"]
    pdf = requests.get(f"{api.url}/api/jobs/{job['job_id']}/download", timeout=30).content
    assert PdfReader(io.BytesIO(pdf)).pages[0].images[0].image.size == (1_200, 900)
    job = ended(whole[:2_000])
    assert (job["status"], job["error"]["code"]) == ("failed", "invalid_data"), job
    assert "orang[0].foto: the picture is broken" in job["error"]["message"]
