import { Document, isCollection, isScalar, type Node, YAMLMap } from 'yaml'
import { stackSchema } from '../../stack/schema.ts'
import { type Shown, shownConfig } from '../../stack/shown.ts'
import { CONFIGURATION, readConfiguration } from '../platform/configuration.ts'
import { say } from '../terminal/output.ts'
import { checkVariables, chooseProvider } from '../up/preparation.ts'
import { checkValues } from '../up/values.ts'

export interface ConfigOptions {
  readonly config: string | undefined
  readonly json?: boolean | undefined
  /** Also where each value comes from. */
  readonly resolved?: boolean | undefined
  /** Also values out of files of variables. */
  readonly secrets?: boolean | undefined
}

/** Prints the stack file as it was understood. @throws ConfigError it makes no sense */
export function print({ config, json, resolved, secrets }: ConfigOptions): void {
  const found = readConfiguration(config, process.env)
  for (const warning of found.warnings) process.stderr.write(`note: ${warning}\n`)
  const shown = shownConfig(found, secrets === true)
  if (json === true) {
    const plain = plainOf(shown)
    say(JSON.stringify(resolved === true ? { config: plain, from: originsOf(shown, '') } : plain))
    return
  }
  const document = new Document(nodeOf(shown, resolved === true))
  say(document.toString({ lineWidth: 0 }).trimEnd())
}

/** Judges the stack file as `up` does, and starts nothing. @throws ConfigError it makes no sense */
export async function check({ config, json }: ConfigOptions): Promise<void> {
  checkVariables()
  const found = readConfiguration(config, process.env)
  const { warnings, shipped } = found
  // Before what may be wrong because of them: a key that is misspelt is missing.
  if (json !== true) for (const warning of warnings) say(`note: ${warning}`)
  await checkValues(found, chooseProvider().name)
  const file = shipped ? `the ${CONFIGURATION} that comes with hotpotato` : (config ?? CONFIGURATION)
  const functions = [...found.config.functions.keys()]
  if (json === true) {
    say(JSON.stringify({ file, functions, notes: warnings }))
    return
  }
  const count = functions.length === 1 ? '1 function' : `${functions.length} functions`
  say(`${file}: no fault found (${count}: ${functions.join(', ')})`)
}

/** Prints what an editor can be told of stack files. */
export function schema(): void {
  say(JSON.stringify(stackSchema(), null, 2))
}

function plainOf(shown: Shown): unknown {
  if (!isMap(shown)) return shown.value
  return Object.fromEntries([...shown].map(([name, one]) => [name, plainOf(one)]))
}

/** By path, joined with dots. */
function originsOf(shown: Shown, path: string): Readonly<Record<string, string>> {
  if (!isMap(shown)) return { [path]: shown.from }
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`)
  return Object.assign({}, ...[...shown].map(([name, one]) => originsOf(one, below(name))))
}

function nodeOf(shown: Shown, resolved: boolean): Node {
  if (!isMap(shown)) {
    const node = new Document(shown.value).contents as Node
    if (isCollection(node)) node.flow = true
    if (resolved && (isScalar(node) || isCollection(node))) node.comment = ` ${shown.from}`
    return node
  }
  const map = new YAMLMap()
  for (const [name, one] of shown) map.set(name, nodeOf(one, resolved))
  return map
}

function isMap(shown: Shown): shown is ReadonlyMap<string, Shown> {
  return shown instanceof Map
}
