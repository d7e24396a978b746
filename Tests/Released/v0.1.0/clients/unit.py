#!/usr/bin/env python3
"""A unit: takes handoffs, signs for them, decides, concludes, and hears what the office says to it.

    AMQP_URL=amqp://unit.c01:PASSWORD@HOST/VHOST python3 unit.py --state unit.sqlite --run
    AMQP_URL=... python3 unit.py --state unit.sqlite --once        ends when nothing has come for two seconds

Two rules carry everything. What arrived is written down before it is acknowledged, so a crash loses nothing. What will be
sent is written down, with its id and its exact bytes, before it is sent, so a repeat is the same act and counts once.
"""
import argparse
import hashlib
import json
import os
import signal
import sqlite3
import sys
import time

import pika

import contract

SEALED = "application/vnd.bihuan.sealed+json"
# A conclusion that comes back this often needs a person.
CONCLUSIONS_MAX = 5


class Books:
    """One SQLite file. Every change is one transaction, on disk when it returns."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS heard (event TEXT PRIMARY KEY, type TEXT, subject TEXT, body BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS handoff (
                id TEXT PRIMARY KEY, digest TEXT, text TEXT, sealed INTEGER,
                recalled INTEGER NOT NULL DEFAULT 0, conclusions INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE IF NOT EXISTS act (
                number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, handoff TEXT NOT NULL, body BLOB NOT NULL,
                made REAL NOT NULL, sent INTEGER NOT NULL DEFAULT 0);
            """
        )

    def take(self, body, plan):
        """Writes down one message and the acts that follow from it. A repeat changes nothing."""
        with self.db:
            try:
                event = json.loads(body)
                name, kind, subject, data = event["id"], event["type"], event["subject"], event.get("data") or {}
            except (ValueError, KeyError, TypeError):
                # Not ours to judge, but not to be lost either: a person may look at it.
                name, kind, subject, data, event = "sha256:" + hashlib.sha256(body).hexdigest(), None, None, {}, {}
            # The broker delivers at least once; the CloudEvents id says what is the same.
            row = (name, kind, subject, body)
            if self.db.execute("INSERT OR IGNORE INTO heard VALUES (?, ?, ?, ?)", row).rowcount == 0:
                return
            react = {
                "bihuan.handoff.dispatched.v1": self.dispatched,
                "bihuan.handoff.recalled.v1": self.recalled,
                "bihuan.conclusion.returned.v1": self.concluded_in_vain,
                "bihuan.message.refused.v1": self.refused,
                "bihuan.notice.sign_due.v1": self.reminded,
            }.get(kind)
            # A type we do not know, or a later version of one: kept, passed over. The office may say more than we need.
            if react:
                react(subject, data, event, body, plan)

    def dispatched(self, handoff, data, event, body, plan):
        # The signature is over the bytes as they came. Never parse and write them again first.
        digest = hashlib.sha256(body).hexdigest()
        sealed = event.get("datacontenttype") == SEALED
        self.db.execute("INSERT OR IGNORE INTO handoff (id) VALUES (?)", (handoff,))
        # A second dispatch of the same handoff leaves what stands: one handoff is signed for once.
        fresh = self.db.execute(
            "UPDATE handoff SET digest = ?, text = ?, sealed = ? WHERE id = ? AND digest IS NULL",
            (digest, f"{data.get('title', '')} {data.get('text', '')}", sealed, handoff)).rowcount
        if not fresh or self.is_recalled(handoff):
            return
        self.post(handoff, "handoff.signed", {"digest": digest, "signedBy": plan.signed_by}, "signed", plan)
        # What is sealed is for a person with the key. We only sign for it.
        if sealed:
            return
        if plan.case_word and plan.case_word in f"{data.get('title', '')} {data.get('text', '')}":
            case = {"caseNumber": "LA-" + handoff[-12:], "filedOn": time.strftime("%Y-%m-%d")}
            self.post(handoff, "case.filed", case, "case-filed", plan)
        if not plan.hasty:
            self.decide(handoff, plan)
        self.conclude(handoff, plan)

    def recalled(self, handoff, data, event, body, plan):
        # Queues may reorder: a recall that comes before its handoff is kept, so that the handoff is never begun.
        self.db.execute("INSERT OR IGNORE INTO handoff (id) VALUES (?)", (handoff,))
        self.db.execute("UPDATE handoff SET recalled = 1 WHERE id = ?", (handoff,))
        self.db.execute("DELETE FROM act WHERE handoff = ? AND sent = 0", (handoff,))

    def concluded_in_vain(self, handoff, data, event, body, plan):
        # Only our latest conclusion can be answered; an older answer was acted on before.
        row = self.db.execute("SELECT conclusions FROM handoff WHERE id = ?", (handoff,)).fetchone()
        if not row or self.is_recalled(handoff) or event.get("inreplyto") != f"{handoff}-concluded-{row[0]}":
            return
        print(f"{handoff}: to be concluded again: {data.get('text')}", file=sys.stderr)
        if row[0] >= CONCLUSIONS_MAX:
            return
        self.decide(handoff, plan)
        self.conclude(handoff, plan)

    def refused(self, handoff, data, event, body, plan):
        # Sending it again would bring the same refusal: the act is over, and a person reads why.
        self.db.execute("UPDATE act SET sent = 1 WHERE id = ?", (event.get("inreplyto"),))
        print(f"{handoff}: refused: {json.dumps(data.get('problems'), ensure_ascii=False)}", file=sys.stderr)

    def reminded(self, handoff, data, event, body, plan):
        # The office says it has no signature. If we signed, the same act goes again: twice equals once.
        self.db.execute("UPDATE act SET sent = 0 WHERE id = ?", (f"{handoff}-signed",))

    def decide(self, handoff, plan):
        self.post(handoff, "disposition.decided", {"disposition": plan.disposition}, "disposition", plan)

    def conclude(self, handoff, plan):
        self.db.execute("UPDATE handoff SET conclusions = conclusions + 1 WHERE id = ?", (handoff,))
        (round,) = self.db.execute("SELECT conclusions FROM handoff WHERE id = ?", (handoff,)).fetchone()
        data = {"outcome": plan.outcome, "summary": plan.summary, "reporterAnswered": True}
        self.post(handoff, "handoff.concluded", data, f"concluded-{round}", plan)

    def post(self, handoff, kind, data, suffix, plan):
        # The id follows from what the act is: the same act can have no second id. A decision made once stays as it was made.
        act_id = f"{handoff}-{suffix}"
        body = contract.make_act(plan.user, kind, handoff, data, act_id)
        row = (act_id, handoff, body, time.time())
        self.db.execute("INSERT OR IGNORE INTO act (id, handoff, body, made) VALUES (?, ?, ?, ?)", row)

    def is_recalled(self, handoff):
        return self.db.execute("SELECT recalled FROM handoff WHERE id = ?", (handoff,)).fetchone() == (1,)

    def due(self, think):
        return self.db.execute("SELECT number, body FROM act WHERE sent = 0 AND made <= ? ORDER BY number", (time.time() - think,)).fetchall()

    def mark_sent(self, number):
        with self.db:
            self.db.execute("UPDATE act SET sent = 1 WHERE number = ?", (number,))


