"""fetch: the same bytes from every source, one clear error for every source that is not what it should be."""

import hashlib
import itertools
import os
import random
import stat
import struct
import sys
import tracemalloc
import types
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from archive import NAMES, image_path, make_files, manifest_of, mask_path, write_archive
from brisc.config import Data, Expected, Splits
from brisc.data.source import fetch
from brisc.errors import InputError, InputErrors
from brisc.progress import Items, silent

T = TypeVar("T")
IMAGE = image_path(NAMES[0])
MASK = mask_path(NAMES[0])
NOT_READ: Any = None  # the phantom's settings, where the data do not come from it
TWELVE = Expected(images=Splits(train=8, test=4), pairs=Splits(train=6, test=3))


def settings(*, source: Any = "brisc2025", manifest_sha256: str | None = None) -> Data:
    return Data(
        source=source, kaggle="briscdataset/brisc2025", manifest_sha256=manifest_sha256, expected=TWELVE
    )


def fetch_from(archive: Path | None, raw: Path, **changes: Any) -> str:
    """SHA-256 of the archive fetched."""
    fetch(raw, data=settings(**changes), phantom=NOT_READ, archive=archive, track=silent)
    return hashlib.sha256(raw.read_bytes()).hexdigest()


def refusal(archive: Path | None, folder: Path, **changes: Any) -> str:
    """The message with which fetch refuses; nothing may be left behind."""
    raw = folder / "out" / "raw.zip"
    with pytest.raises((InputError, InputErrors)) as caught:
        fetch_from(archive, raw, **changes)
    assert not raw.parent.exists() or not list(raw.parent.iterdir())
    return str(caught.value)


