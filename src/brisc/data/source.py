"""Three sources of the data set (phantom, a copy on disk, Kaggle), one archive with the same bytes from each.

The archive holds the files of the publisher's manifest and the manifest itself, nothing else, and no file
gets in whose SHA-256 differs. Copies and downloads are not trusted: nothing is extracted, only files of the
manifest are read, and never more of one than the manifest declares.
"""

import hashlib
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brisc.atomic import atomic
from brisc.config import Data, Phantom
from brisc.data.manifest import (
    FILE_LIMIT,
    MANIFEST,
    SHOWN,
    Entry,
    bad,
    inside,
    normalised,
    read_manifest,
    told,
)
from brisc.errors import InputError
from brisc.progress import Track

ROOT = "brisc2025/"  # every member of the archive begins with it
WRAPPERS = 3  # <folder>/<folder>/brisc2025/manifest.csv: unpackers and downloads add folders
WAYS_OUT = (
    "Either set BRISC_ARCHIVE to a folder or zip of the data set in the publisher's layout, or connect to "
    "the network, with kagglehub installed, and repeat: a broken download resumes."
)
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # features and methods zipfile lacks
    UnicodeDecodeError,  # names
    OSError,
    ValueError,  # offsets that point nowhere
)


def fetch(raw: Path, *, data: Data, phantom: Phantom, archive: Path | None, track: Track) -> None:
    """Write the archive `raw` from the source `data` names: generated, or a copy (folder or zip), or from
    Kaggle.

    An interrupted run leaves no `raw` behind and starts over; what Kaggle already delivered is kept by
    kagglehub. Raises InputError or InputErrors if there is no source, or if a file of it is not what the
    manifest says.
    """
    if data.source == "phantom":
        from brisc.data.phantom import generate

        with tempfile.TemporaryDirectory(prefix="brisc-") as folder:
            generate(Path(folder), phantom=phantom, track=track)
            repack(Path(folder), raw, manifest_sha256=data.manifest_sha256, track=track)
    else:
        found = download(data.kaggle) if archive is None else archive
        repack(found, raw, manifest_sha256=data.manifest_sha256, track=track)


def download(handle: str) -> Path:
    """The folder with a public data set ("owner/name") that kagglehub downloads, without sign-in, and
    keeps."""
    try:
        import kagglehub
        from kagglehub.exceptions import BackendError, DataCorruptionError
    except ImportError as error:
        raise bad("no download", handle, f"no usable kagglehub ({error})", "the data set", WAYS_OUT) from None
    try:
        return Path(kagglehub.dataset_download(handle))
    # The errors of requests, and with them those of Kaggle's API, are OSErrors. ValueError: what came is no
    # archive.
    except (OSError, ValueError, BackendError, DataCorruptionError) as error:
        got = f"{type(error).__name__} ({' '.join(str(error).split())[:300]})"
        raise bad("no download", handle, got, "the data set", WAYS_OUT) from None


def repack(found: Path, raw: Path, *, manifest_sha256: str | None, track: Track) -> None:
    """Write what the manifest in `found` lists into the stored zip `raw`, each file checked against the
    manifest."""
    with open_source(found) as source, atomic(raw) as temporary, zipfile.ZipFile(temporary, "w") as target:
        root = _find_root(source)
        where = source.where(root + MANIFEST)
        manifest = normalised(source.read(root + MANIFEST, FILE_LIMIT))
        _check_version(manifest, manifest_sha256, where)
        entries = read_manifest(manifest, where)
        problems: list[InputError] = []
        for name in track(sorted([*entries, MANIFEST]), "checking and packing files"):
            try:
                _add(
                    target, name, manifest if name == MANIFEST else _read(source, root + name, entries[name])
                )
            except InputError as problem:
                problems.append(problem)
        if problems:
            raise told(problems, shown=SHOWN, where=found)


