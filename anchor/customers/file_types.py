"""What a file is by its own first bytes: what its sender calls it is not believed (SEP12-83)."""

from anchor.errors import Rejected

#: At which byte which bytes stand, and the type that they tell.
_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"%PDF-", "application/pdf"),
)
MAX_BYTES = 10_000_000


def sniff(name: str, content: bytes) -> str:
    """Return the content type of a file; `Rejected`, naming the field, for one of no use here.

    Images, videos and PDF documents are taken (SEP12-45).
    """
    if not content:
        raise Rejected("{field} is an empty file", field=name)
    for place, mark, content_type in _MARKS:
        if content.startswith(mark, place):
            return content_type
    raise Rejected("{field} must be an image, a video or a PDF document", field=name)
