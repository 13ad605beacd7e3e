"""The words of the admin API about how things stand: the status, and pauses."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from anchor.models import PAUSE_SCOPES
from anchor.money import format_amount
from anchor.serializers.admin import MAX_NOTE
from anchor.serializers.answers import Text, amount_text
from anchor.serializers.answers import instant_text as instant_answer
from anchor.serializers.fields import Instant, instant_text, text
from anchor.services import brakes
from anchor.services.overview import Overview

#: The longest is an asset: a code, and its issuer.
_MAX_SUBJECT = 100


class StatusQuery(Schema):
    """Whether the sources of the network are asked, which takes as long as they take."""

    sources = fields.Boolean(load_default=False)


class ScopeQuery(Schema):
    """What a pause is about: all, or an asset by its code, a rail, or a kind of transaction."""

    scope = fields.String(required=True, validate=validate.OneOf(PAUSE_SCOPES))
    subject = text(_MAX_SUBJECT)


class PauseBody(ScopeQuery):
    """What is paused, and why."""

    note = text(MAX_NOTE, required=True)


class ResumeQuery(ScopeQuery):
    """Which pause is taken back, and why; with `since` only the one that was set then."""

    note = text(MAX_NOTE)
    since = Instant()


def status(found: Overview, sources: Sequence[str] | None) -> dict[str, Any]:
    """Show how things stand; `sources` are those not in use, None where they were not asked."""
    return {
        "at": instant_text(found.at),
        "status": "trouble" if found.problems else "ok",
        "problems": list(found.problems),
        "sources": None if sources is None else list(sources),
        "accounts": [
            {
                "account": each.account_id,
                "read_until": instant_text(each.read_until),
                "lag_s": max(0, int(each.lag.total_seconds())),
                "stopped": each.stopped,
            }
            for each in found.accounts
        ],
        "cases": [vars(each) | {"since": instant_text(each.since)} for each in found.cases],
        "jobs": [vars(each) | {"due_since": instant_text(each.due_since)} for each in found.work],
        "caps": [
            {
                "asset_code": each.code,
                "cap": format_amount(each.cap),
                "used": format_amount(each.used),
            }
            for each in found.caps
        ],
        **pauses(found.paused),
    }


def pauses(found: Sequence[brakes.Standing]) -> dict[str, Any]:
    """Show the pauses that are set."""
    return {"pauses": [vars(each) | {"since": instant_text(each.since)} for each in found]}


# -- what answers look like, for the OpenAPI document -------------------------------------------


class PauseAnswer(Schema):
    """A pause; of an asset `subject` is its code and issuer, of all it is empty.

    That of a restore is one of all with the subject ``restore``.
    """

    scope = fields.String(required=True, validate=validate.OneOf(PAUSE_SCOPES))
    subject = fields.String(required=True)
    who = fields.String(required=True)
    note = Text(nullable=True, required=True)
    since = instant_answer(required=True)


class PausesAnswer(Schema):
    """The pauses that are set."""

    pauses = fields.List(fields.Nested(PauseAnswer), required=True)


class FollowedAnswer(Schema):
    """How far an account was read, and why nobody reads on."""

    account = fields.String(required=True)
    read_until = instant_answer(required=True)
    lag_s = fields.Integer(required=True)
    stopped = Text(nullable=True, required=True)


class OpenCasesAnswer(Schema):
    """How many cases of a reason are open, the oldest `since`."""

    reason = fields.String(required=True)
    count = fields.Integer(required=True)
    since = instant_answer(required=True)


class JobsAnswer(Schema):
    """Jobs of a kind that wait, are due, and are parked: the last wait for a person."""

    kind = fields.String(required=True)
    waiting = fields.Integer(required=True)
    due = fields.Integer(required=True)
    due_since = instant_answer(nullable=True, required=True)
    parked = fields.Integer(required=True)


class CapAnswer(Schema):
    """What of an asset's cap was used in the last hour."""

    asset_code = fields.String(required=True)
    cap = amount_text(required=True)
    used = amount_text(required=True)


class StatusAnswer(PausesAnswer):
    """How things stand; `status` is ``ok`` where there is no problem."""

    at = instant_answer(required=True)
    status = fields.String(required=True, validate=validate.OneOf(["ok", "trouble"]))
    problems = fields.List(fields.String(), required=True)
    sources = fields.List(fields.String(), required=True, allow_none=True)
    accounts = fields.List(fields.Nested(FollowedAnswer), required=True)
    cases = fields.List(fields.Nested(OpenCasesAnswer), required=True)
    jobs = fields.List(fields.Nested(JobsAnswer), required=True)
    caps = fields.List(fields.Nested(CapAnswer), required=True)
