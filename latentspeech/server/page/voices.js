// The voices of the server: the list, and the form that records, stores and deletes one.

import { call } from "./api.js";

const of = (id) => document.getElementById(id);
let recorder = null;
let recording = null; // the bytes of the voice to store
let stored = new Set();

export async function showVoices(chosen) {
  const found = await (await call("v1/audio/voices")).json();
  stored = new Set(found.uploaded_voices.map((voice) => voice.name));
  of("voice").replaceChildren(...found.voices.map((name) => new Option(name, name)));
  of("voice").value = chosen ?? found.default_voice ?? "";
  showDelete();
}

export function showDelete() {
  of("delete").disabled = !stored.has(of("voice").value);
}

export function show(blob) {
  recording = blob;
  if (of("recording").src) URL.revokeObjectURL(of("recording").src);
  of("recording").src = URL.createObjectURL(blob);
  of("recording").hidden = false;
}

// Starts a recording, or ends the one that runs.
export async function record() {
  if (recorder) return recorder.stop();
  if (!navigator.mediaDevices)
    throw new Error("Browsers record only over https or on this machine; choose a file instead.");
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true }).catch((error) => {
    throw new Error(`The microphone cannot be used: ${error.message}`);
  });
  const parts = [];
  recorder = new MediaRecorder(microphone);
  recorder.ondataavailable = (event) => parts.push(event.data);
  let seconds = 0;
  const showSeconds = () => { of("record").textContent = `Stop recording (${seconds++} s)`; };
  const ticking = setInterval(showSeconds, 1000);
  recorder.onstop = () => {
    clearInterval(ticking);
    microphone.getTracks().forEach((track) => track.stop());
    show(new Blob(parts, { type: recorder.mimeType }));
    recorder = null;
    of("record").textContent = "Record again";
    of("record").setAttribute("aria-pressed", "false");
  };
  recorder.start();
  showSeconds();
  of("record").setAttribute("aria-pressed", "true");
}

// Stores the voice of the form; returns what to say of it.
export async function storeVoice() {
  if (!recording) throw new Error("Record a voice, or choose a file.");
  const form = new FormData();
  form.set("audio_sample", recording, "recording");
  form.set("name", of("name").value);
  form.set("consent", of("consent").value);
  const made = await (await call("v1/audio/voices", { method: "POST", body: form })).json();
  await showVoices(made.voice.name);
  return [`The voice ${made.voice.name} is stored.`, ...made.notes].join(" ");
}

// Deletes the chosen voice if the user agrees; returns what to say of it.
export async function deleteVoice() {
  const name = of("voice").value;
  if (!window.confirm(`Delete the voice ${name}?`)) return "";
  await call(`v1/audio/voices/${encodeURIComponent(name)}`, { method: "DELETE" });
  await showVoices();
  return `The voice ${name} is deleted.`;
}
