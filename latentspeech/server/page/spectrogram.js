// Draws the spectrogram of speech while it comes. Columns are squeezed when the canvas is full.

const SIZE = 512; // samples of a window
const HOP = 240; // samples between windows: 10 ms

export class Spectrogram {
  constructor(canvas, rate) {
    this.canvas = canvas;
    this.rate = rate;
    this.window = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
    this.clear();
  }

  clear() {
    this.rest = new Float32Array(0);
    this.columns = [];
    this.marked = null;
    this.draw();
  }

  add(samples) {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    samples.forEach((value, i) => { all[this.rest.length + i] = value / 32768; });
    let start = 0;
    for (; start + SIZE <= all.length; start += HOP) this.columns.push(this.column(all.subarray(start, start + SIZE)));
    this.rest = all.slice(start);
    this.draw();
  }

  // Levels of the frequencies from 0 to half the rate, in dB.
  column(samples) {
    const real = samples.map((value, i) => value * this.window[i]);
    const imaginary = new Float32Array(SIZE);
    fft(real, imaginary);
    return Float32Array.from({ length: SIZE / 2 }, (_, i) => 10 * Math.log10(real[i] ** 2 + imaginary[i] ** 2 + 1e-9));
  }

  // Draws a line at a time in seconds; null removes it.
  mark(seconds) {
    if (seconds === this.marked) return;
    this.marked = seconds;
    this.draw();
  }

  draw() {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#0d0a14";
    context.fillRect(0, 0, width, height);
    if (!this.columns.length) return;
    if (this.image?.columns !== this.columns.length) this.image = this.render(width, height);
    context.putImageData(this.image.data, 0, 0);
    if (this.marked === null) return;
    const x = (this.marked * this.rate) / HOP / Math.max(this.columns.length, width / 3);
    context.fillStyle = "#ffffff";
    context.fillRect(Math.round(x * width), 0, 2, height);
  }

  render(width, height) {
    const data = new ImageData(width, height);
    const shown = Math.max(this.columns.length, width / 3); // at least 3 s
    for (let x = 0; x < width; x++) {
      const column = this.columns[Math.floor((x / width) * shown)];
      for (let y = 0; y < height; y++) {
        const level = column ? column[Math.floor(((height - 1 - y) / height) * column.length)] : -99;
        const share = Math.min(1, Math.max(0, (level + 50) / 80));
        const place = 4 * (y * width + x);
        data.data[place] = 255 * Math.min(1, 1.6 * share);
        data.data[place + 1] = 255 * Math.max(0, 1.5 * share - 0.5);
        data.data[place + 2] = 255 * (0.08 + 0.6 * Math.sin(Math.PI * share) ** 2 + 0.3 * share ** 4);
        data.data[place + 3] = 255;
      }
    }
    return { data, columns: this.columns.length };
  }
}

// The discrete Fourier transform in place; the length is a power of two.
function fft(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1;
    for (let k = 0; k < half; k++) {
      const cosine = Math.cos((-2 * Math.PI * k) / size), sine = Math.sin((-2 * Math.PI * k) / size);
      for (let i = k; i < n; i += size) {
        const j = i + half;
        const re = real[j] * cosine - imaginary[j] * sine, im = real[j] * sine + imaginary[j] * cosine;
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}
