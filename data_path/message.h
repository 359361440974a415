/* Messages: what do module and host service say to each other, byte by byte? Pure.
 *
 * The module connects to the socket where the host service is asked by Envoy, too, and says GREETING.
 * Then it asks, and is answered in any order. All numbers are in network byte order:
 *
 *   question: u32 length of what follows, u8 ASK, u32 id, u16 port, then as texts: address, authority,
 *             authorization
 *   news:     u32 length of what follows, u8 GONE or BEGUN, u32 id
 *   answer:   u32 length of what follows, u32 id, u8 LEAVE_IT or TUNNEL; for a TUNNEL the texts cluster,
 *             address, tenant, target, pass
 *   text:     u16 length, and as many bytes
 */
#ifndef CLOUDGATE_MESSAGE_H
#define CLOUDGATE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GREETING "cloudgate data path 1\n"

enum { ASK = 1, GONE = 2, BEGUN = 3 };
enum { LEAVE_IT = 0, TUNNEL = 1 };
enum { HEAD_BYTES = 4, LONGEST_ANSWER = 8192, NEWS_BYTES = 9, LONGEST_QUESTION = 20480 };

struct part {
  const char *ptr;
  size_t length;
};

/* What the host service says of a request; points into the message. */
struct verdict {
  uint32_t id;
  bool is_tunnel;
  struct part cluster, address, tenant, target, pass;
};

/* Writes a question into `out`, which has LONGEST_QUESTION bytes; how long it is, 0 if it has no room. */
size_t write_question(char *out, uint32_t id, uint16_t port, struct part address,
                      struct part authority, struct part authorization);

/* Writes what became of a question: GONE, nobody waits any more for the answer, or for what was let
 * in to begin; or BEGUN, who was let in has a tunnel. */
size_t write_news(char *out, uint8_t kind, uint32_t id);

/* How many bytes a message has that follow its first HEAD_BYTES. */
size_t message_length(const char *head);

/* Reads an answer without its HEAD_BYTES. Whether it is one. */
bool read_answer(const char *bytes, size_t length, struct verdict *found);

#endif
