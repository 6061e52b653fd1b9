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
  // Amounts have few fraction digits, and the engine's search for the shortest text costs 70 ns. A decimal of up to 15 digits that reads back
  // is the shortest one, so the thousandths are enough where dividing them gives the value again.
  const thousandths = Math.abs(value) * 1000
  const counted = thousandths | 0
  if (counted === thousandths && counted / 1000 === Math.abs(value)) {
    const whole = (counted / 1000) | 0
    const text = `${whole}${fractions[counted - whole * 1000]}`
    return value < 0 ? `-${text}` : text
  }
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

/** By thousandths: '', '.001', … '.01', … '.999'. */
const fractions: readonly string[] = Array.from({ length: 1000 }, (_, thousandths) => String(thousandths / 1000).slice(1))
