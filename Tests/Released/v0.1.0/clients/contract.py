"""What every client of the contract does alike: who it is, what a message looks like, how it is published for certain.

Needs Debian's python3-pika (1.2 or newer). Used by source.py, unit.py and publish.py beside it.
"""
import datetime
import json
import os
import time
import urllib.parse
import uuid

import pika

CLOUD_EVENTS = "application/cloudevents+json"
# Where a party publishes, by the first word of its name. Each may use only keys that begin with its own name.
EXCHANGES = {"unit": "bihuan.feedback", "source": "bihuan.intake"}


def user_of(url):
    """The party is the broker user: unit.<id> or source.<id>. The broker vouches for it, so nothing else names us."""
    user = urllib.parse.unquote(urllib.parse.urlparse(url).username or "")
    if user.split(".")[0] not in EXCHANGES or user.count(".") != 1:
        raise SystemExit(f"the URL's user must be unit.<id> or source.<id>, not {user!r}")
    return user


def connect(url):
    """A connection that notices a dead broker (heartbeat) and does not wait for ever on one that takes nothing."""
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 20
    parameters.blocked_connection_timeout = 60
    return pika.BlockingConnection(parameters)


def publishing_channel(connection):
    """Publisher confirms: basic_publish then returns only when the broker has the message on disk."""
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


def new_id():
    """UUID version 7: begins with the time, so ids sort by age."""
    milliseconds = int(time.time() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def make_act(user, kind, subject, data, act_id, at=None):
    """The bytes of one act. Keep them: a resend is the same bytes under the same id, or the office refuses it as id_reused."""
    event = {
        "specversion": "1.0",
        "id": act_id,
        "source": user,
        "type": f"bihuan.{kind}.v1",
        "subject": subject,
        "time": at or now(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def publish(channel, user, body):
    """Publishes stored bytes. Key and properties follow from what stands in them."""
    event = json.loads(body)
    short = event["type"][len("bihuan."):].rsplit(".", 1)[0]
    channel.basic_publish(
        exchange=EXCHANGES[user.split(".")[0]],
        routing_key=f"{user}.{short}",
        body=body,
        properties=pika.BasicProperties(
            content_type=CLOUD_EVENTS,
            # Persistent: survives a restart of the broker.
            delivery_mode=2,
            type=event["type"],
            # What the message is about; the office echoes it on every answer.
            correlation_id=event["subject"],
            # New for each sending, for tracing only. The act is named by the event's id.
            message_id=new_id(),
            timestamp=int(time.time()),
            # The broker refuses any user but our own here; the office refuses a message without it.
            user_id=user,
        ),
        mandatory=True,
    )
