"""Sizes of the functions' packages and the layers, as `make build` packed them."""

import sys
import zipfile
from pathlib import Path

_PACKAGES = Path(__file__).parents[1] / ".aws-sam" / "packages"


def measure() -> str:
    """Return the table of unpacked and zipped sizes."""
    if not _PACKAGES.is_dir():
        sys.exit("There is no build: run `make build` first.")
    rows = ["| package | files | KB unpacked | KB zipped |", "| --- | ---: | ---: | ---: |"]
    for archive in sorted(_PACKAGES.glob("*.zip")):
        with zipfile.ZipFile(archive) as packed:
            sizes = [entry.file_size for entry in packed.infolist()]
        zipped = archive.stat().st_size
        rows.append(f"| {archive.stem} | {len(sizes)} | {sum(sizes) / 1024:.1f} | {zipped / 1024:.1f} |")
    return "\n".join(rows)
