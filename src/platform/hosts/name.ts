/** What a host may be called: as a label of a host name, in lower case. */
export const HOST_NAME = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'

/** Whether a host may be called that: its name comes into what is shown. */
export function isHostName(name: string): boolean {
  return new RegExp(HOST_NAME).test(name)
}
