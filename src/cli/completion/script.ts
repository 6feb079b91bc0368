import type { Table } from '../line/command.ts'
import { bash } from './bash.ts'
import { fish } from './fish.ts'
import { completionModel } from './model.ts'
import type { SHELLS } from './shells.ts'
import { zsh } from './zsh.ts'

/** What a shell reads to complete `hotpotato`, made of the table of commands. */
export async function completionScript(shell: (typeof SHELLS)[number], table: Table): Promise<string> {
  const commands = await completionModel(table)
  return { bash, zsh, fish }[shell](commands)
}
