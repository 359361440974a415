/* Fuzzing of the filter: connections that come, speak, wait and go, in any order, against an Envoy
 * that is played here, and a host service that answers, lies, or hangs up.
 *
 * As `fuzz_filter SEED SECONDS`, built with sanitizers. One thread is the worker, one the host service,
 * and the asker has its own. What must hold: whoever carries a connection gets each byte of it once and
 * in order, a tunnel is said to be established once, and only to whom the host service let in.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "asker.h"
#include "envoy_abi.h"

enum { CONNECTIONS = 64, MOST_BYTES = 90000, EVENTS = 1 << 16 };

/* A connection, as Envoy has it. */
struct connection {
  void *filter;
  uint64_t id;
  char sent[MOST_BYTES]; /* by the client */
  size_t sent_length, read_length;
  char carried[MOST_BYTES]; /* to whom tcp_proxy is connected with */
  size_t carried_length;
  size_t buffered; /* in Envoy's buffer, during a read */
  char cluster[64];
  char first[64]; /* the cluster of the first attempt */
  char connected_to[64];
  char pass[64];
  int established, attempts;
  bool is_open, has_begun, is_connected, is_secure, is_paused, shows_certificate;
  unsigned long generation;
};

/* The worker's handle for waking: outlives its filter, as Envoy's does. */
struct scheduler {
  struct connection *of;
  unsigned long generation;
};

static struct connection connections[CONNECTIONS];
static struct {
  struct connection *of;
  unsigned long generation;
  uint64_t event;
} events[EVENTS];
static size_t first_event, last_event;
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_id;
static struct connection *logged;
static unsigned long tunnels, handed_over, given_up;

static __thread uint64_t state;

static uint32_t number(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)((state >> 16) % below);
}

static void expect(bool holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "broken: %s\n", what);
    abort();
  }
}

static bool is_called(const char *text, const char *name) { return strcmp(text, name) == 0; }

static void copy(char *out, size_t room, struct text text) {
  expect(text.length < room, "a name is short");
  memcpy(out, text.ptr, text.length);
  out[text.length] = '\0';
}

/* tcp_proxy begins its first attempt, and looks where to. */
static void begin(struct connection *c) {
  expect(!c->has_begun, "tcp_proxy begins once");
  c->has_begun = true;
  memcpy(c->first, c->cluster, sizeof c->first);
}

/* What Envoy does. */

size_t envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks_size(void *envoy) {
  struct connection *c = envoy;
  return c->buffered == 0 ? 0 : c->buffered == 1 ? 1 : 2;
}

bool envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks(void *envoy,
                                                                         struct text *chunks) {
  struct connection *c = envoy;
  size_t half = c->buffered / 2;
  const char *at = c->sent + c->read_length;
  if (c->buffered == 1) {
    chunks[0] = (struct text){at, 1};
  } else if (c->buffered > 1) {
    chunks[0] = (struct text){at, half};
    chunks[1] = (struct text){at + half, c->buffered - half};
  }
  return true;
}

bool envoy_dynamic_module_callback_network_filter_drain_read_buffer(void *envoy, size_t length) {
  struct connection *c = envoy;
  expect(length <= c->buffered, "no more is drained than there is");
  c->buffered -= length;
  c->read_length += length;
  return true;
}

void envoy_dynamic_module_callback_network_filter_write(void *envoy, struct text data, bool end) {
  struct connection *c = envoy;
  expect(!end && c->is_connected && data.length > 15, "an answer");
  expect(memcmp(data.ptr, "HTTP/1.", 7) == 0 && memcmp(data.ptr + 8, " 200 OK\r\n", 9) == 0, "200");
  c->established++;
}

void envoy_dynamic_module_callback_network_filter_inject_read_data(void *envoy, struct text data,
                                                                   bool end) {
  struct connection *c = envoy;
  (void)end;
  expect(c->is_connected, "data go to somebody");
  memcpy(c->carried + c->carried_length, data.ptr, data.length);
  c->carried_length += data.length;
}

void envoy_dynamic_module_callback_network_filter_continue_reading(void *envoy) {
  struct connection *c = envoy;
  begin(c);
}

