import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { DESCRIPTORS, type MemberSettings, SETTINGS_VARIABLE } from '../containers/membership.ts'
import type { Channel } from '../transfer/channel.ts'
import { IpcBroker } from '../transfer/channels/ipc.ts'
import { createInbox, type Inbox, NativeChannel } from '../transfer/channels/native.ts'
import { type Peer, TOKEN_LENGTH } from '../transfer/control.ts'
import type { Descriptor } from '../transfer/stream.ts'
import { hex } from '../wire/index.ts'

/** A process to be kept running. */
export interface MemberSpec {
  /** As `echo-1`. */
  readonly name: string
  /** The compiled module that it runs. */
  readonly entry: URL
  /** What it is told, besides its id. */
  readonly settings: Omit<MemberSettings, 'id' | 'token' | 'descriptors'>
  /** Open descriptors that it inherits. */
  readonly descriptors?: readonly number[]
}

/** A process that the supervisor has started. */
export interface Member {
  readonly id: number
  readonly spec: MemberSpec
  readonly child: ChildProcess
  /** What shows it and the supervisor to each other. */
  readonly token: Uint8Array
  /** The sending ends of its inbox, to introduce it with; empty on the ipc channel. */
  readonly ends: readonly Descriptor[]
  /** As `performance.now()`. */
  readonly startedAt: number
  /** Who it says it is, once it can work. */
  peer: Peer | undefined
  /** Why it says that it cannot start. */
  failure: string | undefined
}

/** The supervisor's channel, and the way to connect a new process to it. */
export interface Switchboard {
  readonly channel: Channel
  start(id: number, spec: MemberSpec): Member
}

/** Opens the supervisor's end of the channels. */
export function openSwitchboard(self: number, kind: Channel['kind']): Switchboard {
  return kind === 'native' ? nativeSwitchboard(self) : ipcSwitchboard(self)
}

function nativeSwitchboard(self: number): Switchboard {
  const own: Inbox = createInbox()
  const channel = NativeChannel.open({ self, receive: own.receive, wake: own.wake })
  return {
    channel,
    start(id, spec) {
      const inbox = createInbox()
      const inherited = [inbox.receive, inbox.wake, own.send, own.wakeSend]
      const token = newToken()
      const child = start(
        id,
        token,
        spec,
        inherited.map(descriptor => descriptor.fd),
      )
      inbox.receive.close()
      inbox.wake.close()
      const ends = [inbox.send, inbox.wakeSend]
      channel.addPeer(id, ends)
      return member(id, token, spec, child, ends)
    },
  }
}

function ipcSwitchboard(self: number): Switchboard {
  const channel = new IpcBroker(self)
  return {
    channel,
    start(id, spec) {
      const token = newToken()
      const child = start(id, token, spec, [])
      channel.attach(id, child)
      return member(id, token, spec, child, [])
    },
  }
}

function newToken(): Uint8Array {
  return new Uint8Array(randomBytes(TOKEN_LENGTH))
}

function start(
  id: number,
  token: Uint8Array,
  { entry, settings, descriptors = [] }: MemberSpec,
  inherited: readonly number[],
): ChildProcess {
  const stdio = ['ignore', 'pipe', 'pipe', 'ipc', ...inherited, ...descriptors] as const
  // A descriptor's number there is its place here.
  const given = descriptors.map((_, index) => stdio.length - descriptors.length + index)
  const told: MemberSettings = { ...settings, id, token: hex(token), descriptors: given }
  const env = { ...process.env, [SETTINGS_VARIABLE]: JSON.stringify(told) }
  if (stdio.indexOf('ipc') !== DESCRIPTORS.ipc) {
    throw new Error('the children look for their channel elsewhere')
  }
  return spawn(process.execPath, [fileURLToPath(entry)], { env, stdio: [...stdio], serialization: 'json' })
}

function member(
  id: number,
  token: Uint8Array,
  spec: MemberSpec,
  child: ChildProcess,
  ends: readonly Descriptor[],
): Member {
  return { id, token, spec, child, ends, startedAt: performance.now(), peer: undefined, failure: undefined }
}
