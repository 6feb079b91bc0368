/** What an author of functions needs to know: the shapes of a module, and what they are told. */
export type {
  BareHandler,
  ConnectionInfo,
  Context,
  Environment,
  FetchHandler,
  FieldSource,
  RawHandler,
  RawResponse,
  ResumeFunction,
  TrailerSource,
} from './contract.ts'
export type { EventSourceFunction, ServerSentComment, ServerSentEvent } from './events.ts'
export type { ResumableController, ResumableSource, ResumableStream } from './resumable.ts'
export type { Socket, SocketContext, SocketHandlers, WebSocketFunction } from './web-socket.ts'
