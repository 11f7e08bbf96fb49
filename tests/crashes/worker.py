"""A render worker that kills itself at one point of its first job: `kill -9` in every stage, exactly there."""

from __future__ import annotations

from typing import Any

from actors import worker
from schema.life import rounds
from schema.rows import jobs, rendered
from tests.crashes.points import after, before

broker = worker.broker

_rendering = worker.runtime.rendering
_rendering.renderer.render = before("before render", _rendering.renderer.render)  # type: ignore[method-assign]
_artifacts: Any = worker.runtime.artifacts
_artifacts.put = after("after upload", _artifacts.put)
rendered.hand_over = after("after hand-over", rendered.hand_over)
jobs.pass_upload_point = after("while uploading", jobs.pass_upload_point)
rounds.finish = after("after finish", rounds.finish)
