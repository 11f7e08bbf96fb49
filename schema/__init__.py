"""The truth: settings, errors, what is asked and answered, rows and their guarded transitions. Imports nothing of ours.

Rooms: rows (the SQL), life (ends, replays, retention), callbacks (what answers mean), http (what the API takes and says,
texts of errors), metrics, documents, sql, environment, host.

Words. Each means one thing here, and nothing else is called by it.

    job          what was asked: one report for one code and product
    batch        jobs that were asked for together (`bat_…`): counted as they end, told once when all have
    round        a submission (round 1) or a replay of a job: a budget, one end and one delivery of its own
    message      what RabbitMQ carries: which row to look at. The row is the truth, the message is a hint
    admit        let a due row into the broker, as far as its window reaches; the relay does it
    turn         the place of a job's priority in the line: 9 - priority; 0 goes first
    promote      give a job that waited too long an earlier turn; one that was published is published again
    claim        take a waiting row under a lease; each claim of a row is a start, numbered by `start_no`
    attempt      a start of a job, written down when it is over (table `attempts`)
    try          an attempt or a POST that counts against the budget; a returned attempt is none
    rescue       decide about a row whose lease ran out
    artifact     the stored PDF of a job
    kept PDF     rendered bytes in the database (table `rendered`) until their round ends; an uploader stores them
    callback     what the caller wants to be told: its URL, and the request that tells it
    delivery     the promise to tell one round's end: to the permanent record, then to the callback
    post         one signed request of a delivery, written down before it leaves (table `delivery_attempts`)
    verdict      what an answer to a post means: delivered, again, stop
    dead letter  what a person must look at: a row, and its readable copy in `.XQ`
    replay       start a new round (job), post again (delivery) or send again (raw message)
    pause        a scope that waits: `queue:`, `dependency:` or `host:`; an operator's or an outage's
    lane         one path of a webhook host that waits alone: `host:port#path`, the path as a hash

The job (table `pdf_job_results`; who moves it; rule of DESIGN)

    queued     → processing  a render worker claims it: start number and lease (2.1, 2.7)
    processing → completed   an uploader, once the PDF is stored (2.4); a folder: the render worker. Between drawing and
                             upload the attempt waits in its row: stage `storing`, no lease (2.2)
    processing → queued      retry: a failed or timed-out attempt, budget left (2.6); return: stop, pause, outage (2.14);
                             rescue: the lease ran out (2.6)
    processing → failed      the retries hook: budget spent, or a permanent error; rescue: the third crash (2.4, 2.6)
    queued     → cancelled   whoever asks, at once; processing → cancelled at the next checkpoint (2.13)
    failed, cancelled → queued   replay: the next round (2.11, 7)
    Guard: job_id, round, start_no and the state that is left. Every end is written by rounds.finish alone.

The batch (table `batches`; `open` counts its jobs whose round has not ended)

    open  → ended   the last of its jobs ends, in that very transaction, which owes the batch's delivery (2.15)
    ended → open    a replay of one of its jobs: the batch's next round
    Its delivery is a row of `deliveries` with the batch's id as `job_id`; no permanent record is owed for it.

The delivery (table `deliveries`)

    queued     → processing  a webhook worker claims it; not before the earlier round's has ended (2.10)
    processing → delivered   a 2xx; or "finished" after an unknown outcome (2.10, 6)
    processing → recorded    the permanent record is written and nobody is to be told
    processing → not_sent    the resume URL was used up by an earlier round (2.11)
    processing → queued      the verdict is "again"; rescue; the record's store is away
    processing → dead        the verdict is "stop", 72 hours are over, or three starts died: with a dead letter
    queued, processing → superseded   a replay: the newer round tells
    delivered, dead    → queued       an operator's resend or replay (7)
    Guard: delivery_id, start_no and the state that is left. A recorded 2xx is never followed by a post, unless forced.

The dead letter (table `dead_letters`)

    open → replayed   one guarded UPDATE, once: by API, command line, or a copy moved in RabbitMQ's UI (7)
    open → discarded  an operator, with a reason; or an erasure
    Its copy leaves `.XQ` once it is not open (`swept_at`); the row goes with retention.
"""

VERSION = "0.1.0"
