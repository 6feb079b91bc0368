import { expect, it } from 'vitest'
import { type ResumableController, resumable } from '../../src/functions/resumable.ts'

/** All that it gives, and how often its source was asked. */
async function read(parts: readonly string[], give: (work: () => void) => void | Promise<void>) {
  let asked = 0
  const pull = (controller: ResumableController) => {
    const part = parts[asked++]
    return give(() => (part === undefined ? controller.close() : controller.enqueue(part)))
  }
  return { text: await new Response(resumable({ pull, freeze: () => asked })).text(), asked }
}

/** As models say it: a token may have no text. With a ReadableStream of Node it is a piece as well. */
it.each([
  ['at once', (work: () => void) => work()],
  ['later', async (work: () => void) => work()],
  ['later still', (work: () => void) => new Promise<void>(resolve => setImmediate(resolve)).then(work)],
])('a source is asked on when it gave a piece without content, %s', async (_, give) => {
  expect(await read(['', 'a', '', '', 'b', ''], give)).toEqual({ text: 'ab', asked: 7 })
})
