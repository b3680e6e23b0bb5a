"""Files as a few parts of limited size and one list of what they hold, to be carried and laid out again.

Needs nothing but NumPy and OpenCV, and is itself carried to nodes that have no more. The parts are one
stream of all files, cut. Images become lossless WebP and masks one bit a pixel, all else is deflated where
that is worth it; laid out again, each file has the bytes that it had.
"""

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any

import cv2
import numpy as np

from brisc.atomic import atomic, write_json
from brisc.errors import InputError
from pipeline.objects import md5
from pipeline.remote import sha256

FORMAT = 1
PIECE = 2**20
WORTH = 0.95  # of a file's size, if deflating it is to be worth the time: weights are not
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Packed:
    """A file: its path, MD5 and size, and its codec and size in the stream."""

    path: str
    md5: str
    size: int
    codec: str
    packed: int


@dataclass(frozen=True)
class Bundle:
    """The list in `folder`. about: what else it says."""

    folder: Path
    files: tuple[Packed, ...]
    parts: tuple[dict[str, Any], ...]
    about: dict[str, Any]


def write(
    folder: Path, name: str, files: Iterable[tuple[str, Path]], about: dict[str, Any], part: int | None
) -> None:
    """Write parts, each of at most `part` bytes, of these files (path, where it is), then the list `name`.

    A list that was there before stays true until the new one replaces it: parts are named by their content.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(name).stem
    parts, listed = _Parts(folder, stem, part), list[Packed]()
    for path, source in files:
        codec, pieces = _encode(source)
        packed = sum(parts.write(piece) for piece in pieces)
        listed.append(Packed(path, md5(source), source.stat().st_size, codec, packed))
    content = {"format": FORMAT, **about, "parts": parts.close(), "files": [asdict(file) for file in listed]}
    write_json(folder / name, content)
    for old in set(folder.glob(f"{stem}-*.part")) - {folder / each["name"] for each in parts.done}:
        old.unlink()


def read(folder: Path, name: str) -> Bundle:
    """The list `name`, its parts checked against it. Raises InputError for what is missing or damaged."""
    path = folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(Packed(**file) for file in content.pop("files"))
        parts = tuple(content.pop("parts"))
        known = content.pop("format") == FORMAT
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _bad("not a list of parts", path, "no such list", "what was written there") from None
    if not known:
        raise _bad("a list of another format", path, "an unknown one", f"format {FORMAT}")
    for file in files:
        if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
            raise _bad("a file that would lie elsewhere", path, file.path, "a path within the folder")
    for part in parts:
        _check(folder / Path(part["name"]).name, part["sha256"])
    return Bundle(folder, files, parts, content)


def lay_out(bundle: Bundle, target: Path) -> None:
    """Put the files into the folder `target`; those that are there already stay."""
    stream = _Stream(bundle)
    for file in bundle.files:
        path, data = target / file.path, stream.read(file.packed)
        if path.is_file() and md5(path) == file.md5:
            continue
        with atomic(path) as temporary:
            try:
                _decode(file.codec, data, temporary)
            except (ValueError, zlib.error):
                raise _bad("a file that cannot be read", path, "something else", file.codec) from None
            if (found := md5(temporary)) != file.md5:
                raise _bad("a file differs from what was packed", path, found, file.md5)


def size_of(word: str, setting: str) -> int | None:
    """Bytes: "40M" are 40 million. None where nothing is said. setting: what the word was given as."""
    number, unit = (word[:-1], word[-1].upper()) if word[-1:].isalpha() else (word, "")
    if word == "":
        return None
    if not number.isdecimal() or int(number) == 0 or unit not in UNITS:
        raise InputError("not a size", where=setting, got=word, expected="bytes", mend="Use 40M, or 500K.")
    return int(number) * UNITS[unit]


class _Parts:
    """A stream, cut while it is written."""

    def __init__(self, folder: Path, stem: str, limit: int | None) -> None:
        self.folder, self.stem, self.limit = folder, stem, limit
        self.temporary = folder / ".part.tmp"
        self.done: list[dict[str, Any]] = []
        self.open: IO[bytes] | None = None

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while len(rest):
            if self.open is None:
                self.open = self.temporary.open("wb")
            room = len(rest) if self.limit is None else self.limit - self.open.tell()
            self.open.write(rest[:room])
            rest = rest[room:]
            if self.open.tell() == self.limit:
                self._cut()
        return len(data)

    def _cut(self) -> None:
        assert self.open is not None
        self.open.close()
        self.open = None
        size, digest = self.temporary.stat().st_size, sha256(self.temporary)
        name = f"{self.stem}-{len(self.done):03}-{digest[:12]}.part"
        self.temporary.replace(self.folder / name)
        self.done.append({"name": name, "bytes": size, "sha256": digest})

    def close(self) -> list[dict[str, Any]]:
        if self.open is not None:
            self._cut()
        return self.done


class _Stream:
    """The parts of a bundle, read one after the other."""

    def __init__(self, bundle: Bundle) -> None:
        self.folder, self.rest = bundle.folder, b""
        self.pieces = _pieces(bundle.folder / part["name"] for part in bundle.parts)

    def read(self, size: int) -> bytes:
        found = bytearray()
        while missing := size - len(found):
            if not (piece := self.rest or next(self.pieces, b"")):
                raise _bad("the parts end too early", self.folder, len(found), f"{size} bytes more")
            found += piece[:missing]
            self.rest = piece[missing:]
        return bytes(found)


def _encode(path: Path) -> tuple[str, Iterable[bytes]]:
    """The codec for a file, and what it makes of it."""
    if (found := _array(path)) is not None:
        header, array = found
        codec = "bits" if int(array.max(initial=0)) <= 1 else "webp"
        return codec, _encode_array(codec, header, array)
    with path.open("rb") as file:
        sample = file.read(PIECE)
    if len(zlib.compress(sample)) > WORTH * len(sample):
        return "plain", _pieces([path])
    return "zlib", [zlib.compress(path.read_bytes())]


def _array(path: Path) -> tuple[bytes, np.ndarray] | None:
    """What a .npy file of images or masks, (N, H, W) uint8, begins with, and the array."""
    if path.suffix != ".npy":
        return None
    array = np.load(path, mmap_mode="r")
    if array.dtype != np.uint8 or array.ndim != 3 or not array.flags.c_contiguous:
        return None
    with path.open("rb") as file:
        return file.read(array.offset), array


def _encode_array(codec: str, header: bytes, array: np.ndarray) -> Iterator[bytes]:
    """Each piece after its length: the header, then masks in one, or each image."""
    for piece in chain([header], _masks(array) if codec == "bits" else _images(array)):
        yield len(piece).to_bytes(4, "big")
        yield piece


def _masks(array: np.ndarray) -> Iterator[bytes]:
    yield zlib.compress(np.packbits(array).tobytes(), 9)


def _images(array: np.ndarray) -> Iterator[bytes]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(_webp, array)


def _webp(image: np.ndarray) -> bytes:
    without_loss = 101
    return bytes(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, without_loss])[1])


def _decode(codec: str, data: bytes, path: Path) -> None:
    """Write the file. Raises ValueError for data that no such codec gave."""
    with path.open("wb") as file:
        if codec in ("bits", "webp"):
            for piece in _decode_array(codec, data):
                file.write(piece)
        else:
            file.write(zlib.decompress(data) if codec == "zlib" else data)


def _decode_array(codec: str, data: bytes) -> Iterator[bytes]:
    header, *pieces = _split(data)
    yield header
    if codec == "bits":
        yield np.unpackbits(
            np.frombuffer(zlib.decompress(pieces[0]), np.uint8), count=_count(header)
        ).tobytes()
    else:
        with ThreadPoolExecutor() as pool:
            yield from pool.map(_image, pieces)


def _image(data: bytes) -> bytes:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("no image")
    return image.tobytes()


def _count(header: bytes) -> int:
    """The pixels of an array, by what its .npy file begins with."""
    file = io.BytesIO(header)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, _ = read[np.lib.format.read_magic(file)](file)
    return int(np.prod(shape))


def _split(data: bytes) -> Iterator[bytes]:
    rest = memoryview(data)
    while len(rest):
        size = int.from_bytes(rest[:4], "big")
        yield bytes(rest[4 : 4 + size])
        rest = rest[4 + size :]


def _pieces(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


def _check(path: Path, digest: str) -> None:
    if not path.is_file():
        raise _bad("a part is missing", path, "no file", "all parts beside their list", "Bring it as well.")
    if (found := sha256(path)) != digest:
        raise _bad("a part is damaged", path, found[:12], digest[:12])


def _bad(what: str, where: Path, got: object, expected: str, mend: str = "Bring it again.") -> InputError:
    return InputError(what, where=where, got=got, expected=expected, mend=mend)
