import { durationText } from '../../src/platform/durations.ts'
import { ENVIRONMENT } from '../../src/stack/config.ts'
import { FUNCTION_KEYS } from '../../src/stack/function.ts'
import { ROOT } from '../../src/stack/keys.ts'
import type { Keys, Reader } from '../../src/stack/readers.ts'

/** The page on the stack file: every key, out of what reads it. */
export function stackFile(): string {
  const foreign = Object.entries(FUNCTION_KEYS).filter(([, one]) => one.foreign)
  const { functions: _, ...whole } = ROOT.keys!
  return `# The stack file

Generated from what reads it by \`npm run docs\`; a test fails when this page is not current.

\`hotpotato.yml\` says which functions there are and how the platform serves them. It is YAML, and a superset
of OpenFaaS's \`stack.yml\`: the keys of that keep their spelling (\`environment_file\`), ours are written
\`maxInflight\`. Only \`functions\` has to be there:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/@hotpotato-tls/hotpotato/schema/hotpotato.schema.json
functions:
  greet:
    handler: ./greet.mjs
    environment: { WORD: hello }
\`\`\`

* **Durations** are seconds, or written as in Go: \`30s\`, \`1m30s\`, \`500ms\`. Sizes are bytes; \`limits\`
  and \`requests\` are written as in Kubernetes: \`128Mi\`, \`500m\`. Paths start at the folder of the file.
* **Errors** name file, line and column, what is wrong and what is allowed. Unknown keys are remarked on,
  with the nearest that there is, and ignored.
* **YAML** 1.2, one document in UTF-8 of at most 1 MiB, with anchors, aliases and merge keys (\`<<\`). Texts
  are given on as they are written: a variable \`007\` stays \`007\`. Nothing is substituted; a \`\${NAME}\`
  among variables is remarked on.
* **From a pipe**: \`--config /dev/stdin\`, \`--config <(…)\`. Paths then start at the working directory,
  and \`deploy\` and \`reload\` have what \`up\` has read.
* **Variables of the environment** go before the file; [below](#variables-of-the-environment).
* \`hotpotato config print\` shows the file with all defaults, \`--resolved\` where each value comes from;
  \`hotpotato config check\` judges it as \`up\` does, and starts nothing; \`hotpotato config schema\`
  prints the JSON Schema, which the package has as \`schema/hotpotato.schema.json\`, for editors.
* \`hotpotato reload\` applies what has changed ([roll-outs](roll-outs.md#the-stack-file-is-read-anew)).

## A stack.yml of OpenFaaS's

is read as it is. \`lang\` with the folder of \`handler\` finds \`handler.js\`, \`handler.mjs\`,
\`handler.cjs\` or \`index.*\` in it; without \`lang\`, too, if \`handler\` is a path. \`provider\` may say
what it likes. These labels mean something:

| label | here |
| --- | --- |
| \`com.openfaas.scale.min\`, \`com.openfaas.scale.max\` | \`replicas\`, which goes before them |
${zero()}
faas-cli puts variables of the environment in the place of \`\${NAME}\` and \`\${NAME:-default}\`; here such
text stays as it is. \`envsubst < stack.yml | npx --no hotpotato up --config /dev/stdin\` does the first.

Without meaning here, remarked on once and harmless:
${wrapped([...foreign.map(([name]) => name), 'configuration', 'provider.network'])}.

## What a function finds in its environment

\`environment\`, and what stands in the files of \`environment_file\`: these go before it, the later before
the earlier, as with OpenFaaS. A file has lines \`KEY=VALUE\`; blank lines and those that begin with \`#\`
are passed over, quotes around a whole value are taken off, and nothing is substituted. One that ends in
\`.yml\` has a map \`environment\`. \`config print\` masks their values unless \`--secrets\` is given; what
is really secret belongs into \`secrets\`.

A function finds them in \`env\` and in \`process.env\`, with \`NODE_ENV=production\` unless they say
otherwise ([functions](functions.md)). Names that begin with \`HOTPOTATO_\` are the platform's and refused.
Others are the author's own affair, \`NODE_OPTIONS\` and \`LD_PRELOAD\` among them: they reach a container
when its Node runs already, so they change only programs that the function starts.

## Keys of a function

\`NAME[].KEY\` is a key of each item of the list \`NAME\`.

${table(Object.fromEntries(Object.entries(FUNCTION_KEYS).filter(([, one]) => !one.foreign)), '')}

## Keys of the whole

${table(whole, '')}

## Variables of the environment

| variable | key |
| --- | --- |
${variables()}
`
}

