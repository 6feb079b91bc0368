import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chooseChannel } from '../../src/transfer/channel.ts'
import { Neighbours } from './neighbours.ts'

/*
 * Functions are other people's code. One of them turns against what it finds in its process; it may break
 * what is its own, and nothing else.
 */
const SECRET = 'a secret of the supervisor 7c1f'

describe.runIf(chooseChannel().kind === 'native')('a function', () => {
  let neighbours: Neighbours

  beforeAll(async () => {
    neighbours = await Neighbours.start({ DATABASE_PASSWORD: SECRET })
  })
  afterAll(() => neighbours?.stop())

  it('finds no secret in its environment, nor in those of its siblings', async () => {
    const { said, own, send } = JSON.parse(await neighbours.attack('environ')) as {
      said: string[]
      own: Record<string, string>
      send: string
    }
    // Its own, its siblings' and the gateway's, each with what it was started with.
    expect(said.length).toBeGreaterThanOrEqual(8)
    expect(said.join('\n')).not.toMatch(/7c1f|DATABASE_PASSWORD|token|privateKey|"id"|HOTPOTATO_SETTINGS/)
    expect(said.join('\n')).toContain('PATH=')
    expect(Object.keys(own).filter(name => /PASSWORD|HOTPOTATO_(?!STREAM)/.test(name))).toEqual([])
    expect(send).toBe('undefined')
  })

  it.each([
    ['ends and fills every descriptor', 'descriptors'],
    ['shuts every socket down', 'shutdown'],
    ['closes every descriptor', 'close'],
    ['sends rubbish on every socket', 'garbage'],
    ['begins large messages that never end', 'partial'],
    ['says again and again that it is ready', 'ready'],
    ['floods the supervisor', 'flood'],
    ['keeps the supervisor busy with words that say nothing', 'credits'],
    ['sends empty messages on every socket', 'empty'],
  ])('that %s ends itself alone', async (_, name) => {
    await neighbours.attackEndsAlone(name)
  })

  it.each([
    ['reports what it was not asked, and what is for gateways to say', 'reports'],
    ['gives the supervisor’s orders to every process', 'orders'],
    ['speaks as a gateway, and of keys of another function', 'peers'],
    ['logs what nests without end', 'log'],
  ])('that %s is not heard', async (_, name) => {
    expect(await neighbours.attack(name)).not.toBe('')
    await neighbours.areServed()
    await neighbours.areServed()
  })

  it('is named in the log for each of these', async () => {
    const { log } = neighbours.platform
    for (const what of [
      'turned-1 is killed',
      'it sends more than it may',
      'it sent something that is not a frame',
      'a message was cut off',
      'it reported that it is ready more than once',
      'a message of kind leaving from a container',
      'an unrequested message of kind moved',
      'a message of kind stop from a container',
      'a message of kind slots from a container',
      'a container of another function sent keys',
    ])
      expect(log).toContain(what)
    expect(log).not.toMatch(/(echo-1|hello-1|gateway) is killed/)
  })
})

describe('a function on the channel without foreign calls', () => {
  let neighbours: Neighbours

  beforeAll(async () => {
    neighbours = await Neighbours.start({ HOTPOTATO_CHANNEL: 'ipc' })
  })
  afterAll(() => neighbours?.stop())

  it.each([
    ['sends the supervisor what Node acts on, and rubbish', 'ipc'],
    ['disconnects', 'disconnect'],
    ['ends and fills every descriptor', 'descriptors'],
  ])('that %s ends itself alone', async (_, name) => {
    await neighbours.attackEndsAlone(name)
  })
})
