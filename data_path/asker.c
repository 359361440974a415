#include "asker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "envoy_abi.h"

enum { BUCKETS = 4096, AGAIN_MS = 200, MOST_UNSENT = 4 * 1024 * 1024, MOST_HELD = 64 * NEWS_BYTES };

static const int64_t durations_ms[TIMERS] = {FIRST_BYTE_MS, REST_OF_HEAD_MS, ANSWER_MS};

struct list {
  struct waiter *first, *last;
};

static struct {
  pthread_mutex_t lock;
  bool is_started;
  int connection; /* -1 while there is none */
  int bell;       /* wakes the thread */
  struct sockaddr_un address;
  uint32_t last_id;
  struct waiter *asked[BUCKETS];
  struct list timers[TIMERS];
  char *unsent; /* what the socket did not take at once */
  size_t unsent_length, unsent_room;
  char held[MOST_HELD + LONGEST_QUESTION]; /* news that go along with what is said next */
  size_t held_length;
  int64_t held_until_ms;
} asker = {.lock = PTHREAD_MUTEX_INITIALIZER, .connection = -1, .bell = -1};

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void ring(void) {
  const uint64_t one = 1;
  if (write(asker.bell, &one, sizeof one) < 0) {
    /* EAGAIN: it rings already. */
    return;
  }
}

static void wake(struct waiter *waiter, uint64_t event) {
  envoy_dynamic_module_callback_network_filter_scheduler_commit(waiter->scheduler, event);
}

static void stop_timer(struct waiter *waiter) {
  if (waiter->timer == NO_TIMER) {
    return;
  }
  struct list *list = &asker.timers[waiter->timer];
  *(waiter->before != NULL ? &waiter->before->next : &list->first) = waiter->next;
  *(waiter->next != NULL ? &waiter->next->before : &list->last) = waiter->before;
  waiter->next = waiter->before = NULL;
  waiter->timer = NO_TIMER;
}

static void start_timer(struct waiter *waiter, enum timer timer) {
  stop_timer(waiter);
  struct list *list = &asker.timers[timer];
  waiter->deadline_ms = now_ms() + durations_ms[timer];
  waiter->timer = (int)timer;
  waiter->before = list->last;
  *(list->last != NULL ? &list->last->next : &list->first) = waiter;
  list->last = waiter; /* the thread wakes before its time, without being rung for */
}

static void not_asked(struct waiter *waiter) {
  if (!waiter->is_asked) {
    return;
  }
  struct waiter **at = &asker.asked[waiter->id % BUCKETS];
  while (*at != waiter) {
    at = &(*at)->next_asked;
  }
  *at = waiter->next_asked;
  waiter->next_asked = NULL;
  waiter->is_asked = false;
}

/* The host service is gone: nobody who asked it hears of it any more. */
static void hang_up(void) {
  if (asker.connection >= 0) {
    close(asker.connection);
    asker.connection = -1;
  }
  asker.unsent_length = asker.held_length = 0;
  for (size_t i = 0; i < BUCKETS; i++) {
    while (asker.asked[i] != NULL) {
      struct waiter *waiter = asker.asked[i];
      not_asked(waiter);
      stop_timer(waiter);
      wake(waiter, ANSWERED);
    }
  }
}

static void dial(void) {
  int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) {
    return;
  }
  const size_t length = sizeof GREETING - 1;
  if (connect(made, (const struct sockaddr *)&asker.address, sizeof asker.address) != 0 ||
      send(made, GREETING, length, MSG_NOSIGNAL) != (ssize_t)length) {
    close(made);
    return;
  }
  asker.connection = made;
}

/* Sends what it can of `bytes`, and keeps the rest in line. False where that is not possible. */
static bool send_in_line(const char *bytes, size_t length) {
  if (asker.connection < 0 || length > MOST_UNSENT - asker.unsent_length) {
    return false;
  }
  size_t sent = 0;
  if (asker.unsent_length == 0) {
    ssize_t taken = send(asker.connection, bytes, length, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
      return false; /* the thread notices */
    }
    sent = taken > 0 ? (size_t)taken : 0;
  }
  size_t left = length - sent;
  if (left == 0) {
    return true;
  }
  if (asker.unsent_length + left > asker.unsent_room) {
    size_t room = 2 * (asker.unsent_length + left);
    char *more = realloc(asker.unsent, room);
    if (more == NULL) {
      if (sent > 0) {
        shutdown(asker.connection, SHUT_RDWR); /* half a question cannot be taken back */
      }
      return false;
    }
    asker.unsent = more;
    asker.unsent_room = room;
  }
  memcpy(asker.unsent + asker.unsent_length, bytes + sent, left);
  asker.unsent_length += left;
  ring();
  return true;
}

