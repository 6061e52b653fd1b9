// All that compiled expressions may call, as the namespace `std`. Named exports, so that a bundle holds only what its scenario uses.
export * from './conversion.ts'
export * from './decimal.ts'
export * from './integer.ts'
export * from './output.ts'
export * from './pattern.ts'
export * from './time.ts'
export * from './values.ts'
export { isTimeZone, zoneOffset } from './zone.ts'
