/** The providers that can be asked for by name. */
export const PROVIDERS = ['node', 'noble', 'evp'] as const

export type ProviderName = (typeof PROVIDERS)[number]
