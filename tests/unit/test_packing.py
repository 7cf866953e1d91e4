"""The zip files of functions and layers."""

import zipfile
import zlib
from pathlib import Path

from deployed_stack.packing import pack


def deflated(content: bytes, level: int) -> int:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(compressor.compress(content) + compressor.flush())


def test_files_are_zipped_with_the_strongest_compression(tmp_path: Path) -> None:
    folder, archive = tmp_path / "code", tmp_path / "code.zip"
    folder.mkdir()
    content = b"".join(b"%x" % (number * number) for number in range(50_000))
    (folder / "module.py").write_bytes(content)
    pack(folder, archive)
    (packed,) = zipfile.ZipFile(archive).infolist()
    assert packed.compress_size == deflated(content, 9) < deflated(content, 6)
