import type { Table } from './line/command.ts'

/** All commands, by theme, in the order in which help lists them. Each is a file with one value. */
export const TABLE: Table = [
  {
    title: 'the platform',
    commands: {
      up: () => import('./commands/platform/up.ts'),
      reload: () => import('./commands/platform/reload.ts'),
      config: () => import('./commands/platform/config.ts'),
      stop: () => import('./commands/platform/stop.ts'),
      down: () => import('./commands/platform/down.ts'),
      status: () => import('./commands/platform/status.ts'),
      logs: () => import('./commands/platform/logs.ts'),
      restart: () => import('./commands/platform/restart.ts'),
      ui: () => import('./commands/platform/ui.ts'),
      demo: () => import('./commands/platform/demo.ts'),
      netd: () => import('./commands/platform/netd.ts'),
    },
  },
  {
    title: 'functions',
    commands: {
      new: () => import('./commands/functions/new.ts'),
      list: () => import('./commands/functions/list.ts'),
      describe: () => import('./commands/functions/describe.ts'),
      invoke: () => import('./commands/functions/invoke.ts'),
      'local-run': () => import('./commands/functions/local-run.ts'),
      deploy: () => import('./commands/functions/deploy.ts'),
      scale: () => import('./commands/functions/scale.ts'),
      remove: () => import('./commands/functions/remove.ts'),
      queue: () => import('./commands/functions/queue.ts'),
      secret: () => import('./commands/functions/secret.ts'),
      seal: () => import('./commands/functions/seal.ts'),
      open: () => import('./commands/functions/open.ts'),
      keygen: () => import('./commands/functions/keygen.ts'),
    },
  },
  {
    title: 'containers and connections',
    commands: {
      drain: () => import('./commands/connections/drain.ts'),
      move: () => import('./commands/connections/move.ts'),
      inspect: () => import('./commands/connections/inspect.ts'),
      verify: () => import('./commands/connections/verify.ts'),
    },
  },
  {
    title: 'tools that need no platform',
    commands: {
      doctor: () => import('./commands/tools/doctor.ts'),
      completion: () => import('./commands/tools/completion.ts'),
      certs: () => import('./commands/tools/certs.ts'),
      cert: () => import('./commands/tools/cert.ts'),
      serve: () => import('./commands/tools/serve.ts'),
      connect: () => import('./commands/tools/connect.ts'),
      stress: () => import('./commands/tools/stress.ts'),
    },
  },
]
