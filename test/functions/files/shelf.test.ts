import { expect, it } from 'vitest'
import { type Representation, whole } from '../../../src/functions/files/representation.ts'
import { Shelf } from '../../../src/functions/files/shelf.ts'

const MIB = 1024 * 1024

function pageOf(bytes: number): Representation {
  const content = whole(new Uint8Array(bytes), false)
  return { type: 'text/plain', validators: { etag: '"a"', modified: undefined }, content, headers: {} }
}

/** How often a page is made when it is asked for once more. */
async function madeAgain(shelf: Shelf, key: string): Promise<number> {
  let made = 0
  await shelf.get(key, async () => {
    made++
    return pageOf(1)
  })
  return made
}

it('counts a page once that had to go while it was made, and was made anew', async () => {
  const shelf = new Shelf()
  let finish: (page: Representation) => void = () => {}
  const slow = shelf.get('slow', () => new Promise<Representation>(resolve => (finish = resolve)))
  // What is asked for meanwhile needs all the room.
  await shelf.get('large', async () => pageOf(17 * MIB))
  const anew = shelf.get('slow', async () => pageOf(9 * MIB))
  finish(pageOf(9 * MIB))
  await Promise.all([slow, anew])
  expect(await madeAgain(shelf, 'slow')).toBe(0)
})

it('has an end also to pages without content', async () => {
  const shelf = new Shelf()
  for (let at = 0; at < 40_000; at++) await shelf.get(String(at), async () => pageOf(0))
  expect(await madeAgain(shelf, '39999')).toBe(0)
  expect(await madeAgain(shelf, '0')).toBe(1)
})
