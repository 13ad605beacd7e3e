"""What is wrong with a field, kept as a sentence and its values until it is said to somebody.

marshmallow's own messages are made to do the same when the first schema is loaded: their
English words stay, and they can be said in other languages.
"""

from typing import Any, Self

from marshmallow import Schema, ValidationError, fields, validate

from anchor.errors import AnchorError


class Message(str):
    """A sentence in English that remembers its constant form and the values in it."""

    sentence: str
    values: dict[str, Any]

    def __new__(cls, sentence: str, **values: Any) -> Self:
        """Fill the values in; names that have none yet are left as they are."""
        made = super().__new__(cls, sentence.format_map(_Known(values)) if values else sentence)
        made.sentence, made.values = sentence, values
        return made

    @classmethod
    def of(cls, error: AnchorError) -> Self:
        """Return what an error says."""
        return cls(error.sentence, **error.values)

    def format(self, *_: object, **values: object) -> Self:
        """Fill in what a validator of marshmallow knows, which may come in two steps."""
        return type(self)(self.sentence, **self.values | values)


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def invalid(sentence: str, **values: object) -> ValidationError:
    """Return the error of a field that is not as it must be; `sentence` is a constant."""
    return ValidationError(Message(sentence, **values))


def marshmallows() -> list[str]:
    """Return the messages that marshmallow itself may give, in its English."""
    rare = (fields.IP, fields.IPInterface, fields.TimeDelta, fields.Tuple)
    return sorted({_form(text) for _, _, text in _found(rare) if "formatted as" not in text})


def _found(but: tuple[type, ...] = ()) -> list[tuple[Any, str, str]]:
    """List where each message of marshmallow is kept: holder, name and text."""
    found: list[tuple[Any, str, str]] = []
    for holder in (Schema, *vars(fields).values(), *vars(validate).values()):
        if not isinstance(holder, type) or issubclass(holder, but):
            continue
        for name in ("default_error_messages", "_default_error_messages"):
            table = vars(holder).get(name)
            if isinstance(table, dict):
                found += [(table, key, text) for key, text in table.items()]
        found += [
            (holder, name, text)
            for name, text in vars(holder).items()
            if isinstance(text, str) and name.startswith(("message", "default_message"))
        ]
    return [(holder, name, text) for holder, name, text in found if isinstance(text, str)]


def _remember() -> None:
    for holder, name, text in _found():
        if isinstance(holder, dict):
            holder[name] = Message(_form(text))
        else:
            setattr(holder, name, Message(_form(text)))


def _form(text: str) -> str:
    """Return a message's constant form; what is filled in second has two braces in some."""
    return text.replace("{{", "{").replace("}}", "}")


_remember()
