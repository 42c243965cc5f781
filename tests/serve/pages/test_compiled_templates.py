"""Templates that are compiled once for all runs."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment
from mqbg.serve.pages.compiled_templates import CompiledTemplates
from mqbg.support.disk_cache import CACHE_VARIABLE


class Strict(Environment):
    """Compiles nothing."""

    def _compile(self, _source, filename):
        raise AssertionError(f"compiled {filename}")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


def rendered(kind, text):
    templates = DictLoader({"page.html": text})
    environment = kind(loader=templates, bytecode_cache=CompiledTemplates())
    return environment.get_template("page.html").render(name="Mai")


def test_a_second_run_compiles_no_template_and_says_the_same():
    assert rendered(Environment, "{{ name }}!") == rendered(Strict, "{{ name }}!") == "Mai!"


def test_a_template_that_changed_is_compiled_again():
    rendered(Environment, "{{ name }}!")
    with pytest.raises(AssertionError, match="compiled"):
        rendered(Strict, "{{ name }}?")


def test_without_a_folder_templates_are_compiled_each_time(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert rendered(Environment, "{{ name }}!") == "Mai!"
    with pytest.raises(AssertionError, match="compiled"):
        rendered(Strict, "{{ name }}!")
