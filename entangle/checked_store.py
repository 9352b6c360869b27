"""A Zarr store that gives a file only if it is the one of the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from entangle.refusal import refused


class Checked(WrapperStore[LocalStore]):
    """A folder read through its manifest.

    Parameters
    ----------
    path
        The folder.
    files
        Size and SHA-256 of each of its files, by path.
    """

    def __init__(self, path: Path, files: Mapping[str, tuple[int, str]]) -> None:
        super().__init__(LocalStore(path, read_only=True))
        self._path = path
        self._files = files

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the content of a file; None only for metadata that no Zarr of version 3 has.

        Raises
        ------
        ResultError
            If the file is missing, a link, or not that of the manifest.
        """
        if key not in self._files:
            if "/c/" in key:
                raise refused(self._path, key, "is missing")
            return None
        size, sha = self._files[key]
        file = self._path / key
        if file.is_symlink() or not file.is_file():
            raise refused(self._path, key, "is missing")
        if file.stat().st_size != size:
            raise refused(self._path, key, f"must have {size:,} bytes", f"{file.stat().st_size:,}")
        found = await super().get(key, prototype)
        if found is None or hashlib.sha256(found.to_bytes()).hexdigest() != sha:
            raise refused(self._path, key, "is damaged: it does not match its checksum")
        return found if byte_range is None else await super().get(key, prototype, byte_range)

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what the manifest names directly in a folder."""
        head = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
        inside = (name.removeprefix(head) for name in self._files if name.startswith(head))
        for name in dict.fromkeys(rest.partition("/")[0] for rest in inside):
            yield name

    async def exists(self, key: str) -> bool:
        """Return whether the manifest names a file."""
        return key in self._files
