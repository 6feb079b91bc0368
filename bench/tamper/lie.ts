/**
 * For the tests that see to it that benches look at what they get: with `HOTPOTATO_BENCH_LIE` in the
 * environment, one byte of what a bench's own server sends is wrong.
 * @param at which byte; the last one by default @returns the bytes themselves, or a copy that is wrong
 */
export function said(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  if (process.env.HOTPOTATO_BENCH_LIE === undefined) return bytes
  const wrong = bytes.slice()
  wrong[at]! ^= 1
  return wrong
}
