import type { Report } from '../../supervisor/roll-out.ts'
import type { Ports, Supervisor } from '../../supervisor/supervisor.ts'
import { describe } from '../platform/description.ts'
import type { Verb } from '../platform/orders.ts'
import type { PlatformStatus } from '../platform/status.ts'
import { UpError } from './preparation.ts'
import type { Renewals } from './renewals.ts'
import type { Running } from './running.ts'

/** What works from the first moment on. */
export interface Always {
  /** @param connections whether each of them is told of */
  look(connections: boolean): Promise<PlatformStatus>
  stop(): Promise<void>
  /** Opens the admin port if there is none, and tells where the page is. */
  page(): Promise<string>
}

/** A platform that has started. */
export interface Started {
  readonly supervisor: Supervisor
  readonly running: Running
  readonly renewals: Renewals
  readonly ports: Ports
}

/** Carries an order out. @param words behind its verb @returns the answer @throws Error it could not */
export type Handler = (words: readonly string[], report: Report) => Promise<unknown>

/** What each order does. @param started undefined as long as the platform is still starting */
export function ordersFor(
  { look, stop, page }: Always,
  started: () => Started | undefined,
): Readonly<Record<Verb, Handler>> {
  const running =
    (work: (platform: Started, words: readonly string[], report: Report) => Promise<unknown>): Handler =>
    async (words, report) => {
      const platform = started()
      if (platform === undefined) throw new UpError('the platform is still starting')
      return work(platform, words, report)
    }
  return {
    status: ([what]) => look(what === 'connections'),
    stop: async () => {
      await stop()
      return { stopped: true }
    },
    ui: running(async () => ({ address: await page() })),
    describe: running(async ({ running, supervisor, ports }, [name = '']) =>
      describe(name, running.config, ports, await supervisor.status(), supervisor.held),
    ),
    remove: running(({ running }, [name = ''], report) => running.remove(name, report)),
    drain: running(({ supervisor }, names, report) => supervisor.rollOuts.drain(names, report)),
    leave: running(({ supervisor }, _, report) => supervisor.rollOuts.drainAll(report)),
    deploy: running(({ running }, [name = ''], report) => running.deploy(name, report)),
    scale: running(({ supervisor }, [name = '', count], report) =>
      supervisor.rollOuts.scale(name, Number(count), report),
    ),
    move: running(({ supervisor }, [connection = '', container = '', dump]) =>
      supervisor.sessions.move(connection, container, dump === 'dump'),
    ),
    reveal: running(({ supervisor }, [connection = '']) => supervisor.sessions.reveal(connection)),
    reload: running(({ running }, _, report) => running.reload(report)),
    restart: running(({ supervisor }) => supervisor.reloads.relieveGateway()),
    renew: running(async ({ renewals }, [name]) => ({ renewed: await renewals.renew(name) })),
    show: running(async ({ renewals }, [token = '', text = '']) => ({
      shown: await renewals.show(token, text),
    })),
    withdraw: running(async ({ renewals }, [token = '']) => ({ withdrawn: await renewals.withdraw(token) })),
    respond: running(async ({ renewals }, [what]) => ({ responds: await renewals.respond(what === 'on') })),
  }
}
