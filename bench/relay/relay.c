/*
 * The least that a relay can do: bytes from one TCP connection at a time to a Unix socket, and back. It looks
 * at nothing.
 * usage: relay SOCKET; the port is printed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SIZE = 65536 };

struct way { char bytes[SIZE]; size_t start, end; int over; };

/* Returns -1 when the connection broke. */
static int pump(struct way *way, int from, int to)
{
  if (way->start == way->end) {
    ssize_t n = recv(from, way->bytes, SIZE, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n == 0) { way->over = 1; shutdown(to, SHUT_WR); return 0; }
    way->start = 0;
    way->end = n;
  }
  ssize_t n = send(to, way->bytes + way->start, way->end - way->start, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN ? 0 : -1;
  way->start += n;
  return 0;
}

static void relay(int client, int leg)
{
  static struct way ways[2];
  int fds[2] = { client, leg };
  memset(ways, 0, sizeof ways);
  while (!ways[0].over || !ways[1].over) {
    struct pollfd polled[2] = { { client, 0, 0 }, { leg, 0, 0 } };
    for (int i = 0; i < 2; i++) {
      if (ways[i].start < ways[i].end) polled[1 - i].events |= POLLOUT;
      else if (!ways[i].over) polled[i].events |= POLLIN;
    }
    if (poll(polled, 2, -1) < 0) return;
    for (int i = 0; i < 2; i++) {
      int ready = ways[i].start < ways[i].end ? polled[1 - i].revents : polled[i].revents;
      if (ready && pump(&ways[i], fds[i], fds[1 - i]) < 0) return;
    }
  }
}

int main(int count, char **words)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  struct sockaddr_un path = { .sun_family = AF_UNIX };
  socklen_t length = sizeof address;
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  if (count != 2 || strlen(words[1]) >= sizeof path.sun_path) return 2;
  strcpy(path.sun_path, words[1]);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 8) < 0) return 1;
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int client = accept(listener, NULL, NULL), leg = socket(AF_UNIX, SOCK_STREAM, 0);
    if (client < 0 || leg < 0) return 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(leg, (struct sockaddr *)&path, sizeof path) == 0) relay(client, leg);
    close(client);
    close(leg);
  }
}
