// Asks the server, with the key of the page if there is one.

export async function call(path, options = {}) {
  const key = document.getElementById("key").value.trim();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const found = await answer.json().catch(() => null);
  throw new Error(found?.error?.message ?? `The server answers ${answer.status}.`);
}

// Yields the parts of a speech while it is made: { samples } of 16 bits, or { words } with times.
export async function* speech(asked, signal) {
  const answer = await call("v1/audio/speech", {
    method: "POST", signal, headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...asked, response_format: "pcm", stream_format: "sse" }),
  });
  for await (const event of eventsOf(answer.body)) {
    if (event.type === "speech.audio.error") throw new Error(event.error.message);
    if (event.type === "speech.audio.words") yield { words: event.words };
    if (event.type === "speech.audio.delta") {
      const bytes = Uint8Array.from(atob(event.audio), (letter) => letter.charCodeAt(0));
      yield { samples: new Int16Array(bytes.buffer) };
    }
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}
