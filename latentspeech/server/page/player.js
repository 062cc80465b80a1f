// Plays pieces of speech one after another while more of them come.

const LEAD_S = 0.05; // before the first piece, so that the second is there in time

export class Player {
  constructor(rate) {
    this.rate = rate;
    this.context = null;
    this.sources = [];
  }

  // Browsers allow sound only after a click or a key.
  async start() {
    this.context ??= new AudioContext();
    await this.context.resume();
    this.begun = null;
    this.until = 0;
    this.seconds = 0;
  }

  // Plays 16-bit samples after those before them, or at once if those have ended.
  add(samples) {
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32768), 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const now = this.context.currentTime;
    const at = Math.max(this.until, now + (this.begun === null ? LEAD_S : 0));
    this.begun ??= at;
    this.begun += Math.max(0, at - (this.begun + this.seconds)); // a gap moves what follows
    source.start(at);
    this.until = at + buffer.duration;
    this.seconds += buffer.duration;
    this.sources.push(source);
  }

  // Seconds that have been heard; null while nothing is.
  get heard() {
    if (!this.sources.length || this.begun === null) return null;
    const { currentTime, outputLatency = 0 } = this.context; // a loudspeaker may be late
    return Math.min(Math.max(0, currentTime - outputLatency - this.begun), this.seconds);
  }

  // Waits until everything has been heard.
  async end() {
    const last = this.sources.at(-1);
    if (last) await new Promise((resolve) => { last.onended = resolve; });
    this.sources = [];
  }

  stop() {
    for (const source of this.sources) source.stop();
    this.sources = [];
  }
}
