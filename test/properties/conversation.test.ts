import { describe, expect, it } from 'vitest'
import { ContentType } from '../../src/tls13/codepoints.ts'
import { node } from '../../src/tls13/crypto/node.ts'
import { fromHex, hex } from '../../src/wire/index.ts'
import { describeEvent, KINDS, perform, record, SEED } from '../support/conversation.ts'
import { outputOf, recordsOf } from '../support/pair.ts'
import { seeded } from '../support/random.ts'

/** What the properties are tried on must be what it says it is. */
describe.each(KINDS)('$name', kind => {
  const { client, server } = record(kind)
  const seen = (side: typeof client) => side.events.map(event => JSON.parse(event))
  const name = (event: { type: string; early?: true }) => (event.early ? `early ${event.type}` : event.type)
  /** The events of one side, those apart that this kind has beside the ordinary ones. */
  const told = (side: typeof client, extra: readonly string[] = []) => {
    const names = seen(side).map(name)
    for (const one of extra) {
      expect(names).toContain(one)
      names.splice(names.indexOf(one), 1)
    }
    return names
  }

  it('has everything in it that a move could lose', () => {
    const first = seen(client).find(({ type }) => type === 'handshake_complete')
    expect(first).toMatchObject({ type: 'handshake_complete', alpn: 'http/1.1', serverName: 'echo.local' })
    expect(first.resumed).toBe(kind.resumed ?? false)
    const update = kind.extended ? 'extended_key_update' : 'key_update'
    const ticket = kind.extended ? [] : ['new_session_ticket']
    expect(told(client, kind.extra?.client)).toEqual([
      'handshake_complete',
      ...ticket,
      'application_data',
      'application_data',
      update,
      'application_data',
      update,
      ...ticket,
      'application_data',
      'close_notify',
    ])
    // A KeyUpdate goes before the data, and the end of an exchange comes a round trip after it.
    const last = [update, 'application_data']
    expect(told(server, kind.extra?.server)).toEqual([
      'handshake_complete',
      'application_data',
      update,
      ...(kind.extended ? last.toReversed() : last),
      'close_notify',
    ])
  })

  it('has a HelloRetryRequest only where it says so', () => {
    const records = client.outputs.flatMap(output => recordsOf(fromHex(output)))
    const hellos = records.filter(([type]) => type === ContentType.handshake)
    expect(hellos.length).toBe(kind.name.includes('HelloRetryRequest') ? 2 : 1)
  })

  it.each([client, server])('is the same each time: the $role', recording => {
    const session = recording.start(node, seeded(SEED[recording.role]))
    const events: string[] = []
    const outputs = recording.steps.map(step => {
      events.push(...perform(session, step).map(describeEvent))
      return hex(outputOf(session))
    })
    expect(outputs).toEqual(recording.outputs)
    expect(events).toEqual(recording.events)
  })
})
