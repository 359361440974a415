/* Request: is this the head of a plain CONNECT, and what does it ask for? Pure.
 *
 * Only what there can be no two opinions about is taken for one. All else is OTHER, and Envoy's own
 * HTTP parser has the last word on it; so nothing is let in here that would be refused there.
 */
#ifndef CLOUDGATE_REQUEST_H
#define CLOUDGATE_REQUEST_H

#include <stddef.h>

/* The longest head that is looked at here, and its most lines of headers. */
enum { LONGEST_HEAD = 16384, MOST_HEADERS = 64 };

enum request_kind {
  INCOMPLETE, /* may become a CONNECT */
  PLAIN_CONNECT,
  OTHER,
};

/* A part of the head, by its place. */
struct span {
  size_t at;
  size_t length;
};

struct request {
  struct span authority;     /* host:port */
  struct span authorization; /* the value of Proxy-Authorization */
  size_t head_length;        /* up to and with the empty line */
  int minor;                 /* of HTTP/1.x: 0 or 1 */
};

/* What `length` bytes are the beginning of; `found` is filled in for a PLAIN_CONNECT only. */
enum request_kind read_request(const char *bytes, size_t length, struct request *found);

#endif
