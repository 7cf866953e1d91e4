"""Size of what is deployed: each function's package and the layer, as `make build` made them."""

import sys
import zipfile
from io import BytesIO
from pathlib import Path

_BUILD = Path(__file__).parents[1] / ".aws-sam" / "build"


def measure() -> str:
    """Return the table: bytes as files and as a zip."""
    if not _BUILD.is_dir():
        sys.exit("There is no build: run `make build` first.")
    rows = ["| package | files | KB unpacked | KB zipped |", "| --- | ---: | ---: | ---: |"]
    for folder in sorted(path for path in _BUILD.iterdir() if path.is_dir()):
        files = [path for path in folder.rglob("*") if path.is_file()]
        unpacked = sum(path.stat().st_size for path in files)
        rows.append(
            f"| {folder.name} | {len(files)} | {unpacked / 1024:.1f} | {_zipped(folder, files):.1f} |"
        )
    return "\n".join(rows)


def _zipped(folder: Path, files: list[Path]) -> float:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    return len(buffer.getvalue()) / 1024
