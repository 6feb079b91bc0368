import type { Rule } from '../../platform/seccomp/rule.ts'

/** What a process needs beside what every function may do. */
export interface Needs {
  /**
   * It connects sockets: the container of a program (`command`), which talks with that over one. It loads no
   * code of others itself.
   */
  readonly connects: boolean
}

const AF_UNIX = 1
/** `CLONE_NEWNS` to `CLONE_NEWNET`, as in `linux/sched.h`. */
const NEW_NAMESPACES = 0x7e020000
const MSG_FASTOPEN = 0x20000000
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9
const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c
/** Requests that concern the network that a socket is of, from `SIOCADDRT` on: 0x8900 to 0x89ff. */
const NETWORK_REQUESTS = { mask: 0xffffff00, value: 0x8900 } as const

/**
 * What a function may not ask of the kernel. A client's socket is of the network outside, whatever namespace
 * its holder lives in: so it must neither be connected anew (`connect`, `MSG_FASTOPEN`) nor asked about that
 * network (`ioctl`).
 */
export function rules({ connects }: Needs): readonly Rule[] {
  return [
    // The memory and the descriptors of others.
    { calls: ['ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise'], error: 'EPERM' },
    { calls: ['process_mrelease', 'pidfd_getfd', 'kcmp'], error: 'EPERM' },
    // Other namespaces, and what one would do with rights in them.
    { calls: ['unshare', 'setns', 'chroot', 'pivot_root', 'mount', 'umount2'], error: 'EPERM' },
    { calls: ['move_mount', 'open_tree', 'mount_setattr', 'fsopen', 'fsconfig', 'fsmount'], error: 'EPERM' },
    { calls: ['fspick', 'sethostname', 'setdomainname'], error: 'EPERM' },
    { calls: ['clone'], error: 'EPERM', when: [{ argument: 0, mask: NEW_NAMESPACES, test: 'any' }] },
    // Its flags are in memory, where a filter cannot look; the libc then takes `clone`.
    { calls: ['clone3'], error: 'ENOSYS' },
    // Large parts of the kernel that no function needs.
    { calls: ['bpf', 'perf_event_open', 'userfaultfd', 'keyctl', 'add_key', 'request_key'], error: 'EPERM' },
    { calls: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'], error: 'ENOSYS' },
    { calls: ['fanotify_init', 'open_by_handle_at', 'name_to_handle_at', 'lookup_dcookie'], error: 'EPERM' },
    { calls: ['personality', 'modify_ldt', 'uselib', 'ustat', 'sysfs', 'nfsservctl'], error: 'EPERM' },
    { calls: ['move_pages', 'migrate_pages', 'vhangup', 'syslog'], error: 'EPERM' },
    // The machine itself.
    { calls: ['kexec_load', 'kexec_file_load', 'reboot', 'swapon', 'swapoff', 'acct'], error: 'EPERM' },
    { calls: ['init_module', 'finit_module', 'delete_module', 'iopl', 'ioperm'], error: 'EPERM' },
    { calls: ['quotactl', 'quotactl_fd', 'settimeofday', 'clock_settime'], error: 'EPERM' },
    { calls: ['adjtimex', 'clock_adjtime'], error: 'EPERM' },
    // The network.
    ...(connects ? [] : NO_NETWORK),
    {
      calls: ['ioctl'],
      error: 'EPERM',
      when: [{ argument: 1, ...NETWORK_REQUESTS, test: 'is' }],
    },
    {
      calls: ['sendto', 'sendmmsg'],
      error: 'EPERM',
      when: [{ argument: 3, mask: MSG_FASTOPEN, test: 'any' }],
    },
    { calls: ['sendmsg'], error: 'EPERM', when: [{ argument: 2, mask: MSG_FASTOPEN, test: 'any' }] },
    // The terminal that the supervisor was started in.
    { calls: ['ioctl'], error: 'EPERM', when: [{ argument: 1, value: TIOCSTI, test: 'is' }] },
    { calls: ['ioctl'], error: 'EPERM', when: [{ argument: 1, value: TIOCLINUX, test: 'is' }] },
    // It ends with the supervisor, and cannot take that back.
    {
      calls: ['prctl'],
      error: 'EPERM',
      when: [
        { argument: 0, value: PR_SET_PDEATHSIG, test: 'is' },
        { argument: 1, value: SIGKILL, test: 'isNot' },
      ],
    },
  ]
}

const NO_NETWORK: readonly Rule[] = [
  { calls: ['socket'], error: 'EAFNOSUPPORT', when: [{ argument: 0, value: AF_UNIX, test: 'isNot' }] },
  { calls: ['connect'], error: 'EACCES' },
]
