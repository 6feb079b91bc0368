import {
  asMap,
  below,
  ConfigError,
  isText,
  isUnsubstituted,
  type Place,
  type Reader,
  reader,
  refuse,
  show,
  UNSUBSTITUTED,
} from './readers.ts'
import { StackMap } from './yaml/tree.ts'
import { readYaml } from './yaml/yaml.ts'

/** Variables by name. */
export type Variables = Readonly<Record<string, string>>

/**
 * A map from names to text; numbers and truth values are taken as text, nothing as the empty one.
 * @param judge says what is wrong with a name and a value
 * @param remark says what is likely not meant with a value
 */
function texts(
  judge: (name: string, value: string) => string | undefined,
  remark: (value: string) => string | undefined = () => undefined,
): Reader<Variables> {
  return reader(
    {
      type: ['object', 'null'],
      additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
      default: {},
    },
    (value, place) => {
      const map = asMap(value, place)
      const entries = [...map].map(([name, one]) => {
        const { path } = below(place, String(name))
        // As it is written: 007 stays 007.
        const written = map instanceof StackMap ? map.written(String(name)) : undefined
        const text = one === null ? '' : (written ?? String(one))
        if (!['string', 'number', 'boolean'].includes(typeof (one ?? '')))
          refuse(path, 'a text, a number or true or false', one)
        const wrong = judge(String(name), text)
        if (wrong !== undefined) throw new ConfigError(`${path}: ${wrong}`, path)
        const odd = remark(text)
        if (odd !== undefined) place.warnings.push({ path, text: `${path} ${odd}` })
        return [String(name), text] as const
      })
      // A name such as `__proto__` is one like any other.
      return Object.fromEntries(entries)
    },
  )
}

/** `labels` and `annotations`. */
export const labels: Reader<Variables> = texts(() => undefined)

/** `environment`. */
export const environment: Reader<Variables> = texts(wrongVariable, value =>
  isUnsubstituted(value) ? `stays ${show(value)}: ${UNSUBSTITUTED}` : undefined,
)

/** The platform's processes read these themselves. */
const OURS = 'variables that begin with HOTPOTATO_ are those of the platform, and no function has them'

/** What the system takes for no variable, and what is not for functions. */
function wrongVariable(name: string, value: string): string | undefined {
  if (name === '' || /[=\0]/.test(name)) return 'the name of a variable is not empty, and has no = and no NUL'
  if (value.includes('\0')) return 'the value of a variable has no NUL'
  if (name.startsWith('HOTPOTATO_')) return OURS
  return undefined
}

/** `environment_file`: one path, or a list of them. */
export const environmentFiles: Reader<readonly string[]> = reader(
  {
    anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }, { type: 'null' }],
    default: [],
  },
  (value, { path }) => {
    if (value === undefined || value === null) return []
    const files = Array.isArray(value) ? value : [value]
    const odd = files.findIndex(one => !isText(one))
    if (odd < 0) return files as string[]
    const allowed = 'the path of a file with variables, or a list of paths'
    return refuse(path, allowed, files[odd], Array.isArray(value) ? `${path}.${odd}` : path)
  },
)

/** A variable of a file, and where it stands. */
export interface FiledVariable {
  readonly name: string
  readonly value: string
  /** As `secrets.env:3`. */
  readonly at: string
}

/**
 * Reads a file of variables: lines `KEY=VALUE`, or, if it ends in .yml or .yaml, what OpenFaaS takes: a map
 * `environment`. @param file its name, for messages @throws ConfigError with file and line
 */
export function readVariables(text: string, file: string, place: Place): FiledVariable[] {
  return /\.ya?ml$/i.test(file) ? fromYaml(text, file, place) : fromLines(text, file)
}

function fromYaml(text: string, file: string, place: Place): FiledVariable[] {
  const { root, at } = readYaml(text, file)
  const given = root instanceof Map ? root.get('environment') : undefined
  if (!(given instanceof Map)) throw new ConfigError(`${file}: it must have a map environment:`)
  try {
    const read = environment(given, { ...place, path: 'environment', warnings: [] })
    return Object.entries(read).map(([name, value]) => ({ name, value, at: at(`environment.${name}`) }))
  } catch (error) {
    const { message, path } = error as ConfigError
    throw path === undefined ? error : new ConfigError(`${at(path)}: ${message}`)
  }
}

/**
 * As Docker and systemd read them: blank lines and those that begin with # are passed over, `export` may
 * stand before a name, and quotes around a whole value are taken off; between double ones, \n, \" and \\ mean
 * what they do elsewhere. Nothing is substituted.
 */
function fromLines(text: string, file: string): FiledVariable[] {
  const found: FiledVariable[] = []
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const at = `${file}:${index + 1}`
    const [, name = '', rest = ''] = /^(?:export\s+)?([^=\s]+)\s*=\s*(.*)$/s.exec(line) ?? []
    if (name === '')
      throw new ConfigError(`${at}: it must be KEY=VALUE, a comment that begins with #, or blank`)
    if (name.startsWith('HOTPOTATO_')) throw new ConfigError(`${at}: ${OURS}`)
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
      throw new ConfigError(`${at}: a name has letters, digits, _, . and -, and begins with a letter or _`)
    const value = unquoted(rest)
    if (value === undefined) throw new ConfigError(`${at}: the quote of the value of ${name} does not end`)
    if (value.includes('\0')) throw new ConfigError(`${at}: the value of a variable has no NUL`)
    found.push({ name, value, at })
  }
  return found
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

/** @returns undefined if a quote does not end */
function unquoted(text: string): string | undefined {
  const [quote] = text
  if (quote !== '"' && quote !== "'") return text.replace(/\s+#.*$/, '')
  const whole = quote === '"' ? /^"((?:[^"\\]|\\.)*)"\s*(#.*)?$/s : /^'([^']*)'\s*(#.*)?$/s
  const inside = whole.exec(text)?.[1]
  if (inside === undefined || quote === "'") return inside
  return inside.replace(/\\(.)/gs, (_, sign: string) => ESCAPES[sign] ?? sign)
}
