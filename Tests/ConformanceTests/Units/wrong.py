"""The example unit with one thing wrong: wrong.py FLAW, then the arguments of unit.py.

AMQP_URL says where; EXAMPLES is the folder of unit.py.
"""
import hashlib
import json
import os
import sys
import time
import uuid

sys.path.insert(0, os.environ["EXAMPLES"])
import contract  # noqa: E402
import unit  # noqa: E402

FLAWS = {}


def flaw(change):
    FLAWS[change.__name__.replace("_", "-")] = change


def digest_of(change):
    """The unit hashes what `change` makes of a body."""
    def dispatched(self, handoff, data, event, body, plan, proper=unit.Books.dispatched):
        proper(self, handoff, data, event, change(body), plan)
    unit.Books.dispatched = dispatched


@flaw
def none():
    pass


@flaw
def takes_only_what_fits():
    """No flaw: it holds what it knows against the published schemas, and stops at what does not fit."""
    sys.path.insert(0, os.path.dirname(os.environ["EXAMPLES"]))
    import validate
    judge = validate.Judge()

    def take(self, body, plan, proper=unit.Books.take):
        if json.loads(body)["type"] in judge.by_type and judge.problems(body):
            os._exit(1)
        proper(self, body, plan)
    unit.Books.take = take


@flaw
def silent():
    unit.Books.take = lambda self, body, plan: None


@flaw
def hashes_json_anew():
    digest_of(lambda body: json.dumps(json.loads(body)).encode())


@flaw
def trims_bodies():
    digest_of(bytes.strip)


@flaw
def cuts_bodies():
    digest_of(lambda body: body[:65536])


@flaw
def strict_about_fields():
    def dispatched(self, handoff, data, event, body, plan, proper=unit.Books.dispatched):
        if "fieldOfLater" not in data:
            proper(self, handoff, data, event, body, plan)
    unit.Books.dispatched = dispatched


@flaw
def deaf_to_express():
    def dispatched(self, handoff, data, event, body, plan, proper=unit.Books.dispatched):
        if data["kind"] != "assignment":
            proper(self, handoff, data, event, body, plan)
    unit.Books.dispatched = dispatched


@flaw
def never_decides():
    unit.Books.decide = lambda self, handoff, plan: None


@flaw
def makes_up_words():
    def conclude(self, handoff, plan, proper=unit.Books.conclude):
        plan.outcome = "banana"
        proper(self, handoff, plan)
    unit.Books.conclude = conclude


@flaw
def signs_anew():
    def take(self, body, plan, proper=unit.Books.take):
        event = json.loads(body)
        known = self.db.execute("SELECT 1 FROM heard WHERE event = ?", (event["id"],)).fetchone()
        proper(self, body, plan)
        if known and not self.is_recalled(event["subject"]):
            with self.db:
                digest = hashlib.sha256(body).hexdigest()
                self.post(event["subject"], "handoff.signed", {"digest": digest}, str(uuid.uuid4()), plan)
    unit.Books.take = take


@flaw
def ignores_returned_conclusions():
    unit.Books.concluded_in_vain = lambda *_: None


@flaw
def acts_after_recall():
    def recalled(self, handoff, data, event, body, plan, proper=unit.Books.recalled):
        is_known = self.db.execute("SELECT 1 FROM handoff WHERE id = ?", (handoff,)).fetchone()
        proper(self, handoff, data, event, body, plan)
        if is_known:
            self.post(handoff, "handoff.progress", {"text": "正在办理"}, "progress", plan)
            self.db.execute("UPDATE act SET made = ? WHERE id = ?", (time.time() + 1.2, f"{handoff}-progress"))
    unit.Books.recalled = recalled


@flaw
def forgets_early_recalls():
    def recalled(self, handoff, data, event, body, plan, proper=unit.Books.recalled):
        if self.db.execute("SELECT 1 FROM handoff WHERE id = ?", (handoff,)).fetchone():
            proper(self, handoff, data, event, body, plan)
    unit.Books.recalled = recalled


@flaw
def loops_on_refusals():
    def refused(self, handoff, data, event, body, plan):
        if data["problems"][0]["code"] != "recalled":
            self.post(handoff, "handoff.progress", {"text": "再报"}, str(uuid.uuid4()), plan)
    unit.Books.refused = refused


@flaw
def stops_at_unknown_types():
    def take(self, body, plan, proper=unit.Books.take):
        if json.loads(body)["type"] in ("bihuan.handoff.reclassified.v1", "bihuan.handoff.dispatched.v2"):
            os._exit(1)
        proper(self, body, plan)
    unit.Books.take = take


def publishing(change):
    """`change` sees what goes to basic_publish."""
    def publish(channel, user, body, proper=contract.publish):
        class Changed:
            def basic_publish(self, **given):
                change(given)
                channel.basic_publish(**given)
        proper(Changed(), user, body)
    contract.publish = publish


@flaw
def names_no_user():
    publishing(lambda given: setattr(given["properties"], "user_id", None))


@flaw
def wrong_key():
    publishing(lambda given: given.update(routing_key=".".join(given["routing_key"].split(".")[:2]) + ".feedback"))


@flaw
def not_persistent():
    publishing(lambda given: setattr(given["properties"], "delivery_mode", 1))


@flaw
def one_id_for_all():
    def make_act(user, kind, subject, data, act_id, at=None, proper=contract.make_act):
        return proper(user, kind, subject, data, subject, at)
    contract.make_act = make_act


@flaw
def goes_on_when_closed():
    def take(self, body, plan, proper=unit.Books.take):
        proper(self, body, plan)
        event = json.loads(body)
        if event["type"] == "bihuan.conclusion.accepted.v1":
            with self.db:
                self.post(event["subject"], "handoff.progress", {"text": "补报"}, "late", plan)
    unit.Books.take = take


@flaw
def signs_for_others():
    def dispatched(self, handoff, data, event, body, plan, proper=unit.Books.dispatched):
        proper(self, handoff, data, event, body, plan)
        self.post(str(uuid.UUID(int=1)), "handoff.signed", {"digest": "0" * 64}, "stray", plan)
    unit.Books.dispatched = dispatched


FLAWS[sys.argv.pop(1)]()
unit.main()
