"""Bad input ends in exit code 2 and one line that says what to do; nothing is left behind."""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from latentspeech.audio.io import load_audio, write_audio
from tests.cli_runner import latentspeech
from tests.tiny_models import make_model_directory, voice_like

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def latentspeech_process(
    *arguments: object, stdin: bytes = b"", file_limit_bytes: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    def limit() -> None:
        if file_limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit_bytes, file_limit_bytes))

    return subprocess.run(
        [sys.executable, "-m", "latentspeech.cli.main", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=120,
        env=ENVIRONMENT,
        preexec_fn=limit,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_directory(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "ref.wav"
    write_audio(path, voice_like(1.5), 24_000)
    return path


def assert_refused(result: subprocess.CompletedProcess[bytes], *fragments: str) -> None:
    message = result.stderr.decode()
    assert result.returncode == 2, message
    assert "Traceback" not in message
    lines = [line for line in message.splitlines() if line.strip()]
    assert len(lines) == 1, message
    for fragment in fragments:
        assert fragment in message, message


def bad_recordings(folder: Path) -> dict[str, tuple[Path, str]]:
    files = {name: folder / f"{name}.wav" for name in ("empty", "text", "silence", "short")}
    files["empty"].write_bytes(b"")
    files["text"].write_text("this is no recording\n" * 50)
    write_audio(files["silence"], torch.zeros(48_000), 24_000)
    write_audio(files["short"], voice_like(0.1), 24_000)
    truncated = folder / "truncated.flac"
    write_audio(truncated, voice_like(3.0), 24_000)
    truncated.write_bytes(truncated.read_bytes()[:9_000])
    import soundfile

    nan = folder / "nan.wav"
    samples = voice_like(1.0).numpy()
    samples[100] = float("nan")
    soundfile.write(nan, samples, 24_000, subtype="FLOAT")
    return {
        "missing": (folder / "none.wav", "none.wav"),
        "folder": (folder, "folder"),
        "empty": (files["empty"], "empty"),
        "not audio": (files["text"], "text.wav"),
        "silence": (files["silence"], "silen"),
        "too short": (files["short"], "0.10 s"),
        "truncated": (truncated, "truncated"),
        "NaN": (nan, "NaN"),
    }


CASES = ["missing", "folder", "empty", "not audio", "silence", "too short", "truncated", "NaN"]


@pytest.mark.parametrize("case", CASES)
def test_bad_prompts(case: str, model: Path, tmp_path: Path) -> None:
    prompt, fragment = bad_recordings(tmp_path)[case]
    out = tmp_path / "out.wav"
    result = latentspeech(
        "synth", "--model", model, "--prompt", prompt, "--text", "Hello.", "--out", out
    )
    assert_refused(result, fragment)
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--text", ""], "nothing to speak"),
        (["--text", "?!"], "nothing to speak"),
        (["--text-file", "missing.txt"], "text file not found"),
        (["--text", "Hello.", "--num-steps", "0"], "num_steps"),
        (["--text", "Hello.", "--retries", "-1"], "retries"),
        (["--text", "Hello.", "--cfg-scale", "-1"], "cfg_scale is -1; expected 0.5 to 8"),
        (["--text", "Hello.", "--cfg-scale", "inf"], "cfg_scale is inf; expected 0.5 to 8"),
        (["--text", "Hello.", "--cfg-scale", "nan"], "cfg_scale is nan; expected 0.5 to 8"),
        (["--text", "Hello.", "--device", "cuda:99"], "use --device cpu"),
        (["--text", "Hello.", "--device", "gpu"], "expected auto"),
        (
            ["--text", "Hello \u043c\u0438\u0440.", "--strict"],
            "1 word in a script other than Latin",
        ),
        ([], "either --text"),
        (["--text", "Hello.", "--stream"], "--stream writes to stdout, so --out cannot"),
    ],
)
def test_bad_options(options: list[str], fragment: str, model: Path, recording: Path) -> None:
    out = recording.parent / "out.wav"
    result = latentspeech("synth", "--model", model, "--prompt", recording, "--out", out, *options)
    assert_refused(result, fragment)
    assert not out.exists()


def test_output_folder_that_does_not_exist(model: Path, recording: Path) -> None:
    out = recording.parent / "no" / "such" / "out.wav"
    result = latentspeech(
        "synth", "--model", model, "--prompt", recording, "--text", "Hello.", "--out", out
    )
    assert_refused(result, "does not exist")


@pytest.mark.parametrize(("name", "fragment"), [("out.txt", "unknown suffix"), ("", "a folder")])
def test_a_wrong_output_is_found_before_anything_is_read(
    name: str, fragment: str, recording: Path
) -> None:
    """Speaking a long text takes minutes, so the error must not come after it."""
    out = recording.parent / f"folder.wav/{name}"
    out.parent.mkdir(exist_ok=True) if name else out.mkdir()
    options = ["--model", "missing", "--prompt", "missing.wav", "--text", "Hello.", "--out", out]
    assert_refused(latentspeech("synth", *options), fragment)


def test_full_disk_leaves_no_partial_file(model: Path, recording: Path) -> None:
    """A file size limit fails the write half-way, as a full disk does."""
    for command in (
        ["codec", "reconstruct", recording, recording.parent / "out.wav"],
        ["codec", "encode", recording, recording.parent / "out.safetensors"],
    ):
        result = latentspeech_process(*command, "--model", model, file_limit_bytes=256)
        assert_refused(result)
    assert sorted(path.name for path in recording.parent.iterdir()) == ["ref.wav"]


def test_dev_full(model: Path, recording: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = ["codec", "stream", "roundtrip", "--model", str(model)]
        result = subprocess.run(
            [sys.executable, "-m", "latentspeech.cli.main", *command],
            input=bytes(2 * 24_000),
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )
    assert_refused(result, "no space left")


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--prompt", "missing.wav", "--text", "Hello."], "missing.wav not found"),
        (["--prompt", "v.SAFETENSORS", "--text", "Hello."], "give it as --voice v.SAFETENSORS"),
        (["--voice", "nobody", "--text", "Hello."], "voice not found: nobody"),
        (["--voice", "heart", "--text", "..."], "nothing to speak"),
    ],
)
def test_the_voice_and_the_text_are_checked_before_the_model_is_loaded(
    options: list[str], fragment: str, tmp_path: Path
) -> None:
    model = make_model_directory(tmp_path)
    (model / "model.safetensors").unlink()
    result = latentspeech("synth", "--model", model, "--out", tmp_path / "out.wav", *options)
    assert_refused(result, fragment)


