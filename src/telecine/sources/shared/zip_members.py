"""Members of ZIP archives, read to the size that the archive says and no further.

`zipfile` unpacks a member in one go and cuts the result: of deflate up to 2 GB, of bzip2 and LZMA all there is,
whatever size is stated. So reads here say how many bytes they want, which bounds deflate, and the others are refused.
Format: PKWARE's APPNOTE.TXT, 4.4.5 (compression methods).
"""

import zipfile
import zlib

from telecine.core.text.numbers import counted


def member_of(archive: zipfile.ZipFile, name: str, most: int) -> zipfile.ZipInfo:
    """What the archive says of a member. Raises: KeyError when it is not there; ValueError for one not to be read."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by method {info.compress_type}; expected deflate, or none")
    if info.file_size > most:
        raise ValueError(f"{name} has {counted(info.file_size, 'byte')}; more than {most} are taken for damage")
    return info


def read_member(archive: zipfile.ZipFile, name: str, most: int, start: int = 0, stop: int | None = None) -> bytes:
    """Bytes [start, stop) of a member, to its end for None.

    Raises: as `member_of`; ValueError when it is damaged; OSError.
    """
    info = member_of(archive, name, most)
    end = info.file_size if stop is None else min(stop, info.file_size)
    try:
        with archive.open(info) as file:
            file.seek(start)
            return file.read(max(end - start, 0))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
