import { expect, it } from 'vitest'
import { serveBorrowed } from '../../../src/containers/protocol/borrowed.ts'
import type { LoanAnswer, LoanRequest } from '../../../src/transfer/loans/loan.ts'
import { bundleOf, functionOf } from '../../support/sealed.ts'

it('a sealed function takes no request that is lent: a key is not lent along', () => {
  const module = functionOf(bundleOf('export default () => new Response()'))
  const answers: LoanAnswer[] = []
  const callee = { module, functionName: 'vault', container: 'vault-1', limits: {} }
  const request = { headers: [] } as unknown as LoanRequest
  serveBorrowed(request, callee as unknown as Parameters<typeof serveBorrowed>[1], '/', one => {
    answers.push(one)
  })
  const detail = 'the function vault is sealed, and takes requests on its own connections'
  expect(answers).toEqual([{ outcome: 'refused', reason: 'policy', detail }])
  module.stop()
})
