// A WAV file of 16-bit samples, whose metadata says that it is synthetic speech.

const COMMENT = "synthetic speech, made by latentspeech\0\0";

export function wavOf(samples, rate) {
  const bytes = 2 * samples.length;
  const info = 12 + COMMENT.length; // INFO, ICMT and its size, the text
  const head = new DataView(new ArrayBuffer(52 + info));
  const text = (place, value) => [...value].forEach((c, i) => head.setUint8(place + i, c.charCodeAt(0)));
  text(0, "RIFF");
  head.setUint32(4, 44 + info + bytes, true);
  text(8, "WAVEfmt ");
  [16, 1 | (1 << 16), rate, 2 * rate, 2 | (16 << 16)].forEach((value, i) => head.setUint32(16 + 4 * i, value, true));
  text(36, "LIST");
  head.setUint32(40, info, true);
  text(44, "INFOICMT");
  head.setUint32(52, COMMENT.length, true);
  text(56, COMMENT);
  text(44 + info, "data");
  head.setUint32(48 + info, bytes, true);
  return new Blob([head, samples], { type: "audio/wav" });
}
