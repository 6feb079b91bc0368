import { readFileSync } from 'node:fs'
import { fromHex, hex } from '../../src/wire/index.ts'

export type Actor = 'client' | 'server'

/** One step of a trace of RFC 8448. */
export interface Step {
  readonly actor: Actor
  readonly action: string
  readonly fields: readonly { readonly label: string; readonly length: number; readonly hex: string }[]
}

/** One trace of RFC 8448. */
export interface Trace {
  readonly section: string
  readonly name: string
  readonly title: string
  readonly steps: readonly Step[]
}

/** All five traces of RFC 8448 §3 to §7. */
export const traces: readonly Trace[] = JSON.parse(
  readFileSync(new URL('../../vectors/rfc8448/traces.json', import.meta.url), 'utf8'),
).traces

/** A trace by its name. */
export function trace(name: string): Trace {
  const found = traces.find(one => one.name === name)
  if (found === undefined) throw new Error(`no trace ${name}`)
  return found
}

/**
 * The bytes of a field. @throws Error if the step has none of that label, or if its length is not the stated
 * one
 */
export function field(step: Step, label: string): Uint8Array {
  const found = step.fields.find(one => one.label === label)
  if (found === undefined) throw new Error(`${step.action}: no field ${label}`)
  const bytes = fromHex(found.hex)
  if (bytes.length !== found.length) throw new Error(`${step.action}: ${label} is cut`)
  return bytes
}

/** The steps of an actor whose action starts so, and that have fields. */
export function steps({ steps }: Trace, actor: Actor | undefined, action: string): Step[] {
  return steps.filter(
    step =>
      (actor === undefined || step.actor === actor) &&
      step.action.startsWith(action) &&
      step.fields.length > 0,
  )
}

/**
 * The handshake messages of a trace that have this name, in their order: a HelloRetryRequest is a ServerHello
 * here.
 */
export function messages(of: Trace, name: string): Uint8Array[] {
  return steps(of, undefined, 'construct a')
    .filter(
      step => step.action.includes(`construct a ${name} `) || step.action.includes(`construct an ${name} `),
    )
    .map(step => field(step, name))
}

/** The records that an actor sends, with the content that the trace prints for each, in their order. */
export function records(of: Trace, actor: Actor): { payload: Uint8Array; record: Uint8Array }[] {
  return steps(of, actor, 'send ').map(step => ({
    payload: field(step, 'payload'),
    record: field(step, 'complete record'),
  }))
}

/** A secret of RFC 8446 §7.1 as the trace prints it, in hexadecimal. */
export function printedSecret(one: Trace, name: string): string {
  const extract = /^(early|handshake|master)_secret$/.exec(name)
  if (extract !== null) {
    const [step] = steps(one, undefined, `extract secret "${extract[1]}"`)
    return hex(field(step!, 'secret'))
  }
  const label = {
    client_early_traffic_secret: 'c e traffic',
    early_exporter_master_secret: 'e exp master',
    client_handshake_traffic_secret: 'c hs traffic',
    server_handshake_traffic_secret: 's hs traffic',
    client_application_traffic_secret_0: 'c ap traffic',
    server_application_traffic_secret_0: 's ap traffic',
    exporter_master_secret: 'exp master',
    resumption_master_secret: 'res master',
  }[name]
  const [step] = steps(one, undefined, `derive secret "tls13 ${label}"`)
  return hex(field(step!, 'expanded'))
}