def pack(path: Path, members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def whole(prefix: str = "brisc2025/", changed: dict[str, bytes] | None = None) -> dict[str, bytes]:
    files = make_files()
    members = {**files, "manifest.csv": manifest_of(files), **(changed or {})}
    return {prefix + name: content for name, content in members.items()}


def shuffled(members: dict[str, bytes]) -> dict[str, bytes]:
    return dict(random.Random(0).sample(sorted(members.items()), len(members)))


# --- the same bytes


def as_folder(path: Path) -> Path:
    return write_archive(path)


def as_folder_around(path: Path) -> Path:
    write_archive(path)
    return path


def as_folder_two_around(path: Path) -> Path:
    write_archive(path / "archive" / "versions")
    return path


def as_folder_with_lf_manifest(path: Path) -> Path:
    return write_archive(path, manifest=manifest_of(make_files(), line_end="\n"))


def as_folder_without_readme(path: Path) -> Path:
    root = write_archive(path)
    (root / "README.md").unlink()
    return root


def as_folder_with_more_files(path: Path) -> Path:
    root = write_archive(path)
    (root / "classification_task" / "train" / "glioma" / "Thumbs.db").write_bytes(b"x")
    (root / "segmentation_task" / "manifest.csv").write_bytes(b"not the one")
    return root


def as_folder_touched(path: Path) -> Path:
    root = write_archive(path)
    os.utime(root / IMAGE, (0, 0))
    (root / IMAGE).chmod(0o400)
    return root


def as_folder_with_link_inside(path: Path) -> Path:
    root = write_archive(path)
    (root / IMAGE).rename(root / "elsewhere.jpg")
    (root / IMAGE).symlink_to(root / "elsewhere.jpg")
    return root


def as_link_to_folder(path: Path) -> Path:
    write_archive(path / "real")
    (path / "link").symlink_to(path / "real")
    return path / "link"


def as_stored_zip(path: Path) -> Path:
    return pack(path.with_suffix(".zip"), whole(), method=zipfile.ZIP_STORED)


def as_zip_without_folder(path: Path) -> Path:
    return pack(path.with_suffix(".zip"), whole(""))


def as_shuffled_zip_two_around(path: Path) -> Path:
    return pack(
        path.with_suffix(".zip"), {"__MACOSX/._x": b"x"} | shuffled(whole("archive/versions/brisc2025/"))
    )


def as_zip_from_windows(path: Path) -> Path:
    return pack(
        path.with_suffix(".zip"), {name.replace("/", "\\"): content for name, content in whole().items()}
    )


def as_zip_with_lf_manifest(path: Path) -> Path:
    return pack(
        path.with_suffix(".zip"), whole(changed={"manifest.csv": manifest_of(make_files(), line_end="\n")})
    )


def as_zip_with_folders_and_more_files(path: Path) -> Path:
    more = {
        "brisc2025/": b"",
        "brisc2025/classification_task/": b"",
        "brisc2025/old_manifest.csv": b"not the one",
    }
    return pack(path.with_suffix(".zip"), more | whole())


def as_fetched_zip(path: Path) -> Path:
    fetch_from(write_archive(path), path.with_suffix(".zip"))
    return path.with_suffix(".zip")


SOURCES = (
    as_folder,
    as_folder_around,
    as_folder_two_around,
    as_folder_with_lf_manifest,
    as_folder_without_readme,
    as_folder_with_more_files,
    as_folder_touched,
    as_folder_with_link_inside,
    as_link_to_folder,
    as_stored_zip,
    as_zip_without_folder,
    as_shuffled_zip_two_around,
    as_zip_from_windows,
    as_zip_with_lf_manifest,
    as_zip_with_folders_and_more_files,
    as_fetched_zip,
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_every_source_gives_the_same_bytes(source: Callable[[Path], Path], tmp_path: Path) -> None:
    reference = fetch_from(write_archive(tmp_path / "reference"), tmp_path / "reference.zip")
    assert fetch_from(source(tmp_path / "data"), tmp_path / "data" / "raw.zip") == reference


def test_archive_holds_the_manifest_and_its_files_stored_sorted_and_undated(tmp_path: Path) -> None:
    raw = tmp_path / "raw.zip"
    fetch_from(as_zip_with_lf_manifest(tmp_path / "data"), raw)
    files = make_files()
    with zipfile.ZipFile(raw) as archive:
        members = archive.infolist()
        assert len(members) == 12 + 9 + 9 + 1
        assert [info.filename for info in members] == sorted(
            f"brisc2025/{name}" for name in [*files, "manifest.csv"]
        )
        assert {name: archive.read(f"brisc2025/{name}") for name in files} == files
        assert archive.read("brisc2025/manifest.csv") == manifest_of(files, line_end="\r\n")
    assert {info.compress_type for info in members} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {(info.create_system, info.external_attr) for info in members} == {(3, 0o100644 << 16)}


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_manifest_hash_is_that_of_the_publishers_line_ends(line_end: str, tmp_path: Path) -> None:
    published = hashlib.sha256(manifest_of(make_files(), line_end="\r\n")).hexdigest()
    root = write_archive(tmp_path, manifest=manifest_of(make_files(), line_end=line_end))
    fetch_from(root, tmp_path / "raw.zip", manifest_sha256=published)
    assert (tmp_path / "raw.zip").is_file()


def test_another_version_of_the_data_set_is_refused(tmp_path: Path) -> None:
    root = write_archive(tmp_path)
    message = refusal(root, tmp_path, manifest_sha256="0" * 64)
    assert str(root / "manifest.csv") in message
    assert hashlib.sha256(manifest_of(make_files())).hexdigest() in message
    assert "0" * 64 in message


# --- Kaggle and the phantom


class FakeBackendError(Exception):
    pass


class FakeDataCorruptionError(Exception):
    pass


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], str]], None]:
    """Puts a function in the place of kagglehub.dataset_download."""

    def install(dataset_download: Callable[[str], str]) -> None:
        module, exceptions = types.ModuleType("kagglehub"), types.ModuleType("kagglehub.exceptions")
        vars(module).update(dataset_download=dataset_download, exceptions=exceptions)
        vars(exceptions).update(BackendError=FakeBackendError, DataCorruptionError=FakeDataCorruptionError)
        monkeypatch.setitem(sys.modules, "kagglehub", module)
        monkeypatch.setitem(sys.modules, "kagglehub.exceptions", exceptions)

    return install


def test_kaggle_is_asked_for_the_handle_of_the_profile(kaggle: Any, tmp_path: Path) -> None:
    handles = []

    def deliver(handle: str) -> str:
        handles.append(handle)
        write_archive(tmp_path / "cache")
        return str(tmp_path / "cache")

    kaggle(deliver)
    reference = fetch_from(write_archive(tmp_path / "reference"), tmp_path / "reference.zip")
    assert fetch_from(None, tmp_path / "raw.zip") == reference
    assert handles == ["briscdataset/brisc2025"]


