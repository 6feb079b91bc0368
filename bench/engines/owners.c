/*
 * The part of an engine in C that is the same for every TLS library: two owners, which are processes, hand
 * connections to each other. A connection moves when its owner has read a request for the other one: state,
 * request and socket go in one message, and the source forgets the session. Nothing is sealed, there is no
 * verdict, and one connection is waited for at a time: it is a measure of the library, not a server.
 */
#define _GNU_SOURCE
#include "owners.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define REFUSED 3
#define EVENTS 16
#define HOPS_MOST 65535

/* One connection; descriptor -1 stands for a place that is free. */
typedef struct {
  session *tls;
  int descriptor;
  uint32_t hops;
} connection;

/* What goes before state and request in a message. */
typedef struct {
  uint32_t hops;
  uint32_t state;
  uint32_t request;
} parcel;

static char owner;
static int poller, pair, listener = -1;
/* Connections of which poll tells; everything else that it tells of is a static int. */
static int standard_input = 0;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int descriptor, void *what) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) < 0) fail("epoll_ctl");
}

/* Ends what this process has of a connection; the socket lives on where another process has it. */
static void forget(connection *one) {
  library_free(one->tls);
  epoll_ctl(poller, EPOLL_CTL_DEL, one->descriptor, NULL);
  close(one->descriptor);
  free(one);
}

static connection *know(session *tls, int descriptor, uint32_t hops) {
  connection *one = malloc(sizeof *one);
  if (one == NULL) fail("malloc");
  *one = (connection){tls, descriptor, hops};
  watch(descriptor, one);
  return one;
}

/* Where the content of a request begins; NULL if it has not come whole. The buffer ends with a zero byte. */
static const char *content(const char *request, size_t length, size_t *bytes) {
  const char *end = strstr(request, "\r\n\r\n");
  const char *field = strcasestr(request, "\r\ncontent-length:");
  if (end == NULL) return NULL;
  *bytes = field == NULL || field > end ? 0 : strtoul(field + 17, NULL, 10);
  return (size_t)(end + 4 - request) + *bytes <= length ? end + 4 : NULL;
}

static int answer(connection *one, const char *body, size_t bytes) {
  static char out[2 * REQUEST_MOST + 512];
  int head = snprintf(out, 512,
                      "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %zu\r\n"
                      "x-hotpotato-container: %c\r\nx-hotpotato-hops: %u\r\n\r\n",
                      2 * bytes, owner, one->hops);
  memcpy(out + head, body, bytes);
  memcpy(out + head + bytes, body, bytes);
  return library_write(one->tls, out, head + 2 * bytes);
}

/* Gives a connection to the other owner, and forgets it here. */
static void give(connection *one, const char *request, size_t length) {
  static unsigned char state[STATE_MOST];
  int exported = library_export(one->tls, state, sizeof state);
  if (exported < 0) {
    fprintf(stderr, "a session was not exported: %d\n", exported);
    exit(1);
  }
  uint32_t hops = one->hops < HOPS_MOST ? one->hops + 1 : HOPS_MOST;
  parcel head = {hops, exported, length};
  struct iovec parts[] = {{&head, sizeof head}, {state, exported}, {(void *)request, length}};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr aligned;
  } control = {{0}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  *rights = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(rights), &one->descriptor, sizeof(int));
  if (sendmsg(pair, &message, MSG_NOSIGNAL) < 0) fail("sendmsg");
  forget(one);
}

/* A connection from the other owner, and the request that it is given away for. */
static void take(void) {
  static char bytes[sizeof(parcel) + STATE_MOST + REQUEST_MOST + 1];
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec whole = {bytes, sizeof bytes - 1};
  struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t length = recvmsg(pair, &message, MSG_CMSG_CLOEXEC);
  if (length <= 0) exit(0); /* the other owner has ended */
  struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
  if (rights == NULL) fail("a parcel without a descriptor");
  int descriptor;
  memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  parcel head;
  memcpy(&head, bytes, sizeof head);
  const unsigned char *state = (unsigned char *)bytes + sizeof head;
  const char *request = bytes + sizeof head + head.state;
  bytes[length] = 0;
  session *tls = library_import(state, head.state, descriptor);
  if (tls == NULL) {
    fprintf(stderr, "a session was not imported\n");
    exit(1);
  }
  connection *one = know(tls, descriptor, head.hops);
  size_t count;
  const char *body = content(request, head.request, &count);
  if (body == NULL || answer(one, body, count) < 0) forget(one);
}

static void serve(connection *one) {
  static char request[REQUEST_MOST + 1];
  size_t length = 0, count;
  const char *body = NULL;
  while (body == NULL) {
    int some = length < REQUEST_MOST ? library_read(one->tls, request + length, REQUEST_MOST - length) : -1;
    if (some <= 0) {
      forget(one);
      return;
    }
    length += some;
    request[length] = 0;
    body = content(request, length, &count);
  }
  const char *target = strchr(request, '/');
  if (target == NULL || target[1] == owner) {
    if (answer(one, body, count) < 0) forget(one);
  } else
    give(one, request, length);
}

static void greet(void) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
  if (descriptor < 0) return;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  session *tls = library_accept(descriptor);
  if (tls == NULL) close(descriptor);
  else know(tls, descriptor, 0);
}

/* Listens on a free port of this machine, and says so. */
static void open_door(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 64) < 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) < 0)
    fail("listen");
  watch(listener, &listener);
  watch(standard_input, &standard_input);
  printf("{\"engine\":\"" ENGINE "\",\"title\":\"%s\",\"port\":%d,"
         "\"owners\":[{\"path\":\"/a\",\"name\":\"a\"},{\"path\":\"/b\",\"name\":\"b\"}]}\n",
         library_name, ntohs(address.sin_port));
  fflush(stdout);
}

int main(int count, char **words) {
  if (count < 4) {
    fprintf(stderr, "usage: %s CERTIFICATE KEY SUITE\n", words[0]);
    return REFUSED;
  }
  const char *wrong = library_open(words[count - 3], words[count - 2], words[count - 1]);
  if (wrong != NULL) {
    fprintf(stderr, "%s\n", wrong);
    return REFUSED;
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) fail("socketpair");
  pid_t child = fork();
  if (child < 0) fail("fork");
  owner = child == 0 ? 'b' : 'a';
  pair = ends[child == 0];
  close(ends[child != 0]);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1");
  watch(pair, &pair);
  if (owner == 'a') open_door();
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      void *what = events[i].data.ptr;
      char ignored[64];
      if (what == &pair) take();
      else if (what == &listener) greet();
      else if (what == &standard_input) {
        if (read(standard_input, ignored, sizeof ignored) <= 0) return 0;
      } else
        serve(what);
    }
  }
}
