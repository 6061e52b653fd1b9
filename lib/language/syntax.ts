// The tree of an expression as written, with ranges. Macros (`has`, `all`, `map`, …) stand as calls; the checker gives them their meaning.
import type { Range } from './problem.ts'

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '&&' | '||'

export type Expr =
  | { readonly kind: 'literal'; readonly literal: Literal; readonly range: Range }
  | { readonly kind: 'name'; readonly name: string; readonly range: Range }
  | {
      readonly kind: 'select'
      readonly target: Expr
      readonly field: string
      readonly fieldRange: Range
      readonly optional: boolean
      readonly range: Range
    }
  | { readonly kind: 'index'; readonly target: Expr; readonly index: Expr; readonly optional: boolean; readonly range: Range }
  | {
      readonly kind: 'call'
      readonly name: string
      readonly nameRange: Range
      readonly target?: Expr
      readonly args: readonly Expr[]
      readonly range: Range
    }
  | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly operand: Expr; readonly range: Range }
  | {
      readonly kind: 'binary'
      readonly operator: BinaryOperator
      readonly left: Expr
      readonly right: Expr
      readonly operatorRange: Range
      readonly range: Range
    }
  | { readonly kind: 'conditional'; readonly condition: Expr; readonly yes: Expr; readonly no: Expr; readonly range: Range }
  | { readonly kind: 'list'; readonly elements: readonly ListElement[]; readonly range: Range }
  | { readonly kind: 'map'; readonly entries: readonly MapEntry[]; readonly range: Range }
  /** A protobuf message, which sluice does not have. */
  | { readonly kind: 'message'; readonly name: string; readonly range: Range }
  /** What could not be parsed; its problem has been told. */
  | { readonly kind: 'error'; readonly range: Range }

export type Literal =
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'uint'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number; readonly text: string }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'null' }

/** `[?e]`: left out where the optional e has no value. */
export interface ListElement {
  readonly value: Expr
  readonly optional: boolean
}

export interface MapEntry {
  readonly key: Expr
  readonly value: Expr
  readonly optional: boolean
}
