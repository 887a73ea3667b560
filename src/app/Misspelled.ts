/**
 * Names in the environment that are probably meant to be one of ours. Ours alone are compared: most of an
 * environment belongs to others.
 */

/** Insertions, deletions, substitutions and swaps of neighbours between two words. */
export const editDistance = (a: string, b: string): number => {
  let before: ReadonlyArray<number> = []
  let row: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, n) => n)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(
        Math.min(
          change,
          row[j]! + 1,
          next[j - 1]! + 1,
          swapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/**
 * The known name that `name` is one slip away from: one edit, two in names of twelve letters and more, or
 * another case. Undefined for a known name and for a stranger's.
 */
export const meantBy = <Known extends string>(
  name: string,
  known: ReadonlyArray<Known>
): Known | undefined => {
  if (known.some((one) => one === name)) return undefined
  const upper = name.toUpperCase()
  return known
    .map((one) => ({ one, distance: editDistance(upper, one) }))
    .filter(({ one, distance }) => distance <= (one.length >= 12 ? 2 : 1))
    .sort((a, b) => a.distance - b.distance)[0]?.one
}
