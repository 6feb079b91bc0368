/*
 * What an engine in C needs of a TLS library: seven functions. owners.c does the rest of
 * docs/bench-engines.md: two processes, a socket pair between them, HTTP, descriptors.
 */
#ifndef OWNERS_H
#define OWNERS_H

#include <stddef.h>

/* Bytes of the largest exported state, and of the largest request. */
#define STATE_MOST 2048
#define REQUEST_MOST 8192

typedef struct session session;

/* As tables name it. */
extern const char *const library_name;
/* Prepares for connections; called once, before there is a second process. Returns what is wrong, or NULL. */
const char *library_open(const char *certificate, const char *key, const char *suite);
/* Server side of a handshake over a blocking socket. Returns NULL if it fails. */
session *library_accept(int descriptor);
/* Reads application data, waiting for it. Returns bytes, 0 at the end, negative for an error. */
int library_read(session *from, char *to, size_t most);
/* Writes application data as one record. Returns 0, or negative for an error. */
int library_write(session *to, const char *from, size_t length);
/* Writes the state of a connection that has nothing buffered. Returns bytes, or negative for an error. */
int library_export(session *from, unsigned char *to, size_t most);
/* A session that goes on from a state over another descriptor. Returns NULL if it fails. */
session *library_import(const unsigned char *state, size_t length, int descriptor);
/* Forgets a session; says nothing to its peer, and leaves the descriptor open. */
void library_free(session *one);

#endif
