"""``ANCHOR_BROKER_URL``, ``ANCHOR_REDIS_URL``: where workers are rung and requests counted."""

from collections.abc import Mapping
from importlib.util import find_spec

from anchor import addresses


def broker_url(values: Mapping[str, str], problems: list[str]) -> str | None:
    """Return where the broker is, None without one; add what is wrong to `problems`."""
    value = values.get("ANCHOR_BROKER_URL")
    if value and (problem := addresses.broker_problem(value)):
        problems.append(f"ANCHOR_BROKER_URL {problem}.")
    elif value and addresses.broker_kind(value) == "amqp" and find_spec("pika") is None:
        problems.append(
            "ANCHOR_BROKER_URL names RabbitMQ, which needs "
            "`pip install '.[rabbitmq]'` in the sources."
        )
    return value


def redis_url(values: Mapping[str, str], problems: list[str]) -> str | None:
    """Return where requests are counted, None where that is the broker, in the same way."""
    value = values.get("ANCHOR_REDIS_URL")
    if value and addresses.broker_kind(value) == "amqp":
        problems.append("ANCHOR_REDIS_URL must name Redis; RabbitMQ counts nothing.")
    elif value and (problem := addresses.broker_problem(value)):
        problems.append(f"ANCHOR_REDIS_URL {problem}.")
    return value
