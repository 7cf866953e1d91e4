"""The zip files of functions and layers."""

import os
import zipfile
import zlib
from pathlib import Path

import pytest
import yaml

from deployed_stack.packing import pack, pack_build


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


TEMPLATE = """\
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: Function
      Handler: module.handler
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: Layer
"""


class TestDigest:
    """SAM publishes a new version of a function when AutoPublishCodeSha256 changes."""

    @pytest.fixture
    def build(self, tmp_path: Path) -> Path:
        for name in ("Function", "Layer"):
            (tmp_path / "build" / name).mkdir(parents=True)
            (tmp_path / "build" / name / "module.py").write_text("pass\n")
        (tmp_path / "build/template.yaml").write_text(TEMPLATE)
        return tmp_path / "build"

    def digest(self, build: Path, **parameters: str) -> str:
        packed = pack_build(build, build.parent / "packages", parameters).read_text()
        resources = yaml.safe_load(packed)["Resources"]
        assert resources["Layer"]["Properties"] == {"ContentUri": "Layer.zip"}
        properties = resources["Function"]["Properties"]
        assert properties["CodeUri"] == "Function.zip"
        digest: str = properties["AutoPublishCodeSha256"]
        return digest

    def test_it_stays_the_same_without_a_change(self, build: Path) -> None:
        before = self.digest(build, Stage="dev", StartLabels="bug")
        os.utime(build / "Function/module.py", (0, 0))
        assert self.digest(build, StartLabels="bug", Stage="dev") == before

    @pytest.mark.parametrize("changed", ["Function/module.py", "Layer/module.py", "template.yaml"])
    def test_it_changes_with_code_layers_and_template(self, build: Path, changed: str) -> None:
        before = self.digest(build)
        (build / changed).write_text((build / changed).read_text() + "# changed\n")
        assert self.digest(build) != before

    def test_it_changes_with_a_parameter_alone(self, build: Path) -> None:
        assert self.digest(build, StartLabels="bug") != self.digest(build, StartLabels="bugs")
