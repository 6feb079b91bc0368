/** What does the same in a terminal. @param words of the command */
export function commandOf(words: readonly string[]): string {
  return `npx --no hotpotato ${[...words, '--record', 'session.html'].map(quoted).join(' ')}`
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./:=,@+[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
