"""Bare Falcon + Dramatiq: a message with a confirm for each request, no database, no state."""

import os
import uuid

import dramatiq
import falcon
from dramatiq.brokers.rabbitmq import RabbitmqBroker

QUEUE = "bare_bench"

broker = RabbitmqBroker(url=os.environ["BENCH_AMQP_URL"], confirm_delivery=True, max_priority=10)
dramatiq.set_broker(broker)


def render(job_id: str, code: str, product_id: str, callback: str | None) -> None:
    """Nothing to draw."""


render_pdf = dramatiq.actor(broker=broker, queue_name=QUEUE, actor_name="bare_render")(render)


class GenerateAsync:
    """The plan's path."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = req.get_media()
        if not isinstance(body.get("code"), str) or not isinstance(body.get("productId"), str):
            raise falcon.HTTPUnprocessableEntity(description="code and productId are needed")
        job_id = f"pdf_{uuid.uuid4().hex}"
        render_pdf.send(job_id, body["code"], body["productId"], body.get("callback"))
        resp.status = falcon.HTTP_202
        resp.media = {"job_id": job_id, "status": "queued"}


app = falcon.App()
app.add_route("/api/reports/generate-async", GenerateAsync())
