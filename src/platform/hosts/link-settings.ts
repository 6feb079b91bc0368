import type { MemberSettings } from '../own-process.ts'

/** What `hosts.carrier` may say. */
export const HOST_CARRIERS = ['relay', 'repair'] as const
export type HostCarrier = (typeof HOST_CARRIERS)[number]

/** What the process that reaches other hosts is told at its start. */
export interface LinkSettings extends MemberSettings {
  /** What this host is called among the others. */
  readonly hostName: string
  /** Of this platform: a link that is started again takes the place of the one before it. */
  readonly run: string
  /** Where the others reach it. */
  readonly address: string
  /** 0: any that is free. */
  readonly port: number
  readonly etcd: {
    readonly endpoints: readonly string[]
    /** What all keys begin with. */
    readonly prefix: string
  }
  /** From one sign of life to the end of what is ours in the directory; of silence until a host is lost. */
  readonly leaseSeconds: number
  /** `repair`: TCP connections go to other hosts themselves, where that can be. */
  readonly carrier: HostCarrier
  /** Where netd is found. */
  readonly runDirectory: string
}
