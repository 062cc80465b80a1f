"""Makes RESULTS.md from the JSON files of a benchmark run.

`bash benchmarks/run.sh` runs the benchmarks, writes benchmarks/results/*.json, then calls this.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Reads one result file."""
    values: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text("utf-8"))
    return values


def hardware_line(values: dict[str, Any]) -> str:
    """Returns a line that describes the machine."""
    hardware = values["hardware"]
    return (
        f"{hardware['cpu']}, {hardware['cores']} cores, {hardware['threads']} thread(s), "
        f"torch {hardware['torch']}, GPU: {hardware['gpu'] or 'none'}"
    )


def codec_table() -> list[str]:
    """Compares the default codec with the paper's size, Encodec and Mimi, and lists the goals."""
    values = load("codec_speed")
    peers = list(values["rows"][0]["over"])
    head = ["what (random weights)", "mode", "x real time", *(f"x {peer}" for peer in peers)]
    rows = [
        [row["what"], row["mode"], row["x_real_time"], *(row["over"][peer] for peer in peers)]
        for row in values["rows"]
    ]
    goal_head = ["goal", "mode", "at least", "found", "met"]
    goals = [
        [
            f"{goal['what']} over {goal['over']}",
            goal["mode"],
            f"{goal['at_least']:g} x",
            f"{goal['ratio']} x",
            "yes" if goal["met"] else "no",
        ]
        for goal in values["goals"]
    ]
    how = (
        f"{values['seconds']:g} s of audio, medians of {values['repeats']} turns. Frame by frame "
        "is one frame of 67 ms a call, for Mimi one of 80 ms; Encodec and Mimi are spared the "
        "states that they would keep between calls (benchmarks/codec_speed.py)."
    )
    lines = ["## Codec", "", hardware_line(values), "", how, "", *_table(head, rows), ""]
    return [*lines, *_table(goal_head, goals), ""]


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def tts_table(name: str) -> list[str]:
    """Shows how the time of a TTS step divides among its parts."""
    values = load(name)
    columns = ("backbone_ms", "head_ms", "decoder_ms", "total_ms", "x_real_time")
    rows = [
        "| " + " | ".join([setting, *(str(row[column]) for column in columns)]) + " |"
        for setting, row in values["results"].items()
    ]
    head = "| setting | " + " | ".join(columns) + " |"
    lines = ["", head, "|---|---|---|---|---|---|", *rows, ""]
    return [f"## TTS step: {values['model']}", "", hardware_line(values), *lines]


def tts_speed_tables() -> list[str]:
    """Compares text to speech with pocket-tts, and lists the cold start and the goals."""
    values = load("tts_speed")
    columns = {
        "million parameters": "parameters_m",
        "prompt, s": "prompt_s",
        "audio, s": "audio_s",
        "RTF": "rtf",
        "x real time": "x_real_time",
        "best": "best_x_real_time",
        "processor ms for 1 s": "processor_ms",
        "first audio, ms": "first_audio_ms",
        "best, ms": "best_first_audio_ms",
        "after sleep, ms": "first_audio_after_sleep_ms",
        "peak memory, MB": "peak_mb",
    }
    rows = [[row["what"], *(row[key] for key in columns.values())] for row in values["rows"]]
    goals = [
        [
            goal["what"],
            f"{goal['bound']} {goal['limit']:g}",
            f"{goal['found']:g}",
            "yes" if goal["met"] else "no",
        ]
        for goal in values["goals"]
    ]
    start = values["cold"]
    how = (
        f"Model: {values['model'] or 'the default'}. One sentence, frame by frame, medians of "
        f"{values['repeats']} turns and the best of them, every process kept to "
        f"{values['hardware']['threads']} core(s), at a load of {values['load']:g} (programs that "
        "wanted the cores in the last five minutes, this one included). After sleep: of a process "
        "that has waited while the others took their turns. pocket-tts has random weights, no "
        "denormals and a given length; the goals take the better of its rows. hibari, kokoro and "
        "piper hand out whole sentences. Memory is a process's peak (benchmarks/tts_speed.py)."
    )
    cold = (
        f"Cold start: `latentspeech synth` takes {start['cold_s']:g} s in a fresh process to the "
        f"end of the file, where imports take {start['imports_s']:g} s, weights "
        f"{start['weights_s']:g} s and the voice {start['voice_s']:g} s; warm, the sentence "
        f"takes {start['warm_s']:g} s."
    )
    lines = ["## Text to speech", "", hardware_line(values), "", how, ""]
    lines += [*_table(["what", *columns], rows), "", cold, ""]
    return [*lines, *_table(["goal", "bound", "found", "met"], goals), ""]


def tts_quality_table() -> list[str]:
    """Shows how our model and the voices of packages are heard."""
    values = load("tts_quality")
    rows = []
    for row in values["rows"]:
        cells = []
        for score in (row["wer-w"], row["distillmos"]):
            low, high = score["interval"]
            cells.append(f"{score['value']:.2f} ({low:.2f} to {high:.2f})")
        rows.append([row["what"], *cells])
    how = (
        f"{values['sentences']} sentences without digits, the same for every voice, with intervals "
        "of 95 % over sentences (benchmarks/tts_quality.py). pocket-tts has no row, since its "
        "weights come from a hub, and neither has ptts 0.4.2 (Rust), which does not run without "
        "them."
    )
    lines = ["## Text to speech, by ear", "", how, ""]
    return [*lines, *_table(["voice", "WER-W, %", "DistillMOS"], rows), ""]


