import json

from latentspeech.core.data.latent_format import item_line, parse_item, read_meta
from latentspeech.data.speech_latents import frame_rate_of, speech_item, symbol_ends_of


def test_an_utterance_keeps_its_times_through_a_list():
    item = speech_item("u0", "anna", "Hi.", 3, 0.2, (0.1, 0.2))
    found = parse_item(item_line(item))
    assert found == item
    assert symbol_ends_of(found) == [0.1, 0.2]


def test_a_line_of_version_1_gives_the_same_utterance():
    line = {"id": "u0", "speaker": "anna", "text": "Hi.", "num_latents": 3, "duration_s": 0.2}
    assert symbol_ends_of(parse_item(json.dumps(line))) == ()
    line["symbol_ends_s"] = [0.1, 0.2]
    assert parse_item(json.dumps(line)) == speech_item("u0", "anna", "Hi.", 3, 0.2, (0.1, 0.2))


def test_the_rates_of_version_1_are_the_modalitys(tmp_path):
    values = {"schema_version": 1, "codec_hash": "c", "cuts_hash": "d", "latent_dim": 4}
    values |= {"sample_rate": 24000, "hop_length": 1600, "posterior_kind": "per_example"}
    values |= {"sigma_std": 0.625, "dtype": "float16", "shard_size": 3, "num_cuts": 6}
    values |= {"remake_command": "make latents", "frame_rate": 15.0}
    (tmp_path / "meta.json").write_text(json.dumps(values))
    assert frame_rate_of(read_meta(tmp_path)) == 15.0
