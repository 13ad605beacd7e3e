"""How a page for customers is made: who speaks in which language, and what it may load.

Nothing is loaded from anywhere else and no script stands in a page (SEP24-08). Wallets show pages
in frames and pop-ups, so who may frame them is left open (SEP24-48).
"""

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from markupsafe import Markup, escape

from anchor import languages
from anchor.blueprints import speech, visits
from anchor.blueprints.speech import said, say
from anchor.errors import AnchorError
from anchor.extensions import settings
from anchor.serializers import page_amounts
from anchor.serializers.transaction_words import is_a_deposit
from anchor.services.views import View
from anchor.web_auth import PageSession

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)
#: What people call the languages that are spoken here, each in itself.
_NAMES = {"en": "English", "es": "Español", "pt": "Português", "fr": "Français"}


def page(template: str, view: View, session: PageSession, **context: Any) -> Response:
    """Return a page about a transaction, in the language of its visit."""
    speech.answer_page_in(session.lang or view.row.lang)
    is_deposit = is_a_deposit(view)
    return made(
        template,
        row=view.row,
        view=view,
        way="deposit" if is_deposit else "withdraw",
        code=view.row.asset_code,
        form_token=visits.form_token(session),
        form_token_name=visits.TOKEN,
        tells=session.tells,
        **context,
    )


def refusal(reason: str, status: int) -> Response:
    """Return a page that says why there is no other."""
    response = made("refused.html", reason=reason, status=status)
    response.status_code = status
    return response


def _versioned(name: str, content: bytes) -> str:
    """Return the address of a part of the brand, another one where that has changed."""
    mark = hashlib.sha256(content).hexdigest()[:12]
    return url_for(f"page_data.{name}", v=mark)


def moment(instant: datetime | None) -> Markup:
    """Write an instant for people, and for the script that knows their clock; nothing for None."""
    if instant is None:
        return Markup("")
    machine = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = languages.moment(speech.language(), instant)
    return Markup('<time datetime="{}">{}</time>').format(machine, text)


def sentence(error: AnchorError | None) -> str:
    """Say an error as a sentence of its own; nothing for None."""
    if error is None:
        return ""
    text = said(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def say_on_page(sentence: str, **values: object) -> str:
    """Say a constant sentence; values that are markup stay what they are."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(say(sentence)).format(**values)
    return say(sentence, **values)


def made(template: str, *, policy: str = _POLICY, **context: Any) -> Response:
    """Return a page in the brand of the business, which may load what `policy` says."""
    known, language = settings(), speech.language()
    name = known.home_domains[0]
    body = render_template(
        template,
        say=say_on_page,
        sentence=sentence,
        moment=moment,
        brief=partial(page_amounts.brief, language),
        percent=partial(languages.percent, language),
        said_sums=partial(page_amounts.said, language=language),
        language=language,
        languages=_NAMES,
        home_domain=name,
        organization=known.pages.name or known.organization.get("ORG_NAME") or name,
        brand_url=_versioned("brand", known.pages.style.encode()) if known.pages.accent else None,
        logo_url=_versioned("logo", known.pages.logo.content) if known.pages.logo else None,
        support=known.organization.get("ORG_SUPPORT_EMAIL"),
        here=request.path,
        icon_url=url_for("static", filename="icon.svg"),
        style_url=url_for("static", filename="pages.css"),
        script_url=url_for("static", filename="pages.js"),
        **context,
    )
    response = make_response(body)
    response.headers["Content-Security-Policy"] = policy
    return response
