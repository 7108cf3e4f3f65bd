import type { BlockIo, ThrottleDevice } from '../../../config/spec.ts'
import type { Issue, Pointer } from '../../../errors.ts'
import type { Contribution, Field, Planning } from '../../field.ts'
import { issueOnlyV1, planController, type Setting } from './controller.ts'

export const blockIO: Field<BlockIo> = { plan: planBlockIo }

function planBlockIo(io: BlockIo, at: Pointer, planning: Planning): Contribution {
  return planController('io', at, planning, (version) => {
    const weights = version === 1 ? weightsV1(io) : weightsV2(io)
    const throttles = THROTTLES.flatMap(({ field, v1, v2 }) =>
      (io[field] ?? []).map((device, index) => ({
        field: `${field}/${index}`,
        ...(version === 1 ? throttleV1(v1, device) : throttleV2(v2, device)),
      })),
    )
    const issues = version === 2 ? leafIssues(io, at) : []
    return { settings: [...weights, ...throttles], issues }
  })
}

const THROTTLES = [
  { field: 'throttleReadBpsDevice', v1: 'blkio.throttle.read_bps_device', v2: 'rbps' },
  { field: 'throttleWriteBpsDevice', v1: 'blkio.throttle.write_bps_device', v2: 'wbps' },
  { field: 'throttleReadIOPSDevice', v1: 'blkio.throttle.read_iops_device', v2: 'riops' },
  { field: 'throttleWriteIOPSDevice', v1: 'blkio.throttle.write_iops_device', v2: 'wiops' },
] as const

type FileValue = Pick<Setting, 'file' | 'value'>

function throttleV1(file: string, { major, minor, rate = 0n }: ThrottleDevice): FileValue {
  return { file, value: `${major}:${minor} ${rate}` }
}

/** 0 lifts the limit in v1; io.max refuses it. */
function throttleV2(key: string, { major, minor, rate = 0n }: ThrottleDevice): FileValue {
  return { file: 'io.max', value: `${major}:${minor} ${key}=${rate === 0n ? 'max' : rate}` }
}

const WEIGHT_HINT = 'weights need a kernel with CONFIG_BFQ_GROUP_IOSCHED and the bfq scheduler'

/** CFQ's files went with Linux 5.0, BFQ's took their place. */
function weightsV1(io: BlockIo): Setting[] {
  const settings: Setting[] = []
  const { weight = 0, leafWeight = 0, weightDevice = [] } = io
  if (weight !== 0) settings.push({ field: 'weight', ...weightFile('weight', `${weight}`) })
  if (leafWeight !== 0) {
    settings.push({ field: 'leafWeight', ...leafWeightFile('leaf_weight', `${leafWeight}`) })
  }
  weightDevice.forEach((device, index) => {
    const { major, minor, weight = 0, leafWeight = 0 } = device
    const field = `weightDevice/${index}`
    if (weight !== 0) {
      settings.push({ field, ...weightFile('weight_device', `${major}:${minor} ${weight}`) })
    }
    if (leafWeight !== 0) {
      const value = `${major}:${minor} ${leafWeight}`
      settings.push({ field, ...leafWeightFile('leaf_weight_device', value) })
    }
  })
  return settings
}

function weightFile(name: string, value: string): Omit<Setting, 'field'> {
  const missing = { file: `blkio.bfq.${name}`, value }
  return { file: `blkio.${name}`, value, missing, hint: WEIGHT_HINT }
}

function leafWeightFile(name: string, value: string): Omit<Setting, 'field'> {
  return { file: `blkio.${name}`, value, hint: 'leaf weights went with the CFQ scheduler' }
}

/** BFQ takes the config's numbers; io.weight has another scale. */
function weightsV2(io: BlockIo): Setting[] {
  const settings: Setting[] = []
  const file = 'io.bfq.weight'
  const hint = 'weights need the bfq scheduler, or a kernel with CONFIG_BLK_CGROUP_IOCOST'
  const push = (field: string, prefix: string, weight: number) => {
    const missing = { file: 'io.weight', value: `${prefix}${weightOfIo(weight)}` }
    settings.push({ field, file, value: `${prefix}${weight}`, missing, hint })
  }
  if (io.weight) push('weight', '', io.weight)
  io.weightDevice?.forEach(({ major, minor, weight = 0 }, index) => {
    if (weight !== 0) push(`weightDevice/${index}`, `${major}:${minor} `, weight)
  })
  return settings
}

/** 10…1000 to 1…10000. */
function weightOfIo(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}

function leafIssues(io: BlockIo, at: Pointer): Issue[] {
  const issues = io.leafWeight ? [issueOnlyV1(`${at}/leafWeight`, 'leaf weights')] : []
  io.weightDevice?.forEach(({ leafWeight }, index) => {
    const pointer = `${at}/weightDevice/${index}/leafWeight`
    if (leafWeight) issues.push(issueOnlyV1(pointer, 'leaf weights'))
  })
  return issues
}
