import { beforeEach, expect, it } from 'vitest'
import { Listings } from '../../../src/functions/files/listings.ts'

let listings: Listings<number>
/** Ends the listings that have begun, in their order. */
let ends: ((outcome: number | Error) => void)[]
beforeEach(() => {
  listings = new Listings()
  ends = []
})

const list = (): Promise<number> =>
  new Promise((resolve, reject) =>
    ends.push(outcome => (outcome instanceof Error ? reject(outcome) : resolve(outcome))),
  )

it('a crowd costs two listings: one that is being made, and one that begins afterwards', async () => {
  const first = listings.share('a', list)
  const others = Array.from({ length: 100 }, () => listings.share('a', list))
  expect(ends).toHaveLength(1)
  ends[0]!(1)
  expect(await first).toBe(1)
  await Promise.resolve()
  expect(ends).toHaveLength(2)
  ends[1]!(2)
  expect(new Set(await Promise.all(others))).toEqual(new Set([2]))
  expect(listings.size).toBe(0)
})

it('who asks while the second one is made waits for a third', async () => {
  const first = listings.share('a', list)
  const second = listings.share('a', list)
  ends[0]!(1)
  await first
  await Promise.resolve()
  const third = listings.share('a', list)
  ends[1]!(2)
  expect(await second).toBe(2)
  await Promise.resolve()
  ends[2]!(3)
  expect(await third).toBe(3)
  expect(listings.size).toBe(0)
})

it('one that fails fails those who share it, and not the next ones', async () => {
  const first = listings.share('a', list)
  const second = listings.share('a', list)
  ends[0]!(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  await Promise.resolve()
  ends[1]!(2)
  expect(await second).toBe(2)
  expect(listings.size).toBe(0)
})

it('directories do not wait for each other', async () => {
  const both = [listings.share('a', list), listings.share('b', list)]
  expect(ends).toHaveLength(2)
  for (const end of ends) end(1)
  expect(await Promise.all(both)).toEqual([1, 1])
})
