"""A TCP proxy in this process that can be slow, silent or cut: networks that misbehave on demand."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

from ops.servers.process import free_port

CHUNK = 64 * 1024


class TcpProxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`. Troubles apply to open and to new connections alike.

    Settable: `delay` seconds before each chunk goes on; `rate` bytes a second, None for unlimited. After
    `blackhole()` everything is accepted and nothing passed on, not even an end (half-open connections).
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self.delay = 0.0
        self.rate: float | None = None
        self.refusing = False
        self.accepted = 0
        self.bytes = {"up": 0, "down": 0}  # towards the server, towards the client
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._open: asyncio.Event
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._thread.start()
        self._run(self._listen())

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._writers) // 2

    def blackhole(self) -> None:
        """From now on nothing passes, in either direction; nobody is told."""
        self._run(self._set_open(False))

    def cut(self) -> None:
        """Reset every open connection; new ones work."""
        self._run(self._cut())

    def refuse(self) -> None:
        """Reset every open connection and every new one."""
        self.refusing = True
        self.cut()

    def heal(self) -> None:
        """No more troubles; what was held back goes on."""
        self.delay, self.rate, self.refusing = 0.0, None, False
        self._run(self._set_open(True))

    def stop(self) -> None:
        """Close everything; the port refuses connections afterwards."""
        if not self._loop.is_running():
            return
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _set_open(self, is_open: bool) -> None:
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            _reset(writer)
            return
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._open.wait()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        ends = {writer, server_writer}
        self._writers |= ends
        try:
            await asyncio.gather(self._pass(reader, server_writer, "up"), self._pass(server_reader, writer, "down"))
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        """Pass on one direction until its end, which is passed on, too; a reset ends both."""
        try:
            while chunk := await reader.read(CHUNK if self.rate is None else 4096):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.rate is not None:
                    await asyncio.sleep(len(chunk) / self.rate)
                await self._open.wait()
                self.bytes[way] += len(chunk)  # before anybody can have seen them
                writer.write(chunk)
                await writer.drain()
            await self._open.wait()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            await self._open.wait()
            _reset(writer)  # or a database would keep the locks of a client that was killed


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a crashed peer's kernel or a firewall would."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
