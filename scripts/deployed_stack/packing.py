"""Pack a SAM build into zip files. The same sources give the same bytes on every machine.

The SAM CLI's own zips depend on the file system's order and permissions.
"""

import re
import shutil
import zipfile
from pathlib import Path

# The earliest time that a zip can store.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_REGULAR_FILE_READABLE_BY_ALL = 0o100644
_CODE = re.compile(r"^( +(?:CodeUri|ContentUri): )(\w+)$", re.MULTILINE)


def pack(folder: Path, archive: Path) -> None:
    """Zip the files of a folder as Lambda needs them: paths relative to the folder, readable by all."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_READABLE_BY_ALL << 16
            # The archive's compression settings do not apply to entries with a `ZipInfo`.
            packed.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def pack_build(build: Path, packages: Path) -> Path:
    """Zip each function and layer of a build into a new folder.

    Returns
    -------
    Path
        The build's template, stored next to the zip files and changed to refer to them.
    """
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    text = (build / "template.yaml").read_text()
    for _key, name in set(_CODE.findall(text)):
        pack(build / name, packages / f"{name}.zip")
    template = packages / "template.yaml"
    template.write_text(_CODE.sub(r"\1\2.zip", text))
    return template
