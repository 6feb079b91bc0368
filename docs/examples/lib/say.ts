/** One line on standard output. */
export function say(...words: readonly (string | number | boolean)[]): void {
  process.stdout.write(`${words.join(' ')}\n`)
}
