import type { Launch } from '../../../src/supervisor/isolation/isolation.ts'
import type { View } from '../../../src/supervisor/isolation/visible.ts'

/** A system with one symbolic link. */
export const VIEW: View = { system: ['/usr', '/etc/ssl/certs'], links: [['/lib', 'usr/lib']] }

/** A container that is to be started, as root or not. */
export function launch(more: Partial<Launch> = {}): Launch {
  return {
    name: 'echo-1',
    id: 7,
    command: ['/usr/bin/node', '/app/dist/worker.js'],
    environment: { PATH: '/usr/bin', HOME: '/root', SSLKEYLOGFILE: '/root/keys', NODE_ENV: undefined },
    firstFree: 7,
    visible: ['/app/dist', '/srv/echo'],
    secrets: undefined,
    workingDirectory: '/srv/echo',
    uid: undefined,
    connects: false,
    share: {},
    bundles: '/srv/echo/run/oci',
    ...more,
  }
}
