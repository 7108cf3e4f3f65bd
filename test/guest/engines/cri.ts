/** A client of the Container Runtime Interface, as a kubelet is one: gRPC over containerd's socket. */
import { Client, credentials } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { MESSAGES } from './cri-messages.ts'

const SERVICE = '/runtime.v1.RuntimeService'
const DEADLINE_MS = 120_000

/** Each call with the types of its request and its answer, as `cri-messages.ts` names them. */
const CALLS = {
  Version: ['VersionRequest', 'VersionResponse'],
  Status: ['StatusRequest', 'StatusResponse'],
  RunPodSandbox: ['RunPodSandboxRequest', 'RunPodSandboxResponse'],
  StopPodSandbox: ['PodSandboxRequest', 'Nothing'],
  RemovePodSandbox: ['PodSandboxRequest', 'Nothing'],
  CreateContainer: ['CreateContainerRequest', 'CreateContainerResponse'],
  StartContainer: ['ContainerRequest', 'Nothing'],
  StopContainer: ['ContainerRequest', 'Nothing'],
  RemoveContainer: ['ContainerRequest', 'Nothing'],
  ContainerStatus: ['ContainerRequest', 'ContainerStatusResponse'],
  UpdateContainerResources: ['UpdateContainerResourcesRequest', 'Nothing'],
  ExecSync: ['ExecSyncRequest', 'ExecSyncResponse'],
  Exec: ['ExecRequest', 'ExecResponse'],
  ContainerStats: ['ContainerRequest', 'ContainerStatsResponse'],
} as const

export type CallName = keyof typeof CALLS

export interface CriClient {
  /** One call; 64-bit numbers of the answer are strings, bytes are base64. Throws gRPC's error. */
  readonly call: (name: CallName, request: object) => Promise<Answer>
  readonly close: () => void
}

/** What the answers that are looked at have. */
export interface Answer {
  readonly runtimeName?: string
  readonly runtimeVersion?: string
  readonly runtimeHandlers?: readonly {
    readonly name: string
    readonly features: Readonly<Record<'recursiveReadOnlyMounts' | 'userNamespaces', boolean>>
  }[]
  readonly podSandboxId?: string
  readonly containerId?: string
  readonly url?: string
  readonly stdout?: string
  readonly stderr?: string
  readonly exitCode?: number
  readonly status?: { readonly state: number; readonly exitCode: number; readonly reason: string }
  readonly stats?: {
    readonly cpu: { readonly usageCoreNanoSeconds: { readonly value: string } }
    readonly memory: { readonly workingSetBytes: { readonly value: string } }
  }
}

/** Waits for the server to answer. */
export async function openCri(socket: string): Promise<CriClient> {
  const { root } = protobuf.parse(MESSAGES)
  const client = new Client(`unix://${socket}`, credentials.createInsecure())
  await new Promise<void>((settle, fail) => {
    client.waitForReady(Date.now() + DEADLINE_MS, (error) => (error ? fail(error) : settle()))
  })
  const call = (name: CallName, request: object): Promise<Answer> => {
    const [question, answer] = CALLS[name].map((type) => root.lookupType(`runtime.v1.${type}`))
    if (question === undefined || answer === undefined) throw new Error(`no types of ${name}`)
    return new Promise((settle, fail) => {
      client.makeUnaryRequest(
        `${SERVICE}/${name}`,
        (message: object) => Buffer.from(question.encode(question.fromObject(message)).finish()),
        (bytes) => answer.toObject(answer.decode(bytes), SHAPE),
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (error, value) => (error === null ? settle(value ?? {}) : fail(error)),
      )
    })
  }
  return { call, close: () => client.close() }
}

const SHAPE = { longs: String, bytes: String, defaults: true } as const

/**
 * A streaming exec over the WebSocket that its URL names, by the protocol v4.channel.k8s.io: each
 * message begins with the number of its channel (0 stdin, 1 stdout, 2 stderr, 3 the end).
 */
export async function execStream(url: string, input: string): Promise<StreamResult> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), ['v4.channel.k8s.io'])
  socket.binaryType = 'arraybuffer'
  const channels = ['', '', '', '']
  socket.addEventListener('message', ({ data }) => {
    const [channel = 0, ...bytes] = new Uint8Array(data as ArrayBuffer)
    channels[channel] += Buffer.from(bytes).toString()
  })
  await new Promise((settle, fail) => {
    socket.addEventListener('open', settle)
    socket.addEventListener('error', fail)
  })
  socket.send(Buffer.concat([Buffer.of(0), Buffer.from(input)]))
  await new Promise((settle) => socket.addEventListener('close', settle))
  const [, stdout = '', stderr = '', end = ''] = channels
  return { stdout, stderr, end }
}

export interface StreamResult {
  readonly stdout: string
  readonly stderr: string
  /** Kubernetes' status as JSON. */
  readonly end: string
}
