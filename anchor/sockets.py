"""What can be seen of a connection that waits, without a word to the other side."""

from select import POLLIN, poll


def has_news(fileno: int) -> bool:
    """Tell whether there is something to read, be it that the other side has hung up."""
    watched = poll()
    watched.register(fileno, POLLIN)
    return bool(watched.poll(0))