class Folder:
    """The files below a folder, by their path with forward slashes. Links may lead anywhere inside, not out
    of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.real = path.resolve()

    def manifests(self) -> list[str]:
        found = (path for depth in range(WRAPPERS + 1) for path in self.path.glob("*/" * depth + MANIFEST))
        return sorted(path.relative_to(self.path).as_posix() for path in found)

    def where(self, name: str) -> str:
        return str(self.path / name)

    def read(self, name: str, limit: int) -> bytes:
        """The file; InputError if it has more than `limit` bytes, is missing, unreadable or a link that leads
        out."""
        path = self.path / name
        try:
            real = path.resolve(strict=True)
            if not real.is_relative_to(self.real):
                mend = (
                    "Replace it by the file it leads to, or point BRISC_ARCHIVE at the folder it leads into."
                )
                raise bad("link leads out of the folder", path, real, f"a file below {self.real}", mend)
            if not real.is_file():
                raise bad("not a file", path, "a folder or a device", "a file")
            size = real.stat().st_size
            if size > limit:
                raise bad("file too large", path, f"{size} bytes", f"at most {limit}")
            with real.open("rb") as file:
                return file.read(limit)
        except FileNotFoundError:
            raise bad("file missing", path, "nothing", "the file of the manifest") from None
        except (
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: pathlib's word for a link that leads to itself
            raise bad("file not readable", path, error, "a readable file") from None


class Zip:
    """The files of a zip, by their path with forward slashes; InputErrors if a member leads out.

    What else may be wrong with a member counts when it is read. Of the others, such as what a file manager
    adds, nobody needs to know.
    """

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self.path = path
        self.opened = opened
        self.members: dict[str, list[zipfile.ZipInfo]] = {}  # a zip may give a name twice
        problems: list[InputError] = []
        for info in opened.infolist():
            given = info.orig_filename  # whole: filename is cut off at a NUL
            if (name := inside(given)) is not None:
                self.members.setdefault(name, []).append(info)
            elif given.isprintable():  # no manifest can list another
                where, expected = f"{path}, member {given!r}", "one below the root"
                problems.append(bad("member refused", where, "a path that leads out", expected))
        if problems:
            raise told(problems, shown=SHOWN, where=path)

    def manifests(self) -> list[str]:
        return sorted(
            name for name in self.members if name.split("/")[-1] == MANIFEST and name.count("/") <= WRAPPERS
        )

    def where(self, name: str) -> str:
        return f"{self.path}, member {name}"

    def read(self, name: str, limit: int) -> bytes:
        """The file; InputError if it has more than `limit` bytes, is missing, damaged or no plain file."""
        where = self.where(name)
        if name not in self.members:
            raise bad("file missing", where, "nothing", "the file of the manifest")
        info, *again = self.members[name]
        if again:
            raise bad("member refused", where, "the same name again", "each name once")
        _accept(info, where)
        if info.file_size > limit:
            raise bad("file too large", where, f"{info.file_size} bytes", f"at most {limit}")
        try:
            with self.opened.open(info) as file:
                return file.read(limit)
        except BROKEN_ZIP as error:
            raise bad("member damaged", where, str(error) or type(error).__name__, "a sound member") from None


@contextmanager
def open_source(found: Path) -> Iterator[Folder | Zip]:
    """The files of a data set by their path: those of a folder or of a zip. InputError if it is neither."""
    if found.is_dir():
        yield Folder(found)
        return
    if not found.is_file():
        raise bad("no data set there", found, "neither a file nor a folder", "a folder or a zip", WAYS_OUT)
    try:
        opened = zipfile.ZipFile(found)
    except BROKEN_ZIP as error:
        raise bad("not readable as a zip", found, str(error) or type(error).__name__, "a whole zip") from None
    with opened:
        yield Zip(found, opened)


def _accept(info: zipfile.ZipInfo, where: str) -> None:
    if info.flag_bits & 0x1:
        raise bad("member refused", where, "an encrypted one", "no encryption")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise bad("member refused", where, "a link, a folder or a device", "a plain file")
    # zipfile bounds what it inflates at a time, but not what it takes out of bzip2 and LZMA
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise bad("member refused", where, f"compression method {info.compress_type}", "stored or deflated")


def _find_root(source: Folder | Zip) -> str:
    """The path of the manifest's folder in the source: "" or one that ends with a slash."""
    manifests = source.manifests()
    top = min((name.count("/") for name in manifests), default=0)
    candidates = [name for name in manifests if name.count("/") == top]
    if len(candidates) != 1:
        raise bad(
            f"no data set, told by its {MANIFEST}",
            source.path,
            " and ".join(candidates[:5]) or f"no {MANIFEST}",
            f"one {MANIFEST}, at most {WRAPPERS} folders down",
            "Point BRISC_ARCHIVE at the folder brisc2025 of the data set, or at a zip of it.",
        )
    return candidates[0].removesuffix(MANIFEST)


def _check_version(manifest: bytes, expected: str | None, where: str) -> None:
    got = hashlib.sha256(manifest).hexdigest()
    if expected is not None and got != expected:
        what = "another version of the data set, or a changed manifest"
        mend = "Get the version of this profile, or set data.manifest_sha256 if the other one is meant."
        raise bad(what, where, f"SHA-256 {got}", expected, mend)


def _read(source: Folder | Zip, name: str, entry: Entry) -> bytes:
    content = source.read(name, entry.size)
    if len(content) != entry.size:
        raise bad("file too short", source.where(name), f"{len(content)} bytes", entry.size)
    got = hashlib.sha256(content).hexdigest()
    if got != entry.sha256:
        raise bad("file differs from the manifest", source.where(name), f"SHA-256 {got}", entry.sha256)
    return content


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(ROOT + name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # Unix, else the same archive would differ if made on Windows
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    target.writestr(info, content)
