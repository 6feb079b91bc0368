import { expect, it } from 'vitest'
import { tableMessage, tableOf } from '../../../src/platform/routing/route-table.ts'
import { decodeControl, encodeControl } from '../../../src/transfer/control.ts'

it('a table that is sent arrives as it was', () => {
  const table = {
    functionNames: ['a', 'b'],
    retries: { a: 'any', b: 'none' },
    carriers: { a: 'duplicate', b: 'relay' },
    routes: [{ host: '*.a.local', function: 'a' }],
    defaultFunction: undefined,
  } as const
  for (const one of [table, { ...table, defaultFunction: 'a' }]) {
    const message = decodeControl(encodeControl({ kind: 'routes', ...tableMessage(one) }))
    expect(message.kind === 'routes' && tableOf(message)).toEqual(one)
  }
})
