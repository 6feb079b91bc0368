/**
 * The words of a command as it stands on one line: apart at spaces, together between ' or ". Nothing else has
 * a meaning of its own: no shell reads it.
 * @returns undefined if a quotation has no end, or there is no word
 */
export function wordsOf(line: string): readonly string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (const letter of line) {
    if (quote !== '') {
      if (letter === quote) quote = ''
      else word += letter
    } else if (letter === '"' || letter === "'") {
      quote = letter
      word ??= ''
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + letter
  }
  if (word !== undefined) words.push(word)
  return quote !== '' || words.length === 0 ? undefined : words
}
