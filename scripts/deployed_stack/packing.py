"""Pack a SAM build into zip files. The same sources give the same bytes on every machine.

The SAM CLI's own zips depend on the file system's order and permissions.
"""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

# The earliest time that a zip can store.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_REGULAR_FILE_READABLE_BY_ALL = 0o100644
_CODE = re.compile(r"^( +(?:CodeUri|ContentUri): )(\w+)$", re.MULTILINE)
_FUNCTION_CODE = re.compile(r"^( +)(CodeUri: \w+\.zip)$", re.MULTILINE)


def pack(folder: Path, archive: Path, *, level: int = 9) -> None:
    """Zip the files of a folder as Lambda needs them: paths relative to the folder, readable by all.

    Parameters
    ----------
    level
        The level of compression, from 1 (fast) to 9 (small).
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE_READABLE_BY_ALL << 16
            # The archive's compression settings do not apply to entries with a `ZipInfo`.
            packed.writestr(entry, (folder / name).read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=level)


def code_folders(build: Path) -> list[Path]:
    """Return the folders of a build's functions and layers."""
    names = {name for _key, name in _CODE.findall((build / "template.yaml").read_text())}
    return [build / name for name in sorted(names)]


def pack_build(build: Path, packages: Path, parameters: Mapping[str, str], *, level: int = 9) -> Path:
    """Zip each function and layer of a build into a new folder.

    Parameters
    ----------
    parameters
        The values of the stack's parameters.
    level
        The level of compression, from 1 (fast) to 9 (small).

    Returns
    -------
    Path
        The build's template, stored next to the zip files and changed to refer to them. Its deployment
        publishes new versions of the functions if packages, template or parameters have changed.
    """
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    text = _CODE.sub(r"\1\2.zip", (build / "template.yaml").read_text())
    digest = hashlib.sha256(repr((text, sorted(parameters.items()))).encode())
    for folder in code_folders(build):
        archive = packages / f"{folder.name}.zip"
        pack(folder, archive, level=level)
        digest.update(archive.read_bytes())
    # Without this literal, SAM would compare the functions' properties before it replaces parameters by their
    # values, so that a changed parameter alone would change unpublished versions only, which nothing calls.
    published = rf"\1\2\n\1AutoPublishCodeSha256: {digest.hexdigest()}"
    template = packages / "template.yaml"
    template.write_text(_FUNCTION_CODE.sub(published, text))
    return template
