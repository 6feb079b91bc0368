import type { RecordedConnection, RecordedKeys, RecordedSecret, RecordedStep } from '../../trace/recording.ts'
import { byId, element } from '../dom.ts'
import { annotated } from './bytes.ts'
import { lazily } from './records.ts'
import { SHOWN } from './shown.ts'
import { type Branch, treeOf } from './tree.ts'

const idOf = (name: string): string => `secret-${name.replace(/\W/g, '-')}`

/** Draws the key schedule of a connection. */
export function showSchedule(connection: RecordedConnection): void {
  byId('tree').replaceChildren(element('div', { class: 'tree' }, listOf(treeOf(connection))))
}

/** Opens a secret, and goes there. */
export function showSecret(name: string): void {
  const item = document.getElementById(idOf(name))
  const details = item?.querySelector('details')
  if (details === undefined || details === null) return
  details.open = true
  const summary = details.querySelector('summary')
  summary?.scrollIntoView({ block: 'center' })
  summary?.focus()
}

function listOf(branches: readonly Branch[]): HTMLElement {
  return element('ul', {}, ...branches.map(itemOf))
}

function itemOf({ name, secret, keys, records, below }: Branch): HTMLElement {
  const used = records === 0 ? '' : ` · opens ${records} ${records === 1 ? 'record' : 'records'}`
  const not = secret === undefined ? ' · not in this connection' : ''
  const details = SHOWN.node(`secret ${name} ${secret?.secret} ${keys?.key}`, () =>
    lazily(element('summary', {}), () =>
      secret === undefined
        ? [element('p', {}, 'This connection has not derived it, or its session does not tell it.')]
        : [...secretNodes(secret), ...(keys === undefined ? [] : keysNodes(keys))],
    ),
  )
  details.querySelector('summary')!.textContent = `${name}${used}${not}`
  return element(
    'li',
    { id: idOf(name), ...(secret === undefined ? { class: 'unused' } : {}) },
    details,
    ...(below.length === 0 ? [] : [listOf(below)]),
  )
}

function secretNodes({ name, secret, step, follows }: RecordedSecret): Node[] {
  return [
    facts([...stepFacts(name, step), ['output', secret], ['computed again', againText(follows)]]),
    ...(step.operation === 'HKDF-Expand-Label'
      ? [
          element('h3', {}, 'HkdfLabel, as HKDF-Expand is given it (RFC 8446 §7.1)'),
          ...annotated(step.info.bytes, step.info, `HkdfLabel of ${name}`),
        ]
      : []),
  ]
}

function againText(follows: boolean | undefined): string {
  if (follows === undefined) return 'not possible: an input is not told'
  return follows ? 'gives the same' : 'does not give the same from what was seen'
}

function stepFacts(name: string, step: RecordedStep): (readonly [string, string])[] {
  const { hash } = step
  if (step.operation === 'HKDF-Extract') {
    const { salt, input } = step
    return [
      ['arrow', `${name} = HKDF-Extract(salt, ${input.what})`],
      ['hash', hash],
      ['salt', `${salt.from} = ${salt.bytes}`],
      [
        'input',
        `${input.what}${input.bytes === undefined ? ', which a session does not tell' : ` = ${input.bytes}`}`,
      ],
    ]
  }
  const { from, label, context } = step
  return [
    ['arrow', `${name} = HKDF-Expand-Label(${from}, "${label}", context)`],
    ['hash', hash],
    ['context', `${context.what}${context.bytes === '' ? '' : ` = ${context.bytes}`}`],
  ]
}

function keysNodes({ aead, key, iv }: RecordedKeys): Node[] {
  return [
    element('h3', {}, `Key and iv (RFC 8446 §7.3), for ${aead}`),
    facts([
      [`HKDF-Expand-Label(…, "key", "", ${key.length / 2})`, key],
      [`HKDF-Expand-Label(…, "iv", "", ${iv.length / 2})`, iv],
    ]),
  ]
}

/** Names with what they say. */
export function facts(rows: readonly (readonly [string, string])[]): HTMLElement {
  return element(
    'dl',
    { class: 'facts' },
    ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', { class: 'mono' }, value)]),
  )
}
