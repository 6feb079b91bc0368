import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Outcome } from '../../src/queue/life.ts'
import type { CallRecord } from '../../src/queue/record.ts'
import { EMPTY, utf8 } from '../../src/wire/index.ts'

/** An asynchronous call as it was accepted. */
export function call(more: Partial<CallRecord> = {}): CallRecord {
  return {
    ...{ id: 'a', functionName: 'f', method: 'POST', target: '/x?y', body: utf8('body'), callback: '' },
    headers: [{ name: 'content-type', value: 'text/plain' }],
    ...{ acceptedAt: 1, phase: 'calling', failures: 0, dueAt: 1, reason: '', lost: 0, answer: undefined },
    client: undefined,
    ...more,
  } as CallRecord
}

/** That it was answered so. */
export function answered(status: number): Extract<Outcome, { kind: 'answered' }> {
  return { kind: 'answered', answer: { status, headers: [], body: EMPTY, milliseconds: 3 } }
}

/** For directories in which much is forced out to the disk: in memory, if the machine has such a place. */
export const QUICK_PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
