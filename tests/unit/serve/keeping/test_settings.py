"""Settings files that are wrong: exact key and reason on one line."""

from __future__ import annotations

import random
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diascope import cli
from diascope.core.errors import BadUsage
from diascope.serve.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "deploy" / "settings.toml"

WRONG: dict[str, list[str]] = {
    "host": ['""', "127", "[]"],
    "port": ["-1", "65536", '"8080"', "80.5", "true", "nan", "2026-01-01"],
    "dicom_host": ['""', "{}"],
    "dicom_port": ["-1", "65536", '"11112"'],
    "ae_title": ['""', '"SEVENTEEN_LETTERS"', "5"],
    "database": ["5", "true"],
    "identities": ["5", '["a"]'],
    "archive": ["5", "false"],
    "keys": ["5", '["a"]'],
    "encrypt": ['"yes"', "1", "2026-01-01"],
    "certificate": ["5", "true"],
    "certificate_key": ["5"],
    "dicom_tls": ['"no"', "0"],
    "dicom_without_tls": ['"no"', "0"],
    "client_ca": ["5"],
    "quiet_seconds": ["-1", "nan", "inf", '"5"'],
    "workers": ["-1", "65", "1.5", '"one"'],
    "warm_releases": ["0", "1.5"],
    "threads_for_training": ["0", '"two"'],
    "largest_object_mb": ["0", "-5", "inf"],
    "quota_gb": ["-1", "nan", '"100"', "inf"],
    "keep_free_gb": ["-0.1", "nan", '"1"'],
    "retention_days": ["0", "-1", "0.5", '"30"', "nan"],
    "send_to": ['"pacs"', "[5]", "{}"],
    "session_minutes": ["0", "-1", "0.5"],
    "session_hours": ["0", '"12"'],
    "lookups_per_minute": ["0", "-1"],
    "rules": ["5", "true"],
}
"""Values that a setting can't have."""


def mutated(count: int) -> Iterator[tuple[str, str]]:
    """Text of a wrong file, and what must be named."""
    rng, known = random.Random(4), list(Settings.model_fields)
    plain = EXAMPLE.read_text(encoding="utf-8")
    for number in range(count):
        key = rng.choice(known)
        kind = ("value", "typo", "broken", "twice", "section")[number % 5]
        if kind == "value":
            key = rng.choice(sorted(WRONG))
            yield f"{plain}\n{key} = {rng.choice(WRONG[key])}\n", key
        elif kind == "typo":
            place = rng.randrange(len(key))
            wrong = key[:place] + rng.choice(string.ascii_lowercase) + key[place + rng.randrange(2) :]
            if wrong not in known:
                yield f"{plain}\n{wrong} = 1\n", wrong
        elif kind == "broken":
            lines = rng.randrange(4)
            rest = rng.choice(["=", "= ", '= "', "= [1", "", "= nothing"])
            end = "at end of document" if "[" in rest else f"line {lines + 1}"
            yield "\n" * lines + f"{key} {rest}\n", end
        elif kind == "twice":
            yield f"{plain}\n{key} = 1\n{key} = 1\n", "overwrite"
        else:
            yield f"{plain}\n[{key}s]\n{key} = 1\n", f"{key}s"


@pytest.mark.slow
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """G6: 200 mutated settings files: exact key and reason on one line, exit code not 0."""
    (tmp_path / "service").mkdir()
    tried = 0
    for text, named in mutated(230):
        (tmp_path / "service" / "settings.toml").write_text(text, encoding="utf-8")
        code = cli.run(["serve", "--workspace", str(tmp_path)])
        said = capsys.readouterr()
        assert code == 2, (text[-80:], said)
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        assert named in said.err, (text[-80:], said.err)
        tried += 1
    assert tried >= 200
    assert not list((tmp_path / "service").glob("*.sqlite"))


def test_every_wrong_value_is_refused(tmp_path: Path) -> None:
    """G6: each key with each value that it can't have."""
    for key, values in WRONG.items():
        for value in values:
            (tmp_path / "settings.toml").write_text(f"{key} = {value}\n")
            with pytest.raises(BadUsage) as caught:
                read_settings(tmp_path, {})
            assert str(caught.value).startswith(f"the setting {key}"), (key, value)


def test_a_password_in_a_wrong_setting_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('database = ["postgresql://li:sesame@db/d"]\n')
    with pytest.raises(BadUsage) as caught:
        read_settings(tmp_path, {})
    assert "sesame" not in str(caught.value)


def test_the_command_line_is_above_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('port = 1\nkeys = "/k"\nsend_to = ["a", "b:1"]\nquiet_seconds = 2\n')
    found = read_settings(tmp_path, {"port": 2, "certificate": Path("c.pem"), "host": None})
    assert (found.port, found.keys, found.send_to, found.quiet_seconds) == (2, Path("/k"), ("a", "b:1"), 2.0)
    assert found.certificate == Path("c.pem")


def test_the_example_has_every_setting_as_it_is(tmp_path: Path) -> None:
    """It is installed with the service: a setting that is missing from it would not be found."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    shown: dict[str, Any] = {}
    for line in lines:
        if line.startswith("#") and " = " in line and line[1:2].islower():
            shown |= tomllib.loads(line[1:])
    assert list(shown) == list(Settings.model_fields), "run: make docs"
    assert not [line for line in lines if line and not line.startswith("#")], "an example changes nothing"
    (tmp_path / "settings.toml").write_text(
        "\n".join(line[1:] for line in lines if line[1:2].islower() and " = " in line)
    )
    assert set(read_settings(tmp_path, {}).model_fields_set) == set(Settings.model_fields)
