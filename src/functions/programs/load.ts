import type { Log } from '../../platform/log.ts'
import type { ProgramSettings } from '../../platform/program-settings.ts'
import type { Clock } from '../../time/clock.ts'
import { installGlobals, prepare } from '../../web/globals.ts'
import { functionModule } from '../module.ts'
import { socketDirectory } from './endpoint.ts'
import { Forks } from './forks.ts'
import { Forwarder } from './forward.ts'
import { Guardian, MARK } from './guardian.ts'
import { folderOf, inheritedByPrograms, mustBeThere } from './process.ts'
import type { Program } from './program.ts'
import { ServerProgram } from './server-program.ts'
import { ProgramSocket } from './web-socket.ts'

/** What a program's container knows besides. */
export interface ProgramOptions {
  readonly settings: ProgramSettings
  readonly functionName: string
  /** The container, as `echo-1`. */
  readonly container: string
  /** What the stack file gives to the function. */
  readonly environment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Makes a function of a program in any language, and waits until that can take requests.
 * @throws FunctionError it cannot be started, or does not get ready
 */
export async function loadProgram(options: ProgramOptions): Promise<Program> {
  const { functionName, container, clock, log } = options
  const directory = folderOf(options.settings.directory)
  const settings = { ...options.settings, directory }
  const { command } = settings
  const inherited = inheritedByPrograms(process.env)
  mustBeThere({ command, directory, environment: { ...inherited, ...options.environment } })
  installGlobals()
  prepare()
  const sockets = settings.mode === 'socket' ? socketDirectory(settings.runDirectory, container) : ''
  const guardian = new Guardian(container, sockets, clock, how =>
    log.warn({ how }, 'the guardian of the program has ended'),
  )
  const environment = {
    ...inherited,
    ...options.environment,
    HOTPOTATO_FUNCTION: functionName,
    [MARK]: guardian.mark,
  }
  const file = command.join(' ')
  if (settings.mode === 'fork') {
    const forks = new Forks({ settings, functionName, environment, clock, log })
    return {
      module: functionModule({
        kind: 'raw',
        file,
        handle: (request, context) => forks.handle(request, context),
      }),
      counters: () => forks.counters(),
      stop: async () => {
        await forks.stop()
        guardian.close()
      },
    }
  }
  const server = new ServerProgram({
    settings,
    functionName,
    environment,
    directory: sockets,
    clock,
    log,
    onGroup: group => guardian.watch(group),
  })
  const forwarder = new Forwarder(functionName, server, settings.bufferContent)
  server.onEnded = () => forwarder.reset()
  await server.start()
  const asking = { ready: () => server.ready(), clock, goodbyes: server.goodbyes }
  return {
    module: functionModule({
      kind: 'fetch',
      file,
      fetch: (request, _env, context) => forwarder.fetch(request, context),
      webSocket: (socket, _context, state) => (state as ProgramSocket).join(socket),
      ready: () => server.endpoint !== undefined,
      admitWebSocket: (context, protocols) => ProgramSocket.open(context, protocols, asking),
    }),
    counters: () => ({
      programPid: server.pid ?? 0,
      programReady: server.endpoint === undefined ? 0 : 1,
      programRestarts: server.restarts,
    }),
    stop: async () => {
      await server.stop()
      forwarder.reset()
      guardian.close()
    },
  }
}