static void close_connection(struct connection *c, int event) {
  if (c->is_open) {
    c->is_open = false;
    envoy_dynamic_module_on_network_filter_event(c, c->filter, event);
  }
}

void envoy_dynamic_module_callback_network_filter_close(void *envoy, int how) {
  expect(how == FLUSH_WRITE, "a close");
  close_connection(envoy, LOCAL_CLOSE);
}

int envoy_dynamic_module_callback_network_filter_read_disable(void *envoy, bool disable) {
  struct connection *c = envoy;
  expect(c->is_paused != disable, "reading is stopped once, and begun again once");
  c->is_paused = disable;
  return 0;
}

void envoy_dynamic_module_callback_network_filter_enable_half_close(void *envoy, bool enabled) {
  struct connection *c = envoy;
  expect(c->is_connected && !enabled, "a client that ends its direction ends its tunnel");
}

uint64_t envoy_dynamic_module_callback_network_filter_get_connection_id(void *envoy) {
  return ((struct connection *)envoy)->id;
}

bool envoy_dynamic_module_callback_network_filter_get_remote_address(void *envoy,
                                                                     struct text *address,
                                                                     uint32_t *port) {
  (void)envoy;
  *address = (struct text){"192.0.2.1", 9};
  *port = 50000;
  return true;
}

bool envoy_dynamic_module_callback_network_filter_get_upstream_host_cluster(void *envoy,
                                                                            struct text *name) {
  struct connection *c = envoy;
  *name = (struct text){c->connected_to, strlen(c->connected_to)};
  return true;
}

bool envoy_dynamic_module_callback_network_set_filter_state_typed(void *envoy, struct text key,
                                                                  struct text value) {
  struct connection *c = envoy;
  if (key.length == strlen("envoy.tcp_proxy.cluster")) {
    copy(c->cluster, sizeof c->cluster, value);
  }
  return true;
}

bool envoy_dynamic_module_callback_network_filter_get_attribute_bool(void *envoy, int attribute,
                                                                     bool *value) {
  struct connection *c = envoy;
  expect(attribute == PEER_CERTIFICATE_PRESENTED, "the attribute that is asked for");
  *value = c->shows_certificate;
  return true;
}

void envoy_dynamic_module_callback_network_set_dynamic_metadata_string(void *envoy,
                                                                       struct text space,
                                                                       struct text key,
                                                                       struct text value) {
  struct connection *c = envoy;
  (void)space;
  if (key.length == 4 && memcmp(key.ptr, "pass", 4) == 0) {
    copy(c->pass, sizeof c->pass, value);
  }
}

void *envoy_dynamic_module_callback_network_filter_scheduler_new(void *envoy) {
  struct connection *c = envoy;
  struct scheduler *made = malloc(sizeof *made);
  if (made != NULL) {
    *made = (struct scheduler){c, c->generation};
  }
  return made;
}

void envoy_dynamic_module_callback_network_filter_scheduler_commit(void *given, uint64_t event) {
  struct scheduler *scheduler = given;
  pthread_mutex_lock(&events_lock);
  expect((last_event + 1) % EVENTS != first_event, "events are taken");
  events[last_event].of = scheduler->of;
  events[last_event].generation = scheduler->generation;
  events[last_event].event = event;
  last_event = (last_event + 1) % EVENTS;
  pthread_mutex_unlock(&events_lock);
}

void envoy_dynamic_module_callback_network_filter_scheduler_delete(void *scheduler) {
  free(scheduler);
}

uint64_t envoy_dynamic_module_callback_access_logger_get_connection_id(void *logger) {
  (void)logger;
  return logged->id;
}

/* What the world does. */

static const char *const heads[] = {
    "CONNECT repo.example:443 HTTP/1.1\r\nProxy-Authorization: Basic YWNtZTpwYXNz\r\n\r\n",
    "CONNECT repo.example:443 HTTP/1.0\r\nProxy-Authorization: Basic YWNtZTpwYXNz\r\n\r\n",
    "CONNECT repo.example:443 HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT repo.exam",
};

static void put(struct connection *c, const char *text, size_t length) {
  if (c->sent_length + length <= MOST_BYTES) {
    memcpy(c->sent + c->sent_length, text, length);
    c->sent_length += length;
  }
}

