#!/usr/bin/env node
import { readCommandLine } from './line/command-line.ts'
import { helpFor, helpForAll } from './line/help.ts'
import { STATUS } from './line/usage-error.ts'
import { versionText } from './line/version.ts'
import { TABLE } from './table.ts'
import { guardOutput, isSystemError, printable, say } from './terminal/output.ts'

/** The `hotpotato` command. */
async function main(): Promise<void> {
  guardOutput()
  const line = await readCommandLine(process.argv.slice(2), process.env, TABLE)
  switch (line.kind) {
    case 'version':
      return say(versionText())
    case 'help':
      return say(line.about === undefined ? await helpForAll(TABLE) : helpFor(line.about))
    case 'nothing':
      say(await helpForAll(TABLE))
      process.exitCode = STATUS.usage
      return
    case 'command':
      return line.command.run(line.options as never, line.words, { table: TABLE })
  }
}

/**
 * Errors whose message says it all, by name, so that no command has to load what another one throws, and the
 * status that each ends with.
 */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['UsageError', STATUS.usage],
  ['ConfigError', STATUS.configuration],
  ['CommandError', STATUS.failed],
  ['CertificateError', STATUS.failed],
  ['MissingPackageError', STATUS.failed],
])

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

main().catch((error: unknown) => {
  const status = STATUSES.get(nameOf(error))
  const expected = status !== undefined || isSystemError(error)
  console.error(expected ? printable((error as Error).message) : error)
  process.exitCode = status ?? STATUS.failed
})
