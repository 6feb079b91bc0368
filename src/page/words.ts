import type { Step } from '../supervisor/observatory/telling.ts'

const CAUSES: Readonly<Record<Step['cause'], string>> = {
  none: '',
  request: 'for a request',
  drain: 'as its container goes',
  order: 'by order',
}

/** Microseconds as a person reads them. */
export function span(micro: number): string {
  if (micro < 1000) return `${micro} µs`
  return micro < 100_000 ? `${(micro / 1000).toFixed(1)} ms` : `${(micro / 1e6).toFixed(2)} s`
}

/** What has become of a connection, in words. */
export function stepText({ kind, container, to = 'another container', cause }: Step): string {
  const why = CAUSES[cause]
  const because = why === '' ? '' : ` ${why}`
  switch (kind) {
    case 'opened':
      return `opened in ${container}`
    case 'arrived':
      return `arrived in ${container}`
    case 'returned':
      return `came back to ${container}, which had kept its keys`
    case 'tookOver':
      return `${container} took it over from one that died`
    case 'woke':
      return `woke in ${container}`
    case 'left':
      return `left ${container} for ${to}${because}`
    case 'slept':
      return `sleeps in the gateway: ${container} goes`
    case 'stayed':
      return `stayed in ${container}: it was refused elsewhere`
    case 'ended':
      return `ended in ${container}`
    case 'unclean':
      return `ended in ${container}: it is unknown which process had it`
    case 'failed':
      return `ended in ${container} by a fault of the platform`
  }
}

/** How long its stages took; empty where that was not measured. */
export function stagesText({ kind, prepared, handed }: Step): string {
  if (kind === 'left') return `frozen in ${span(prepared)}, handed over in ${span(handed)}`
  if (kind === 'stayed') return `frozen in ${span(prepared)}, refused after ${span(handed)}`
  return prepared > 0 ? `set up in ${span(prepared)}` : ''
}

/** With milliseconds, as the clock on the wall says. */
export function timeText(at: number): string {
  const date = new Date(at)
  const fraction = String(date.getMilliseconds()).padStart(3, '0')
  return `${date.toLocaleTimeString(undefined, { hour12: false })}.${fraction}`
}
