/* Asker: how does a worker ask the host service without waiting for it? By a thread of its own.
 *
 * Workers send their questions themselves, as far as the socket takes them at once. One thread reads
 * the answers, and keeps the deadlines, and wakes the worker whose connection it is about.
 */
#ifndef CLOUDGATE_ASKER_H
#define CLOUDGATE_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* What a worker is woken for. */
enum { ANSWERED = 1, LATE = 2 };

/* How long a connection may take for its first byte, for the rest of its head before the connection
 * manager waits for it (which has ten seconds more), and for its answer. Fuzzing has other times. */
#ifndef FIRST_BYTE_MS
#define FIRST_BYTE_MS 10000
#define REST_OF_HEAD_MS 300
#define ANSWER_MS 15000
#endif

/* How long the thread sleeps at most, and so how long it takes until the host service hears of a tunnel
 * that has begun when there is nothing else to say. It is shorter than each of the times above, so that
 * the thread need not be woken when somebody begins to wait. */
#ifndef LONGEST_SLEEP_MS
#define LONGEST_SLEEP_MS 250
#endif
enum timer { NO_TIMER = -1, FIRST_BYTE, REST_OF_HEAD, ANSWER, TIMERS };

/* What is known here of a connection. All but `scheduler` is looked at under the asker's lock only. */
struct waiter {
  void *scheduler; /* of Envoy: wakes the worker */
  struct waiter *next, *before; /* with the same timer */
  struct waiter *next_asked;    /* with a like id */
  int64_t deadline_ms;
  char *answer; /* without its head; whose worker takes it frees it */
  size_t answer_length;
  uint32_t id; /* of its question; 0 before there was one */
  int timer;   /* enum timer; NO_TIMER at first, and all else zero */
  bool is_asked;
};

/* Starts the thread, once; `path` is that of the host service's socket. Whether it runs. */
bool start_asker(const char *path, size_t length);

void forget_waiter(struct waiter *waiter);

/* Has the worker be woken with LATE when the timer's time is over; one timer at a time. */
void set_timer(struct waiter *waiter, enum timer timer);

/* Asks. The worker is woken with ANSWERED, or with LATE. False where nobody can be asked. */
bool ask(struct waiter *waiter, uint16_t port, struct part address, struct part authority,
         struct part authorization);

/* Nobody waits any more for the answer, or for the tunnel that was let in. */
void tell_gone(struct waiter *waiter);

/* Who was let in has a tunnel, and asks no more. It is said together with what is said next: the host
 * service is woken once for each tunnel, and not twice. */
void tell_begun(struct waiter *waiter);

/* Says at once what is kept for that. */
void tell_held(void);

/* Takes the answer, for the worker to free; NULL where the host service is gone. */
char *take_answer(struct waiter *waiter, size_t *length);

#endif
