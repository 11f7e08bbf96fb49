"""What is kept of an answer's body."""

from __future__ import annotations

from actors.answer_bodies import head


def test_stack_traces_and_paths_are_cut() -> None:
    body = (
        b'{"code":0,"message":"Cannot read ENOENT /home/node/.n8n/nodes/x.js",'
        b'"stacktrace":"Error: no\\n    at Object.<anonymous> (/usr/lib/node_modules/n8n/server.js:10:5)"}'
    )
    kept = head(body)
    assert kept == '{"code": 0, "message": "Cannot read ENOENT …"}'
    plain = head(
        b"Error: no\n    at run (/usr/lib/node_modules/n8n/a.js:1:2)\n    at file:///srv/b/c.mjs:3:4\nend"
    )
    assert "/usr" not in plain
    assert "/srv" not in plain
    assert plain.startswith("Error: no")
    assert plain.endswith("end")
    python = head(b'Traceback\n  File "/srv/app/views/x.py", line 3, in get\nKeyError')
    assert "/srv" not in python


def test_control_characters_become_spaces_and_the_length_is_bounded() -> None:
    assert head(b"a\x00\x1b[31mb\r\nc\xe2\x80\xaed\xff") == "a [31mb c d\ufffd"
    assert len(head(b"x" * 100_000)) == 2000
    assert head(b"[" * 60_000).startswith("[[")


def test_the_sentences_that_verdicts_look_for_survive() -> None:
    assert "is running already" in head(b'{"code":0,"message":"The execution \\"7\\" is running already."}')
    assert head(b'{"error":"Invalid token"}') == '{"error":"Invalid token"}'
