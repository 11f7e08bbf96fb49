"""Compose, supervisor, gunicorn and image agree with each other, with the settings and with published schemas."""

from __future__ import annotations

import configparser
import importlib.resources
import json
import os
import re
import runpy
import shlex
import subprocess
from pathlib import Path
from typing import Any

import gunicorn.config
import jsonschema
import pytest
import yaml

from ops import credentials, locked
from schema.environment.variables import variables
from schema.rows.messages import QUEUES
from schema.settings import Settings
from service.web_worker import WebWorker

TOP = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((TOP / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("api", "render", "webhook", "relay", "canary")


def supervised() -> configparser.ConfigParser:
    """The supervisor's configuration as it reads it: ` ;` begins a comment, `%` is not interpolated."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(" ;",), interpolation=None)
    parser.read(TOP / "ops/supervisord.conf")
    return parser


def words(command: str) -> list[str]:
    """A command with its variables named alike, however supervisor or compose write them."""
    plain = re.sub(r"%\(ENV_(\w+)\)s|\$\{(\w+)(?::-[^}]*)?\}", lambda found: f"<{found[1] or found[2]}>", command)
    return shlex.split(plain)


def filled(text: str) -> str:
    """Compose's `${NAME:-default}` with nothing set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def validator() -> jsonschema.protocols.Validator:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"
    schema = json.loads(vendored.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def test_compose_follows_the_published_schema() -> None:
    assert [error.message for error in validator().iter_errors(COMPOSE)] == []


def test_the_schema_notices_mistakes() -> None:
    assert not validator().is_valid({"services": {"api": {"comand": "x"}}})


@pytest.mark.parametrize("name", OURS)
def test_compose_and_supervisor_run_the_same_command(name: str) -> None:
    assert words(COMPOSE["services"][name]["command"]) == words(supervised()[f"program:{name}"]["command"])


def test_supervisor_runs_what_compose_runs_and_no_more() -> None:
    programs = {section.partition(":")[2] for section in supervised().sections() if section.startswith("program:")}
    ours = {name for name, service in COMPOSE["services"].items() if service["image"] == "reportq"}
    assert programs == ours == set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_grace_times_are_the_same(name: str) -> None:
    program = supervised()[f"program:{name}"]
    assert COMPOSE["services"][name]["stop_grace_period"] == f"{program['stopwaitsecs']}s"


def test_every_variable_exists_in_settings() -> None:
    texts = ["docker-compose.yml", "ops/supervisord.conf", "ops/Dockerfile", "ops/gunicorn.conf.py"]
    used = {
        name
        for text in texts
        for name in re.findall(r"\bREPORTQ_[A-Z_]*[A-Z]\b", (TOP / text).read_text().replace("ENV_REP", "REP"))
    }
    assert "REPORTQ_DATABASE_URL_FILE" in used
    assert used - variables(Settings) == set()


def test_settings_accept_what_compose_sets(tmp_path: Path) -> None:
    made = credentials.make(tmp_path)
    for name in OURS:
        environment = {key: filled(value) for key, value in COMPOSE["services"][name]["environment"].items()}
        for key, value in environment.items():
            if key.endswith("_FILE"):
                secret = Path(value).name
                assert secret in COMPOSE["services"][name]["secrets"]
                environment[key] = str(made[Path(COMPOSE["secrets"][secret]["file"]).name])
        settings = Settings.from_env(environment)
        assert settings.database_url.startswith("mysql://reportq:")
        assert settings.broker_url.endswith("@rabbitmq:5672/%2F")
        replicas = COMPOSE["services"]["render"]["deploy"]["replicas"]
        assert settings.concurrent_workers == int(filled(replicas))


def test_credentials_are_made_once_and_for_every_secret(tmp_path: Path) -> None:
    first = {name: file.read_text() for name, file in credentials.make(tmp_path).items()}
    again = {name: file.read_text() for name, file in credentials.make(tmp_path).items()}
    assert first == again
    assert tmp_path.stat().st_mode & 0o077 == 0
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == set(first)
    assert first["mariadb_password"] in first["database_url"]


def test_every_secret_used_is_defined() -> None:
    used = {secret for service in COMPOSE["services"].values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])


def test_ports_are_published_on_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_restarts_is_asked_and_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]
    # What writes into its image's folders itself: these were not tried read-only.
    assert service.get("read_only", False) is (name not in ("rabbitmq", "mongo", "n8n"))


def test_n8n_reaches_only_the_api() -> None:
    (network,) = SERVICES["n8n"]["networks"]
    there = {name for name, service in SERVICES.items() if network in service["networks"]}
    assert there == {"n8n", "api", "webhook"}, "the webhook worker calls n8n and listens to nobody"
    for database in ("mariadb", "mongo", "rabbitmq"):
        assert set(SERVICES[database]["networks"]) <= {"data", "watch"}


def test_services_that_talk_share_a_network() -> None:
    talks = {
        "api": ("mariadb", "mongo", "rabbitmq"), "render": ("mariadb", "mongo", "rabbitmq"), "canary": ("api", "mariadb"),
        "webhook": ("mariadb", "mongo", "rabbitmq", "n8n", "canary"), "relay": ("mariadb", "mongo", "rabbitmq"),
        "n8n": ("api",), "prometheus": ("api", "relay", "rabbitmq", "alertmanager"), "grafana": ("prometheus",),
    }  # fmt: skip
    for one, others in talks.items():
        for other in others:
            assert set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"]), (one, other)


@pytest.mark.parametrize("name", ["mariadb", "mongo", "rabbitmq", "prometheus"])
def test_what_keeps_data_is_given_time_to_end(name: str) -> None:
    assert SERVICES[name]["stop_grace_period"] == "60s"


def test_mounted_and_copied_paths_exist() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (TOP / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]
    for source in re.findall(r"^COPY (?!--)(\S+) ", (TOP / "ops/Dockerfile").read_text(), re.MULTILINE):
        assert (TOP / source).exists(), source
        assert f"!{source.partition('/')[0]}" in (TOP / ".dockerignore").read_text().splitlines()


def test_the_image_installs_what_requirements_name_with_hashes_and_nothing_for_tests() -> None:
    pinned = [line.split() for line in locked.LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all(len(files) >= 1 and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", file) for file in files)
               for _, *files in pinned)  # fmt: skip
    names = {package.lower().replace("_", "-") for package, *_ in pinned}
    assert {line.lower() for line in locked.wanted()} <= names
    stated = (TOP / "requirements.txt").read_text()
    assert "pytest==" in stated
    assert len(locked.wanted()) + 1 == len(re.findall(r"^\w.*==", stated, re.MULTILINE))
    assert not [name for name in names if name.partition("==")[0] in ("pytest", "pluggy", "iniconfig")]


def test_image_runs_as_nobody_special() -> None:
    assert re.search(r"^USER reportq$", (TOP / "ops/Dockerfile").read_text(), re.MULTILINE)


def test_children_hear_one_sigterm_and_every_sigkill() -> None:
    parser = supervised()
    for name in OURS:
        program = parser[f"program:{name}"]
        assert "stopasgroup" not in program
        assert program["killasgroup"] == "true"
        assert program["autorestart"] == "true"


class TestGunicorn:
    @staticmethod
    def loaded(monkeypatch: pytest.MonkeyPatch, **environment: str) -> gunicorn.config.Config:
        for name in [name for name in os.environ if name.startswith("REPORTQ_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        chosen = gunicorn.config.Config()
        for name, value in runpy.run_path(str(TOP / "ops/gunicorn.conf.py")).items():
            if name in chosen.settings:
                chosen.set(name, value)
        return chosen

    def test_embedded_default_is_one_process_on_loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = self.loaded(monkeypatch)
        assert (chosen.workers, chosen.bind, chosen.worker_class) == (1, ["127.0.0.1:8000"], WebWorker)

    def test_settings_choose_workers_threads_and_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = self.loaded(
            monkeypatch,
            REPORTQ_BROKER_URL="amqp://127.0.0.1/",
            REPORTQ_API_WORKERS="3",
            REPORTQ_API_THREADS="5",
            REPORTQ_PORT="8123",
        )
        assert (chosen.workers, chosen.threads, chosen.bind) == (3, 5, ["127.0.0.1:8123"])

    def test_supervisor_waits_longer_than_gunicorn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        grace = self.loaded(monkeypatch).graceful_timeout
        assert grace < int(supervised()["program:api"]["stopwaitsecs"])

    def test_names_no_setting_that_gunicorn_does_not_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = set(gunicorn.config.Config().settings)
        text = (TOP / "ops/gunicorn.conf.py").read_text()
        assert set(re.findall(r"^([a-z]\w*) = ", text, re.MULTILINE)) <= known


class TestRabbitMQ:
    DEFINITIONS = json.loads((TOP / "ops/rabbitmq/definitions.json").read_text())

    def test_no_password_is_committed(self) -> None:
        for user in self.DEFINITIONS["users"]:
            assert re.fullmatch(r"@[A-Z_]+@", user["password"])
            assert "password_hash" not in user

    def test_application_reaches_all_its_queues_and_no_others(self) -> None:
        (granted,) = [entry for entry in self.DEFINITIONS["permissions"] if entry["user"] == "reportq"]
        for queue in [name + suffix for name in QUEUES for suffix in ("", ".DQ", ".XQ")]:
            assert all(re.search(granted[kind], queue) for kind in ("configure", "write", "read"))
        for other in ("pdf2", "xpdf", "pdf.XQ.old", "amq.topic"):
            assert not any(re.search(granted[kind], other) for kind in ("configure", "write", "read"))

    def test_consumer_timeout_is_longer_than_any_attempt(self) -> None:
        text = (TOP / "ops/rabbitmq/rabbitmq.conf").read_text()
        found = re.search(r"^consumer_timeout = (\d+)$", text, re.MULTILINE)
        assert found
        longest = next(
            spec.metadata["most"] for spec in Settings.__dataclass_fields__.values() if spec.name == "job_timeout"
        )
        assert int(found[1]) / 1000 > 2 * longest

    def test_start_fills_in_the_secrets(self, tmp_path: Path) -> None:
        made = credentials.make(tmp_path / "secrets")
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "docker-entrypoint.sh").write_text('#!/bin/sh\necho "starts $*"\n')
        (programs / "docker-entrypoint.sh").chmod(0o755)
        # `id` answers as in an image without the user: nothing is to be given away here.
        (programs / "id").write_text("#!/bin/sh\nexit 1\n")
        (programs / "id").chmod(0o755)
        target = tmp_path / "etc"
        target.mkdir()
        environment: dict[str, Any] = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SECRETS": str(tmp_path / "secrets"),
            "SHIPPED": str(TOP / "ops/rabbitmq"),
            "CONFIGURATION": str(target),
        }
        script = str(TOP / "ops/rabbitmq/start.sh")
        done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "starts rabbitmq-server\n"
        definitions = json.loads((target / "definitions.json").read_text())
        passwords = {user["name"]: user["password"] for user in definitions["users"]}
        assert passwords["reportq"] in made["broker_url"].read_text()
        assert passwords["admin"] == made["rabbitmq_admin_password"].read_text()
        assert (target / "definitions.json").stat().st_mode & 0o077 == 0
        assert (target / "conf.d/50-reportq.conf").exists()
        own = (target / "conf.d/60-container.conf").read_text().splitlines()
        assert own == [f"load_definitions = {target}/definitions.json", "vm_memory_high_watermark.absolute = 600MB"]
