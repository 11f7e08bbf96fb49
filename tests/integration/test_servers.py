"""The private servers: used by their real clients, killed, restarted, two at once, nothing left."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import googleapiclient
import httplib2
import pika
import pymongo
import pymongo.errors
import pymysql
import pytest
import requests
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaIoBaseUpload
from oauth2client.client import HttpAccessTokenRefreshError
from oauth2client.service_account import ServiceAccountCredentials
from pydrive2.auth import GoogleAuth
from pydrive2.drive import GoogleDrive

from actors.deliver.sender import SignedSender
from ops.servers.drive import DriveDouble
from ops.servers.epmd import ROOT
from ops.servers.mariadb import MariaDB, switch
from ops.servers.mongodb import MongoWire
from ops.servers.process import Server, ServerFailed, wait_until
from ops.servers.prometheus import Prometheus
from ops.servers.rabbitmq import RabbitMQ, version
from ops.servers.receiver import ALL, START_PAGE, Receiver
from ops.servers.redis import Redis
from ops.servers.small_disk import SmallDisk
from ops.servers.tcp_proxy import TcpProxy
from schema.callbacks.allow_list import AllowList
from schema.callbacks.verdicts import History, judge
from schema.ports import Post
from tests.cluster.nodes import cluster, join
from tests.observability.alertmanager import Alertmanager

REPOSITORY = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def stopped_without_trace(server: Server) -> bool:
    pids = server.processes()
    server.stop()
    return bool(pids) and not any(alive(pid) for pid in pids) and not server.running


class TestAnyServer:
    """What the base promises, shown on the smallest one."""

    def test_is_killed_and_comes_back_in_its_place_with_what_it_had(self, tmp_path: Path) -> None:
        with Redis(tmp_path) as redis:
            redis.ask("SET", "kept", "yes")
            before = redis.pid, redis.url
            redis.kill()
            assert not redis.running
            assert not alive(before[0] or 0)
            redis.start()
            assert redis.ask("GET", "kept") == "yes"
            assert redis.url == before[1]
            assert redis.pid != before[0]

    def test_two_do_not_clash_and_leave_nothing(self, tmp_path: Path) -> None:
        one, two = Redis(tmp_path / "one").start(), Redis(tmp_path / "two").start()
        one.ask("SET", "whose", "one")
        assert two.ask("GET", "whose") == "$-1"
        assert stopped_without_trace(one)
        assert stopped_without_trace(two)

    def test_suspended_keeps_connections_and_says_nothing_until_resumed(self, tmp_path: Path) -> None:
        with Redis(tmp_path) as redis, socket.create_connection(("127.0.0.1", redis.port)) as connection:
            redis.suspend()
            connection.sendall(b"PING\r\n")
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(100)
            redis.resume()
            connection.settimeout(10)
            assert connection.recv(100) == b"+PONG\r\n"

    def test_a_suspended_one_can_be_stopped(self, tmp_path: Path) -> None:
        redis = Redis(tmp_path).start()
        redis.suspend()
        assert stopped_without_trace(redis)

    def test_outlives_the_thread_that_started_it(self, tmp_path: Path) -> None:
        redis = Redis(tmp_path)
        thread = threading.Thread(target=redis.start)
        thread.start()
        thread.join()
        assert redis.ask("PING") == "+PONG"
        redis.stop()

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_dies_with_the_process_that_started_it(self, tmp_path: Path, number: int) -> None:
        program = (
            "import sys, signal; from ops.servers.redis import Redis; "
            "server = Redis(sys.argv[1]).start(); print(*server.processes(), flush=True); signal.pause()"
        )
        starter = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        assert pids
        assert all(alive(pid) for pid in pids)
        os.kill(starter.pid, number)
        starter.wait()
        starter.stdout.close()
        wait_until(lambda: not any(alive(pid) for pid in pids), 10, "the server's end")

    def test_one_that_cannot_start_says_why(self, tmp_path: Path) -> None:
        class Mistaken(Redis):
            def command(self) -> list[str]:
                return [*super().command(), "--colour", "red"]

        mistaken = Mistaken(tmp_path)
        with pytest.raises(ServerFailed, match="Bad directive"):
            mistaken.start()
        assert not mistaken.running
        mistaken.stop()


class TestMariaDB:
    def test_keeps_what_it_acknowledged_through_kill_and_restart(self, tmp_path: Path) -> None:
        with MariaDB(tmp_path) as mariadb:
            self.insert(mariadb, mariadb.port)
            mariadb.kill()
            with pytest.raises(pymysql.err.OperationalError):
                mariadb.query("SELECT 1")
            mariadb.start()
            assert mariadb.query("SELECT name FROM kept") == [("Ayu",)]
            assert mariadb.query("SELECT @@innodb_flush_log_at_trx_commit, @@bind_address") == [(1, "127.0.0.1")]
            assert stopped_without_trace(mariadb)

    def test_refuses_to_be_less_durable_than_production(self, tmp_path: Path) -> None:
        class Careless(MariaDB):
            def command(self) -> list[str]:
                return [*super().command(), "--innodb-flush-log-at-trx-commit=0"]

        careless = Careless(tmp_path)
        with pytest.raises(ServerFailed, match="innodb_flush_log_at_trx_commit is 0"):
            careless.start()
        careless.stop()

    @pytest.mark.parametrize("said", [1, "1", "ON", "on", "TRUE"])
    def test_a_switch_is_on_however_a_server_spells_it(self, said: object) -> None:
        assert (switch(said), switch("OFF"), switch(0)) == ("1", "0", "0")

    def test_user_reaches_its_own_database_only(self, mariadb: MariaDB) -> None:
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            self.connect(mariadb, mariadb.port, "mysql")

    def test_socket_works_in_deep_folders(self, tmp_path: Path) -> None:
        with MariaDB(tmp_path / ("deep" * 30)) as mariadb:
            assert len(str(mariadb.socket)) < 107
            assert mariadb.socket.exists()
        assert not mariadb.socket.exists()

    @staticmethod
    def connect(mariadb: MariaDB, port: int, database: str = "reportq") -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=port, user=mariadb.user, password=mariadb.password, database=database
        )

    def insert(self, mariadb: MariaDB, port: int) -> None:
        with self.connect(mariadb, port) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (name VARCHAR(20))")
            cursor.execute("INSERT INTO kept VALUES ('Ayu')")
            connection.commit()


class TestMongoWire:
    def test_keeps_what_it_acknowledged_through_kill_and_restart(self, tmp_path: Path) -> None:
        with MongoWire(tmp_path) as mongodb:
            with pymongo.MongoClient[dict[str, Any]](mongodb.url, w="majority", journal=True) as client:
                client.workflow.psikotes_v2.insert_one({"code": "A1"})
            mongodb.kill()
            mongodb.start()
            with pymongo.MongoClient[dict[str, Any]](mongodb.url) as client:
                found = client.workflow.psikotes_v2.find_one({"code": "A1"}, {"_id": 0})
            assert found == {"code": "A1"}
            assert stopped_without_trace(mongodb)

    def test_nobody_reads_without_the_password(self, mongo: MongoWire) -> None:
        with (
            pymongo.MongoClient[dict[str, Any]](f"mongodb://127.0.0.1:{mongo.port}/") as client,
            pytest.raises(pymongo.errors.OperationFailure),
        ):
            client.workflow.psikotes_v2.find_one()


@pytest.fixture(scope="class")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


class TestRabbitMQ:
    def test_is_the_one_that_was_asked_for(self, rabbitmq: RabbitMQ) -> None:
        assert rabbitmq.api("GET", "overview")["rabbitmq_version"] == version(Path(ROOT or "/"))

    @staticmethod
    def publish(rabbitmq: RabbitMQ, queue: str, body: bytes) -> None:
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.amqp_url))) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.queue_declare(queue, durable=True)
            channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)

    def test_keeps_messages_through_kill_and_restart(self, rabbitmq: RabbitMQ) -> None:
        self.publish(rabbitmq, "webhooks", b"kept")
        # Erlang keeps a queue's declaration (not its confirmed messages) in memory for up to two seconds.
        rabbitmq.ctl("eval", "mnesia:sync_log().")
        pids = rabbitmq.processes()
        rabbitmq.kill()
        assert not any(alive(pid) for pid in pids)
        rabbitmq.start()
        assert [message["payload"] for message in rabbitmq.get_messages("webhooks")] == ["kept"]

    def test_moves_messages_as_the_management_page_does(self, rabbitmq: RabbitMQ) -> None:
        self.publish(rabbitmq, "pdf.XQ", b"first")
        self.publish(rabbitmq, "pdf.XQ", b"second")
        self.publish(rabbitmq, "pdf", b"there before")
        rabbitmq.move("pdf.XQ", "pdf")
        bodies = [message["payload"] for message in rabbitmq.get_messages("pdf")]
        assert bodies == ["there before", "first", "second"]
        assert rabbitmq.get_messages("pdf.XQ") == []
        rabbitmq.purge("pdf")
        assert rabbitmq.get_messages("pdf") == []
        assert {"pdf", "pdf.XQ"} <= set(rabbitmq.queues())

    def test_application_user_may_touch_its_own_queues_only(self, rabbitmq: RabbitMQ) -> None:
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            self.publish(rabbitmq, "elsewhere", b"")
        answer = requests.get(
            f"{rabbitmq.management_url}/api/overview",
            auth=(rabbitmq.user, rabbitmq.password),
            timeout=10,
        )
        assert answer.status_code == 401

    def test_exposes_metrics_by_queue(self, rabbitmq: RabbitMQ) -> None:
        self.publish(rabbitmq, "webhooks", b"counted")
        detailed = rabbitmq.prometheus_url + "/detailed?family=queue_coarse_metrics"
        wait_until(lambda: 'queue="webhooks"' in requests.get(detailed, timeout=10).text, 20, "metrics of the queue")

    def test_ships_the_consumer_timeout(self, rabbitmq: RabbitMQ) -> None:
        assert "3600000" in rabbitmq.ctl("eval", "application:get_env(rabbit, consumer_timeout).")

    def test_two_do_not_clash_and_leave_nothing(self, rabbitmq: RabbitMQ, tmp_path: Path) -> None:
        with RabbitMQ(tmp_path) as other:
            self.publish(other, "pdf", b"theirs")
            assert other.get_messages("pdf")
            assert rabbitmq.node != other.node
            assert [message["payload"] for message in rabbitmq.get_messages("pdf")] != ["theirs"]
            assert stopped_without_trace(other)
        assert rabbitmq.answers()


def test_three_nodes_form_a_cluster_that_survives_the_loss_of_one(tmp_path: Path) -> None:
    nodes = [RabbitMQ(tmp_path / "joins").start()]
    try:
        nodes += cluster(tmp_path, size=2)
        three, one, two = nodes
        join(three, one)
        assert len(two.api("GET", "nodes")) == 3
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(three.amqp_url))) as connection:
            channel = connection.channel()
            channel.queue_declare("pdf", durable=True, arguments={"x-queue-type": "quorum"})
            channel.confirm_delivery()
            channel.basic_publish("", "pdf", b"kept", mandatory=True)
        one.kill()
        wait_until(lambda: two.queues()["pdf"].get("leader") not in (None, one.node), 30, "a leader")
        assert [message["payload"] for message in two.get_messages("pdf")] == ["kept"]
        one.start()
        wait_until(lambda: all(node["running"] for node in two.api("GET", "nodes")), 30, "all three again")
    finally:
        for node in nodes:
            node.kill()
            node.stop()
    assert not any(node.running for node in nodes)


@pytest.fixture(scope="class")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriveDouble]:
    with DriveDouble(tmp_path_factory.mktemp("drive")) as server:
        yield server


@pytest.fixture(scope="class")
def account(drive: DriveDouble) -> Path:
    return drive.service_account()


def pointed_at(drive: DriveDouble) -> dict[str, Any]:
    """Google's own description of its API, with the double's address."""
    bundled = Path(googleapiclient.__file__).parent / "discovery_cache/documents/drive.v2.json"
    document: dict[str, Any] = json.loads(bundled.read_text())
    return document | {"rootUrl": drive.api_root}


class TestDriveDouble:
    @pytest.fixture
    def api(self, drive: DriveDouble, account: Path) -> Iterator[Any]:
        """The raw Drive v2 service, the way PyDrive2 holds it."""
        drive.clear()
        scopes = ["https://www.googleapis.com/auth/drive"]
        credentials = ServiceAccountCredentials.from_json_keyfile_name(str(account), scopes)
        http = httplib2.Http(timeout=3)
        http.redirect_codes -= {308}  # "go on", in an upload
        with build_from_document(pointed_at(drive), http=credentials.authorize(http)) as service:
            yield service
        drive.clear()

    @staticmethod
    def insert(api: Any, drive: DriveDouble, identifier: str, content: bytes = b"%PDF") -> Any:
        media = MediaIoBaseUpload(io.BytesIO(content), "application/pdf", resumable=True)
        body = {"id": identifier, "title": "report.pdf", "parents": [{"id": drive.folder_id}]}
        return api.files().insert(body=body, media_body=media, fields="id,alternateLink").execute()

    @staticmethod
    def reserve(api: Any) -> str:
        return str(api.files().generateIds(maxResults=1).execute()["ids"][0])

    @pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning")
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_serves_pydrive2(self, drive: DriveDouble, account: Path) -> None:
        class Auth(GoogleAuth):  # type: ignore[misc]
            def Authorize(self) -> None:
                self.http = self.credentials.authorize(self._build_http())
                self.service = build_from_document(pointed_at(drive), http=self.http)

        auth = Auth(
            settings={
                "client_config_backend": "service",
                "service_config": {"client_json_file_path": str(account), "client_user_email": None},
                "oauth_scope": ["https://www.googleapis.com/auth/drive"],
            }
        )
        auth.ServiceAuth()
        google = GoogleDrive(auth)
        label = {"key": "job_id", "value": "it's", "visibility": "PRIVATE"}
        file = google.CreateFile({"title": "a.pdf", "parents": [{"id": drive.folder_id}], "properties": [label]})
        file.content = io.BytesIO(b"%PDF one")
        file.Upload()
        file.InsertPermission({"type": "anyone", "role": "reader"})
        again = google.CreateFile({"id": file["id"]})
        assert again.GetContentIOBuffer().read() == b"%PDF one"
        assert again.GetPermissions()[0]["role"] == "reader"
        query = (
            f"'{drive.folder_id}' in parents and trashed=false and properties has "
            r"{ key='job_id' and value='it\'s' and visibility='PRIVATE' }"
        )
        assert [found["id"] for found in google.ListFile({"q": query}).GetList()] == [file["id"]]
        assert file["alternateLink"].startswith(drive.api_root)
        file.Delete()
        assert drive.files() == []
        for http in filter(None, (auth.http, google.http, file.http, again.http)):
            http.close()
        auth = google = file = again = None
        gc.collect()  # PyDrive2 leaves the connection of its token request to the collector

    def test_a_reserved_id_is_used_once(self, drive: DriveDouble, api: Any) -> None:
        identifier = self.reserve(api)
        answer = self.insert(api, drive, identifier)
        assert answer == {
            "id": identifier,
            "alternateLink": f"{drive.api_root}file/d/{identifier}/view?usp=drivesdk",
        }
        with pytest.raises(HttpError) as refused:
            self.insert(api, drive, identifier)
        assert refused.value.status_code == 409
        with pytest.raises(HttpError) as unknown:
            self.insert(api, drive, "made-up")
        assert unknown.value.status_code == 400

    def test_keeps_files_and_tokens_through_kill_and_restart(self, drive: DriveDouble, api: Any) -> None:
        identifier = self.reserve(api)
        self.insert(api, drive, identifier, b"%PDF kept")
        drive.kill()
        drive.start()
        assert api.files().get_media(fileId=identifier).execute() == b"%PDF kept"
        assert drive.content(identifier) == b"%PDF kept"
        assert "token" not in drive.counts()

    def test_content_can_be_replaced_and_sent_in_pieces(self, drive: DriveDouble, api: Any) -> None:
        identifier = self.reserve(api)
        self.insert(api, drive, identifier)
        content = os.urandom(600_000)
        media = MediaIoBaseUpload(io.BytesIO(content), "application/pdf", chunksize=256 * 1024, resumable=True)
        api.files().update(fileId=identifier, media_body=media).execute()
        assert drive.content(identifier) == content
        assert sum(file["id"] == identifier for file in drive.files()) == 1

    def test_lists_lag_behind_writes(self, drive: DriveDouble, api: Any) -> None:
        drive.set_list_delay(3600)
        identifier = self.reserve(api)
        self.insert(api, drive, identifier)
        assert identifier not in self.listed(api)
        assert api.files().get(fileId=identifier).execute()["title"] == "report.pdf"
        drive.set_list_delay(0)
        assert identifier in self.listed(api)

    @staticmethod
    def listed(api: Any) -> list[str]:
        return [file["id"] for file in api.files().list(q="trashed = false").execute()["items"]]

    @pytest.mark.parametrize(
        ("kind", "status", "reason"),
        [
            ("rate_limit", 403, "userRateLimitExceeded"),
            ("too_many_requests", 429, "rateLimitExceeded"),
            ("quota", 403, "storageQuotaExceeded"),
            ("server_error", 500, "backendError"),
            ("not_found", 404, "notFound"),
        ],
    )
    def test_refuses_as_google_does(self, drive: DriveDouble, api: Any, kind: str, status: int, reason: str) -> None:
        drive.fail("about", kind, times=1)
        with pytest.raises(HttpError) as refused:
            api.about().get().execute()
        assert (refused.value.status_code, refused.value.error_details[0]["reason"]) == (status, reason)
        assert api.about().get().execute()["kind"] == "drive#about"

    def test_answers_html_when_told(self, drive: DriveDouble, api: Any) -> None:
        drive.fail("about", "html", times=1)
        with pytest.raises(HttpError) as refused:
            api.about().get().execute()
        assert refused.value.status_code == 502
        assert refused.value.content.startswith(b"<!DOCTYPE html>")

    def test_an_expired_token_is_renewed(self, drive: DriveDouble, api: Any) -> None:
        api.about().get().execute()
        before = drive.counts().get("token", 0)
        drive.expire_tokens()
        api.about().get().execute()
        assert drive.counts()["token"] == before + 1

    def test_a_key_that_is_not_the_accounts_gets_no_token(
        self, drive: DriveDouble, account: Path, tmp_path: Path
    ) -> None:
        own = json.loads(account.read_text())
        other = json.loads(drive.service_account(tmp_path).read_text())  # the known key from now on
        http = httplib2.Http()
        with pytest.raises(HttpAccessTokenRefreshError, match="invalid_grant"):
            ServiceAccountCredentials.from_json_keyfile_dict(own, ["drive"]).get_access_token(http)
        assert ServiceAccountCredentials.from_json_keyfile_dict(other, ["drive"]).get_access_token(http)
        http.close()
        account.write_text(json.dumps(other))

    def test_creates_and_loses_the_answer(self, drive: DriveDouble, api: Any) -> None:
        identifier = self.reserve(api)
        drive.fail("upload", "lost_answer")
        with pytest.raises((OSError, HttpError)):
            self.insert(api, drive, identifier)
        drive.clear()
        assert identifier in [file["id"] for file in drive.files()]
        with pytest.raises(HttpError) as refused:
            self.insert(api, drive, identifier)
        assert refused.value.status_code == 409

    def test_hangs_until_cleared(self, drive: DriveDouble, api: Any) -> None:
        identifier = self.reserve(api)
        drive.fail("upload", "hang")
        caught: list[BaseException] = []

        def upload() -> None:
            try:
                self.insert(api, drive, identifier)
            except (OSError, HttpError) as error:
                caught.append(error)

        thread = threading.Thread(target=upload)
        thread.start()
        drive.wait_hanging("upload")
        drive.clear()
        thread.join()
        assert caught == [] or identifier not in [file["id"] for file in drive.files()]


@pytest.fixture(scope="class")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with Receiver(tmp_path_factory.mktemp("receiver")) as server:
        yield server


class TestReceiver:
    def test_keeps_every_post_as_it_came_through_kill_and_restart(self, receiver: Receiver) -> None:
        body = b'{"job_id": "\xff raw"}'
        headers = {"webhook-id": "msg_1", "Content-Type": "application/json"}
        answer = requests.post(receiver.url("/webhook/a?x=%2F"), data=body, headers=headers, timeout=10)
        assert answer.json() == {"message": "received"}
        receiver.kill()
        receiver.start()
        (post,) = receiver.wait_posts(1, "/webhook/a")
        assert (post.path, post.body) == ("/webhook/a?x=%2F", body)
        assert post.header("Webhook-Id") == "msg_1"

    def test_a_post_whose_sender_died_in_the_middle_was_not_received(self, receiver: Receiver) -> None:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as line:
            line.sendall(b"POST /webhook/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            line.shutdown(socket.SHUT_WR)
            assert line.recv(1) == b""
        requests.post(receiver.url("/webhook/cut"), json={}, timeout=10)
        assert len(receiver.posts("/webhook/cut")) == 1

    def test_answers_as_scripted_one_step_after_the_other(self, receiver: Receiver) -> None:
        receiver.script(
            "/webhook/b",
            {"status": 409, "body": '{"message":"is running already"}'},
            {"status": 503, "headers": {"Retry-After": "7"}, "body": "<html>", "content_type": "text/html"},
            {"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}},
            {"status": 200},
        )
        answers = [requests.post(receiver.url("/webhook/b"), timeout=10, allow_redirects=False) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [409, 503, 302, 200, 200]
        assert answers[1].headers["Retry-After"] == "7"
        assert answers[1].headers["Content-Type"] == "text/html"

    def test_can_start_up_as_n8n_does_and_answer_in_the_interim(self, receiver: Receiver) -> None:
        receiver.script("/webhook/c", START_PAGE, {"interim": [103, 102], "status": 409}, {})
        sender = SignedSender([], version="1", allow=AllowList.parse("127.0.0.1"))
        answers = [sender.send(Post(receiver.url("/webhook/c"), "msg_1", b"{}")) for _ in range(3)]
        sender.close()
        assert [answer.status for answer in answers] == [200, 409, 200]
        assert [judge(answer, History()).answer for answer in answers] == ["start_page", "conflict", "accepted"]

    def test_can_be_silent_slow_huge_or_cut(self, receiver: Receiver) -> None:
        receiver.script("/cut", {"reset": True})
        with pytest.raises(requests.ConnectionError):
            requests.post(receiver.url("/cut"), timeout=10)
        receiver.script("/silent", {"hang": True})
        with pytest.raises(requests.ReadTimeout):
            requests.post(receiver.url("/silent"), timeout=0.3)
        receiver.script("/huge", {"size": 5_000_000})
        assert len(requests.post(receiver.url("/huge"), timeout=10).content) == 5_000_000
        receiver.script("/slow", {"drip": 60.0})
        with requests.post(receiver.url("/slow"), timeout=10, stream=True) as answer:
            assert answer.raw.read(1) == b"{"
        receiver.clear()
        assert requests.post(receiver.url("/silent"), timeout=10).ok

    def test_interim_responses_come_before_the_answer(self, receiver: Receiver) -> None:
        receiver.script("/early", {"interim": [103, 100], "body": "after them"})
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=10) as line:
            line.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            answer = b"".join(iter(lambda: line.recv(4096), b""))
        heads = [part.split(b" ")[1] for part in answer.split(b"\r\n") if part.startswith(b"HTTP/1.1 ")]
        assert heads == [b"103", b"100", b"200"]
        assert answer.endswith(b"after them")

    def test_while_n8n_starts_every_path_is_given_its_page_and_nobody_is_told(self, receiver: Receiver) -> None:
        receiver.script("/webhook/own", {"status": 500}, {})
        receiver.script(ALL, START_PAGE)
        page = requests.post(receiver.url("/webhook/own"), timeout=10)
        assert (page.status_code, page.text) == (200, "n8n is starting up. Please wait")
        assert page.headers["Content-Type"].startswith("text/html")
        receiver.script(ALL)
        assert [requests.post(receiver.url("/webhook/own"), timeout=10).status_code for _ in range(2)] == [500, 200]
        assert [post.told for post in receiver.posts("/webhook/own")] == [False, False, True]

    def test_an_unknown_step_is_refused(self, receiver: Receiver) -> None:
        with pytest.raises(requests.HTTPError, match="400"):
            receiver.script("/x", {"stauts": 500})


def test_prometheus_scrapes_and_alertmanager_is_told(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: a, rules: [{alert: Seen, expr: up == 1}]}]\n")
    with (
        Alertmanager(tmp_path / "alertmanager") as alertmanager,
        Prometheus(
            tmp_path / "prometheus",
            {"alertmanager": [alertmanager.target]},
            rules=[rules],
            alertmanagers=[alertmanager.target],
        ) as prometheus,
    ):
        wait_until(lambda: bool(prometheus.query("up == 1")), 30, "a scrape")
        wait_until(lambda: bool(alertmanager.alerts()), 30, "an alert")
        assert prometheus.alerts()[0]["labels"]["alertname"] == "Seen"
        prometheus.kill()
        prometheus.start()
        assert prometheus.query("count_over_time(up[5m])")
        assert stopped_without_trace(prometheus)
        assert stopped_without_trace(alertmanager)


class TestTcpProxy:
    @pytest.fixture
    def proxy(self, receiver: Receiver) -> Iterator[TcpProxy]:
        with TcpProxy(receiver.port) as proxy:
            yield proxy

    @staticmethod
    def ask(proxy: TcpProxy, timeout: float = 10) -> int:
        return requests.post(f"http://127.0.0.1:{proxy.port}/", timeout=timeout).status_code

    def test_passes_everything_on(self, proxy: TcpProxy) -> None:
        assert self.ask(proxy) == 200
        assert proxy.accepted == 1
        assert proxy.bytes["up"] > 0
        assert proxy.bytes["down"] > 0

    def test_blackhole_swallows_until_healed(self, proxy: TcpProxy) -> None:
        proxy.blackhole()
        with pytest.raises(requests.Timeout):
            self.ask(proxy, 0.3)
        proxy.heal()
        assert self.ask(proxy) == 200

    def test_cut_resets_open_connections_only(self, proxy: TcpProxy) -> None:
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            wait_until(lambda: proxy.accepted == 1, 10, "the connection")
            connection.sendall(b"POST / HTTP/1.1\r\n")
            wait_until(lambda: proxy.bytes["up"] > 0, 10, "bytes on their way")
            proxy.cut()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert self.ask(proxy) == 200

    def test_the_server_is_told_that_its_client_was_killed(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, TcpProxy(server.getsockname()[1]) as proxy:
            connection = socket.create_connection(("127.0.0.1", proxy.port))
            there, _ = server.accept()
            with there:
                there.settimeout(10)
                there.sendall(b"an answer that nobody reads")
                wait_until(lambda: proxy.bytes["down"] > 0, 10, "it on its way")
                wait_until(lambda: bool(connection.recv(1, socket.MSG_PEEK)), 10, "it there")
                connection.close()  # with something unread: the kernel sends a reset, as for a process that is killed
                with pytest.raises(ConnectionResetError):
                    there.recv(1)

    def test_refuse_resets_new_connections_too(self, proxy: TcpProxy) -> None:
        proxy.refuse()
        with pytest.raises(requests.ConnectionError):
            self.ask(proxy)
        proxy.heal()
        assert self.ask(proxy) == 200

    def test_delay_and_throttle_slow_it_down(self, proxy: TcpProxy) -> None:
        proxy.delay = 5
        with pytest.raises(requests.Timeout):
            self.ask(proxy, 0.3)
        proxy.heal()
        proxy.rate = 10
        with pytest.raises(requests.Timeout):
            self.ask(proxy, 0.3)
        proxy.heal()
        assert self.ask(proxy) == 200

    def test_a_dead_target_is_a_reset(self) -> None:
        with TcpProxy(1) as proxy, pytest.raises(requests.ConnectionError):
            self.ask(proxy)


def test_a_small_disk_fills_to_the_byte_and_is_gone_afterwards(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", 1 << 20) as disk:
        disk.fill(leave=40_000)
        assert 0 < disk.left() <= 40_960
        disk.fill()
        assert disk.left() == 0
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(b"x")
        disk.free()
        (disk.folder / "more").write_bytes(bytes(500_000))
    assert not (tmp_path / "disk" / "more").exists()
    assert not os.path.ismount(tmp_path / "disk")
