/** The Huffman code of RFC 7541 Appendix B. It is canonical, so the lengths of its codes say all of it. */

/** Bits of the code of each symbol, 0 to 255 and EOS, as digits to the base of 36. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss' +
  '6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6' +
  'f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnno' +
  'mlkmmnnlnmmolmnnllmnlmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrr' +
  'koklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u'

const EOS = 256
const CODE_LENGTHS = Uint8Array.from(LENGTHS, digit => Number.parseInt(digit, 36))
const CODES = canonicalCodes()

/** The codes in order of length and then of symbol, each one more than the one before. */
function canonicalCodes(): Uint32Array {
  const symbols = Array.from(CODE_LENGTHS.keys()).sort((a, b) => CODE_LENGTHS[a]! - CODE_LENGTHS[b]! || a - b)
  const codes = new Uint32Array(CODE_LENGTHS.length)
  let code = -1
  let length = CODE_LENGTHS[symbols[0]!]!
  for (const symbol of symbols) {
    code = (code + 1) * 2 ** (CODE_LENGTHS[symbol]! - length)
    length = CODE_LENGTHS[symbol]!
    codes[symbol] = code
  }
  return codes
}

/*
 * Decoding walks four bits at a time. A state is an inner node of the tree; no code is shorter than five
 * bits, so a step ends at most one code. A cell holds the next state in its low eight bits, the symbol in the
 * next eight, and these marks.
 */
const EMITS = 1 << 16
const FAILS = 1 << 17
/**
 * In the table of states: where a string may end, because what is left is at most seven ones (§5.2).
 */
const ENDS = 1

const { steps: STEPS, ends: STATE_ENDS } = buildSteps()

function buildSteps(): { steps: Uint32Array; ends: Uint8Array } {
  // children[2 * node + bit]: an inner node as it is, a leaf as -(symbol + 1), nothing as 0.
  const children = new Int32Array(2 * 256)
  const ends = new Uint8Array(256)
  let nodes = 1
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0
    for (let bit = CODE_LENGTHS[symbol]! - 1; bit > 0; bit--) {
      const entry = 2 * node + ((CODES[symbol]! >>> bit) & 1)
      if (children[entry] === 0) children[entry] = nodes++
      node = children[entry]!
    }
    children[2 * node + (CODES[symbol]! & 1)] = -(symbol + 1)
  }
  for (let node = 0, ones = 0; ones < 8; ones++) {
    ends[node] = ENDS
    node = children[2 * node + 1]!
  }
  const steps = new Uint32Array(256 * 16)
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) steps[16 * state + nibble] = walk(children, state, nibble)
  }
  return { steps, ends }
}

function walk(children: Int32Array, state: number, nibble: number): number {
  let node = state
  let emitted = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[2 * node + ((nibble >>> bit) & 1)]!
    if (next >= 0) {
      node = next
      continue
    }
    const symbol = -next - 1
    if (symbol === EOS) return FAILS
    emitted = EMITS | (symbol << 8)
    node = 0
  }
  return emitted | node
}

/**
 * Decodes the bytes from `start` to before `end` into `target`, which has room for 8/5 of them.
 * @returns bytes written; -1 for EOS in the string, or for padding that is too long or not of ones
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0
  let written = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const high = STEPS[(state << 4) | (byte >>> 4)]!
    if (high & EMITS) target[written++] = high >>> 8
    const low = STEPS[((high & 0xff) << 4) | (byte & 0xf)]!
    if ((high | low) & FAILS) return -1
    if (low & EMITS) target[written++] = low >>> 8
    state = low & 0xff
  }
  return STATE_ENDS[state] === ENDS ? written : -1
}

/** Bytes that the text takes up when encoded. Its characters are below U+0100. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += CODE_LENGTHS[text.charCodeAt(i) & 0xff]!
  return (bits + 7) >>> 3
}

/**
 * Encodes the text to `target` at `at`, where there is room for {@link huffmanLength}. @returns the offset
 * after it
 */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let held = 0
  let bits = 0
  let offset = at
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff
    const length = CODE_LENGTHS[symbol]!
    // Up to 7 + 30 bits are held at once: more than the bit operators carry, so long codes go in two parts.
    const code = CODES[symbol]!
    if (length > 24) {
      held = (held << 8) | (code >>> (length - 8))
      bits += 8
      bits -= 8
      target[offset++] = held >>> bits
      held = ((held & 0x7f) << (length - 8)) | (code & (2 ** (length - 8) - 1))
      bits += length - 8
    } else {
      held = ((held & 0x7f) << length) | code
      bits += length
    }
    while (bits >= 8) {
      bits -= 8
      target[offset++] = held >>> bits
    }
  }
  if (bits > 0) target[offset++] = (held << (8 - bits)) | (0xff >>> bits)
  return offset
}
