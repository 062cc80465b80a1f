// The page: asks the server for speech, plays it while it comes, and stores voices.

import { Player } from "./player.js";
import { Spectrogram } from "./spectrogram.js";
import { wavOf } from "./wav.js";

const RATE = 24000;
const of = (id) => document.getElementById(id);
const player = new Player(RATE);
const picture = new Spectrogram(of("spectrogram"), RATE);
let asking = null; // what stops the request that runs
let recorder = null;
let recording = null; // the bytes of the voice to store
let stored = new Set();

function say(text, bad = false) {
  of("status").textContent = text;
  of("status").classList.toggle("bad", bad);
}

function headers(more = {}) {
  const key = of("key").value.trim();
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function call(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: headers(options.headers) });
  if (answer.ok) return answer;
  const found = await answer.json().catch(() => null);
  throw new Error(found?.error?.message ?? `The server answers ${answer.status}.`);
}

async function showVoices(chosen) {
  const found = await (await call("v1/audio/voices")).json();
  stored = new Set(found.uploaded_voices.map((voice) => voice.name));
  of("voice").replaceChildren(...found.voices.map((name) => new Option(name, name)));
  of("voice").value = chosen ?? found.default_voice ?? "";
  showDelete();
}

function showDelete() {
  of("delete").disabled = !stored.has(of("voice").value);
}

function showDownload(samples) {
  const link = of("download");
  if (link.href) URL.revokeObjectURL(link.href);
  const ready = samples !== null;
  link.setAttribute("aria-disabled", String(!ready));
  link.tabIndex = ready ? 0 : -1;
  if (!ready) return link.removeAttribute("href");
  link.href = URL.createObjectURL(wavOf(samples, RATE));
  link.download = "speech.wav";
}

async function speak() {
  stop();
  const own = new AbortController();
  asking = own;
  of("stop").disabled = false;
  showDownload(null);
  picture.clear();
  say("Waiting for the first audio.");
  const started = performance.now();
  const parts = [];
  try {
    await player.start();
    const body = {
      input: of("text").value, voice: of("voice").value, response_format: "pcm",
      seed: Number(of("seed").value),
    };
    const answer = await call("v1/audio/speech", {
      method: "POST", signal: own.signal, body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    for await (const samples of samplesOf(answer.body)) {
      if (!parts.length) say(`First audio after ${Math.round(performance.now() - started)} ms.`);
      parts.push(samples);
      player.add(samples);
      picture.add(samples);
    }
    const whole = joined(parts);
    showDownload(whole);
    const seconds = (whole.length / RATE).toFixed(1);
    say(`${seconds} s of speech in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
    await player.end();
  } catch (error) {
    if (asking === own && error.name !== "AbortError") say(error.message, true);
  }
  if (asking === own) of("stop").disabled = true;
}

function stop() {
  asking?.abort();
  asking = null;
  player.stop();
  of("stop").disabled = true;
}

async function* samplesOf(body) {
  const reader = body.getReader();
  let rest = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const bytes = new Uint8Array(rest.length + value.length);
    bytes.set(rest);
    bytes.set(value, rest.length);
    const even = bytes.length - (bytes.length % 2);
    rest = bytes.slice(even);
    if (even) yield new Int16Array(bytes.buffer.slice(0, even));
  }
}

function joined(parts) {
  const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

function show(blob) {
  recording = blob;
  of("recording").src = URL.createObjectURL(blob);
  of("recording").hidden = false;
}

async function record() {
  if (recorder) return recorder.stop();
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const parts = [];
    recorder = new MediaRecorder(microphone);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      microphone.getTracks().forEach((track) => track.stop());
      show(new Blob(parts, { type: recorder.mimeType }));
      recorder = null;
      of("record").textContent = "Record again";
      of("record").setAttribute("aria-pressed", "false");
    };
    recorder.start();
    of("record").textContent = "Stop recording";
    of("record").setAttribute("aria-pressed", "true");
  } catch (error) {
    say(`The microphone cannot be used: ${error.message}`, true);
  }
}

async function storeVoice() {
  if (!recording) return say("Record a voice, or choose a file.", true);
  const form = new FormData();
  form.set("audio_sample", recording, "recording");
  form.set("name", of("name").value);
  form.set("consent", of("consent").value);
  say("Storing the voice.");
  const made = await (await call("v1/audio/voices", { method: "POST", body: form })).json();
  await showVoices(made.voice.name);
  say([`The voice ${made.voice.name} is stored.`, ...made.notes].join(" "));
}

async function deleteVoice() {
  const name = of("voice").value;
  if (!window.confirm(`Delete the voice ${name}?`)) return;
  await call(`v1/audio/voices/${encodeURIComponent(name)}`, { method: "DELETE" });
  await showVoices();
  say(`The voice ${name} is deleted.`);
}

function handled(action) {
  return (event) => {
    event?.preventDefault();
    return Promise.resolve(action()).catch((error) => say(error.message, true));
  };
}

function count() {
  of("count").textContent = `${of("text").value.length} of 4096 characters.`;
}

of("speak-form").addEventListener("submit", handled(speak));
of("stop").addEventListener("click", stop);
of("text").addEventListener("input", count);
of("voice").addEventListener("change", showDelete);
of("record").addEventListener("click", handled(record));
of("file").addEventListener("change", () => of("file").files[0] && show(of("file").files[0]));
of("voice-form").addEventListener("submit", handled(storeVoice));
of("delete").addEventListener("click", handled(deleteVoice));
of("key").addEventListener("change", handled(() => showVoices()));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === of("text"))
    of("speak-form").requestSubmit();
});
(function follow() {
  picture.mark(player.heard);
  requestAnimationFrame(follow);
})();
count();
showVoices().catch((error) => say(error.message, true));
