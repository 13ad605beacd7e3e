"""What log-in remembers."""

from datetime import datetime

from sqlalchemy import (
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from anchor.extensions import Base
from anchor.models.columns import Instant


class UsedChallenge(Base):
    """A challenge that earned a token, a link that was opened or a session that was ended."""

    __tablename__ = "used_challenges"

    hash: Mapped[str] = mapped_column(Text, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
