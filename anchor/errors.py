"""The error tree: each branch says whether trying again can help.

::

    AnchorError
    ├── Rejected        the request or the fact is refused; the same again is refused again
    │   ├── NotFound        there is no such thing, or it is somebody else's
    │   ├── Unauthorized    nobody who may ask this has asked
    │   └── Forbidden       whoever asks speaks for somebody else
    ├── Unavailable     something outside did not answer; try again later
    └── Misconfigured   only an operator can mend it

There is no HTTP in here; `anchor.blueprints` maps the tree to status codes once.
"""


class AnchorError(Exception):
    """What the anchor itself raises: one sentence for a reader.

    The sentence is a constant with names in braces, ``Rejected("{name} is not a date",
    name=…)``: so it can be said in other languages. Without `values` it is taken as it is.
    """

    def __init__(self, sentence: str = "", **values: object) -> None:
        super().__init__(sentence.format_map(values) if values else sentence)
        self.sentence = sentence
        self.values = values


class Rejected(AnchorError):
    """Refused for good: the same request or fact is refused again."""


class NotFound(Rejected):
    """No such thing, or not the asker's: nobody is told which."""


class Unauthorized(Rejected):
    """The asker did not prove who they are."""


class Forbidden(Rejected):
    """The asker is known, and asks in somebody else's name."""


class Unavailable(AnchorError):
    """Something outside did not answer or is busy: try again later."""


class Misconfigured(AnchorError):
    """An operator has to mend the configuration; each problem is one sentence."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
