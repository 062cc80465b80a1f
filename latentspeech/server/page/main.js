// The page: asks the server for speech, plays it while it comes, and shows what is heard.

import { call, speech } from "./api.js";
import { Player } from "./player.js";
import { Spectrogram } from "./spectrogram.js";
import { deleteVoice, record, show, showDelete, showVoices, storeVoice } from "./voices.js";
import { wavOf } from "./wav.js";
import { Words } from "./words.js";

const RATE = 24000;
const of = (id) => document.getElementById(id);
const player = new Player(RATE);
const picture = new Spectrogram(of("spectrogram"), RATE);
const words = new Words(of("words"));
let asking = null; // what stops the request that runs
let hasWordTimes = false; // whether the model knows when its words are heard

function say(text, bad = false) {
  of("status").textContent = text;
  of("status").classList.toggle("bad", bad);
}

async function open() {
  const model = await (await call("v1/models/latentspeech")).json();
  hasWordTimes = model.word_times;
  of("words").hidden = !hasWordTimes;
  await showVoices();
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
  words.clear();
  say("Waiting for the first audio.");
  const asked = {
    input: of("text").value, voice: of("voice").value, speed: Number(of("speed").value),
    seed: Number(of("seed").value), timestamp_granularities: hasWordTimes ? ["word"] : [],
  };
  try {
    await player.start();
    const started = performance.now();
    const whole = await hear(asked, own.signal, started);
    showDownload(whole);
    const seconds = (whole.length / RATE).toFixed(1);
    say(`${seconds} s of speech in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
    await player.end();
  } catch (error) {
    if (asking === own && error.name !== "AbortError") say(error.message, true);
  }
  if (asking === own) of("stop").disabled = true;
}

// Plays and shows a speech while it comes; returns all of its samples.
async function hear(asked, signal, started) {
  const parts = [];
  for await (const part of speech(asked, signal)) {
    if (part.words) words.add(part.words);
    if (!part.samples) continue;
    if (!parts.length) say(`First audio after ${Math.round(performance.now() - started)} ms.`);
    parts.push(part.samples);
    player.add(part.samples);
    picture.add(part.samples);
  }
  return joined(parts);
}

function stop() {
  asking?.abort();
  asking = null;
  player.stop();
  of("stop").disabled = true;
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

function handled(action) {
  return (event) => {
    event?.preventDefault();
    return Promise.resolve(action()).catch((error) => say(error.message, true));
  };
}

function count() {
  of("count").textContent = `${of("text").value.length} of 4096 characters.`;
}

function showSpeed() {
  of("speed-shown").textContent = `${Number(of("speed").value).toFixed(2)} times`;
}

of("speak-form").addEventListener("submit", handled(speak));
of("stop").addEventListener("click", stop);
of("text").addEventListener("input", count);
of("speed").addEventListener("input", showSpeed);
of("voice").addEventListener("change", showDelete);
of("record").addEventListener("click", handled(record));
of("file").addEventListener("change", () => of("file").files[0] && show(of("file").files[0]));
of("voice-form").addEventListener("submit", handled(async () => {
  say("Storing the voice.");
  say(await storeVoice());
}));
of("delete").addEventListener("click", handled(async () => say(await deleteVoice())));
of("key").addEventListener("change", handled(open));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === of("text"))
    of("speak-form").requestSubmit();
});
(function follow() {
  picture.mark(player.heard);
  words.mark(player.heard);
  requestAnimationFrame(follow);
})();
count();
showSpeed();
handled(open)();
