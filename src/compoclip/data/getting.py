"""`data get`: a named set, fetched, checked and unpacked; or the words that say what has to be done by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from compoclip.data.catalog import Download, Entry, Hub, entry
from compoclip.data.checking import check_entry
from compoclip.data.fetch import fetch_file, note_of
from compoclip.data.training_sets import locate, training_sets
from compoclip.data.unpack import Damaged, unpack
from compoclip.data.unpacked import record, record_path, unfinished
from compoclip.errors import InputError, RunError


def get(
    name: str | Entry, root: str | Path, keep_archives: bool = False, wait: Callable[[float], Any] = time.sleep
) -> dict[str, Any]:
    """Fetch a named set below `root`; returns what was fetched, whether its checksum was known, and `check_entry`'s
    report.

    Raises InputError where a form or licence has to be seen to first (the message says which and where to put the
    files), RunError where fetching, checking or unpacking fails. Run again, it goes on where it stopped.
    """
    chosen, root = name if isinstance(name, Entry) else entry(name), Path(root)
    before = check_entry(chosen, root)
    if before["complete"]:
        return {"name": chosen.name, "fetched": [], "check": before}
    if not chosen.fetch and chosen.hub is None:
        raise InputError(by_hand(chosen, root))
    fetched = [row for download in chosen.fetch for row in _fetch(download, root, keep_archives, wait)]
    if chosen.fetch and not fetched:  # everything was unpacked once, and yet some of it is gone
        for download in chosen.fetch:
            record_path(download, root).unlink(missing_ok=True)
        fetched = [row for download in chosen.fetch for row in _fetch(download, root, keep_archives, wait)]
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
    for part in training_sets()[name]["parts"]:
        try:
            parts[part] = get(part, root, keep_archives, wait)
        except InputError as error:
            hand[part] = str(error)
    if hand and not parts:
        raise InputError("; ".join(hand.values()))
    try:
        settings = locate(name, root)
    except InputError:
        settings = None
    return {"name": name, "parts": parts, "by_hand": hand, "data": settings}


def _fetch(
    download: Download, root: Path, keep_archives: bool, wait: Callable[[float], Any]
) -> Iterator[dict[str, Any]]:
    """Fetch and unpack one file; nothing where it was unpacked before and all of it is still there."""
    note = record_path(download, root)
    if download.unpack is not None and note.exists():
        if unfinished(download, root) is None:
            return
        note.unlink()
    done = fetch_file(download, root, wait)
    row: dict[str, Any] = {"path": str(done.path), "bytes": done.bytes, "sha256": done.sha256}
    row["checksum_known"] = done.checked
    if download.unpack is not None:
        try:
            row["unpacked"] = unpack(done.path, root / download.unpack)
        except Damaged as error:
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
