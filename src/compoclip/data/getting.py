"""`data get`: a named set, fetched, checked and unpacked; or the words that say what has to be done by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from compoclip.data.catalog import Download, Entry, Hub, entry
from compoclip.data.checking import check_entry
from compoclip.data.fetch import Fetched, fetch_file, note_of
from compoclip.data.training_sets import locate, training_sets
from compoclip.data.unpack import DamagedArchive, unpack
from compoclip.data.unpacked import record, record_path, unfinished
from compoclip.errors import InputError, RunError

Files = Callable[[Download], Fetched]
AT_ONCE = 4  # files of a set that are fetched at one time; the hub's client has its own number


def get(
    name: str | Entry,
    root: str | Path,
    keep_archives: bool = False,
    wait: Callable[[float], Any] = time.sleep,
    files: Files | None = None,
) -> dict[str, Any]:
    """Fetch a named set below `root`; returns what was fetched, whether its checksum was known, and `check_entry`'s
    report. Several files come at one time; `files` are those that a caller of `fetching` has begun.

    Raises InputError where a form or licence has to be seen to first (the message says which and where to put the
    files), RunError where fetching, checking or unpacking fails. Run again, it goes on where it stopped.
    """
    chosen, root = name if isinstance(name, Entry) else entry(name), Path(root)
    before = check_entry(chosen, root)
    if before["complete"] and files is None:  # else its archives may have come since the caller looked
        return {"name": chosen.name, "fetched": [], "check": before}
    if not chosen.fetch and chosen.hub is None:
        raise InputError(by_hand(chosen, root))
    with nullcontext(files) if files else fetching([chosen], root, wait) as begun:
        fetched = [row for download in chosen.fetch for row in _fetch(download, root, keep_archives, begun)]
    if chosen.fetch and not fetched:  # everything was unpacked once, and yet some of it is gone
        for download in chosen.fetch:
            record_path(download, root).unlink(missing_ok=True)
        with fetching([chosen], root, wait) as begun:
            fetched = [row for download in chosen.fetch for row in _fetch(download, root, keep_archives, begun)]
    if chosen.hub is not None:
        fetched.append({"path": str(_from_hub(chosen, chosen.hub, root)), "checksum_known": True})
    for item in chosen.unpack:
        archive = root / item.archive
        if not archive.is_file():
            raise RunError(f"{chosen.name}: {archive} is not among the files that came; look at {chosen.home}")
        fetched.append({"path": str(archive), "unpacked": unpack(archive, root / item.into)})
    return {"name": chosen.name, "fetched": fetched, "check": check_entry(chosen, root)}


def get_training_set(
    name: str, root: str | Path, keep_archives: bool = False, wait: Callable[[float], Any] = time.sleep
) -> dict[str, Any]:
    """Every part of a training set (its table, its photos); what a form guards is told, and the others are fetched.

    Raises InputError where every part has to be seen to by hand.
    Returns `{"name", "parts": {part: get's report}, "by_hand": {part: what to do}, "data": a run's settings or None}`.
    """
    parts: dict[str, Any] = {}
    hand: dict[str, str] = {}
    chosen = [entry(part) for part in training_sets()[name]["parts"]]
    checks = {one.name: check_entry(one, root) for one in chosen}
    with fetching([one for one in chosen if not checks[one.name]["complete"]], Path(root), wait) as files:
        for one in chosen:
            if checks[one.name]["complete"]:
                parts[one.name] = {"name": one.name, "fetched": [], "check": checks[one.name]}
                continue
            try:
                parts[one.name] = get(one, root, keep_archives, wait, files)
            except InputError as error:
                hand[one.name] = str(error)
    if hand and not parts:
        raise InputError("; ".join(hand.values()))
    try:
        settings = locate(name, root)
    except InputError:
        settings = None
    return {"name": name, "parts": parts, "by_hand": hand, "data": settings}


@contextmanager
def fetching(chosen: Sequence[Entry], root: Path, wait: Callable[[float], Any]) -> Iterator[Files]:
    """Fetch the files of sets, `AT_ONCE` at a time; what is yielded waits for one of them and raises what it raised.

    Leaving it early, by an error or Ctrl-C, stops the others; the next call goes on with them.
    """
    stop, pool = threading.Event(), ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
    downloads = [item for one in chosen for item in one.fetch if not _unpacked(item, root)]
    try:
        running = {item.to: pool.submit(fetch_file, item, root, wait, stop) for item in downloads}
        yield lambda item: running[item.to].result()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _unpacked(download: Download, root: Path) -> bool:
    """Whether an archive was unpacked before and all of it is still there; a record that is wrong is taken away."""
    note = record_path(download, root)
    if download.unpack is None or not note.exists():
        return False
    if unfinished(download, root) is None:
        return True
    note.unlink()
    return False


def _fetch(download: Download, root: Path, keep_archives: bool, files: Files) -> Iterator[dict[str, Any]]:
    """Take and unpack one file; nothing where it was unpacked before and all of it is still there."""
    if _unpacked(download, root):
        return
    done = files(download)
    row: dict[str, Any] = {"path": str(done.path), "bytes": done.bytes, "sha256": done.sha256}
    row["checksum_known"] = done.checked
    if download.unpack is not None:
        try:
            row["unpacked"] = unpack(done.path, root / download.unpack)
        except DamagedArchive as error:
            own = note_of(done.path)
            if not own.exists():  # the user's own, or proven by its checksum
                raise
            done.path.unlink()
            own.unlink()
            raise RunError(
                f"{error}. It was fetched without a known checksum, and is removed: run this again"
            ) from None
        record(download, root, done.sha256)
        if not keep_archives:
            done.path.unlink()
    yield row


def by_hand(chosen: Entry, root: Path) -> str:
    """What a person has to do to have this set, in one line."""
    places = ", ".join(str(root / item.path) for item in chosen.files[:3])
    return (
        f"{chosen.name} cannot be fetched for you: {chosen.gate}. Licence: {chosen.licence}. Page: {chosen.home}. "
        f"Put the files at {places}, then run `compoclip data check {chosen.name}`"
    )


def _from_hub(chosen: Entry, hub: Hub, root: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        snapshot_download(hub.repo, repo_type=hub.type, local_dir=root / hub.to, allow_patterns=list(hub.files) or None)
    except (GatedRepoError, RepositoryNotFoundError):
        raise RunError(
            f"{chosen.name}: the hub refuses it: {chosen.gate or 'a login is needed'}. Page: {chosen.home}"
        ) from None
    except Exception as error:  # the client raises what its transport raises
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{chosen.name}: {hub.repo} could not be fetched from the hub ({why}); run it again") from None
    return root / hub.to
