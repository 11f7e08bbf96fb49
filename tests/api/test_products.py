"""Products can be asked for, and data is checked before anything is queued: with every fault, in time that grows with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from actors.pdf.product.templates import TEMPLATES
from tests.api.conftest import Api

PRODUCT = "minatBakatUmum"
SAMPLE: dict[str, Any] = json.loads((TEMPLATES / PRODUCT / "sample.json").read_text())
SUBMIT = "/api/reports/generate-async"
ODD = "{title: T, subject: S, blocks: [{block: text, text: x}]}"
STRICT = [("?validate=true", {}), ("", {"Prefer": "handling=strict"}), ("", {"Prefer": "wait=1, Handling = strict; x"})]


@pytest.fixture
def product(tmp_path: Path) -> Callable[..., str]:
    """A folder with one product of the test's own."""

    def make(schema: dict[str, Any], template: str = ODD, name: str = "odd") -> str:
        home = tmp_path / "templates" / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "template.yaml").write_text(template)
        (home / "schema.json").write_text(json.dumps(schema))
        return str(home.parent)

    return make


def test_every_product_is_listed_with_data_that_makes_it(api: Api) -> None:
    listed = api.get("/api/products").json["products"]
    assert [(one["id"], one["title"]) for one in listed] == [
        (PRODUCT, "Laporan Minat dan Bakat"), (f"{PRODUCT}En", "Interests and Aptitudes"),
        ("profilKepribadian", "Profil Kepribadian"), ("profilKepribadianEn", "Personality Profile"),
        ("profilKognitif", "Profil Kognitif"), ("profilKognitifEn", "Cognitive Profile"),
    ]  # fmt: skip
    for one in listed:
        schema = api.get(f"/api/products/{one['id']}/schema").json
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(one["sample"], schema)
        checked = api.post(f"/api/products/{one['id']}/validate", {"data": one["sample"]})
        assert checked.json == {"valid": True, "errors": [], "more": 0}
        assert len(one["version"]) == 12
        english = one["id"].endswith("En")
        assert one["language"] == ("en" if english else "id")
        assert one["edition_of"] == (one["id"].removesuffix("En") if english else None)


def test_a_version_is_of_every_byte_of_the_template(
    api_of: Callable[..., Api], product: Callable[..., str], tmp_path: Path
) -> None:
    api = api_of(templates_dir=product({}))

    def version() -> str:
        return str(next(one["version"] for one in api.get("/api/products").json["products"] if one["id"] == "odd"))

    first = version()
    assert version() == first
    home = tmp_path / "templates" / "odd"
    (home / "logo.png").write_bytes(b"1")
    second = version()
    (home / "logo.png").rename(home / "logo2.png")
    assert len({first, second, version()}) == 3


def test_a_broken_template_hides_no_other_product_and_says_what_is_wrong(
    api_of: Callable[..., Api], product: Callable[..., str]
) -> None:
    api = api_of(templates_dir=product({}, template="title: [\n"))
    assert PRODUCT in [one["id"] for one in api.get("/api/products").json["products"]]
    broken = api.get("/api/products/odd/schema")
    assert (broken.status_code, broken.json["code"]) == (409, "template_invalid")
    assert "line" in broken.json["detail"]


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e", ".hidden", "a" * 200, "%00"])
def test_a_product_that_there_is_not(api: Api, name: str) -> None:
    for answer in (
        api.get(f"/api/products/{name}/schema"), api.post(f"/api/products/{name}/validate", {"data": {}})
    ):  # fmt: skip
        assert (answer.status_code, answer.json["code"]) == (404, "product_not_found")


def test_every_fault_is_named_with_its_path(api: Api) -> None:
    data = json.loads(json.dumps(SAMPLE))
    data["peserta"]["nama"] = 7
    del data["peserta"]["pendidikan"], data["bakat"]
    answer = api.post(f"/api/products/{PRODUCT}/validate", {"data": data})
    assert answer.json["valid"] is False
    told = {(fault["path"], fault["message"]) for fault in answer.json["errors"]}
    assert ("peserta.nama", "expected string, found a number") in told
    assert {path for path, _ in told} == {"peserta.nama", "peserta", "(top)"}
    assert len(told) == 3