static void come(struct connection *c) {
  unsigned long generation = c->generation + 1;
  memset(c, 0, sizeof *c);
  c->generation = generation;
  c->id = ++last_id;
  c->is_open = true;
  c->shows_certificate = number(8) == 0;
  const char *head = heads[number(sizeof heads / sizeof heads[0])];
  put(c, head, strlen(head));
  if (number(3) == 0) {
    static char more[80000];
    memset(more, (int)('a' + number(26)), sizeof more);
    put(c, more, number(number(4) == 0 ? sizeof more : 300));
  }
  c->filter = envoy_dynamic_module_on_network_filter_new("", c);
  expect(envoy_dynamic_module_on_network_filter_new_connection(c, c->filter) == STOP_ITERATION,
         "a new connection waits");
}

static void leave(struct connection *c) {
  close_connection(c, number(2) == 0 ? REMOTE_CLOSE : LOCAL_CLOSE);
  if (!c->is_connected) {
    given_up++;
  }
  envoy_dynamic_module_on_network_filter_destroy(c->filter);
  c->filter = NULL;
  c->generation++;
}

static void speak(struct connection *c) {
  size_t left = c->sent_length - c->read_length;
  bool end = number(60) == 0;
  if (c->is_paused || (left == 0 && !end)) {
    return;
  }
  c->buffered = left == 0 ? 0 : number((uint32_t)(left > 20000 ? 20000 : left)) + 1;
  int status = envoy_dynamic_module_on_network_filter_read(c, c->filter, c->buffered, end);
  if (!c->is_open) {
    return;
  }
  if (status == CONTINUE) {
    if (!c->has_begun) {
      begin(c);
    }
    if (c->is_connected && c->buffered > 0) {
      memcpy(c->carried + c->carried_length, c->sent + c->read_length, c->buffered);
      c->carried_length += c->buffered;
    }
    expect(c->is_connected || c->buffered == 0, "nobody gets data before there is somebody");
    c->read_length += c->buffered;
  }
  c->buffered = 0;
}

static void try_target(struct connection *c) {
  c->attempts++;
  const char *cluster = c->attempts == 1 ? c->first : c->cluster;
  if (c->attempts == 1 && !is_called(cluster, "requests") && number(3) == 0) {
    return; /* it refuses */
  }
  if (c->attempts > 2) {
    close_connection(c, LOCAL_CLOSE);
    return;
  }
  memcpy(c->connected_to, cluster, sizeof c->connected_to);
  c->is_connected = true;
  logged = c;
  envoy_dynamic_module_on_access_logger_log(NULL, NULL, TCP_UPSTREAM_CONNECTED);
  *(is_called(c->connected_to, "requests") ? &handed_over : &tunnels) += 1;
}

static void check(const struct connection *c) {
  if (!c->is_connected || !c->is_open) {
    return;
  }
  bool is_tunnel = !is_called(c->connected_to, "requests");
  expect(!(is_tunnel && c->shows_certificate), "who shows a certificate is handed over");
  expect(c->established == (is_tunnel ? 1 : 0), "who is let in is told so, once");
  expect((c->pass[0] != '\0') == is_tunnel, "the log knows whose tunnel it is");
  size_t head = 0;
  if (is_tunnel) {
    const char *end = strstr(c->sent, "\r\n\r\n");
    expect(end != NULL, "a tunnel has a head");
    head = (size_t)(end - c->sent) + 4;
    expect(strstr(c->sent, "Proxy-Authorization") != NULL, "nobody without a password");
  }
  expect(c->carried_length == c->read_length - head &&
             memcmp(c->carried, c->sent + head, c->carried_length) == 0,
         "each byte arrives, in order");
}

static void take_event(void) {
  pthread_mutex_lock(&events_lock);
  bool is_any = first_event != last_event;
  struct connection *c = NULL;
  uint64_t event = 0;
  if (is_any) {
    c = events[first_event].of;
    event = events[first_event].event;
    if (c->generation != events[first_event].generation) {
      c = NULL; /* its filter is gone, and Envoy knows */
    }
    first_event = (first_event + 1) % EVENTS;
  }
  pthread_mutex_unlock(&events_lock);
  if (c != NULL && c->filter != NULL) {
    envoy_dynamic_module_on_network_filter_scheduled(c, c->filter, event);
  }
}

