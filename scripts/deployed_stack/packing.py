"""Zips of what ``sam build`` made: of the same files the same bytes, whoever made them where.

The SAM CLI would zip the folders itself, in the order and with the permissions that the file system has.
"""

import re
import shutil
import zipfile
from pathlib import Path

# The oldest time that a zip can name.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_REGULAR_FILE_READABLE_BY_ALL = 0o100644
_CODE = re.compile(r"^( +(?:CodeUri|ContentUri): )(\w+)$", re.MULTILINE)


def pack(folder: Path, archive: Path) -> None:
    """Zip the files of a folder, as Lambda wants them: from the folder's own level, readable by all."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_READABLE_BY_ALL << 16
            # With an entry of its own, the archive's level does not count.
            packed.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def pack_build(build: Path, packages: Path) -> Path:
    """Zip each function and layer of a build into a new folder.

    Returns
    -------
    Path
        The build's template beside them, which names the zips.
    """
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    text = (build / "template.yaml").read_text()
    for _key, name in set(_CODE.findall(text)):
        pack(build / name, packages / f"{name}.zip")
    template = packages / "template.yaml"
    template.write_text(_CODE.sub(r"\1\2.zip", text))
    return template
