import { goalLines } from '../harness/goal.ts'
import { figure, ratioText, table } from '../harness/table.ts'
import type { RecordResult } from './result.ts'
import { SIZES } from './rows.ts'

/** What a person wants to read of a result. */
export function format(result: RecordResult): string {
  const { openssl, evpMissing } = result
  const head = [
    openssl ?? 'no openssl program',
    ...(evpMissing === undefined ? [] : [`no evp: ${evpMissing}`]),
  ]
  return [
    head.join('\n'),
    `One record, µs of CPU time (and openssl speed's time divided by it):\n${sealingTable(result)}`,
    `Two processes, AES-128-GCM (ratios: medians over rounds, node:tls = 1):\n${connectionTable(result)}`,
    goalLines(result.goals),
  ].join('\n\n')
}

function sealingTable({ sealing }: RecordResult): string {
  const names = [
    ...new Set(sealing.map(one => [one.suite, one.operation, one.provider].join(' ').trim())),
  ].sort()
  const rows = names.map(name => [
    name,
    ...SIZES.map(size => {
      const found = sealing.find(
        one => one.size === size && [one.suite, one.operation, one.provider].join(' ').trim() === name,
      )
      if (found === undefined) return ''
      const ratio = found.toOpenssl === undefined ? '' : ` (${found.toOpenssl.toFixed(2)})`
      return `${found.time.p50.toFixed(2)}${ratio}`
    }),
  ])
  return table(['', ...SIZES.map(size => `${size} B`)], rows)
}

function connectionTable({ connections }: RecordResult): string {
  return table(
    [
      '',
      'bulk MB/s',
      'ratio',
      'sender µs/MB',
      'ratio',
      'receiver µs/MB',
      'ratio',
      '64 B p50 µs',
      'p99',
      'ratio',
    ],
    connections.map(one => [
      `${one.placement}, ${one.stack}`,
      figure(one.bulk),
      ratioText(one.bulkRatio),
      figure(one.senderCpu),
      ratioText(one.senderCpuRatio),
      figure(one.receiverCpu),
      ratioText(one.receiverCpuRatio),
      figure(one.roundTrip.p50),
      figure(one.roundTrip.p99),
      ratioText(one.roundTripRatio),
    ]),
  )
}
