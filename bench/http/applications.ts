import express, { type Express } from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import { TEXT } from './check.ts'
import { TYPE } from './rows.ts'

/** Applications that give what every server of this bench gives, each as its framework is usually used. */

export function expressApplication(): Express {
  return express().get('/', (_, response) => {
    response.type(TYPE).send(TEXT)
  })
}

export function fastifyApplication(): FastifyInstance {
  const app = fastify()
  app.get('/', (_, reply) => {
    reply.type(TYPE).send(TEXT)
  })
  return app
}

export function honoApplication(): Hono {
  return new Hono().get('/', one => one.body(TEXT, 200, { 'content-type': TYPE }))
}
