import { optionalPackage } from '../../platform/optional-package.ts'
import { printable } from '../terminal/output.ts'

/** Values that are shown as they are; a line of theirs must not look like an entry of its own. */
const SHOWN = new Set(['time', 'name', 'caller', 'msg'])

/**
 * Makes what shows one line of the log. Functions have their say in it: nothing in it moves the cursor, looks
 * like another entry or ends the command.
 * @throws MissingPackageError
 */
export async function prettyLog(colorize: boolean): Promise<(line: string) => string> {
  const purpose = 'showing the log in lines for people'
  const { prettyFactory } = await optionalPackage('pino-pretty', purpose, () => import('pino-pretty'))
  const pretty = prettyFactory({ colorize, ignore: 'pid,hostname' })
  return line => {
    try {
      const safe: unknown = JSON.parse(line, function (this: unknown, key, value: unknown) {
        if (typeof value === 'string') return SHOWN.has(key) ? indented(printable(value)) : printable(value)
        return isMap(value) ? Object.fromEntries(Object.entries(value).map(named)) : value
      })
      if (isMap(safe)) return pretty(safe)
    } catch {
      // It is shown as it stands.
    }
    return `${printable(line)}\n`
  }
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function named([name, value]: [string, unknown]): [string, unknown] {
  return [printable(name).replaceAll('\n', '\\n'), value]
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n    ')
}
