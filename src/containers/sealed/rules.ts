import type { Condition, Rule } from '../../platform/seccomp/rule.ts'

const AF_INET = 2
const AF_INET6 = 10
const AF_NETLINK = 16
const SOCK_STREAM = 1
const SOCK_SEQPACKET = 5
const PRIO_PROCESS = 0
const IOPRIO_WHO_PROCESS = 1
/** A signal to the owner of a descriptor, who may be any process of this user. */
const F_SETOWN = 8
const F_SETSIG = 10
const F_SETOWN_EX = 15
const FIOSETOWN = 0x8901
const SIOCSPGRP = 0x8902
const PR_SET_PDEATHSIG = 1
const PR_SET_DUMPABLE = 4

/** It holds if the argument is none of these. */
function none(argument: number, ...values: readonly number[]): readonly Condition[] {
  return values.map(value => ({ argument, test: 'isNot', value }))
}

/** Refuses calls if the argument is one of these. */
function one(calls: readonly string[], argument: number, ...values: readonly number[]): readonly Rule[] {
  return values.map(value => ({ calls, error: 'EPERM', when: [{ argument, test: 'is', value }] }))
}

/**
 * What the worker of a sealed function in JavaScript may not ask of the kernel, which Node's permission model
 * does not refuse: Unix sockets, those of the platform and of Docker among them; to signal, limit or slow
 * down others, above all SIGUSR1, which makes a Node open its inspector; and to outlive its container.
 * @param pid its own
 */
export function sealedRules(pid: number): readonly Rule[] {
  return [
    { calls: ['socket'], error: 'EACCES', when: none(0, AF_INET, AF_INET6, AF_NETLINK) },
    {
      calls: ['socketpair'],
      error: 'EACCES',
      when: none(1, SOCK_STREAM, SOCK_SEQPACKET).map(condition => ({ ...condition, mask: 0xf })),
    },
    { calls: ['kill', 'tkill', 'tgkill', 'rt_sigqueueinfo'], error: 'EPERM', when: none(0, pid) },
    { calls: ['rt_tgsigqueueinfo'], error: 'EPERM', when: none(0, pid) },
    { calls: ['pidfd_open', 'pidfd_send_signal', 'pidfd_getfd', 'kcmp'], error: 'EPERM' },
    { calls: ['ptrace', 'process_vm_readv', 'process_vm_writev'], error: 'EPERM' },
    { calls: ['process_madvise', 'process_mrelease', 'move_pages', 'migrate_pages'], error: 'EPERM' },
    { calls: ['prlimit64', 'sched_setaffinity', 'sched_setattr'], error: 'EPERM', when: none(0, 0) },
    { calls: ['sched_setparam', 'sched_setscheduler'], error: 'EPERM', when: none(0, 0) },
    { calls: ['setpriority'], error: 'EPERM', when: none(0, PRIO_PROCESS) },
    { calls: ['ioprio_set'], error: 'EPERM', when: none(0, IOPRIO_WHO_PROCESS) },
    { calls: ['setpriority', 'ioprio_set'], error: 'EPERM', when: none(1, 0) },
    ...one(['fcntl'], 1, F_SETOWN, F_SETSIG, F_SETOWN_EX),
    ...one(['ioctl'], 1, FIOSETOWN, SIOCSPGRP),
    ...one(['prctl'], 0, PR_SET_PDEATHSIG, PR_SET_DUMPABLE),
    { calls: ['unshare', 'setns', 'bpf', 'perf_event_open', 'userfaultfd'], error: 'EPERM' },
    { calls: ['keyctl', 'add_key', 'request_key'], error: 'EPERM' },
    { calls: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'], error: 'ENOSYS' },
  ]
}
