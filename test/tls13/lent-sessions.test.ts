import { describe, expect, it } from 'vitest'
import { Session } from '../../src/tls13/index.ts'
import { Likeness } from '../../src/tls13/likeness.ts'
import { SessionState } from '../../src/tls13/state.ts'
import { decode, EMPTY, encode, utf8 } from '../../src/wire/index.ts'
import { connectedPair, serverConfig, ticketSealer } from '../support/pair.ts'
import { THROUGH_MOVES } from '../support/through-moves.ts'

const copyOf = (state: SessionState): SessionState =>
  decode(SessionState, encode(SessionState, state).slice())
const textOf = (session: Session, bytes: readonly Uint8Array[]): string => {
  let text = ''
  for (const piece of bytes)
    for (const event of session.receive(piece))
      if (event.type === 'application_data') text += new TextDecoder().decode(event.data)
  return text
}

/** And who has it meanwhile. Through moves, parts of it are never the same objects: it is not like it was. */
function lent() {
  const { client, server } = connectedPair()
  const state = copyOf(server.release(true))
  const tickets = { sealer: ticketSealer() }
  const borrower = Session.restore(state, serverConfig({ tickets }))
  return { client, server, borrower, likeness: new Likeness(state) }
}

const positionOf = ({ read, write, inboundRecords }: SessionState) => ({
  read: read!.sequenceNumber,
  write: write!.sequenceNumber,
  inbound: inboundRecords,
})

describe('a session that was lent', () => {
  it('does nothing until it is taken back, and then goes on behind the records of the one who had it', () => {
    const { client, server, borrower, likeness } = lent()
    expect(() => server.send(utf8('x'))).toThrow('released')
    expect(() => server.receive(EMPTY)).toThrow('released')
    client.send(utf8('to the borrower'))
    expect(textOf(borrower, client.takeOutput())).toBe('to the borrower')
    borrower.send(utf8('from the borrower'))
    expect(textOf(client, borrower.takeOutput())).toBe('from the borrower')
    const state = borrower.release()
    expect(likeness.holds(state)).toBe(!THROUGH_MOVES)
    server.takeBack(positionOf(state))
    client.send(utf8('home'))
    expect(textOf(server, client.takeOutput())).toBe('home')
    server.send(utf8('again'))
    expect(textOf(client, server.takeOutput())).toBe('again')
  })

  it('is told of bytes that came meanwhile and were not opened', () => {
    const { client, server, borrower } = lent()
    client.send(utf8('in two halves'))
    const [record] = client.takeOutput() as [Uint8Array]
    borrower.feed(record.slice(0, 7))
    expect(borrower.next()).toBeUndefined()
    server.takeBack(positionOf(borrower.release()))
    expect(textOf(server, [record.slice(7)])).toBe('in two halves')
  })

  it('leaves its state to a session that goes on from it when it is forgotten', () => {
    const { client, server } = connectedPair()
    client.send(utf8('not read'))
    server.feed(client.takeOutput()[0]!.slice())
    const state = server.release(true)
    server.forget()
    const successor = Session.restore(state, serverConfig())
    expect(textOf(successor, [EMPTY])).toBe('not read')
  })

  it('never goes back to the number of a record that was sealed or opened', () => {
    for (const [read, write] of [
      [-1, 0],
      [0, -1],
    ] as const) {
      const { server, borrower } = lent()
      const state = borrower.release()
      const at = positionOf(state)
      const before = { ...at, read: at.read + read, write: at.write + write }
      expect(() => server.takeBack(before)).toThrow('before it was lent')
      expect(() => server.send(utf8('x'))).toThrow('released')
    }
  })

  it.each([
    ['our key changes', ({ borrower }) => borrower.updateKeys(false)],
    [
      "the client's key changes",
      ({ client, borrower }) => {
        client.updateKeys(false)
        for (const piece of client.takeOutput()) borrower.receive(piece)
      },
    ],
    ['it is closed', ({ borrower }) => borrower.close()],
    ['tickets are sent', ({ borrower }) => borrower.sendTickets(1)],
  ] as readonly [string, (of: ReturnType<typeof lent>) => void][])(
    'is not what it was when %s meanwhile',
    (_, happens) => {
      const of = lent()
      expect(of.likeness.holds(of.borrower.snapshot())).toBe(!THROUGH_MOVES)
      happens(of)
      of.borrower.takeOutput()
      expect(of.likeness.holds(of.borrower.snapshot())).toBe(false)
    },
  )

  it('is forgotten with its keys, and does not come back', () => {
    const { server, borrower } = lent()
    server.forget()
    expect(() => server.takeBack(positionOf(borrower.release()))).toThrow('was not lent')
  })

  it('is taken back once: a second owner of its keys would use a nonce twice', () => {
    const { server, borrower } = lent()
    const at = positionOf(borrower.release())
    server.takeBack(at)
    expect(() => server.takeBack(at)).toThrow('was not lent')
  })
})
