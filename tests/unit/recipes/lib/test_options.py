from pathlib import Path

import pytest

from tests.unit.recipes.shell import ROOT, run_bash

DECLARE = """
source recipes/lib/options.sh
add_option stage 0 "first stage"
add_option exp_dir "" "folder"
add_flag debug "toy size"
show_help() { echo usage; show_options; }
parse_options "$@"
"""
SHOW = 'echo "$stage|$exp_dir|$debug"'


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "0||false"),
        (["--stage", "3", "--exp_dir", "a b"], "3|a b|false"),
        (["--stage=3", "--exp-dir=x=y", "--debug"], "3|x=y|true"),
        (["--debug", "false", "--stage", "1"], "1||false"),
        (["--debug=true", "--exp-dir", ""], "0||true"),
        (["--stage", "1", "--stage", "2"], "2||false"),
    ],
)
def test_values_reach_variables(arguments: list[str], expected: str) -> None:
    assert run_bash(DECLARE + SHOW, *arguments).stdout.strip() == expected


def test_variables_are_exported_to_stages() -> None:
    result = run_bash(DECLARE + "bash -c 'echo $stage-$debug'", "--stage", "4", "--debug")
    assert result.stdout.strip() == "4-true"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stge", "3"], "unknown option '--stge'; did you mean --stage?"),
        (["--exp-dri=x"], "did you mean --exp_dir?"),
        (["--zzzzzz"], "--help lists them all"),
        (["stage"], "unexpected argument 'stage'"),
        (["--stage"], "option --stage needs a value"),
        (["--debug=maybe"], "expected true or false"),
    ],
)
def test_mistakes_are_named_in_one_line(arguments: list[str], message: str) -> None:
    result = run_bash(DECLARE, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_default_does_not_override_what_was_given() -> None:
    script = DECLARE + "default_option stage 7; default_option exp_dir there; " + SHOW
    assert run_bash(script, "--stage", "1").stdout.strip() == "1|there|false"


@pytest.mark.parametrize("value", ["-1", "1.5", "two", "08"])
def test_numbers_are_checked(value: str) -> None:
    result = run_bash(DECLARE + "check_number stage", f"--stage={value}")
    assert result.returncode == 2
    assert value in result.stderr


def test_paths_are_made_absolute_and_configurations_must_exist(tmp_path: Path) -> None:
    script = """
source recipes/lib/options.sh
add_path exp_dir "" folder
add_path model_config "" YAML
parse_options "$@"
settle_paths
echo "$exp_dir|$model_config"
"""
    assert run_bash(script).stdout.strip() == "|"
    assert run_bash(script, "--exp_dir", "x/../y").stdout.strip() == f"{ROOT}/y|"
    missing = run_bash(script, "--model_config", f"{tmp_path}/no.yaml")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert f"--model_config: no file {tmp_path}/no.yaml" in missing.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_every_option_and_its_default(option: str) -> None:
    result = run_bash(DECLARE, option)
    assert result.returncode == 0
    for word in ("usage", "--stage", "first stage [0]", "--debug", "--help"):
        assert word in result.stdout