def session_table() -> list[str]:
    """Shows the cost of a latent when several rows are written at once."""
    values = load("session")
    head = ["runtime", "rows", "ms a latent"]
    keys = ["runtime", "rows", "after_ms"]
    how = f"One sentence in every row, other noise in each, medians of {values['repeats']} turns"
    if "before" in values["commits"]:
        head += ["before", "before / now"]
        keys += ["before_ms", "before_over_after"]
        how += f", in turn with commit {values['commits']['before']} (before)"
    rows = [[row[key] for key in keys] for row in values["results"]]
    how += ". Processor time after the first step (benchmarks/session.py)."
    lines = ["## Several rows at once", "", hardware_line(values), "", how, ""]
    return [*lines, *_table(head, rows), ""]


_OF_LEVEL = {
    "clients at once": "clients",
    "first audio p50, ms": "first_p50_ms",
    "p95, ms": "first_p95_ms",
    "x real time, all": "x_real_time",
    "processor s for 1 s": "processor_s_per_s",
}


def server_table() -> list[str]:
    """Shows first audio and speed of a server with many clients at once."""
    values = load("server")
    columns = {
        **_OF_LEVEL,
        "over one client": "over_one",
        "one client / this": "processor_over_one",
    }
    rows = _level_rows(columns, values["results"])
    leavers, memory = values["leavers"], values["memory"]
    how = (
        f"`latentspeech serve` with {values['max_rows']} rows and float32 weights; at each level "
        f"all clients ask at once, medians of {values['repeats']} turns (benchmarks/server.py). "
        "Other programs shared the machine, so the columns of processor time say more than those "
        "of clock time."
    )
    left = (
        f"Of {leavers['clients']} clients {leavers['left']} left early. The server then held "
        f"{_held(leavers['after'])}; before {_held(leavers['before'])}. Its memory was "
        f"{memory['at_start_mb']:g} MB at the start and {memory['at_end_mb']:g} MB at the end."
    )
    lines = ["## Server", "", hardware_line(values), "", how, "", *_table([*columns], rows)]
    return [*lines, "", left, "", _soak(load("server_soak")), "", *_server_peers()]


def _level_rows(columns: dict[str, str], results: list[dict[str, Any]]) -> list[list[Any]]:
    return [
        [round(row[key]) if key.endswith("_ms") else row[key] for key in columns.values()]
        for row in results
    ]


def _server_peers() -> list[str]:
    values = load("server_peers")
    columns = {"server": "server", **_OF_LEVEL}
    how = (
        f"Servers that take turns, one thread each, medians of {values['repeats']} turns, speech "
        f"of {values['audio_s']:g} s; pocket-tts has random weights (benchmarks/server_peers.py)."
    )
    return [how, "", *_table([*columns], _level_rows(columns, values["results"])), ""]


def _soak(values: dict[str, Any]) -> str:
    memory, ready = values["memory"], values["ready"]
    return (
        f"For {values['minutes']:g} minutes {values['clients']} clients asked without a pause, "
        f"{values['speeches']} times in all formats, and {values['left']} left early "
        "(benchmarks/server_soak.py). The server's memory in tenths of this time was "
        f"{', '.join(f'{mb:g}' for mb in memory['parts_mb'])} MB; its slope in the second half "
        f"was {memory['slope_mb_per_minute']:g} MB a minute. It held {_held(values['after'])}; "
        f"before {_held(values['before'])}. Its start, until it was ready, took "
        f"{ready['processor_s']:g} s of a processor that other programs used as well."
    )


def _held(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def image_tables() -> list[str]:
    """Compares LatentLM with DiT in drawing the latents of images."""
    values = load("image_throughput")
    sampling = values["sampling"]
    how = (
        f"Random weights, 256 latents, {sampling['num_steps']} solver steps, guidance. Processor "
        "seconds for an image, from a solver step of DiT and from a step of LatentLM in the middle "
        "of the sequence; the tokenizer is left out (benchmarks/image_throughput.py). Packed: the "
        "matrices are rearranged once, in float16. The ratio takes the faster variant of each; the "
        "bound is the ratio of their operations."
    )
    lines = ["## Images: LatentLM over DiT", "", hardware_line(values), "", how, ""]
    for result in values["results"]:
        rows = [
            [
                row["model"],
                "packed" if row["packed"] else "plain",
                row["beside"] if row["model"] == "dit" else "",
                row["batch_size"],
                f"{row['seconds_an_image']:.1f}",
                f"{row['gflop_a_second']:.0f}",
            ]
            for row in result["rows"]
        ]
        head = ["model", "matrices", "in turns with", "images at once", "s an image", "GFLOP/s"]
        lines += [f"### Size {result['size']}", "", *_table(head, rows), ""]
        found = [
            [
                row["model"],
                row["batch_size"],
                f"{row['over_dit']:.2f}",
                f"{result['arithmetic_bound'][row['model']]:.2f}",
            ]
            for row in result["ratios"]
        ]
        lines += [*_table(["model", "images at once", "x DiT", "bound"], found), ""]
    return lines


def main() -> None:
    """Writes RESULTS.md."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `bash benchmarks/run.sh`. The machine is shared, so ratios within one table mean",
        "more than times: all contestants of a table take turns in one run.",
        "",
        *codec_table(),
        *tts_speed_tables(),
        *tts_quality_table(),
        *tts_table("tts_step_paper"),
        *tts_table("tts_step_mini"),
        *session_table(),
        *server_table(),
        *image_tables(),
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