static bool send_held(void) {
  size_t length = asker.held_length;
  asker.held_length = 0;
  return length == 0 || send_in_line(asker.held, length);
}

static bool send_unsent(void) {
  ssize_t taken = send(asker.connection, asker.unsent, asker.unsent_length, MSG_NOSIGNAL);
  if (taken < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  asker.unsent_length -= (size_t)taken;
  memmove(asker.unsent, asker.unsent + taken, asker.unsent_length);
  return true;
}

static bool deliver(const char *bytes, size_t length) {
  struct verdict verdict;
  if (!read_answer(bytes, length, &verdict)) {
    return false;
  }
  struct waiter *waiter = asker.asked[verdict.id % BUCKETS];
  while (waiter != NULL && waiter->id != verdict.id) {
    waiter = waiter->next_asked;
  }
  if (waiter == NULL) {
    return true; /* who asked is gone, which the host service has been told */
  }
  not_asked(waiter);
  stop_timer(waiter);
  waiter->answer = malloc(length);
  if (waiter->answer != NULL) {
    memcpy(waiter->answer, bytes, length);
    waiter->answer_length = length;
  }
  wake(waiter, ANSWERED);
  return true;
}

/* Takes in what has come. False at the end of the connection. */
static bool receive(char *unread, size_t *unread_length, size_t room) {
  ssize_t came = recv(asker.connection, unread + *unread_length, room - *unread_length, 0);
  if (came <= 0) {
    return came < 0 && (errno == EAGAIN || errno == EINTR);
  }
  *unread_length += (size_t)came;
  size_t at = 0;
  while (*unread_length - at >= HEAD_BYTES) {
    size_t length = message_length(unread + at);
    if (length > LONGEST_ANSWER) {
      return false;
    }
    if (*unread_length - at - HEAD_BYTES < length) {
      break;
    }
    if (!deliver(unread + at + HEAD_BYTES, length)) {
      return false;
    }
    at += HEAD_BYTES + length;
  }
  *unread_length -= at;
  memmove(unread, unread + at, *unread_length);
  return true;
}

static int64_t sooner(int64_t one_ms, int64_t other_ms) {
  return one_ms < other_ms ? one_ms : other_ms;
}

/* Wakes those whose time is over; how long until the next one's is, at most LONGEST_SLEEP_MS. */
static int keep_deadlines(void) {
  int64_t now = now_ms();
  int64_t next = LONGEST_SLEEP_MS;
  if (asker.held_length > 0 && asker.held_until_ms <= now) {
    send_held();
  } else if (asker.held_length > 0) {
    next = sooner(next, asker.held_until_ms - now);
  }
  for (size_t i = 0; i < TIMERS; i++) {
    struct waiter *waiter;
    while ((waiter = asker.timers[i].first) != NULL && waiter->deadline_ms <= now) {
      stop_timer(waiter);
      not_asked(waiter);
      wake(waiter, LATE);
    }
    if (waiter != NULL) {
      next = sooner(next, waiter->deadline_ms - now);
    }
  }
  return (int)next;
}

static void *run(void *nothing) {
  static char unread[2 * (HEAD_BYTES + LONGEST_ANSWER)];
  size_t unread_length = 0;
  for (;;) {
    pthread_mutex_lock(&asker.lock);
    if (asker.connection < 0) {
      unread_length = 0;
      dial();
    }
    int timeout = keep_deadlines();
    if (asker.connection < 0 && timeout > AGAIN_MS) {
      timeout = AGAIN_MS;
    }
    struct pollfd polled[2] = {
        {.fd = asker.bell, .events = POLLIN},
        {.fd = asker.connection, .events = POLLIN},
    };
    if (asker.unsent_length > 0) {
      polled[1].events |= POLLOUT;
    }
    pthread_mutex_unlock(&asker.lock);
    if (poll(polled, 2, timeout) < 0) {
      continue; /* EINTR, ENOMEM: once more */
    }
    if (polled[0].revents != 0) {
      uint64_t times;
      if (read(asker.bell, &times, sizeof times) < 0) {
        continue; /* EAGAIN: it was silenced already */
      }
    }
    pthread_mutex_lock(&asker.lock);
    if (polled[1].revents != 0 && asker.connection >= 0) {
      bool is_well = true;
      if ((polled[1].revents & POLLOUT) != 0 && asker.unsent_length > 0) {
        is_well = send_unsent();
      }
      if (is_well && (polled[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        is_well = receive(unread, &unread_length, sizeof unread);
      }
      if (!is_well) {
        hang_up();
      }
    }
    pthread_mutex_unlock(&asker.lock);
  }
  return nothing;
}

bool start_asker(const char *path, size_t length) {
  pthread_mutex_lock(&asker.lock);
  bool is_the_same = asker.is_started && strlen(asker.address.sun_path) == length &&
                     memcmp(asker.address.sun_path, path, length) == 0;
  if (!asker.is_started && length > 0 && length < sizeof asker.address.sun_path) {
    asker.address.sun_family = AF_UNIX;
    memcpy(asker.address.sun_path, path, length);
    asker.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    /* Signals are for Envoy's main thread. */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (asker.bell >= 0 && pthread_create(&thread, NULL, run, NULL) == 0) {
      pthread_detach(thread);
      asker.is_started = is_the_same = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  pthread_mutex_unlock(&asker.lock);
  return is_the_same;
}

void forget_waiter(struct waiter *waiter) {
  pthread_mutex_lock(&asker.lock);
  stop_timer(waiter);
  not_asked(waiter);
  free(waiter->answer);
  waiter->answer = NULL;
  pthread_mutex_unlock(&asker.lock);
}

void set_timer(struct waiter *waiter, enum timer timer) {
  pthread_mutex_lock(&asker.lock);
  start_timer(waiter, timer);
  pthread_mutex_unlock(&asker.lock);
}

bool ask(struct waiter *waiter, uint16_t port, struct part address, struct part authority,
         struct part authorization) {
  pthread_mutex_lock(&asker.lock);
  stop_timer(waiter);
  asker.last_id++;
  if (asker.last_id == 0) {
    asker.last_id = 1;
  }
  waiter->id = asker.last_id;
  size_t length = write_question(asker.held + asker.held_length, waiter->id, port, address,
                                 authority, authorization);
  asker.held_length += length;
  bool is_asked = length > 0 && send_held();
  if (is_asked) {
    struct waiter **bucket = &asker.asked[waiter->id % BUCKETS];
    waiter->next_asked = *bucket;
    *bucket = waiter;
    waiter->is_asked = true;
    start_timer(waiter, ANSWER);
  } else {
    waiter->id = 0;
  }
  pthread_mutex_unlock(&asker.lock);
  return is_asked;
}

/* Whether there is something to say: who has never asked is known to nobody. */
static bool hold_news(struct waiter *waiter, uint8_t kind) {
  if (waiter->id == 0) {
    return false;
  }
  stop_timer(waiter);
  not_asked(waiter);
  if (asker.held_length == 0) {
    asker.held_until_ms = now_ms() + LONGEST_SLEEP_MS;
  }
  asker.held_length += write_news(asker.held + asker.held_length, kind, waiter->id);
  waiter->id = 0;
  return true;
}

void tell_gone(struct waiter *waiter) {
  pthread_mutex_lock(&asker.lock);
  if (hold_news(waiter, GONE)) {
    send_held();
  }
  pthread_mutex_unlock(&asker.lock);
}

void tell_begun(struct waiter *waiter) {
  pthread_mutex_lock(&asker.lock);
  if (hold_news(waiter, BEGUN) && asker.held_length >= MOST_HELD) {
    send_held();
  }
  pthread_mutex_unlock(&asker.lock);
}

void tell_held(void) {
  pthread_mutex_lock(&asker.lock);
  send_held();
  pthread_mutex_unlock(&asker.lock);
}

char *take_answer(struct waiter *waiter, size_t *length) {
  pthread_mutex_lock(&asker.lock);
  char *answer = waiter->answer;
  *length = waiter->answer_length;
  waiter->answer = NULL;
  pthread_mutex_unlock(&asker.lock);
  return answer;
}
