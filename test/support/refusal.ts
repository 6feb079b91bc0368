import { readCommandLine } from '../../src/cli/line/command-line.ts'
import { failureOf } from '../../src/cli/line/failure.ts'
import { TABLE } from '../../src/cli/table.ts'

/**
 * How the command would end, without a process for it: for the many rows of what it refuses before it does
 * anything. That the program does so is tried beside them.
 * @throws Error it is not refused
 */
export async function refused(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  try {
    const line = await readCommandLine([...words], environment, TABLE)
    if (line.kind === 'command') await line.command.run(line.options as never, line.words, { table: TABLE })
  } catch (error) {
    const { status, said } = failureOf(error)
    return { code: status, stdout: '', stderr: `${said}\n` }
  }
  throw new Error(`${words.join(' ')} is not refused`)
}
