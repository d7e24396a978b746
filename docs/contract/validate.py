#!/usr/bin/env python3
"""Holds messages against the contract's schemas: python3 validate.py MESSAGE.json …

Needs Python 3.8 and jsonschema 4.10 or newer (Debian: python3-jsonschema), and no network. Exit 0: all fit, 1: something does
not, 2: this cannot run.

A validator of your own may do the same with the files in schemas/. What JSON Schema cannot say is checked here: x-maxBytes
(lengths in bytes of UTF-8), that days exist and moments lie in the years 1 to 9999, how deep a body is nested, that no object
holds a name twice, that no text and no name holds U+0000 or half a surrogate pair, that data does not come in data_base64,
that the subject of a report is its own id, that it was not received before 1900, and that one SHA-256 has one size.

With --lines it answers until its input ends: each line in is a JSON text, the body in Base64; each line out a JSON list of
what is wrong with it, empty if nothing is.
"""
import base64
import binascii
import datetime
import json
import pathlib
import re
import sys

try:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
except ImportError:
    print("validate.py needs jsonschema 4.10 or newer (Debian: python3-jsonschema)", file=sys.stderr)
    sys.exit(2)

SCHEMAS = pathlib.Path(__file__).resolve().parent / "schemas"
MESSAGE_BYTES_MAX = 262_144
JSON_DEPTH_MAX = 32
MOMENT = re.compile(r"(.{10})[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)

formats = FormatChecker(formats=())


@formats.checks("date", raises=ValueError)
def is_date(value):
    if isinstance(value, str):
        datetime.date.fromisoformat(value)
    return True


@formats.checks("date-time", raises=(ValueError, OverflowError))
def is_moment(value):
    if not isinstance(value, str):
        return True
    match = MOMENT.fullmatch(value)
    if not match:
        return False
    day, hour, minute, second, sign, hours, minutes = match.groups(default="0")
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    moment = datetime.datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}")
    # An offset may lead out of the years that can be written.
    moment + offset if sign == "-" else moment - offset
    return int(hours) < 24 and int(minutes) < 60


def max_bytes(validator, limit, value, schema):
    if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > limit:
        yield ValidationError(f"has more than {limit} bytes")


def pattern(validator, expression, value, schema):
    # Python's "$" also matches before a last newline; that of JSON Schema does not.
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", expression), value):
        yield ValidationError(f"does not match {expression}")


Validator = validators.extend(Draft202012Validator, {"x-maxBytes": max_bytes, "pattern": pattern})


class Judge:
    """All schemas, read once."""

    def __init__(self):
        files = sorted(SCHEMAS.rglob("*.json"))
        self.schemas = {path.as_uri(): json.loads(path.read_text(encoding="utf-8")) for path in files}
        self.by_type = {schema["title"]: uri for uri, schema in self.schemas.items() if schema["title"].startswith("bihuan.")}
        self.validators = {}
        for schema in self.schemas.values():
            Draft202012Validator.check_schema(schema)
            # A schema that names its dialect would be read by a validator without what is added above.
            del schema["$schema"]

    def validator(self, uri):
        if uri not in self.validators:
            self.validators[uri] = Validator({"$ref": uri}, format_checker=formats, **self.references())
        return self.validators[uri]

    def references(self):
        try:
            from referencing import Registry
            from referencing.jsonschema import DRAFT202012
        except ImportError:  # before jsonschema 4.18
            from jsonschema import RefResolver

            return {"resolver": RefResolver("", {}, store=dict(self.schemas))}
        pairs = [(uri, DRAFT202012.create_resource(schema)) for uri, schema in self.schemas.items()]
        return {"registry": Registry().with_resources(pairs)}

    def problems(self, body):
        """What is wrong with the bytes of a message, in sentences."""
        if len(body) > MESSAGE_BYTES_MAX:
            return [f"the body has {len(body)} bytes; the limit is {MESSAGE_BYTES_MAX}"]
        try:
            message = json.loads(body.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=refuse_repeated)
        except RepeatedName as error:
            return [str(error)]
        except (ValueError, RecursionError) as error:
            return [f"the body is not JSON in UTF-8: {error}"]
        if not isinstance(message, dict):
            return ["the body is not a JSON object"]
        if is_too_deep(message):
            return [f"the body is nested more than {JSON_DEPTH_MAX} deep"]
        name = message.get("type")
        if not isinstance(name, str) or name not in self.by_type:
            return [f"type: the contract has no message {json.dumps(name)[:200]}"]
        errors = self.validator(self.by_type[name]).iter_errors(message)
        found = [sentence(error) for error in sorted(errors, key=lambda error: [str(step) for step in error.absolute_path])]
        return found + list(beyond_schemas(message))


def is_too_deep(message):
    level = [message]
    for _ in range(JSON_DEPTH_MAX):
        fields = [value.values() if isinstance(value, dict) else value for value in level]
        level = [field for values in fields for field in values if isinstance(field, (dict, list))]
    return bool(level)


def beyond_schemas(message):
    """What is wrong and no schema can say."""
    try:
        json.dumps(message, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        yield "a text holds half a surrogate pair"
    if "\\u0000" in json.dumps(message).replace("\\\\", ""):
        yield "a text or a name holds the character U+0000"
    if "data_base64" in message:
        yield "data_base64: the office reads data as a JSON object in data"
    if message["type"] == "bihuan.report.submitted.v1":
        yield from beyond_report(message)


def beyond_report(message):
    if message.get("subject") != message.get("id"):
        yield "subject: the subject of a report is its own id"
    data = message.get("data")
    if not isinstance(data, dict):
        return
    received = data.get("receivedAt")
    # An offset may lead into the year before, or out of it.
    if isinstance(received, str) and is_before_1900(received):
        yield "data.receivedAt: lies before the year 1900"
    sizes = {}
    papers = data.get("attachments")
    for index, paper in enumerate(papers if isinstance(papers, list) else []):
        digest = paper.get("sha256") if isinstance(paper, dict) else None
        if isinstance(digest, str) and sizes.setdefault(digest.lower(), paper.get("bytes")) != paper.get("bytes"):
            yield f"data.attachments[{index}].bytes: another size was given with the same SHA-256"


def is_before_1900(text):
    match = MOMENT.fullmatch(text)
    try:
        moment = match and datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}:{match[3]}:{match[4]}")
    except ValueError:
        return False
    if not moment:
        return False
    offset = datetime.timedelta(hours=int(match[6] or 0), minutes=int(match[7] or 0))
    return (moment + offset if match[5] == "-" else moment - offset) < datetime.datetime(1900, 1, 1)


class RepeatedName(Exception):
    """An object holds a name twice."""


def refuse_repeated(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise RepeatedName("an object holds a name twice; two readers would read it differently")
    return fields


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def sentence(error):
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    text = error.message if len(error.message) <= 300 else error.message[:300] + " …"
    return f"{place}: {text}" if place else text


def answer_lines(judge):
    for line in sys.stdin:
        try:
            body = base64.b64decode(json.loads(line), validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            answer = [f"the line is no JSON text in Base64: {error}"]
        else:
            answer = judge.problems(body)
        print(json.dumps(answer), flush=True)


def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    judge = Judge()
    if arguments == ["--lines"]:
        answer_lines(judge)
        return 0
    worst = 0
    for name in arguments:
        try:
            problems = judge.problems(pathlib.Path(name).read_bytes())
        except OSError as error:
            print(f"{name}: {error.strerror}", file=sys.stderr)
            return 2
        print(f"{name}: {'fits' if not problems else ''}".rstrip())
        for problem in problems:
            worst = 1
            print(f"    {problem}")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