class Unit:
    def __init__(self, url, books, plan):
        self.url, self.books, self.plan = url, books, plan
        self.stopping = False

    def work(self):
        """One connection's life: read what came, write it down, acknowledge, send what follows."""
        connection = contract.connect(self.url)
        reader, sender = connection.channel(), contract.publishing_channel(connection)
        reader.basic_qos(prefetch_count=50)
        # Express first. Two queues may reorder, and every message says by its subject what it is about.
        queues = [f"{self.plan.user}.{name}" for name in ("express", "notice", "inbox")]
        waiting = {queue: [] for queue in queues}
        for queue in queues:
            reader.basic_consume(queue, lambda _, method, __, body, queue=queue: waiting[queue].append((method.delivery_tag, body)))
        quiet_since = time.monotonic()
        due = []
        while not self.stopping:
            connection.process_data_events(time_limit=0 if due else 0.1)
            for queue in queues:
                for tag, body in waiting[queue]:
                    self.books.take(body, self.plan)
                    reader.basic_ack(tag)
                    quiet_since = time.monotonic()
                waiting[queue].clear()
            # One act at a time, and first whatever has come meanwhile: it may be the recall of what is next.
            due = self.books.due(self.plan.think)
            if due:
                number, body = due[0]
                contract.publish(sender, self.plan.user, body)
                self.books.mark_sent(number)
                quiet_since = time.monotonic()
            elif self.plan.once and time.monotonic() - quiet_since > 2:
                break
        connection.close()

    def run(self):
        pause = 0.5
        while not self.stopping:
            began = time.monotonic()
            try:
                self.work()
                return
            except pika.exceptions.ProbableAuthenticationError:
                sys.exit("the broker refuses the user or the password")
            except (pika.exceptions.AMQPError, OSError) as error:
                # The broker went away. What was not acknowledged comes again, what was not confirmed goes again.
                print(f"connecting again: {error!r}", file=sys.stderr)
                pause = 0.5 if time.monotonic() - began > 10 else min(pause * 2, 10)
                time.sleep(pause)

    def stop(self, *_):
        self.stopping = True


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", required=True, help="the SQLite file; made if missing")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--run", action="store_true", help="until SIGTERM")
    mode.add_argument("--once", action="store_true", help="until nothing has come for two seconds")
    parser.add_argument("--think", type=float, default=0, help="seconds between what arrived and the acts that follow (0)")
    parser.add_argument("--signed-by", default="收发员")
    parser.add_argument("--disposition", default="preliminary_verification", help="an id of the office's policy")
    parser.add_argument("--outcome", default="substantiated", help="an id of the office's policy")
    parser.add_argument("--summary", default="经了解核实，反映问题属实，已处理。")
    parser.add_argument("--case-word", help="file a case for handoffs whose text holds this")
    parser.add_argument("--hasty", action="store_true", help="conclude without a disposition, and give it when asked for")
    return parser.parse_args()


def main():
    plan = arguments()
    url = os.environ.get("AMQP_URL") or sys.exit("AMQP_URL is not set")
    plan.user = contract.user_of(url)
    unit = Unit(url, Books(plan.state), plan)
    signal.signal(signal.SIGTERM, unit.stop)
    signal.signal(signal.SIGINT, unit.stop)
    unit.run()


if __name__ == "__main__":
    main()
