"""The wheel: it holds what the folder holds, and works where nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
UV = shutil.which("uv") or str(REPOSITORY / ".venv" / "bin" / "uv")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(UV).exists(), reason="uv is not installed; `make setup` brings it"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that nothing is left in this folder."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", out], cwd=copy, check=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = REPOSITORY / "src"
    there = {
        f"mqbg/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there


@contextmanager
def _webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on loopback that takes every message: its URL and what came."""
    messages: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messages.append(json.loads(body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", messages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _installed(wheel: Path, folder: Path) -> Path:
    """An environment with the wheel and the locked versions of what it needs, and nothing else."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    locked = folder / "requirements.txt"
    export = [UV, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes"]
    subprocess.run([*export, "--output-file", locked], cwd=REPOSITORY, check=True)
    install = [UV, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "-r", locked, wheel], check=True)
    return python.with_name("mqbg")


def test_the_demo_and_an_alert_work_from_the_wheel_in_an_empty_environment(wheel, tmp_path):
    command = _installed(wheel, tmp_path / "environment")
    work = tmp_path / "work"
    work.mkdir()

    def mqbg(*arguments: str, environment: Mapping[str, str] | None = None) -> None:
        done = subprocess.run(
            [command, *arguments],
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": str(work), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    mqbg("demo", "--groups", "200")
    assert (work / "demo" / "report" / "index.html").is_file()
    (work / "mqbg.toml").write_text('[alerts]\nchannels = ["slack"]\n', encoding="utf-8")
    tracking = f"sqlite:///{work / 'demo' / 'mlruns' / 'mlflow.db'}"
    with _webhook() as (url, messages):
        mqbg(
            *("run", "demo/data", "--as-of", "2025-09-01", "--out", "scores"),
            environment={"MQBG_SLACK_URL": url, "MLFLOW_TRACKING_URI": tracking},
        )
    assert messages
    assert all(message["blocks"] for message in messages)
