import { MOST_FLOWS, type Steered } from '../platform/netd/messages.ts'
import { Nftables, NftablesError } from '../transfer/native/nftables.ts'
import { addressBytes, addressText, type Flow, flowKey } from '../transfer/tcp/flow.ts'
import { TcpRefusal } from '../transfer/tcp/repair.ts'

/*
 * What clients send on connections that other hosts have goes on to those: in one map of nftables for each
 * family, before connections are tracked. A packet goes out as it has come, to the other host's interface.
 */

const FAMILIES = {
  ipv4: { table: 'ip', type: 'ipv4_addr', name: 'ip', length: 4 },
  ipv6: { table: 'ip6', type: 'ipv6_addr', name: 'ip6', length: 16 },
} as const
type Family = keyof typeof FAMILIES
const TABLE = 'hotpotato'

/** The rule that looks into the map; elements of one that is there already stay. */
function rules(family: Family): string {
  const { table, type, name } = FAMILIES[family]
  const of = `${table} ${TABLE}`
  const ends = `${type} . inet_service`
  const key = `${name} saddr . tcp sport . ${name} daddr . tcp dport`
  return [
    `add table ${of}`,
    `add map ${of} flows { type ${ends} . ${ends} : ${type}; size ${MOST_FLOWS}; }`,
    `add chain ${of} steer { type filter hook prerouting priority -310; policy accept; }`,
    `flush chain ${of} steer`,
    `add rule ${of} steer meta l4proto tcp dup to ${key} map @flows drop`,
  ].join('; ')
}

/** The connections whose packets go on to other hosts. The kernel keeps them when this process ends. */
export class Steering {
  readonly #nftables: Nftables
  readonly #flows = new Map<string, Steered>()

  /** @throws NftablesError the library, or the right, is missing */
  constructor() {
    this.#nftables = new Nftables()
    for (const family of ['ipv4', 'ipv6'] as const) {
      this.#nftables.run(rules(family))
      for (const one of this.#listed(family)) this.#flows.set(flowKey(one.flow), one)
    }
  }

  get flows(): readonly Steered[] {
    return [...this.#flows.values()]
  }

  /** @param to undefined: what its client sends stays here @throws TcpRefusal it goes on as before */
  steer(flow: Flow, to: Uint8Array | undefined): void {
    const key = flowKey(flow)
    const before = this.#flows.get(key)
    if (to === undefined && before === undefined) return
    if (to !== undefined && to.length !== FAMILIES[flow.ends.family].length)
      throw new TcpRefusal('a host whose address is of another family')
    if (before === undefined && this.#flows.size >= MOST_FLOWS)
      throw new TcpRefusal(`${MOST_FLOWS} connections are steered already`)
    const add = to === undefined ? '' : `add ${element(flow)} : ${addressText(to)} }`
    const drop = before === undefined ? '' : `delete ${element(flow)} }; `
    try {
      this.#change(`${drop}${add}`, add)
    } catch (error) {
      if (!(error instanceof NftablesError)) throw error
      throw new TcpRefusal(`it cannot be steered (${error.message})`, { cause: error })
    }
    if (to === undefined) this.#flows.delete(key)
    else this.#flows.set(key, { flow, to: to.slice() })
  }

  /** @param otherwise if what is to be deleted is gone: another program may do that */
  #change(command: string, otherwise: string): void {
    try {
      this.#nftables.run(command)
    } catch (error) {
      if (command === otherwise || !/No such file/.test((error as Error).message)) throw error
      if (otherwise !== '') this.#nftables.run(otherwise)
    }
  }

  /** What the kernel has of a former netd. */
  #listed(family: Family): Steered[] {
    const { table } = FAMILIES[family]
    const said = JSON.parse(this.#nftables.run(`list map ${table} ${TABLE} flows`)) as {
      nftables: { map?: { elem?: [{ concat: [string, number, string, number] }, string][] } }[]
    }
    const elements = said.nftables.flatMap(({ map }) => map?.elem ?? [])
    return elements.flatMap(([{ concat }, to]) => {
      const [remoteText, remotePort, localText, localPort] = concat
      const [remote, local, next] = [remoteText, localText, to].map(addressBytes)
      if (remote === undefined || local === undefined || next === undefined) return []
      return [{ flow: { ends: { family, local, remote }, localPort, remotePort }, to: next }]
    })
  }
}

function element({ ends, localPort, remotePort }: Flow): string {
  const { table } = FAMILIES[ends.family]
  const key = `${addressText(ends.remote)} . ${remotePort} . ${addressText(ends.local)} . ${localPort}`
  return `element ${table} ${TABLE} flows { ${key}`
}
