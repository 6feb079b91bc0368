import { expect, it } from 'vitest'
import { clientTold, tellClient } from '../../src/queue/origin.ts'

const CLIENT = { tls: 1, address: '2001:db8::1' }

it('what the queue says of a client is believed, also that its address is unknown', () => {
  for (const client of [CLIENT, { tls: 0, address: '' }])
    expect(clientTold('mark', 'id', tellClient('mark', 'id', client))).toEqual(client)
})

it('it is believed of that call and that client alone, and of who knows the mark', () => {
  const value = tellClient('mark', 'id', CLIENT)
  const [proof] = value.split(' ')
  for (const [mark, id, said] of [
    ['other', 'id', value],
    ['mark', 'other', value],
    ['mark', 'id', `${proof} https 127.0.0.1`],
    ['mark', 'id', `${proof} http 2001:db8::1`],
    ['mark', 'id', 'https 127.0.0.1'],
    ['mark', 'id', ' https 127.0.0.1'],
    ['mark', 'id', ''],
  ] as const)
    expect(clientTold(mark, id, said), said).toBeUndefined()
})
