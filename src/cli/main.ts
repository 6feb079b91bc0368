#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../gateway/config.ts'
import type { MemberStatus } from '../gateway/supervisor.ts'
import { sendCommand } from './control-socket.ts'
import { followLogs } from './logs.ts'
import { controlSocket, say } from './run-directory.ts'
import { UpError, up } from './up.ts'

const USAGE = `usage: hotpotato up|stop|status|logs [--config hotpotato.yml] [--json]

  up       start the gateway and the containers, and stay
  stop     end what runs
  status   what runs, and what it has done
  logs     follow the log`

/** The `hotpotato` command. */
async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'hotpotato.yml' },
      json: { type: 'boolean', default: false },
    },
  })
  const [command] = positionals
  const runDirectory = (): string => loadConfig(values.config, process.env).config.runDirectory
  switch (command) {
    case 'up':
      return up(values.config)
    case 'stop':
      return stop(runDirectory())
    case 'status':
      return status(runDirectory(), values.json)
    case 'logs':
      followLogs(runDirectory())
      return
    default:
      say(USAGE)
      process.exitCode = 2
  }
}

async function stop(runDirectory: string): Promise<void> {
  const answer = await sendCommand(controlSocket(runDirectory), 'stop')
  say(answer === undefined ? 'nothing runs here' : 'stopped')
}

async function status(runDirectory: string, json: boolean): Promise<void> {
  const answer = (await sendCommand(controlSocket(runDirectory), 'status')) as
    | { members: MemberStatus[] }
    | undefined
  if (answer === undefined) {
    say('nothing runs here: npm start')
    process.exitCode = 1
    return
  }
  if (json) {
    say(JSON.stringify(answer))
    return
  }
  for (const { name, pid, ready, restarts, counters } of answer.members) {
    const numbers = Object.entries(counters).map(([key, value]) => `${key} ${value}`)
    say(
      `${name.padEnd(12)} pid ${pid}  ${ready ? 'ready' : 'starting'}  restarts ${restarts}  ${numbers.join('  ')}`,
    )
  }
}

main().catch((error: unknown) => {
  const expected =
    error instanceof UpError ||
    error instanceof ConfigError ||
    (error as NodeJS.ErrnoException)?.code?.startsWith('ERR_PARSE_ARGS')
  console.error(expected ? (error as Error).message : error)
  process.exitCode = 1
})
