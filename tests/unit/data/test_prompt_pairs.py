from collections import Counter

from latentspeech.data.prompt_pairs import choose_prompt, prompt_candidates
from latentspeech.data.speech_latents import speech_item


def items(*speakers_and_lengths):
    return [
        speech_item(f"utt-{number}", speaker, "words", length, length / 10)
        for number, (speaker, length) in enumerate(speakers_and_lengths)
    ]


def test_candidates_are_of_one_speaker_and_short_enough():
    corpus = items(("a", 5), ("b", 5), ("a", 11), ("a", 10))
    assert prompt_candidates(corpus, 10) == {"a": [0, 3], "b": [1]}


def test_never_the_target_and_every_other_equally_often():
    candidates = [2, 5, 7, 11]
    for target in (2, 7, 11, 6):
        chosen = Counter(choose_prompt(candidates, target, seed) for seed in range(2000))
        others = [index for index in candidates if index != target]
        assert sorted(chosen) == others
        assert all(abs(count - 2000 / len(others)) < 120 for count in chosen.values())


def test_the_choice_depends_on_seed_epoch_and_target():
    candidates = list(range(100))
    assert choose_prompt(candidates, 3, 0, 0) == choose_prompt(candidates, 3, 0, 0)
    for varied in (
        {choose_prompt(candidates, 3, 0, epoch) for epoch in range(20)},
        {choose_prompt(candidates, 3, seed, 0) for seed in range(20)},
        {choose_prompt(candidates, target, 0, 0) for target in range(20)},
    ):
        assert len(varied) > 10


def test_a_lone_utterance_has_no_prompt():
    assert choose_prompt([4], 4, 0) is None
    assert choose_prompt([], 4, 0) is None
    # A target too long to be a candidate itself still gets the only short one.
    assert choose_prompt([4], 9, 0) == 4
