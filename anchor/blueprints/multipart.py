"""Multipart forms: which part is a file, also where it has no name."""

from collections.abc import Iterator
from io import BytesIO
from typing import IO, Any

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

TYPE = "multipart/form-data"
_CHUNK_BYTES = 64 * 1024
_charset_of = MultiPartParser().get_part_charset


class Forms(FormDataParser):
    """Reads forms as Werkzeug does, but for two things.

    A part that is no text is a file without a file name too (RFC 7578, 4.2 and 4.4): so a
    wallet on Node sends its customer's passport. And files are on no disk: they are identity
    documents, and nothing is sealed yet. The stream is limited in length by whoever gives it.
    """

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return the stream, the fields and the files; nothing of one that is torn or malformed."""
        if mimetype != TYPE:
            return super().parse(stream, mimetype, content_length, options)
        try:
            fields, files = self._read(stream, (options or {}).get("boundary", ""))
        except ValueError:
            fields, files = [], []
        return stream, self.cls(fields), self.cls(files)

    def _read(self, stream: IO[bytes], boundary: str) -> tuple[list[Any], list[Any]]:
        if not boundary:
            raise ValueError("no boundary")
        decoder = MultipartDecoder(boundary.encode("ascii"), max_parts=self.max_form_parts)
        fields: list[tuple[str, str]] = []
        files: list[tuple[str, FileStorage]] = []
        for part, content in _parts(decoder, stream):
            if not part.name:
                raise ValueError("a part has no name")
            if is_file(part):
                name = part.filename if isinstance(part, File) else None
                held = FileStorage(BytesIO(content), name, part.name, headers=part.headers)
                files.append((part.name, held))
            elif self.max_form_memory_size and len(content) > self.max_form_memory_size:
                raise RequestEntityTooLarge
            else:
                fields.append((part.name, content.decode(_charset_of(part.headers), "replace")))
        return fields, files


def is_file(part: Field | File) -> bool:
    """Tell whether a part is a file: it has a file name, or a type that is no text."""
    type_ = parse_options_header(part.headers.get("content-type"))[0] or "text/plain"
    return isinstance(part, File) or not type_.startswith(("text/", "application/json"))


def _parts(decoder: MultipartDecoder, stream: IO[bytes]) -> Iterator[tuple[Field | File, bytes]]:
    """Read a body to its end; `ValueError` where it is torn."""
    part: Field | File | None = None
    content = bytearray()
    chunk: bytes | None = b""
    while chunk is not None:
        chunk = stream.read(_CHUNK_BYTES) or None
        decoder.receive_data(chunk)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                part, content = event, bytearray()
            elif isinstance(event, Data) and part is not None:
                content += event.data
                if not event.more_data:
                    yield part, bytes(content)
