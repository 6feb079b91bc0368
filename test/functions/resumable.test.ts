import { describe, expect, it } from 'vitest'
import { events, type ServerSentEvent } from '../../src/functions/events.ts'
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

it('a source without freeze is refused where it is given', () => {
  for (const source of [undefined, {}, { freeze: 'here' }])
    expect(() => resumable(source as never)).toThrow(/^the source of a resumable stream has no `freeze`$/)
})

describe('an event that is none', () => {
  it.each<[string, object, RegExp]>([
    ['without id', { data: 'a' }, /^the id of an event is no text: undefined$/],
    ['whose data are an object', { id: '1', data: { a: 1 } }, /^the data of an event is no text: object$/],
    ['without data', { id: '1' }, /^the data of an event is no text: undefined$/],
  ])('%s breaks its stream off, and says why', async (_, event, why) => {
    const stream = events('0', async () => event as ServerSentEvent)
    await expect(new Response(stream).text()).rejects.toThrow(why)
  })
})

it('the id of an event may be a number; where it stands is a text, as in Last-Event-ID', async () => {
  const stream = events('0', async id => (id === '7' ? undefined : { id: 7 as never, data: 'a' }))
  expect(await new Response(stream).text()).toBe('id: 7\ndata: a\n\n')
  expect(stream.freeze()).toBe('7')
})

it('a comment may come in place of an event, which is asked for again', async () => {
  const asked: string[] = []
  const given = [{ comment: 'still\nhere' }, { id: '1', data: 'a' }, { comment: '' }, undefined]
  const stream = events('0', async id => given[asked.push(id) - 1])
  expect(await new Response(stream).text()).toBe(': still\n: here\n\nid: 1\ndata: a\n\n: \n\n')
  expect([asked, stream.freeze()]).toEqual([['0', '0', '1', '1'], '1'])
  const none = events('0', async () => ({ comment: 7 }) as never)
  await expect(new Response(none).text()).rejects.toThrow(/^a comment is no text: number$/)
})
