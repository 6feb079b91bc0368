#!/usr/bin/env node
import { readCommandLine } from './line/command-line.ts'
import { failureOf } from './line/failure.ts'
import { helpFor, helpForAll } from './line/help.ts'
import { STATUS } from './line/usage-error.ts'
import { versionText } from './line/version.ts'
import { TABLE } from './table.ts'
import { guardOutput, say } from './terminal/output.ts'

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

main().catch((error: unknown) => {
  const { status, said } = failureOf(error)
  console.error(said)
  process.exitCode = status
})
