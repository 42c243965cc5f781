"""What `--help` prints is what its texts say: rich takes a bracketed word for a style."""

from __future__ import annotations

import re

import pytest
from mqbg.commands.app import app
from typer.main import get_command
from typer.testing import CliRunner


def bracketed(command):
    """The words in brackets of a command's texts, as they are to be printed."""
    texts = [command.help, *(getattr(parameter, "help", None) for parameter in command.params)]
    return [word for text in texts for word in re.findall(r"\[[\w.]+\]", text or "")]


@pytest.mark.parametrize("name", sorted(get_command(app).commands))
def test_help_prints_every_word_in_brackets(name):
    printed = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"}).output
    assert name in printed
    expected = bracketed(get_command(app).commands[name])
    assert [word for word in expected if word not in printed] == []
    assert "\\[" not in printed  # nor what keeps it
