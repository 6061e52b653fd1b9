// Enough XML for DMN's models and test cases: elements, attributes, texts, entities, CDATA. Prefixes are dropped, since no two of the
// kit's vocabularies clash in what is read here.

export interface Element {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly Element[]
  /** Its own text, without that of its children. */
  readonly text: string
}

interface OpenElement {
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: Element[]
  text: string
}

const token =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g

export function parseXml(xml: string): Element {
  const root: OpenElement = { name: '', attributes: new Map(), children: [], text: '' }
  const open: OpenElement[] = [root]
  for (const [, cdata, closing, opening, attributes, isEmpty, text] of xml.matchAll(token)) {
    const current = open.at(-1)!
    if (cdata !== undefined) current.text += cdata
    else if (text !== undefined) current.text += decoded(text)
    else if (opening !== undefined) {
      const element: OpenElement = { name: withoutPrefix(opening), attributes: attributesOf(attributes!), children: [], text: '' }
      current.children.push(element)
      if (isEmpty !== '/') open.push(element)
    } else if (closing !== undefined) {
      const closed = open.pop()
      if (closed?.name !== withoutPrefix(closing)) throw new Error(`</${closing}> closes <${closed?.name}>`)
    }
  }
  const [only, ...others] = root.children
  if (only === undefined || others.length > 0 || open.length !== 1) throw new Error('not one element')
  return only
}

export const childrenOf = (element: Element, name: string): readonly Element[] =>
  element.children.filter(child => child.name === name)
export const childOf = (element: Element, name: string): Element | undefined =>
  element.children.find(child => child.name === name)

export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is no ${what}`)
  return value
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)
  return new Map([...pairs].map(([, name, double, single]) => [withoutPrefix(name!), decoded(double ?? single ?? '')]))
}

const withoutPrefix = (name: string): string => name.replace(/^.*:/, '')

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function decoded(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
    return decimal ? String.fromCodePoint(Number(decimal)) : (entities[name] ?? all)
  })
}
