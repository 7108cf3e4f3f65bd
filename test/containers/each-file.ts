/** Around each file of tests, also where several share a process. */
import { afterAll, beforeAll } from 'vitest'
import { closeHome, openHome } from './rig.ts'

beforeAll(openHome)
afterAll(closeHome)
