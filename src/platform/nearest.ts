/** Letters that may differ, for so many letters of a word. */
const LETTERS = 3

/**
 * What a misspelt word was likely meant to be: the known word that takes the fewest changes of one letter
 * (two that are swapped count once); one that begins like it comes first.
 * @returns undefined if none is near
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  const most = Math.max(1, Math.floor(wanted.length / LETTERS))
  let best: { readonly name: string; readonly changes: number } | undefined
  for (const name of known) {
    const begins = wanted.length >= LETTERS && name.toLowerCase().startsWith(wanted)
    const changes = begins ? 0.5 : distance(wanted, name.toLowerCase(), most)
    if (changes <= most && (best === undefined || changes < best.changes)) best = { name, changes }
  }
  return best?.name
}

/** The same as the end of a message: `; did you mean WORD?`, or nothing. @param prefix as `--` */
export function meant(word: string, known: Iterable<string>, prefix = ''): string {
  const name = nearest(word, known)
  return name === undefined ? '' : `; did you mean ${prefix}${name}?`
}

/** Changes of one letter between two words; more than `most` are not counted out. */
function distance(one: string, other: string, most: number): number {
  if (Math.abs(one.length - other.length) > most) return most + 1
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let row = 1; row <= one.length; row++) {
    const line = [row]
    for (let at = 1; at <= other.length; at++) {
      const same = one[row - 1] === other[at - 1]
      let changes = Math.min(last[at]! + 1, line[at - 1]! + 1, last[at - 1]! + (same ? 0 : 1))
      const swapped = row > 1 && at > 1 && one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1]
      if (swapped) changes = Math.min(changes, before[at - 2]! + 1)
      line.push(changes)
    }
    before = last
    last = line
  }
  return last[other.length]!
}
