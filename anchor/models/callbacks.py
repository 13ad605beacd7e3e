"""What wallets are to be told at addresses of their own, in order for each subject."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant


class Callback(Base):
    """One body to post to `url`, about `subject` (``customer/<id>``, ``transaction/<id>``).

    `host` is whom the signature is for and whose ceiling counts. `body` is kept until it was
    delivered, and goes out as it is.
    """

    __tablename__ = "callbacks"
    __table_args__ = (
        Index("ix_callbacks_subject", "subject", "id"),
        Index(
            "ix_callbacks_waiting",
            "subject",
            "host",
            "id",
            postgresql_where=text("delivered_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    subject: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    owed_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
