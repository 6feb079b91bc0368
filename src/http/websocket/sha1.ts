/**
 * SHA-1 (FIPS 180-4, §6.1), 20 bytes. It is broken, and the handshake of WebSockets wants it all the
 * same: there it only shows that a server has read the request.
 */
export function sha1(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array((((message.length + 8) >> 6) + 1) << 6)
  padded.set(message)
  padded[message.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29))
  view.setUint32(padded.length - 4, message.length << 3)
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
  const words = new Int32Array(80)
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 16; t++) words[t] = view.getInt32(block + 4 * t)
    for (let t = 16; t < 80; t++)
      words[t] = rotate(words[t - 3]! ^ words[t - 8]! ^ words[t - 14]! ^ words[t - 16]!, 1)
    let [a, b, c, d, e] = state as unknown as [number, number, number, number, number]
    for (let t = 0; t < 80; t++) {
      const [mixed, constant] = round(t, b, c, d)
      const next = (rotate(a, 5) + mixed + e + constant + words[t]!) | 0
      e = d
      d = c
      c = rotate(b, 30)
      b = a
      a = next
    }
    ;[a, b, c, d, e].forEach((value, i) => {
      state[i] = state[i]! + value
    })
  }
  const digest = new DataView(new ArrayBuffer(20))
  state.forEach((value, i) => {
    digest.setInt32(4 * i, value)
  })
  return new Uint8Array(digest.buffer)
}

function round(t: number, b: number, c: number, d: number): readonly [mixed: number, constant: number] {
  if (t < 20) return [(b & c) | (~b & d), 0x5a827999]
  if (t < 40) return [b ^ c ^ d, 0x6ed9eba1]
  if (t < 60) return [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
  return [b ^ c ^ d, 0xca62c1d6]
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
