import { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE } from '../transfer/native/capabilities.ts'

/** Ports below this one take a right of their own. */
const UNPRIVILEGED = 1024

/** All that netd may do: repair sockets and, for such ports, bind them. */
export function rightsFor(ports: ReadonlySet<number>): readonly number[] {
  const low = [...ports].some(port => port < UNPRIVILEGED)
  return low ? [CAP_NET_BIND_SERVICE, CAP_NET_ADMIN] : [CAP_NET_ADMIN]
}