/** The line of labels that say when there is no container, if that can be. */
function zero(): string {
  if (!('idle' in FUNCTION_KEYS)) return ''
  const labels = ['zero', 'zero-duration'].map(name => `\`com.openfaas.scale.${name}\``)
  return `| ${labels.join(', ')} | \`idle\`, which goes before them |\n`
}

/** Names, in lines of at most 110 columns. */
function wrapped(names: readonly string[]): string {
  const lines = ['']
  for (const [index, name] of names.entries()) {
    const word = `\`${name}\`${index === names.length - 1 ? '' : ','}`
    const line = lines.at(-1)!
    if (line.length + word.length < 108) lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

function variables(): string {
  return Object.entries(ENVIRONMENT)
    .map(([name, key]) => `| \`${name}\` | \`${key}\` |`)
    .join('\n')
}

function table(keys: Keys, prefix: string): string {
  return ['| key | may be | default | |', '| --- | --- | --- | --- |', ...rows(keys, prefix)].join('\n')
}

function rows(keys: Keys, prefix: string): string[] {
  return Object.entries(keys)
    .filter(([, one]) => !one.foreign)
    .flatMap(([name, one]) => {
      const path = prefix + name
      return [row(path, one), ...rows(one.keys ?? {}, `${path}${isList(one) ? '[]' : ''}.`)]
    })
}

function isList({ schema }: Reader<unknown>): boolean {
  return [schema.type].flat().includes('array')
}

function row(path: string, one: Reader<unknown>): string {
  const { description = '', default: fallback } = one.schema
  const cells = [`\`${path}\``, mayBe(one), fallback === undefined ? '' : `\`${defaultOf(one, fallback)}\``]
  return `| ${[...cells, String(description)].map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function defaultOf({ isDuration }: Reader<unknown>, fallback: unknown): string {
  if (isDuration && typeof fallback === 'number') return durationText(fallback)
  return typeof fallback === 'string' ? fallback : JSON.stringify(fallback)
}

function mayBe({ keys, schema, allowed, isDuration }: Reader<unknown>): string {
  if (keys !== undefined) return kind(schema)
  if (isDuration) return durations(schema.anyOf as readonly Record<string, unknown>[])
  if (schema.type === 'integer' && schema.minimum !== undefined)
    return `${schema.minimum} to ${schema.maximum}`
  if (Array.isArray(schema.enum)) return [...new Set(schema.enum.map(value => `\`${value}\``))].join(', ')
  if (schema.type === 'boolean') return '`true`, `false`'
  if (allowed !== undefined) return allowed
  return kind(schema)
}

function durations([range]: readonly Record<string, unknown>[]): string {
  const { minimum, maximum } = range as { readonly minimum: number; readonly maximum: number }
  return `${durationText(minimum)} to ${durationText(maximum)}`
}

/** In words that users know. */
const KINDS: Readonly<Record<string, string>> = {
  object: 'a map',
  array: 'a list',
  string: 'a text',
  integer: 'a number',
}

function kind(schema: Readonly<Record<string, unknown>>): string {
  const several = (schema.anyOf as readonly Record<string, unknown>[] | undefined) ?? [schema]
  const names = several
    .flatMap(({ type }) => type as string | readonly string[])
    .filter(type => type !== undefined && type !== 'null')
  return [...new Set(names)].map(name => KINDS[name] ?? `a ${name}`).join(' or ')
}
