"""Settings from qadataswap.yaml and from the environment: what they change, and what goes before them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import qadataswap
from qadataswap import SharedDataFrame

CLIENTS = """\
# qadataswap.yaml
memory:
  size_mb: 16
  num_buffers: 5

sync:
  timeout_ms: 20
  retry_count: 3

compression:
  enabled: true
  algorithm: "lz4"
"""

ZEROS = pl.DataFrame({"a": [0] * 100_000})


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to be in, and an environment that says nothing."""
    for variable in [name for name in os.environ if name.startswith("QADATASWAP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frames_kept(writer: SharedDataFrame, name: str) -> int:
    """How many frames the ring remembers."""
    for each in range(20):
        writer.write(pl.DataFrame({"a": [each]}))
    with qadataswap.create_reader(name) as reader:
        kept = 0
        while reader.try_read() is not None:
            kept += 1
        return kept


def test_the_file_in_the_current_folder_counts(there: Path, ring: str) -> None:
    (there / "qadataswap.yaml").write_text(CLIENTS)
    with qadataswap.create_writer(ring) as writer:
        assert frames_kept(writer, ring) == 5
        before = writer.get_stats()["bytes_written"]
        writer.write(ZEROS)
        assert writer.get_stats()["bytes_written"] - before < 100_000, "compressed"


def test_code_goes_before_environment_before_file(there: Path, ring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (there / "qadataswap.yaml").write_text(CLIENTS)
    monkeypatch.setenv("QADATASWAP_MEMORY_NUM_BUFFERS", "7")
    with qadataswap.create_writer(ring) as writer:
        assert frames_kept(writer, ring) == 7
    with qadataswap.create_writer(ring + "-4", 4, compression="none") as writer:
        assert frames_kept(writer, ring + "-4") == 4
        before = writer.get_stats()["bytes_written"]
        writer.write(ZEROS)
        assert writer.get_stats()["bytes_written"] - before > 800_000, "not compressed"


def test_a_variable_or_the_call_names_another_file(there: Path, ring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (there / "qadataswap.yaml").write_text(CLIENTS)
    other = there / "other.yaml"
    other.write_text("memory: {num_buffers: 9}")
    with qadataswap.create_writer(ring, config_file=other) as writer:
        assert frames_kept(writer, ring) == 9
    monkeypatch.setenv("QADATASWAP_CONFIG", str(other))
    with qadataswap.create_writer(ring + "-9") as writer:
        assert frames_kept(writer, ring + "-9") == 9
    monkeypatch.setenv("QADATASWAP_CONFIG", "")
    with qadataswap.create_writer(ring + "-3") as writer:
        assert frames_kept(writer, ring + "-3") == 3
    monkeypatch.setenv("QADATASWAP_CONFIG", str(there / "missing.yaml"))
    with pytest.raises(qadataswap.InvalidConfigError, match="missing.yaml: cannot be read"):
        qadataswap.create_writer(ring)


def test_a_full_ring_is_waited_for_as_often_as_configured(
    there: Path, ring: str, caplog: pytest.LogCaptureFixture
) -> None:
    (there / "qadataswap.yaml").write_text(CLIENTS)
    caplog.set_level("WARNING", logger="qadataswap")
    with qadataswap.create_writer(ring) as writer, qadataswap.create_reader(ring):
        with pytest.raises(qadataswap.WriteTimeoutError):
            for _ in range(6):
                writer.write(pl.DataFrame({"a": [1]}))
        assert writer.get_stats()["wait_timeouts"] == 1
    assert sum("still full" in record.getMessage() for record in caplog.records) == 3


def test_what_is_not_understood_is_an_error_with_its_line(there: Path, ring: str) -> None:
    (there / "qadataswap.yaml").write_text("memory:\n  size_mb: 1\n  num_bufers: 3\n")
    expected = r"qadataswap.yaml:3: unknown key 'memory.num_bufers'; did you mean 'memory.num_buffers'\?"
    with pytest.raises(qadataswap.InvalidConfigError, match=expected):
        qadataswap.create_writer(ring)
    with pytest.raises(ValueError, match=expected):
        qadataswap.create_reader(ring)
    with pytest.raises(qadataswap.InvalidConfigError, match=expected):
        qadataswap.load_config()


def test_load_config_tells_values_and_where_they_stand(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert qadataswap.load_config() == {}
    (there / "qadataswap.yaml").write_text(CLIENTS)
    monkeypatch.setenv("QADATASWAP_SYNC_TIMEOUT_MS", "0.5")
    assert qadataswap.load_config() == {
        "memory.size_mb": (16, "qadataswap.yaml:3"),
        "memory.num_buffers": (5, "qadataswap.yaml:4"),
        "sync.timeout_ms": (0.5, "environment variable QADATASWAP_SYNC_TIMEOUT_MS"),
        "sync.retry_count": (3, "qadataswap.yaml:8"),
        "compression.enabled": (True, "qadataswap.yaml:11"),
        "compression.algorithm": ("lz4", "qadataswap.yaml:12"),
    }
    (there / "b.yaml").write_text("sync: {when_full: fail}")
    assert qadataswap.load_config("b.yaml")["sync.when_full"] == ("fail", "b.yaml:1")


def test_readers_find_the_rings_of_a_configured_folder(there: Path, ring: str) -> None:
    program = (
        "import polars as pl, qadataswap, os\n"
        f"writer = qadataswap.create_writer({ring!r}, size_mb=1)\n"
        "writer.write(pl.DataFrame({'a': [1]}))\n"
        f"print(qadataswap.create_reader({ring!r}).read()['a'][0], os.listdir({str(there)!r}))\n"
    )
    variables = {**os.environ, "QADATASWAP_MEMORY_DIRECTORY": str(there), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"1 ['qads_{ring}']"
