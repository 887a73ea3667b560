export interface Marked {
  readonly type: string
  readonly offset: number
  readonly length: number
  readonly url?: string
  readonly language?: string
}
export interface Formatted {
  readonly text: string
  readonly entities: ReadonlyArray<Marked>
}
export declare const parse: (source: string) => Formatted
export declare const unparse: (text: string, entities: ReadonlyArray<Marked>) => string | undefined
export declare const shift: (
  before: string,
  after: string,
  entities: ReadonlyArray<Marked>
) => ReadonlyArray<Marked>
export declare const split: (whole: Formatted) => ReadonlyArray<Formatted>