def test_a_copy_on_disk_spares_the_download(kaggle: Any, tmp_path: Path) -> None:
    def deliver(handle: str) -> str:
        raise AssertionError("asked Kaggle")

    kaggle(deliver)
    fetch_from(write_archive(tmp_path), tmp_path / "raw.zip")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Failed to resolve 'api.kaggle.com'"),
        FakeBackendError("500"),
        FakeDataCorruptionError("MD5"),
        ValueError("Unsupported archive type."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_download_tells_both_ways_out(error: Exception, kaggle: Any, tmp_path: Path) -> None:
    def fail(handle: str) -> str:
        raise error

    kaggle(fail)
    message = refusal(None, tmp_path)
    for word in ("briscdataset/brisc2025", str(error), "BRISC_ARCHIVE", "network", "kagglehub"):
        assert word in message
    assert "\n" not in message


def test_a_missing_kagglehub_tells_both_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    message = refusal(None, tmp_path)
    for word in ("briscdataset/brisc2025", "no usable kagglehub", "BRISC_ARCHIVE", "network"):
        assert word in message


def test_the_phantom_is_generated_with_its_settings_and_repacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[tuple[Any, Any]] = []
    folders = []

    def generate(destination: Path, *, phantom: Any, track: Any) -> None:
        calls.append((phantom, track))
        folders.append(destination)
        write_archive(destination)

    module = types.ModuleType("brisc.data.phantom")
    vars(module).update(generate=generate)
    monkeypatch.setitem(sys.modules, "brisc.data.phantom", module)
    phantom: Any = object()
    not_read = tmp_path / "not there"
    fetch(
        tmp_path / "raw.zip", data=settings(source="phantom"), phantom=phantom, archive=not_read, track=silent
    )
    assert calls == [(phantom, silent)]
    assert not folders[0].exists()
    reference = fetch_from(write_archive(tmp_path / "reference"), tmp_path / "reference.zip")
    assert hashlib.sha256((tmp_path / "raw.zip").read_bytes()).hexdigest() == reference


# --- whole or absent


def test_progress_covers_every_file_and_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    seen: list[int] = []

    def interrupt(items: Items[T], description: str) -> Iterable[T]:
        seen.append(len(items))
        yield from itertools.islice(items, 7)
        raise KeyboardInterrupt

    root = write_archive(tmp_path / "data")
    raw = tmp_path / "out" / "raw.zip"
    with pytest.raises(KeyboardInterrupt):
        fetch(raw, data=settings(), phantom=NOT_READ, archive=root, track=interrupt)
    assert seen == [31]
    assert list(raw.parent.iterdir()) == []
    reference = fetch_from(root, tmp_path / "reference.zip")
    assert fetch_from(root, raw) == reference


def test_a_refused_source_leaves_the_former_archive(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "data")
    raw = tmp_path / "out" / "raw.zip"
    former = fetch_from(root, raw)
    (root / IMAGE).unlink()
    with pytest.raises(InputErrors):
        fetch_from(root, raw)
    assert hashlib.sha256(raw.read_bytes()).hexdigest() == former
    assert list(raw.parent.iterdir()) == [raw]


# --- bad folders


def missing_path(root: Path) -> Path:
    return root / "nowhere"


def empty_folder(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def no_manifest(root: Path) -> Path:
    (root / "manifest.csv").unlink()
    return root


def two_data_sets(root: Path) -> Path:
    write_archive(root / "more" / "a")
    write_archive(root / "more" / "b")
    return root / "more"


def image_missing(root: Path) -> Path:
    (root / IMAGE).unlink()
    return root


def image_truncated(root: Path) -> Path:
    (root / IMAGE).write_bytes((root / IMAGE).read_bytes()[:-1])
    return root


def image_with_tail(root: Path) -> Path:
    (root / IMAGE).write_bytes((root / IMAGE).read_bytes() + b"x")
    return root


def image_changed(root: Path) -> Path:
    content = bytearray((root / IMAGE).read_bytes())
    content[100] ^= 1
    (root / IMAGE).write_bytes(content)
    return root


def image_is_folder(root: Path) -> Path:
    (root / IMAGE).unlink()
    (root / IMAGE).mkdir()
    return root


def link_out(root: Path) -> Path:
    outside = root.parent / "outside.jpg"
    (root / IMAGE).rename(outside)
    (root / IMAGE).symlink_to(outside)
    return root


def link_out_by_folder(root: Path) -> Path:
    outside = root.parent / "outside"
    (root / IMAGE).parent.rename(outside)
    (root / IMAGE).parent.symlink_to(outside)
    return root


def link_to_itself(root: Path) -> Path:
    (root / IMAGE).unlink()
    (root / IMAGE).symlink_to(root / IMAGE)
    return root


def link_to_nothing(root: Path) -> Path:
    (root / IMAGE).unlink()
    (root / IMAGE).symlink_to(root / "nothing.jpg")
    return root


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing_path, ["nowhere", "neither a file nor a folder", "BRISC_ARCHIVE"]),
        (empty_folder, ["empty", "no manifest.csv"]),
        (no_manifest, ["brisc2025", "no manifest.csv"]),
        (two_data_sets, ["a/brisc2025/manifest.csv and b/brisc2025/manifest.csv"]),
        (image_missing, [IMAGE, "file missing"]),
        (image_truncated, [IMAGE, "file too short", f"got {len(make_files()[IMAGE]) - 1} bytes"]),
        (image_with_tail, [IMAGE, "file too large", f"got {len(make_files()[IMAGE]) + 1} bytes"]),
        (
            image_changed,
            [IMAGE, "file differs from the manifest", hashlib.sha256(make_files()[IMAGE]).hexdigest()],
        ),
        (image_is_folder, [IMAGE, "not a file"]),
        (link_out, [IMAGE, "link leads out of the folder", "outside.jpg"]),
        (link_out_by_folder, [IMAGE, "link leads out of the folder"]),
        (link_to_itself, [IMAGE, "file not readable"]),
        (link_to_nothing, [IMAGE, "file missing"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_folders_are_refused(damage: Callable[[Path], Path], words: list[str], tmp_path: Path) -> None:
    message = refusal(damage(write_archive(tmp_path / "data")), tmp_path)
    for word in words:
        assert word in message


def test_all_missing_and_changed_files_are_told_at_once(tmp_path: Path) -> None:
    root = image_changed(write_archive(tmp_path / "data"))
    (root / MASK).unlink()
    (root / mask_path(NAMES[1])).unlink()
    lines = refusal(root, tmp_path).splitlines()
    assert [IMAGE in lines[0], mask_path(NAMES[0]) in lines[1], mask_path(NAMES[1]) in lines[2]] == [True] * 3
    assert len(lines) == 3


def test_a_flood_of_problems_is_cut_to_twenty_lines_and_a_number(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "data")
    for name in sorted(make_files())[:20]:
        (root / name).unlink()
    lines = refusal(root, tmp_path).splitlines()
    assert ["file missing" in line for line in lines] == [True] * 20
    for name in sorted(make_files())[20:]:
        (root / name).unlink()
    lines = refusal(root, tmp_path).splitlines()
    assert len(lines) == 21
    assert "and 10 more: got 30 problems in all" in lines[-1]


# --- bad zips


def edited(path: Path, edit: Callable[[zipfile.ZipFile], None]) -> Path:
    """A whole zip whose directory is edited before it is written."""
    with zipfile.ZipFile(path, "w") as target:
        for name, content in whole().items():
            target.writestr(name, content)
        edit(target)
    return path


def encrypt(target: zipfile.ZipFile) -> None:
    target.getinfo(f"brisc2025/{IMAGE}").flag_bits |= 1


def make_link(target: zipfile.ZipFile) -> None:
    target.getinfo(f"brisc2025/{IMAGE}").external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    ("edit", "word"),
    [(encrypt, "an encrypted one"), (make_link, "a link, a folder or a device")],
    ids=["encrypted", "link"],
)
def test_encrypted_members_and_links_are_refused(
    edit: Callable[[zipfile.ZipFile], None], word: str, tmp_path: Path
) -> None:
    message = refusal(edited(tmp_path / "data.zip", edit), tmp_path)
    assert f"brisc2025/{IMAGE}" in message
    assert word in message


@pytest.mark.parametrize(
    "name",
    [
        "../out.jpg",
        "brisc2025/../../out.jpg",
        "/etc/out.jpg",
        "C:\\out.jpg",
        "C:out.jpg",
        "..\\out.jpg",
        "\\\\host\\share\\x",
    ],
)
def test_members_that_lead_out_are_refused_even_if_not_listed(name: str, tmp_path: Path) -> None:
    message = refusal(pack(tmp_path / "data.zip", {**whole(), name: b"x"}), tmp_path)
    assert f"member {name!r}: member refused" in message
    assert "leads out" in message
    assert not (tmp_path / "out.jpg").exists()


def test_members_that_the_manifest_does_not_list_do_no_harm(tmp_path: Path) -> None:
    """As Finder adds them, or somebody who packs the data set together with other things."""

    def add(target: zipfile.ZipFile) -> None:
        for name in ("brisc2025/Icon\r", "__MACOSX/brisc2025/._manifest.csv", "notes\x00", "link", "secret"):
            target.writestr(name, b"x")
        target.getinfo("link").external_attr = (stat.S_IFLNK | 0o777) << 16
        target.getinfo("secret").flag_bits |= 1

    wanted = fetch_from(write_archive(tmp_path / "data"), tmp_path / "a.zip")
    assert fetch_from(edited(tmp_path / "data.zip", add), tmp_path / "b.zip") == wanted


def test_a_member_given_twice_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "data.zip", whole())
    with zipfile.ZipFile(path, "a") as target, pytest.warns(UserWarning, match="Duplicate name"):
        target.writestr(f"brisc2025/{IMAGE}", b"another")
    message = refusal(path, tmp_path)
    assert f"brisc2025/{IMAGE}" in message
    assert "the same name again" in message


def test_a_member_given_twice_by_two_kinds_of_slash_is_refused(tmp_path: Path) -> None:
    name = f"brisc2025/{IMAGE}".replace("/", "\\")
    message = refusal(pack(tmp_path / "data.zip", {**whole(), name: b"another"}), tmp_path)
    assert f"brisc2025/{IMAGE}: member refused: got the same name again" in message


def test_other_compression_than_deflate_is_refused(tmp_path: Path) -> None:
    message = refusal(pack(tmp_path / "data.zip", whole(), method=zipfile.ZIP_BZIP2), tmp_path)
    assert "brisc2025/manifest.csv: member refused: got compression method 12" in message


def test_a_member_that_declares_more_than_the_manifest_is_refused_unread(tmp_path: Path) -> None:
    path = pack(tmp_path / "data.zip", whole(changed={IMAGE: bytes(50_000_000)}))
    tracemalloc.start()
    message = refusal(path, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"member brisc2025/{IMAGE}: file too large: got 50000000 bytes" in message
    assert peak < 5_000_000


def test_a_member_that_holds_more_than_it_declares_is_refused_after_what_it_declares(tmp_path: Path) -> None:
    path = pack(tmp_path / "data.zip", whole(changed={IMAGE: bytes(50_000_000)}))
    declared = len(make_files()[IMAGE])
    content = path.read_bytes()
    assert content.count(struct.pack("<L", 50_000_000)) == 2  # in the local header and in the directory
    path.write_bytes(content.replace(struct.pack("<L", 50_000_000), struct.pack("<L", declared)))
    tracemalloc.start()
    message = refusal(path, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"member brisc2025/{IMAGE}: member damaged" in message
    assert peak < 5_000_000


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    path = pack(tmp_path / "data.zip", whole(), method=zipfile.ZIP_STORED)
    original = make_files()[MASK]
    path.write_bytes(path.read_bytes().replace(original, original[:-1] + b"?"))
    message = refusal(path, tmp_path)
    assert f"member brisc2025/{MASK}: member damaged: got Bad CRC-32" in message


def test_missing_members_are_named(tmp_path: Path) -> None:
    members = whole()
    del members[f"brisc2025/{IMAGE}"], members[f"brisc2025/{MASK}"]
    lines = refusal(pack(tmp_path / "data.zip", members), tmp_path).splitlines()
    assert len(lines) == 2
    assert f"member brisc2025/{IMAGE}: file missing" in lines[0]
    assert f"member brisc2025/{MASK}: file missing" in lines[1]


def test_what_is_no_whole_zip_is_refused(tmp_path: Path) -> None:
    content = pack(tmp_path / "good.zip", whole()).read_bytes()
    for name, damaged in {
        "text.zip": b"hello",
        "empty.zip": b"",
        "half.zip": content[: len(content) // 2],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        message = refusal(tmp_path / name, tmp_path)
        assert f"{tmp_path / name}: not readable as a zip" in message


def test_a_zip_without_manifest_is_refused(tmp_path: Path) -> None:
    message = refusal(
        pack(tmp_path / "data.zip", {"readme.txt": b"x", "a/b/c/d/manifest.csv": b"too deep"}), tmp_path
    )
    assert f"{tmp_path / 'data.zip'}: no data set" in message


# --- bad manifests

GOOD = manifest_of(make_files()).decode()
HEADER, FIRST, *_ = GOOD.split("\r\n")
PATH, *_, SIZE, SHA256 = FIRST.split(",")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"", ["lacks relative_path", "an empty file"]),
        (b"\xff\xfe\x00", ["not readable as CSV"]),
        (b'relative_path\r\n"open', ["not readable as CSV"]),
        (GOOD.replace("sha256", "md5", 1).encode(), ["lacks sha256"]),
        (HEADER.encode() + b"\r\n", ["no files or too much", "0 files"]),
        ((GOOD + FIRST + "\r\n").encode(), ["row 32", "file listed twice"]),
        ((GOOD + FIRST.replace("\\", "/") + "\r\n").encode(), ["row 32", "file listed twice"]),
        (GOOD.replace(SHA256, "z" * 64).encode(), ["row 2", "sha256", "z" * 64]),
        (GOOD.replace(SHA256, SHA256[:-1]).encode(), ["row 2", "sha256"]),
        (GOOD.replace(FIRST, FIRST + ",more").encode(), ["row 2", "17 fields", "expected 16"]),
        (GOOD.replace(PATH, "..\\..\\etc\\passwd").encode(), ["row 2", "path refused", "passwd"]),
        (GOOD.replace(PATH, "/etc/passwd").encode(), ["row 2", "path refused", "passwd"]),
        (GOOD.replace(PATH, "C:\\passwd").encode(), ["row 2", "path refused", "passwd"]),
        (GOOD.replace(PATH, "manifest.csv").encode(), ["row 2", "path refused", "manifest.csv"]),
        (GOOD.replace(PATH, "").encode(), ["row 2", "path refused"]),
        (GOOD.replace(PATH, "a\x00b").encode(), ["row 2", "path refused"]),
        (GOOD.replace(f",{SIZE},", ",-5,", 1).encode(), ["row 2", "file_size_bytes", "'-5'"]),
        (GOOD.replace(f",{SIZE},", ",999999999,", 1).encode(), ["row 2", "file_size_bytes", "67108864"]),
    ],
    ids=[
        "empty",
        "no text",
        "open quote",
        "no column",
        "no rows",
        "twice",
        "twice by slash",
        "hash of other signs",
        "short hash",
        "long row",
        "dots",
        "absolute",
        "drive",
        "itself",
        "no path",
        "control character",
        "negative size",
        "bomb",
    ],
)
def test_bad_manifests_are_refused(manifest: bytes, words: list[str], tmp_path: Path) -> None:
    root = write_archive(tmp_path / "data", manifest=manifest)
    message = refusal(root, tmp_path)
    assert message.startswith(str(root / "manifest.csv"))
    for word in words:
        assert word in message


def test_sizes_that_only_together_are_too_large_are_refused(tmp_path: Path) -> None:
    rows = [f"f{n}.jpg,train,glioma,axial,8,8,{64 * 2**20},{'0' * 64}" for n in range(65)]
    header = "relative_path,split,tumor_label,plane_label,width,height,file_size_bytes,sha256"
    root = write_archive(tmp_path / "data", manifest="\r\n".join([header, *rows, ""]).encode())
    assert f"got 65 files, {65 * 64 * 2**20} bytes" in refusal(root, tmp_path)


# --- the published data


@pytest.mark.skipif(
    "BRISC_ARCHIVE" not in os.environ, reason="needs the published data set: set BRISC_ARCHIVE"
)
def test_the_published_data_set_is_packed(tmp_path: Path) -> None:
    published = "4eaa0c3b88ce1fd246d90382c1dcd1010cc126fff1bd3a4a415159661ca8b605"
    raw = tmp_path / "raw.zip"
    got = fetch_from(Path(os.environ["BRISC_ARCHIVE"]), raw, manifest_sha256=published)
    assert got == "9d12112f50ca5ab58e1a61f79a6d720c53d6d6d8df2d455569320f11579979b0"
