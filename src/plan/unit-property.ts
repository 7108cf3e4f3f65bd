/** Values of D-Bus, with which systemd is told what a unit shall be. */

/** A bus value by its signature: `t` is a bigint, `as` a list of strings, `v` a typed value. */
export type BusValue = string | number | bigint | boolean | TypedValue | readonly BusValue[]

/** `signature` is one complete type of the D-Bus specification, e.g. `a(sv)`. */
export interface TypedValue {
  readonly signature: string
  readonly value: BusValue
}

/** One property of a unit, by the name that it has on the bus: `MemoryMax`, in bytes. */
export interface UnitProperty extends TypedValue {
  readonly name: string
  /** The config field that asked for it. */
  readonly origin: string
}
