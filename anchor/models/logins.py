"""What log-in remembers."""

from datetime import datetime

from sqlalchemy import (
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant


class UsedChallenge(Base):
    """A log-in challenge that was exchanged for a token, or a link that was opened: never again."""

    __tablename__ = "used_challenges"

    hash: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