def test_fifty_faults_are_named_and_the_others_counted(api_of: Callable[..., Api], product: Callable[..., str]) -> None:
    api = api_of(templates_dir=product({"properties": {"a": {"items": {"type": "string"}}}}))
    for wrong, more in ((1, 0), (50, 0), (51, 1), (700, 650), (5000, 1000)):
        answer = api.post("/api/products/odd/validate", {"data": {"a": [1] * wrong}}).json
        assert (len(answer["errors"]), answer["more"]) == (min(wrong, 50), more)
        assert answer["errors"][-1]["path"] == f"a[{min(wrong, 50) - 1}]"


@pytest.mark.parametrize(
    "body",
    [{}, {"data": []}, {"data": None}, {"data": {}, "x": 1}, [], {"data": {"a": "\0"}}],
)
def test_what_is_no_data_is_refused_before_it_is_checked(api: Api, body: Any) -> None:
    answer = api.post(f"/api/products/{PRODUCT}/validate", body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(("query", "headers"), STRICT)
@pytest.mark.parametrize("path", [SUBMIT, "/api/reports/generate"])
def test_a_strict_submission_is_refused_with_every_fault(
    api: Api, path: str, query: str, headers: dict[str, str]
) -> None:
    wrong = {"code": "K1", "productId": PRODUCT, "data": {"peserta": {"nama": 7}}}
    answer = api.post(path + query, wrong, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_data")
    assert answer.json["errors"]["data.peserta.nama"] == "expected string, found a number"
    assert "'bakat'" in answer.json["errors"]["data"]
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0
    right = {**wrong, "data": SAMPLE}
    for fits in (right, {**right, "data": None}):
        headers = {**headers, "Prefer": headers.get("Prefer", "") + ", respond-async"}
        assert api.post(path + query, fits, headers=headers).status_code == 202


def test_without_strictness_wrong_data_is_accepted_as_before(api: Api) -> None:
    wrong = {"code": "K1", "productId": PRODUCT, "data": {}}
    for query, headers in (("", {}), ("?validate=false", {"Prefer": "handling=lenient"})):
        assert api.post(SUBMIT + query, wrong, headers=headers).status_code == 202
    refused = api.post(SUBMIT + "?validate=yes", wrong)
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["validate"])


def test_a_strict_submission_for_no_product_is_refused(api: Api) -> None:
    answer = api.post(SUBMIT + "?validate=true", {"code": "K1", "productId": "nothing"})
    assert (answer.status_code, answer.json["code"], list(answer.json["errors"])) == (
        422,
        "invalid_data",
        ["productId"],
    )


def test_a_strict_batch_names_each_job_at_fault_and_makes_none(api: Api) -> None:
    jobs = [{"code": f"K{n}", "productId": PRODUCT, "data": SAMPLE if n % 2 else {"minat": 1}} for n in range(4)]
    answer = api.post("/api/reports/batch?validate=true", {"jobs": jobs})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_data")
    assert {path.partition(".")[0] for path in answer.json["errors"]} == {"jobs[0]", "jobs[2]"}
    assert answer.json["errors"]["jobs[0].data.minat"] == "expected array, found a number"
    assert api.db.scalar("SELECT COUNT(*) FROM pdf_job_results") == 0


def test_asking_for_products_loads_no_font_and_no_renderer() -> None:
    program = (
        "from pathlib import Path\nfrom service.parts import ApiParts\nfrom schema.settings import Settings\n"
        "from service.routes.products import Products\nimport sys\n"
        "parts = ApiParts(Settings(), *[None] * 5)\n"
        "assert len(list(Products(parts)._readable())) == 6\n"
        "print([name for name in ('fpdf', 'uharfbuzz', 'fontTools', 'PIL', 'pymongo') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
