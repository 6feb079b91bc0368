#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../gateway/config.ts'
import type { MemberStatus } from '../gateway/supervisor.ts'
import { type Command, sendCommand } from './control-socket.ts'
import { FORMAT_NAMES, InspectError, inspect, verify } from './inspect.ts'
import { followLogs } from './logs.ts'
import { controlSocket, say } from './run-directory.ts'
import { UpError, up } from './up.ts'
import { CommandError, UsageError } from './usage-error.ts'

const USAGE = `usage: hotpotato up|stop|status|logs [--config hotpotato.yml] [--json]
       hotpotato drain CONTAINER | deploy FUNCTION | scale FUNCTION N [--config hotpotato.yml]
       hotpotato serve --cert FILE --key FILE [options]     (hotpotato serve --help)
       hotpotato connect HOST:PORT [options]                (hotpotato connect --help)
       hotpotato stress URL [-c 50] [-n 200] [options]      (hotpotato stress --help)
       hotpotato inspect|verify FILE [--as ${FORMAT_NAMES.join('|')}] [--secrets]

  up       start the gateway and the containers, and stay
  stop     end what runs
  status   what runs, and what it has done
  logs     follow the log

  drain    move all connections of a container to others of its function, and end it
  scale    start or drain containers of a function until there are N
  deploy   start new containers of a function, move all its connections to them, and end the old ones

  serve    a TLS server that answers over HTTP, to try clients with
  connect  a TLS client, to try servers with
  stress   many requests at a time, and how long they took

  inspect  an annotated dump of a connection's state in FILE (binary or hexadecimal; - for standard input);
           --secrets shows what is masked otherwise
  verify   what is wrong with it`

/** The `hotpotato` command. */
async function main(): Promise<void> {
  const [first, ...others] = process.argv.slice(2)
  // Loaded when asked for: what they need would cost the other commands time.
  if (first === 'serve') return (await import('./serve/serve.ts')).serve(others)
  if (first === 'connect') return (await import('./connect/connect.ts')).connect(others)
  if (first === 'stress') return (await import('./stress/stress.ts')).stress(others)
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'hotpotato.yml' },
      json: { type: 'boolean', default: false },
      as: { type: 'string', default: 'envelope' },
      secrets: { type: 'boolean', default: false },
    },
  })
  const [command, file, count] = positionals
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
    case 'drain':
    case 'deploy':
      if (file === undefined)
        throw new CommandError(
          `${command} needs the name of a ${command === 'drain' ? 'container' : 'function'}`,
        )
      return rollOut(runDirectory(), `${command} ${file}`)
    case 'scale':
      if (file === undefined || !/^[1-9]\d?$/.test(count ?? ''))
        throw new CommandError('scale needs the name of a function and a number from 1 to 99')
      return rollOut(runDirectory(), `scale ${file} ${Number(count)}`)
    case 'inspect':
    case 'verify':
      if (file === undefined) throw new InspectError(`${command} needs a FILE`)
      look(command, file, values)
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

function look(command: 'inspect' | 'verify', file: string, options: { as: string; secrets: boolean }): void {
  if (command === 'inspect') {
    const { text, whole } = inspect(file, options.as, options.secrets)
    say(text)
    if (!whole) process.exitCode = 1
    return
  }
  const faults = verify(file, options.as)
  for (const { where, what } of faults) say(`${where}: ${what}`)
  if (faults.length === 0) say('nothing is wrong with it')
  else process.exitCode = 1
}

/** Has connections moved, and says how that went. */
async function rollOut(runDirectory: string, command: Command): Promise<void> {
  const answer = (await sendCommand(controlSocket(runDirectory), command)) as
    | { readonly started?: readonly string[]; readonly ended: readonly string[]; readonly moved: number }
    | { readonly error: string }
    | undefined
  if (answer === undefined) throw new CommandError('nothing runs here: npm start')
  if ('error' in answer) throw new CommandError(answer.error)
  const { started = [], ended, moved } = answer
  if (started.length > 0) say(`started ${started.join(', ')}`)
  if (ended.length > 0) say(`moved ${moved} connections, ended ${ended.join(', ')}`)
  if (started.length + ended.length === 0) say('nothing to do')
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
    error instanceof InspectError ||
    error instanceof CommandError ||
    error instanceof UsageError ||
    (error as NodeJS.ErrnoException)?.code?.startsWith('ERR_PARSE_ARGS')
  console.error(expected ? (error as Error).message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
})
