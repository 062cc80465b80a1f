import hashlib
import json
from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.eval.scoring.lists import ListInfo, ListRow, info_path, read_list, write_list

ROWS = [
    ListRow(
        id="b",
        hypothesis_path="hyp/b.wav",
        reference_path="ref/b.flac",
        prompt_path="ref/a.flac",
        transcript='She said: "no"\u2028and\tleft.',
        prompt_text="Yes.",
        speaker="anna",
        sex="female",
        prefix_s=3.0,
        duration_s=4.25,
        compute_s=0.5,
    ),
    ListRow(id="a", hypothesis_path="hyp/a.wav", duration_s=2.0),
]
INFO = ListInfo("some protocol", "its rule", left_out=("c",), hardware="one machine")


def test_a_written_list_is_read_back_and_says_what_it_is(tmp_path):
    path = tmp_path / "list.jsonl"
    sha256 = write_list(path, ROWS, INFO)
    found = read_list(path)
    assert (found.rows, found.info, found.sha256) == (ROWS, INFO, sha256)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    stated = json.loads(info_path(path).read_text())
    assert (stated["num_utterances"], stated["num_speakers"], stated["total_s"]) == (2, 1, 6.25)
    assert found.describe() == {
        "file": "list.jsonl",
        "sha256": sha256,
        "protocol": "some protocol",
        "rule": "its rule",
        "hardware": "one machine",
        "left_out": 1,
    }
    before = path.read_bytes(), info_path(path).read_bytes()
    write_list(path, ROWS, INFO)
    assert (path.read_bytes(), info_path(path).read_bytes()) == before


def test_paths_start_at_the_lists_folder_at_its_root_or_where_one_says(tmp_path):
    path = tmp_path / "list.jsonl"
    write_list(path, ROWS, INFO)
    pair = read_list(path).pairs()[0]
    assert pair.hypothesis_path == tmp_path / "hyp/b.wav"
    assert (pair.prefix_s, pair.compute_s, pair.sex) == (3.0, 0.5, "female")
    write_list(path, ROWS, ListInfo("p", "r", root="/data/corpus"))
    assert read_list(path).pairs()[0].reference_path == Path("/data/corpus/ref/b.flac")
    assert read_list(path, Path("/moved")).pairs()[0].prompt_path == Path("/moved/ref/a.flac")


def test_a_folder_of_hypotheses_goes_by_id_whatever_the_format(tmp_path):
    path = tmp_path / "list.jsonl"
    write_list(path, [ListRow(id="s/a"), ListRow(id="b")], INFO)
    with pytest.raises(ConfigError, match=r"s/a has no hypothesis_path.*--hyp"):
        read_list(path).pairs()
    made = tmp_path / "made"
    (made / "s").mkdir(parents=True)
    (made / "s/a.flac").touch()
    pairs = read_list(path).pairs(made)
    # One that is not there keeps the name that a failure can be reported by.
    assert [pair.hypothesis_path for pair in pairs] == [made / "s/a.flac", made / "b.wav"]


def test_a_table_has_the_same_columns(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text(
        "id\thypothesis_path\ttranscript\tprefix_s\r\n"
        'a\tx/a.wav\tHe said "so.\t3\r\n'
        "\r\n"
        "b\tx/b.wav\t\t\r\n"
    )
    rows = read_list(path).rows
    assert rows == [
        ListRow("a", "x/a.wav", transcript='He said "so.', prefix_s=3.0),
        ListRow("b", "x/b.wav"),
    ]
    assert read_list(path).info is None


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("l.jsonl", '{"id": "a", "refernce_path": "x"}', "did you mean reference_path"),
        ("l.jsonl", '{"id": "a"}\n{"id": "a"}', "id 'a' occurs twice"),
        ("l.jsonl", '{"hypothesis_path": "a"}', "line 1 has no id"),
        ("l.jsonl", '\n{"id": "a", "prefix_s": "soon"}', "line 2: prefix_s is 'soon'"),
        ("l.jsonl", '{"id": "a", "compute_s": -1}', "compute_s is -1"),
        ("l.jsonl", '{"id": "a", "speaker": 7}', "speaker is 7; expected a string"),
        ("l.jsonl", "[1]", "no JSON object"),
        ("l.jsonl", "{", "not valid JSON"),
        ("l.jsonl", "\n\n", "no lines"),
        ("l.tsv", "id\tspeaker\na\n", "line 2 has 1 columns, the first line 2"),
        ("l.tsv", "id\tcolour\na\tred\n", "unknown key 'colour'"),
    ],
)
def test_bad_lists_are_explained(tmp_path, name, content, found):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=found):
        read_list(tmp_path / name)


def test_a_list_that_was_changed_is_noticed(tmp_path):
    path = tmp_path / "list.jsonl"
    write_list(path, ROWS, INFO)
    path.write_text(path.read_text().replace("anna", "bert"))
    with pytest.raises(DataError, match="changed after it was made"):
        read_list(path)
    info_path(path).write_text("{")
    with pytest.raises(DataError, match="damaged"):
        read_list(path)
    info_path(path).unlink()
    assert read_list(path).rows[0].speaker == "bert"
    with pytest.raises(DataError, match="not found"):
        read_list(tmp_path / "none.jsonl")


def test_lists_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(DataError, match="nothing to list"):
        write_list(tmp_path / "l.jsonl", [], INFO)
    with pytest.raises(ConfigError, match=r"written as \.jsonl"):
        write_list(tmp_path / "l.tsv", ROWS, INFO)
    with pytest.raises(DataError, match="occurs twice"):
        write_list(tmp_path / "l.jsonl", [ROWS[0], ROWS[0]], INFO)
    assert not list(tmp_path.iterdir())
