// What a misspelt name was meant to be. Only when sure: one candidate is near, and no other is as near.

/** The one of `candidates` that is clearly meant, or undefined. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const limit = name.length <= 3 ? 1 : name.length <= 6 ? 2 : 3
  let best: string | undefined
  let bestDistance = limit + 1
  let rivals = 0
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    // Two slips and another first letter: that is another word.
    if (distance > 1 && name[0]?.toLowerCase() !== candidate[0]?.toLowerCase()) continue
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
      rivals = 0
    } else if (distance === bestDistance) rivals++
  }
  return rivals === 0 ? best : undefined
}

// Damerau-Levenshtein (optimal string alignment): swapped neighbours are one slip, as in "paln".
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let distance = Math.min(substituted, last[j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) distance = Math.min(distance, beforeLast[j - 2]! + 1)
      row.push(distance)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
