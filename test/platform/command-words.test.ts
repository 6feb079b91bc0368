import { expect, it } from 'vitest'
import { wordsOf } from '../../src/platform/command-words.ts'

it.each([
  ['python3 app.py', ['python3', 'app.py']],
  ['  a\t b  ', ['a', 'b']],
  [`sh -c 'echo "a b"; cat' ""`, ['sh', '-c', 'echo "a b"; cat', '']],
  [`a"b c"d`, ['ab cd']],
  ['a $HOME * \\n', ['a', '$HOME', '*', '\\n']],
  ['', undefined],
  ['   ', undefined],
  ["a 'b", undefined],
])('cuts a command at spaces: %j', (line, words) => {
  expect(wordsOf(line)).toEqual(words)
})
