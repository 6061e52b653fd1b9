// What goes out: JSON of values, and texts of holes, keys and headers.
import { decimalText } from './decimal.ts'
import { timestampText, timestampUnits } from './time.ts'
import { ExpressionFailure, type Int, type Timestamp } from './values.ts'

/** As JSON.stringify: lone surrogates are escaped, so that the bytes are always UTF-8. */
export function jsonOfString(text: string): string {
  // A look at short texts is cheaper than the call.
  if (text.length > 40) return JSON.stringify(text)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 32 || unit === 34 || unit === 92 || unit >= 0xd800) return JSON.stringify(text)
  }
  return `"${text}"`
}

export function jsonOfBool(value: boolean): string {
  return value ? 'true' : 'false'
}

export function jsonOfInt(value: Int): string {
  return String(value)
}

/** The shortest text that reads back; JSON has no text for NaN and infinity. */
export function jsonOfDouble(value: number): string {
  if (!Number.isFinite(value)) throw new ExpressionFailure('the number is not finite and cannot be written')
  return String(value)
}

export function jsonOfDecimal(scaled: Int, digits: number): string {
  return decimalText(scaled, digits, false)
}

export function jsonOfTimestamp(value: Timestamp): string {
  return `"${timestampText(value)}"`
}

export function jsonOfTimestampMillis(value: Timestamp): string {
  return String(timestampUnits(value, 1000))
}

export function jsonOfTimestampMicros(value: Timestamp): string {
  return String(timestampUnits(value, 1_000_000))
}

export function textOfBool(value: boolean): string {
  return value ? 'true' : 'false'
}

export function textOfInt(value: Int): string {
  return String(value)
}

export function textOfDouble(value: number): string {
  return jsonOfDouble(value)
}

export function textOfDecimal(scaled: Int, digits: number): string {
  return decimalText(scaled, digits, true)
}

export function textOfTimestamp(value: Timestamp): string {
  return timestampText(value)
}
