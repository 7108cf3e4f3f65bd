/** The part of a schema that the loader needs besides validation; made at build time. */
export interface Shape {
  /** The known members of an object. */
  readonly properties?: Readonly<Record<string, Shape>>
  /** What the members of a free-form object look like. */
  readonly values?: Shape
  readonly items?: Shape
  /** A 64-bit integer: becomes a bigint. */
  readonly wide?: 'int64' | 'uint64'
}