@pytest.mark.parametrize(
    "damage", ["missing", "truncated weights", "not yaml", "wrong kind", "no sampling"]
)
def test_damaged_model_directories(damage: str, recording: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    model = make_model_directory(home)
    if damage == "missing":
        model = tmp_path / "nowhere"
    elif damage == "truncated weights":
        weights = model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "not yaml":
        (model / "config.yaml").write_text("kind: [tts\n")
    elif damage == "no sampling":
        description = yaml.safe_load((model / "config.yaml").read_text())
        del description["config"]["sampling"]
        (model / "config.yaml").write_text(yaml.safe_dump(description))
    else:
        model = model / "codec"
    out = tmp_path / "out.wav"
    result = latentspeech(
        "synth", "--model", model, "--prompt", recording, "--text", "Hello.", "--out", out
    )
    fragment = "does not say how the model is sampled" if damage == "no sampling" else ""
    assert_refused(result, fragment)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("exp_dir: x\ntrain: {max_step: 3}\n", "did you mean 'max_steps'"),
        ("exp_dir: [\n", "not valid YAML"),
        ("exp_dir: x\ndata: {}\ntrain: {max_steps: 0}\n", "max_steps"),
    ],
)
def test_bad_run_configs(text: str, fragment: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    assert_refused(latentspeech("train", "codec", "--config", path), fragment)
    assert_refused(latentspeech("train", "codec", "--config", tmp_path / "none.yaml"), "not found")


def test_any_recording_works_as_a_prompt(model: Path, tmp_path: Path) -> None:
    """Stereo, odd rates and clipping are no errors."""
    import soundfile

    loud = 3 * voice_like(1.5, 11_025)
    prompt = tmp_path / "odd.flac"
    soundfile.write(prompt, torch.stack((loud, -0.5 * loud), 1).clamp(-1, 1).numpy(), 11_025)
    out = tmp_path / "out.wav"
    result = latentspeech(
        "synth",
        "--model",
        model,
        "--prompt",
        prompt,
        "--text",
        "Hello you.",
        "--out",
        out,
        "--json",
    )
    assert result.returncode == 0, result.stderr
    assert len(load_audio(out)) > 1000


@pytest.mark.slow
def test_text_from_stdin_and_wav_on_stdout(model: Path, recording: Path) -> None:
    import soundfile

    arguments = ["synth", "--model", model, "--prompt", recording, "--text", "-", "--stream"]
    result = latentspeech_process(*arguments, "--seed", 4, stdin=b"Hello from a pipe.")
    assert result.returncode == 0, result.stderr
    header, pcm = result.stdout[:44], result.stdout[44:]
    assert header[:4] == b"RIFF"
    samples, rate = soundfile.read(
        io.BytesIO(pcm), channels=1, samplerate=24_000, format="RAW", subtype="PCM_16"
    )
    out = recording.parent / "out.wav"
    arguments[-1:] = ["--out", out, "--retries", "0"]
    again = latentspeech_process(*arguments, "--seed", 4, stdin=b"Hello from a pipe.")
    assert again.returncode == 0, again.stderr
    offline = load_audio(out)
    assert rate == 24_000
    assert len(offline) == len(samples)
    assert (offline - torch.tensor(samples)).abs().max() < 1e-3


@pytest.mark.slow
def test_codec_files_and_pipes_agree(model: Path, recording: Path) -> None:
    folder = recording.parent
    for command in (
        ["encode", recording, folder / "z.safetensors"],
        ["decode", folder / "z.safetensors", folder / "decoded.wav"],
        ["reconstruct", recording, folder / "copy.wav"],
    ):
        result = latentspeech("codec", *command, "--model", model)
        assert result.returncode == 0, result.stderr
    audio = load_audio(recording)
    decoded, copy = load_audio(folder / "decoded.wav"), load_audio(folder / "copy.wav")
    assert len(decoded) == len(copy) == len(audio)
    assert torch.equal(decoded, copy)

    pcm = audio.numpy().astype("<f4").tobytes()
    stream = ["codec", "stream"]
    options = ["--model", model, "--format", "float32"]
    latents = latentspeech_process(*stream, "encode", *options, stdin=pcm)
    back = latentspeech_process(*stream, "decode", *options, stdin=latents.stdout)
    round_trip = latentspeech_process(*stream, "roundtrip", *options, stdin=pcm)
    assert back.stdout == round_trip.stdout
    samples = torch.frombuffer(bytearray(back.stdout), dtype=torch.float32)[: len(audio)]
    assert (samples.clamp(-1, 1) - copy).abs().max() < 1e-3
    assert_refused(
        latentspeech_process(*stream, "decode", *options, stdin=latents.stdout[:-3]), "frame"
    )


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, latentspeech, latentspeech.cli.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT).returncode == 0
