import type { ChangedFunction, ReloadOutcome } from './running.ts'

/** What a reload has done, a line for each function. */
export function reloadText({ functions, gateway, notes }: ReloadOutcome): string[] {
  const lines = [
    ...notes.map(note => `note: ${note}`),
    ...functions.map(lineOf),
    ...(gateway === undefined ? [] : [`gateway: ${because(gateway)}started anew on the same ports`]),
  ]
  return functions.length > 0 || gateway !== undefined ? lines : [...lines, 'nothing has changed']
}

function lineOf({ name, did, changed, started = [], ended, moved }: ChangedFunction): string {
  const connections = `moved ${moved} ${moved === 1 ? 'connection' : 'connections'}`
  switch (did) {
    case 'added':
      return `${name}: added, started ${started.join(', ')}`
    case 'removed':
      return `${name}: removed, ended ${ended.join(', ')}`
    case 'deployed':
      if (started.length === 0) return `${name}: ${because(changed)}it sleeps, and wakes with that`
      return `${name}: ${because(changed)}deployed anew, ${connections}`
    case 'scaled':
      if (started.length > 0) return `${name}: ${because(changed)}started ${started.join(', ')}`
      if (ended.length > 0) return `${name}: ${because(changed)}${connections}, ended ${ended.join(', ')}`
      return `${name}: ${because(changed)}as many containers as before`
    case 'told':
      return `${name}: ${because(changed)}all processes know`
    case 'kept':
      return `${name}: ${because(changed)}noted`
  }
}

/** Keys that are shown of a list. */
const SHOWN = 4

function because(keys: readonly string[]): string {
  if (keys.length === 0) return ''
  const more = keys.length > SHOWN ? ` and ${keys.length - SHOWN} more` : ''
  return `${keys.slice(0, SHOWN).join(', ')}${more} changed, `
}
