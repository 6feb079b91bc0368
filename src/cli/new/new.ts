import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { isFunctionName } from '../../platform/function-name.ts'
import { meant } from '../../platform/nearest.ts'
import { QUEUE_FUNCTION } from '../../platform/queue-settings.ts'
import { CommandError, UsageError } from '../line/usage-error.ts'
import { CONFIGURATION, packageFolder } from '../platform/configuration.ts'
import { hint, quoted } from '../platform/hint.ts'
import { programPath } from '../platform/program-path.ts'
import { isSystemError, say, warn } from '../terminal/output.ts'
import { readStack, shown, writeWhole } from './files.ts'
import { StackFile } from './stack-file.ts'
import { LANGS, TEMPLATES, templateNamed } from './templates.ts'

/** What the command line says. */
export interface NewOptions {
  readonly lang: string
  /** The folder; undefined: that of its name beside the stack file. */
  readonly handler: string | undefined
  readonly config: string | undefined
  /** What is to be typed next: `reload` where the platform runs; default: `up`. */
  readonly next?: 'up' | 'reload'
}

/** Lists the templates. */
export function listTemplates(): void {
  const width = Math.max(...TEMPLATES.map(({ name }) => name.length))
  say(TEMPLATES.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}`).join('\n'))
}

/**
 * Makes a folder for a function out of a template, and names the function in the stack file. Nothing that is
 * there is written over.
 * @throws UsageError, CommandError
 */
export function makeFunction(name: string, { lang, handler, config, next = 'up' }: NewOptions): void {
  if (!isFunctionName(name))
    throw new UsageError(
      `the name of a function has 1 to 63 of a-z, 0-9 and -, with no - at either end, ` +
        `not ${JSON.stringify(name)}`,
    )
  if (name === QUEUE_FUNCTION) throw new UsageError(`${name} is the name of the platform's own queue`)
  const found = templateNamed(lang)
  if (found === undefined)
    throw new UsageError(`--lang must be one of ${LANGS.join(', ')}, not ${lang}${meant(lang, LANGS)}`)
  const { template, entry } = found
  const file = resolve(config ?? CONFIGURATION)
  const folder = resolve(dirname(file), handler ?? name)
  const isNew = !existsSync(file)
  const text = changed(file, isNew, name, { ...entry, handler: pathFrom(dirname(file), folder) })
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandError(
      `${shown(folder)} is there already, and has files: choose another name or --handler`,
    )
  const wasThere = existsSync(folder)
  try {
    copy(template.name, folder, name)
    writeWhole(file, text)
  } catch (error) {
    clear(folder, wasThere)
    throw isSystemError(error) ? new CommandError(`${shown(folder)} cannot be made (${error.code})`) : error
  }
  say(`made ${shown(folder)}/ (${readdirSync(folder).sort().join(', ')})`)
  say(isNew ? `made ${shown(file)}` : `added ${name} to ${shown(file)}`)
  if (template.program !== undefined && programPath(template.program) === undefined)
    warn(`${template.program} is not installed here; the function needs it`)
  const how = (command: string): string => hint(command, config, process.env)
  const steps = [
    ...(template.packages ? [`npm install --prefix ${quoted(shown(folder))}`] : []),
    how(next),
    `echo hello | ${how(`invoke ${name}`)}`,
  ]
  say(`\nnext:\n${steps.map(one => `  ${one}`).join('\n')}`)
}

/** The stack file with the function in it. @throws CommandError it is there, or the file is no YAML */
function changed(
  file: string,
  isNew: boolean,
  name: string,
  entry: Readonly<Record<string, unknown>>,
): string {
  if (isNew) {
    const head = [
      `# yaml-language-server: $schema=${schemaFrom(dirname(file))}`,
      '# What `hotpotato up` runs; the hotpotato.yml of the package says what can stand here.',
      '# The defaults: http://localhost:8080 and https://localhost:8443, on this machine alone.',
      'version: 1',
      `gateway: { defaultFunction: ${name} }`,
      '',
    ]
    return new StackFile(head.join('\n'), CONFIGURATION).with(name, entry)
  }
  const stack = readStack(file)
  if (stack.functions.includes(name)) throw new CommandError(`${shown(file)} has a function ${name} already`)
  return stack.with(name, entry)
}

/** Where editors find what they can be told of the file: within the project if the package is. */
function schemaFrom(directory: string): string {
  const schema = join(packageFolder(), 'schema', 'hotpotato.schema.json')
  const path = relative(directory, schema)
  return path.startsWith('..') ? schema : `./${path}`
}

function copy(template: string, folder: string, name: string): void {
  mkdirSync(folder, { recursive: true })
  cpSync(join(packageFolder(), 'templates', template), folder, { recursive: true })
  const description = join(folder, 'package.json')
  if (!existsSync(description)) return
  const said = JSON.parse(readFileSync(description, 'utf8')) as object
  writeFileSync(description, `${JSON.stringify({ ...said, name }, undefined, 2)}\n`)
}

/** Takes away what was made: half a function would be in the way of the next try. */
function clear(folder: string, wasThere: boolean): void {
  if (!existsSync(folder)) return
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true })
  if (!wasThere) rmdirSync(folder)
}

/** As a stack file has it: with a point first, so that it is no name of a shipped function. */
function pathFrom(directory: string, folder: string): string {
  const path = relative(directory, folder)
  return path.startsWith('..') ? path : `./${path}`
}
