// How long the source topics keep records. A function that stood still decides records as old as that, and a cap with `within` must not have been
// forgotten by then (state.md, section 4): so the store keeps its places for both together, and a day.

/** Days or hours, or for ever. */
export const retentionPattern = /^([1-9][0-9]{0,4}[dh]|forever)$/

/** Throws where it is something else: places that are forgotten too early would be given twice. */
export function retentionMs(text: string): number {
  if (!retentionPattern.test(text))
    throw new Error(`SLUICE_SOURCE_RETENTION is "${text}", and takes days or hours ("30d", "12h") or "forever"`)
  if (text === 'forever') return Number.POSITIVE_INFINITY
  return Number(text.slice(0, -1)) * (text.endsWith('d') ? 86_400_000 : 3_600_000)
}