static void turn(struct connection *c) {
  if (c->filter == NULL) {
    come(c);
    return;
  }
  uint32_t what = number(100);
  if (what < 2 || !c->is_open) {
    leave(c);
    return;
  }
  if (!c->is_secure) {
    c->is_secure = true;
    envoy_dynamic_module_on_network_filter_event(c, c->filter, CONNECTED);
  } else if (c->has_begun && !c->is_connected && what < 40) {
    try_target(c);
  } else {
    speak(c);
  }
  check(c);
}

static size_t put_text(char *out, const char *text) {
  size_t length = strlen(text);
  out[0] = 0;
  out[1] = (char)length;
  memcpy(out + 2, text, length);
  return 2 + length;
}

static void answer(int line, const char *question, size_t length) {
  if (length < 9 || question[4] != ASK || number(20) == 0) {
    return; /* nobody answers, or it was no question */
  }
  char out[256] = {0};
  memcpy(out + 4, question + 5, 4);
  size_t at = 9;
  if (number(3) != 0) {
    out[8] = TUNNEL;
    at += put_text(out + at, "tunnels");
    at += put_text(out + at, "192.0.2.7:443");
    at += put_text(out + at, "acme");
    at += put_text(out + at, "repo.example:443");
    at += put_text(out + at, "place tenant - -");
    if (number(200) == 0) {
      at -= number(9) + 1; /* cut short */
    }
  }
  out[3] = (char)(at - 4);
  size_t half = number((uint32_t)at);
  if (send(line, out, half, MSG_NOSIGNAL) < 0 || send(line, out + half, at - half, MSG_NOSIGNAL) < 0) {
    return;
  }
}

static void *serve(void *given) {
  int listener = *(int *)given;
  state = 4711;
  for (;;) {
    int line = accept(listener, NULL, NULL);
    static char came[1 << 20];
    size_t length = 0, at = sizeof GREETING - 1;
    for (;;) {
      ssize_t more = recv(line, came + length, sizeof came - length, 0);
      if (more <= 0 || number(3000) == 0) {
        break;
      }
      length += (size_t)more;
      while (length >= at + 4 && length - at - 4 >= message_length(came + at)) {
        size_t size = 4 + message_length(came + at);
        answer(line, came + at, size);
        at += size;
      }
      if (length >= at && at > sizeof came / 2) {
        memmove(came, came + at, length - at);
        length -= at;
        at = 0;
      }
    }
    close(line);
  }
  return NULL;
}

int main(int count, char **words) {
  uint64_t seed = count > 1 ? strtoull(words[1], NULL, 10) : 1;
  time_t until = time(NULL) + (count > 2 ? atol(words[2]) : 5);
  state = seed * 2654435761u + 88172645463325252u;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char folder[] = "/tmp/fuzz-filter-XXXXXX";
  expect(mkdtemp(folder) != NULL, "a folder");
  snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
  static int listener;
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  expect(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "a socket");
  expect(listen(listener, 8) == 0, "a listener");
  pthread_t server;
  expect(pthread_create(&server, NULL, serve, &listener) == 0, "a host service");
  struct text path = {address.sun_path, strlen(address.sun_path)};
  expect(envoy_dynamic_module_on_network_filter_config_new(NULL, (struct text){"", 0}, path) != NULL,
         "a filter");
  unsigned long turns = 0;
  while (time(NULL) < until) {
    for (int i = 0; i < 2000; i++, turns++) {
      take_event();
      turn(&connections[number(CONNECTIONS)]);
    }
    poll(NULL, 0, 1); /* the others' turn */
  }
  for (size_t i = 0; i < CONNECTIONS; i++) {
    if (connections[i].filter != NULL) {
      leave(&connections[i]);
    }
  }
  unlink(address.sun_path);
  rmdir(folder);
  printf("%lu turns: %lu tunnels, %lu handed over, %lu given up\n", turns, tunnels, handed_over,
         given_up);
  return tunnels > 0 && handed_over > 0 ? 0 : 1;
}
