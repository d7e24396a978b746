#!/usr/bin/env python3
"""Submits one report and says what became of it.

    AMQP_URL=amqp://source.web:PASSWORD@HOST/VHOST python3 source.py --state DIR REPORT.json
    AMQP_URL=... python3 source.py --state DIR --title T --text T --accused NAME,LEVEL --attach FILE

Run it again with the same report and the same DIR after any failure: the act is kept there and goes out under the same id,
so it counts once. Exit 0: accepted or received, 1: rejected, 3: no answer yet.
"""
import argparse
import base64
import hashlib
import json
import mimetypes
import os
import sys
import time

import pika

import contract

# In base64 four thirds of it, well below the 256 KiB that one message may have.
PART_BYTES = 150_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", nargs="?", help="a JSON file with the data of report.submitted; - for standard input")
    parser.add_argument("--state", required=True, help="a folder that keeps acts and answers")
    parser.add_argument("--wait", type=float, default=30, help="seconds to wait for the verdict (30)")
    parser.add_argument("--title", default="")
    parser.add_argument("--text")
    parser.add_argument("--matter-kind", default="accusation")
    parser.add_argument("--region")
    parser.add_argument("--accused", action="append", default=[], metavar="NAME[,LEVEL]")
    parser.add_argument("--category")
    parser.add_argument("--attach", action="append", default=[], metavar="FILE", help="a paper to announce and send in parts")
    given = parser.parse_args()
    if (given.report is None) == (given.text is None):
        parser.error("give either a report file or --text")
    return given


def report_data(given):
    """The report in the contract's words; papers are announced by size and digest, their bytes follow."""
    if given.report:
        with sys.stdin if given.report == "-" else open(given.report, encoding="utf-8") as file:
            data = json.load(file)
    else:
        data = {"matterKind": given.matter_kind, "title": given.title, "text": given.text}
        data["accused"] = [
            dict(zip(("name", "level"), each.split(",", 1)), **({"region": given.region} if given.region else {}))
            for each in given.accused
        ]
        if given.region:
            data["region"] = given.region
        if given.category:
            data["allegations"] = [{"category": given.category, "act": given.title or given.text[:50]}]
    papers = []
    for name in given.attach:
        with open(name, "rb") as file:
            content = file.read()
        papers.append(content)
        paper = {"name": os.path.basename(name), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        media = mimetypes.guess_type(name)[0]
        data.setdefault("attachments", []).append(dict(paper, mediaType=media) if media else paper)
    return data, papers


def write(path, body):
    """There whole or not at all, also after a power cut."""
    with open(path + ".new", "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def kept_act(state, user, data):
    """The act of this report: the stored one, or a new one that is stored before anything is sent."""
    key = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    path = os.path.join(state, key + ".act.json")
    if not os.path.exists(path):
        act_id = contract.new_id()
        # Of a report the subject is its own id.
        write(path, contract.make_act(user, "report.submitted", act_id, data, act_id))
    with open(path, "rb") as file:
        return file.read()


def answer_path(state, act_id):
    return os.path.join(state, hashlib.sha256(act_id.encode()).hexdigest() + ".answer.json")


def keep_answer(state, channel, method, body):
    """Whatever comes is kept under the act it answers, then acknowledged: it may answer another run of this program."""
    try:
        event = json.loads(body)
        about, kind = event.get("inreplyto") or event["id"], event["type"]
    except (ValueError, KeyError, TypeError, AttributeError):
        event, about, kind = {}, hashlib.sha256(body).hexdigest(), "unreadable"
    write(answer_path(state, about), body)
    channel.basic_ack(method.delivery_tag)
    if kind == "bihuan.message.refused.v1":
        print("refused:", json.dumps(event.get("data"), ensure_ascii=False), file=sys.stderr)


class NoAnswerYet(Exception):
    """The time is over. Everything sent so far stands; the next run goes on from here."""


class Talk:
    """One connection: sends acts, and waits for what answers them."""

    def __init__(self, url, state, user, until):
        self.state, self.user, self.until = state, user, until
        self.connection = contract.connect(url)
        self.sender = contract.publishing_channel(self.connection)
        reader = self.connection.channel()
        reader.basic_consume(f"{user}.notice", lambda channel, method, _, body: keep_answer(state, channel, method, body))

    def ask(self, body):
        """Sends an act unless it was answered before, and returns the answer."""
        path = answer_path(self.state, json.loads(body)["id"])
        if not os.path.exists(path):
            contract.publish(self.sender, self.user, body)
        # Another run of this program may be the one that hears the answer, so the folder is what is asked.
        while not os.path.exists(path):
            if time.monotonic() > self.until:
                raise NoAnswerYet()
            self.connection.process_data_events(time_limit=0.2)
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def send_paper(self, act, content):
        """One paper in parts, and the manifest that closes it. Ids and times come from the report, so a resend is the same."""
        digest = hashlib.sha256(content).hexdigest()
        name = f"{act['id']}-{digest[:32]}"

        def part(suffix, data):
            data = dict(data, sha256=digest)
            return contract.make_act(self.user, "attachment.part", act["id"], data, f"{name}-{suffix}", act["time"])

        pieces = [content[at:at + PART_BYTES] for at in range(0, len(content), PART_BYTES)] or [b""]
        for number, piece in enumerate(pieces, 1):
            # A part that is taken is not answered; one that is refused is.
            data = {"part": number, "content": base64.b64encode(piece).decode()}
            contract.publish(self.sender, self.user, part(number, data))
        for attempt in range(1, 10):
            answer = self.ask(part(f"close{attempt}", {"count": len(pieces)}))
            if answer["type"] != "bihuan.message.refused.v1":
                return answer
            # The manifest overtook a part. Nothing else is mended by closing again.
            if [problem["code"] for problem in answer["data"]["problems"]] != ["parts_missing"]:
                return answer
        return answer


def submit(url, state, user, body, papers, until):
    """The verdict on the report; of one with papers, what was last said of them."""
    talk = Talk(url, state, user, until)
    answer = talk.ask(body)
    if answer["type"] != "bihuan.report.rejected.v1":
        for content in papers:
            answer = talk.send_paper(json.loads(body), content)
    talk.connection.close()
    return answer


def main():
    given = arguments()
    url = os.environ.get("AMQP_URL") or sys.exit("AMQP_URL is not set")
    user = contract.user_of(url)
    os.makedirs(given.state, mode=0o700, exist_ok=True)
    data, papers = report_data(given)
    body = kept_act(given.state, user, data)
    until = time.monotonic() + given.wait
    while True:
        try:
            answer = submit(url, given.state, user, body, papers, until)
            break
        except NoAnswerYet:
            print("no answer yet; run this again, it is the same act", file=sys.stderr)
            sys.exit(3)
        except pika.exceptions.ProbableAuthenticationError:
            sys.exit("the broker refuses the user or the password")
        except (pika.exceptions.AMQPError, OSError) as error:
            # The broker went away: nobody knows whether it has the message, so the same bytes go again.
            if time.monotonic() > until:
                print(f"the broker does not answer: {error!r}", file=sys.stderr)
                sys.exit(3)
            time.sleep(0.5)
    said = answer.get("data", {})
    if answer["type"] == "bihuan.report.accepted.v1":
        pending = said.get("papersPending", 0)
        print("accepted", said["number"], said["state"], *(["papers pending", pending] if pending else []))
    elif answer["type"] == "bihuan.report.received.v1":
        print("received")
    else:
        for problem in said.get("problems", []):
            print("rejected", problem.get("path", ""), problem["text"])
        sys.exit(1)


if __name__ == "__main__":
    main()
